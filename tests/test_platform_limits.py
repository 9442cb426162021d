"""What the platform takes at most, known before anything is sent: each at the limit, and one above it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from d365setup import ruleset
from d365setup.cli import main
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.batch import MAX_REQUESTS, MAX_URL, ChangeSet, Request, encode
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, fixtures
from d365setup.errors import PlaybookError, Refused, Unresolvable
from d365setup.kinds.context_variable import MOST_VARIABLES, RESERVED
from d365setup.kinds.filters import MOST_TERMS, MOST_TEXT
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.rule_checks import MOST_RULES
from d365setup.live import path, wanted
from d365setup.model import ResourceId, Stage, Write
from d365setup.plan import MOST_USER_CHANGES, Decision
from d365setup.session import Session
from d365setup.staging import MOST_WRITES, stages
from tests.engine.driver import KINDS, decided, playbook, put_rules
from tests.kinds.rules import rule
from tests.pruning import decided as decided_with_prune
from tests.pruning import made, stream_id

ROOT = "https://contoso.crm.dynamics.com/api/data/v9.2/"
START = "playbook: 1\nname: limits\n"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    found = Emulator()
    with found.serve():
        yield found
    found.close()


@pytest.fixture
def call(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, object]]]:
    """Call a command on a playbook; its exit code and its document."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, command: str, *args: str) -> tuple[int, dict[str, object]]:
        Path("limits.yaml").write_text(text, encoding="utf-8")
        where = [] if command == "validate" else ["--url", emulator.url]
        full = [command, "limits.yaml", *where, "--format", "json", *args]
        ended = CliRunner().invoke(main, full, env={"D365_ACCESS_TOKEN": "made-up-token"})
        return ended.exit_code, json.loads(ended.stdout)

    return run


def nothing_written(emulator: Emulator) -> bool:
    sent = [part for request in emulator.requests for part in request.operations]
    return {method for method, _, _ in sent} <= {"GET"}


# -- rules of a work stream --------------------------------------------------------------------------------------------


def with_rules(count: int) -> str:
    rules = "".join(f"      - {{name: Rule {n:03}, when: {{Topic: '{n}'}}, queue: Nurses}}\n" for n in range(count))
    stream = "workstreams:\n  - name: Patient chat\n    context_variables: [{name: Topic, type: text}]\n"
    return f"{START}queues: [{{name: Nurses}}]\n{stream}    routing_rules:\n{rules}"


def theirs(count: int) -> str:
    found = [
        rule(1, f"Theirs {n}", "", fixtures.NURSES).replace(
            "10000000-0000-4000-8000-000000000001", f"10000000-0000-4000-8000-{n:012d}"
        )
        for n in range(count)
    ]
    return f'<decision hit-policy="all" version="1"><rules>{"".join(found)}</rules></decision>'


def test_200_rules_of_one_playbook() -> None:
    assert MOST_RULES == 200
    assert len(playbook(with_rules(200)).desired.of(RoutingRule)) == 200
    with pytest.raises(PlaybookError) as caught:
        playbook(with_rules(201))
    (mistake,) = caught.value.mistakes
    assert mistake.message == "201 rules for one work stream, and the platform takes 200"
    assert mistake.source.line == 8


def test_200_rules_with_those_that_are_there(emulator: Emulator) -> None:
    put_rules(emulator, theirs(150))
    assert len(decided(emulator, with_rules(50)).plan.changes) == 51
    with pytest.raises(Unresolvable) as caught:
        decided(emulator, with_rules(51))
    (note,) = caught.value.notes
    assert note.message == (
        "the rule set would have 201 rules (150 that are there, 51 new), and the platform takes 200; declare fewer, or "
        "take some out in the admin centre"
    )
    assert caught.value.exit_code == 1


def test_more_rules_than_200_may_be_there_already(emulator: Emulator) -> None:
    """Nothing is added by a playbook that only changes one of them."""
    put_rules(emulator, theirs(201))
    text = with_rules(1).replace("Rule 000", "Theirs 5")
    assert {change.id.kind for change in decided(emulator, text).plan.changes} == {"context_variable", "routing_rule"}


def test_rules_that_are_pruned_make_room(emulator: Emulator) -> None:
    put_rules(emulator, theirs(150))
    made(emulator, with_rules(50))
    other = with_rules(50).replace("Rule 0", "Other 0")
    with pytest.raises(Unresolvable, match="would have 250 rules"):
        decided(emulator, other)
    actions = [change.action.value for change in decided_with_prune(emulator, other).plan.changes]
    assert (actions.count("create"), actions.count("delete")) == (50, 50)


# -- context variables of a work stream --------------------------------------------------------------------------------


def with_variables(count: int) -> str:
    names = "".join(f"      - {{name: Variable {n}, type: text}}\n" for n in range(count))
    return f"{START}workstreams:\n  - name: Patient chat\n    context_variables:\n{names}"


def test_100_variables_of_one_playbook() -> None:
    assert MOST_VARIABLES == 100
    playbook(with_variables(100))
    with pytest.raises(PlaybookError) as caught:
        playbook(with_variables(101))
    (mistake,) = caught.value.mistakes
    assert mistake.message == "101 context variables for one work stream, and the platform takes 100"


def test_100_variables_with_those_that_are_there(emulator: Emulator) -> None:
    stream = {"msdyn_liveworkstreamid": stream_id(emulator), "msdyn_datatype": 192350000}
    for number in range(60):
        emulator.add("msdyn_ocliveworkstreamcontextvariable", msdyn_name=f"Theirs {number}", **stream)
    for name in ("va_Scope", min(RESERVED, key=len)):  # the platform's own
        emulator.add("msdyn_ocliveworkstreamcontextvariable", msdyn_name=name, **stream)
    assert len(decided(emulator, with_variables(40)).plan.changes) == 40
    with pytest.raises(Unresolvable) as caught:
        decided(emulator, with_variables(41))
    (note,) = caught.value.notes
    assert note.message == (
        "the work stream would have 101 context variables (60 that are there, 41 new), and the platform takes 100; "
        "declare fewer, or delete some first"
    )


# -- characters of a rule set ------------------------------------------------------------------------------------------

BARE = '<decision hit-policy="all" version="1"><rules></rules></decision>'


def long_rules(last: str) -> str:
    """161 rules of 50 alternatives each, one of a long value, and one of the value that is wanted."""
    values = ", ".join(f"v{number:02}" for number in range(50))
    lines = [
        f"      - {{name: Rule {n:03}, queue: Nurses, "
        f"when: {{variable: Topic, operator: is one of, value: [{values}]}}}}\n"
        for n in range(161)
    ]
    lines.append(f"      - {{name: Long, when: {{Topic: {'y' * 2500}}}, queue: Nurses}}\n")
    lines.append(f"      - {{name: Last, when: {{Topic: {last}}}, queue: Nurses}}\n")
    stream = "workstreams:\n  - name: Patient chat\n    context_variables: [{name: Topic, type: text}]\n"
    return f"{START}queues: [{{name: Nurses}}]\n{stream}    routing_rules:\n{''.join(lines)}"


def bare_size(text: str) -> int:
    """Characters of a playbook's rules in the shortest layout there is."""
    rules = playbook(text).desired.of(RoutingRule)
    found = [
        ruleset.Wanted(each.name, f"00000000-0000-4000-8000-{n:012d}", each.condition, fixtures.NURSES)
        for n, each in enumerate(rules)
    ]
    return len(ruleset.edit(BARE, found))


def of_size(characters: int) -> str:
    """A playbook whose rules take so many characters, in the shortest layout."""
    missing = characters - bare_size(long_rules("x"))
    assert 0 <= missing < 4000, missing
    return long_rules("x" * (missing + 1))


def test_the_text_of_one_playbooks_rules(call: Callable[..., tuple[int, dict[str, object]]]) -> None:
    assert ruleset.MOST_CHARACTERS == 1_048_576
    most = of_size(ruleset.MOST_CHARACTERS)
    assert call(most, "validate")[0] == 0
    code, document = call(most.replace("{Topic: x", "{Topic: xx"), "validate")
    assert code == 2
    (problem,) = document["problems"]  # type: ignore[misc]
    assert problem["message"] == (
        "the rules of this work stream are too long: The rule set would have 1048577 characters; the most is 1048576."
    )


def test_the_text_with_what_is_there(emulator: Emulator) -> None:
    one = (
        with_rules(1)
        .replace(", when: {Topic: '0'}", "")
        .replace("\n    context_variables: [{name: Topic, type: text}]", "")
    )
    before = theirs(1)
    put_rules(emulator, before)
    (write,) = decided(emulator, one).writes
    added = len(write.body["msdyn_rulesetdefinition"]) - len(before)  # type: ignore[index]
    room = ruleset.MOST_CHARACTERS - len(before) - added - len("<!---->")
    for padding, fits in ((room, True), (room + 1, False)):
        text = f"{before}<!--{'x' * padding}-->"
        emulator.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [text])
        if fits:
            (write,) = decided(emulator, one).writes
            assert len(write.body["msdyn_rulesetdefinition"]) == ruleset.MOST_CHARACTERS  # type: ignore[index]
        else:
            with pytest.raises(Unresolvable, match="would have 1048577 characters; the most is 1048576"):
                decided(emulator, one)


# -- changes of users --------------------------------------------------------------------------------------------------


def with_members(emulator: Emulator, count: int) -> str:
    """Queues whose members are so many links, of 25 people."""
    people = [f"person.{number}@contoso.example" for number in range(25)]
    if not emulator.sql("SELECT 1 FROM systemuser WHERE internalemailaddress = ?", [people[0]]):
        for mail in people:
            emulator.add("systemuser", lastname=mail, internalemailaddress=mail, businessunitid=fixtures.ROOT_UNIT)
    full, rest = divmod(count, len(people))
    lists = [people] * full + ([people[:rest]] if rest else [])
    queues = "".join(f"  - {{name: Queue {n}, members: [{', '.join(each)}]}}\n" for n, each in enumerate(lists))
    return f"{START}queues:\n{queues}"


def test_500_user_changes(emulator: Emulator, call: Callable[..., tuple[int, dict[str, object]]]) -> None:
    assert MOST_USER_CHANGES == 500
    assert len(decided(emulator, with_members(emulator, 500)).plan.changes) == 520
    above = with_members(emulator, 501)
    emulator.reset_log()
    for command in (("plan",), ("apply", "--yes")):
        code, document = call(above, *command)
        assert code == 5  # it could be done, in parts
        (problem,) = document["problems"]  # type: ignore[misc]
        assert problem["id"] == "playbook:limits"
        assert problem["message"] == (
            "the plan changes users, their roles and their queues 501 times, and the platform takes 500 such changes "
            "in 15 minutes; apply it in parts: take queues with at least 1 of these members out of the playbook, "
            "apply, wait 15 minutes, put them back, and apply again"
        )
    assert nothing_written(emulator)


def test_bots_and_their_roles_count_too(emulator: Emulator) -> None:
    bot = (
        "bot_users:\n  - {name: Bot, application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f,\n"
        "     bot_application_id: 9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01, email: bot@contoso.example}\n"
    )
    decided(emulator, with_members(emulator, 498) + bot)
    with pytest.raises(Unresolvable, match="501 times"):
        decided(emulator, with_members(emulator, 499) + bot)


# -- operations in a $batch --------------------------------------------------------------------------------------------


def with_queues(count: int) -> str:
    return f"{START}queues:\n" + "".join(f"  - {{name: Queue {number:04}}}\n" for number in range(count))


def whole(emulator: Emulator, text: str, *, whole_stages: bool = True) -> Decision:
    with Client(emulator.url, StaticToken("anything"), read_only=True) as client:
        session = Session(client, KINDS, playbook(text))
        return session.decide(session.look(), whole_stages=whole_stages)


def test_1000_operations_in_a_request(emulator: Emulator) -> None:
    assert MAX_REQUESTS == 1000
    assert len(whole(emulator, with_queues(990)).writes) == 990  # and 10 reads behind them
    with pytest.raises(Refused) as caught:
        whole(emulator, with_queues(991))
    assert str(caught.value) == (
        "a change set of 991 writes and the reads behind it are 1001 operations, and the service takes 1000 in one "
        "request; leave out --transaction stage"
    )
    assert len(whole(emulator, with_queues(991), whole_stages=False).writes) == 991


def test_the_command_tells_before_anything_is_sent(
    emulator: Emulator, call: Callable[..., tuple[int, dict[str, object]]]
) -> None:
    code, document = call(with_queues(991), "apply", "--yes", "--transaction", "stage")
    assert code == 5
    assert "1001 operations" in str(document["message"])
    assert nothing_written(emulator)


@pytest.mark.parametrize(
    ("count", "width", "sets"), [(2000, 4, 4), (2001, 4, 5), (500, 1, 1), (501, 1, 2), (8000, 8, 16)]
)
def test_change_sets_are_made_smaller_than_that(count: int, width: int, sets: int) -> None:
    writes = [Write(Stage.THINGS, "PATCH", f"queues({n})", {}, (ResourceId("queue", str(n)),)) for n in range(count)]
    (stage,) = stages(writes, width, waits=False)
    assert len(stage) == sets
    assert max(len(each) for each in stage) <= MOST_WRITES


def test_no_request_of_more_can_be_written_down() -> None:
    requests = tuple(Request("DELETE", f"queues({n})") for n in range(1000))
    encode([ChangeSet(requests)], ROOT)
    encode([ChangeSet(requests[:999]), Request("GET", "queues")], ROOT)
    with pytest.raises(ValueError, match="1001 requests in one batch"):
        encode([ChangeSet(requests), Request("GET", "queues")], ROOT)


# -- length of an address inside a $batch ------------------------------------------------------------------------------


def test_64_kb_of_address_in_a_request() -> None:
    assert MAX_URL == 64 * 1024
    below = "/api/data/v9.2/queues?$filter="
    address = "queues?$filter=" + "x" * (MAX_URL - len(below))
    encode([Request("GET", address)], ROOT)
    with pytest.raises(ValueError, match=f"an address of {MAX_URL + 1} bytes"):
        encode([Request("GET", address + "x")], ROOT)


def test_no_query_of_ours_comes_near_it() -> None:
    """The longest names there are, and as many as a playbook can hold."""
    name = "\u6f22" * 200
    queues = "".join(f"  - {{name: '{name[:-3]}{n:03}'}}\n" for n in range(300))
    queries = list(wanted(KINDS, playbook(f"{START}queues:\n{queues}").desired))
    longest = max(len(path(each)) for each in queries)
    assert longest < MOST_TEXT + 500 < MAX_URL // 4
    assert max(each.filter.count(" eq ") for each in queries) <= MOST_TERMS
    assert len(quote(name)) == 1800
