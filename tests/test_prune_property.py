"""Pruning as a property: apply A, then B, which is A without some things, with `--prune`: as if A had never been."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator, Switches, fixtures
from d365setup.outcome import Status
from tests.engine.driver import APPLICATION, BOT_ID, put_rules
from tests.engine.test_convergence import FOREIGN, PEOPLE, VARIABLES, conditions, names, started
from tests.pruning import OTHER_APPLICATION, OTHER_BOT_ID, destroyed, going, links_made, made, pruned

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

Playbook = dict[str, Any]
RULE = re.compile(r"<rule\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*(?:/>|>.*?</rule>)", re.DOTALL)
OTHERS = f"""
playbook: 1
name: somebody-elses
bot_users:
  - {{name: Their bot, application_id: {OTHER_APPLICATION}, bot_application_id: {OTHER_BOT_ID},
     email: theirs@contoso.example, capacity: 400}}
queues:
  - {{name: Their queue, members: [Their bot, nurse.one@contoso.example]}}
workstreams:
  - name: Patient chat
    context_variables: [{{name: Theirs, type: text}}]
    routing_rules:
      - {{name: Their rule <&>, when: {{Theirs: yes please}}, queue: Their queue}}
"""


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    queues = []
    for name in draw(st.lists(names, unique=True, min_size=1, max_size=4)):
        members = draw(st.lists(st.sampled_from((*PEOPLE, "Bot")), unique=True, max_size=3))
        queues.append({"name": name, "priority": draw(st.integers(1, 9)), **({"members": members} if members else {})})
    targets = [queue["name"] for queue in queues]
    rules = []
    for letter in draw(st.lists(st.sampled_from("ABCDEF"), unique=True, max_size=5)):
        rule: dict[str, Any] = {"name": f"Rule {letter} <&>", "queue": draw(st.sampled_from(targets))}
        rules.append({**rule, **({"when": draw(conditions)} if draw(st.booleans()) else {})})
    types = {"Severity": "number"}
    stream: dict[str, Any] = {
        "name": "Patient chat",
        "context_variables": [{"name": name, "type": types.get(name, "text")} for name in VARIABLES],
        "routing_rules": rules,
    }
    if draw(st.booleans()):
        stream["fallback_queue"] = draw(st.sampled_from(targets))
    bot = {"application_id": APPLICATION, "bot_application_id": BOT_ID, "email": "bot@contoso.example"}
    return {
        "playbook": 1,
        "name": "property",
        "bot_users": [
            {"name": "Bot", **bot, "capacity": 500, "roles": ["Omnichannel agent", "Omnichannel supervisor"]}
        ],
        "queues": queues,
        "workstreams": [stream],
    }


@st.composite
def cut(draw: st.DrawFn, whole: Playbook) -> Playbook:
    """The playbook without some things, and without what refers to them. A fallback queue stays: it is not undone."""
    (stream,) = whole["workstreams"]
    keep: Callable[[], bool] = lambda: draw(st.booleans())  # noqa: E731  # drawn again each time
    has_bot = keep()
    queues = []
    for queue in whole["queues"]:
        if queue["name"] == stream.get("fallback_queue") or keep():
            members = [each for each in queue.get("members", ()) if keep() and (has_bot or each != "Bot")]
            left = {key: value for key, value in queue.items() if key != "members"}
            queues.append({**left, **({"members": members} if members else {})})
    variables = [each for each in stream["context_variables"] if keep()]
    known = {each["name"] for each in variables}
    targets = {queue["name"] for queue in queues}
    rules = [
        rule
        for rule in stream["routing_rules"]
        if keep() and rule["queue"] in targets and _looked_at(rule.get("when", {})) <= known
    ]
    bots = [{**whole["bot_users"][0], "roles": ["Omnichannel agent"] if keep() else whole["bot_users"][0]["roles"]}]
    return {
        **whole,
        "bot_users": bots if has_bot else [],
        "queues": queues,
        "workstreams": [{**stream, "context_variables": variables, "routing_rules": rules}],
    }


def _looked_at(when: dict[str, Any]) -> set[str]:
    if "variable" in when:
        return {when["variable"]}
    return {name for part in when.get("any", when.get("all", ())) for name in _looked_at(part)}


hands = st.lists(st.sampled_from(["queue", "people", "variable", "their rules"]), unique=True, max_size=4)
answers = st.builds(
    Switches,
    repeated_link=st.sampled_from(["204", "412"]),
    mappings=st.sampled_from(["complete", "second write", "never"]),
    failed_changeset=st.sampled_from(["wrapper", "single"]),
    default_queue_column=st.sampled_from(["present", "missing"]),
    disabled_rules_column=st.sampled_from(["present", "absent"]),
    memo_line_ends=st.sampled_from(["as sent", "crlf"]),
)


@contextmanager
def clinic(switches: Switches, acts: list[str]) -> Iterator[Emulator]:
    """An environment with somebody's own things in it, the same ids each time."""
    with started(switches, [act for act in acts if act in ("people", "variable")]) as emulator:
        if "queue" in acts:
            known = {"msdyn_isomnichannelqueue": True, "queueviewtype": 1, "msdyn_priority": 4}
            emulator.add("queue", queueid="10000000-0000-4000-8000-000000000001", name="Triage", **known)
        if "their rules" in acts:
            put_rules(emulator, FOREIGN.replace("Topic", "Undeclared") % fixtures.NURSES.upper())
        yield emulator


def text(playbook: Playbook) -> str:
    return str(yaml.safe_dump(playbook, sort_keys=False, allow_unicode=True))


def state(emulator: Emulator, there_before: frozenset[str]) -> dict[str, Any]:
    """All that counts, read raw; of queues that were there before the columns do not: A may have set them."""
    who = "coalesce(u.applicationid, u.internalemailaddress)"
    queues = emulator.sql("SELECT name, msdyn_queuetype, msdyn_priority FROM queue WHERE statecode = 0")
    members = (
        f"SELECT q.name, {who} FROM queuemembership m JOIN queue q ON q.queueid = m.queueid "  # noqa: S608
        "JOIN systemuser u ON u.systemuserid = m.systemuserid"
    )
    roles = (
        f"SELECT {who}, r.name FROM systemuserroles x JOIN role r ON r.roleid = x.roleid "  # noqa: S608
        "JOIN systemuser u ON u.systemuserid = x.systemuserid"
    )
    rule_sets = emulator.sql("SELECT msdyn_name, msdyn_rulesetdefinition FROM msdyn_decisionruleset")
    return {
        "queues": {row if row[0] not in there_before else row[:1] for row in queues},
        "members": set(emulator.sql(members)),
        "roles": set(emulator.sql(roles)),
        "bots": set(emulator.sql("SELECT fullname FROM systemuser WHERE applicationid IS NOT NULL AND isdisabled = 0")),
        "variables": set(emulator.sql("SELECT msdyn_name, msdyn_datatype FROM msdyn_ocliveworkstreamcontextvariable")),
        "rules": [rule for _, definition in rule_sets for rule in RULE.findall(definition)],
        "their text": [definition for name, definition in rule_sets if name == "Theirs"],
        "fallback": emulator.sql(
            "SELECT q.name FROM msdyn_liveworkstream s JOIN queue q ON q.queueid = s.msdyn_defaultqueue"
        ),
    }


def _lines_alike(found: Any) -> Any:
    return [each.replace("\r\n", "\n") for each in found]


def compare(one: dict[str, Any], other: dict[str, Any], *, line_ends: bool) -> None:
    for what, value in one.items():
        if what in ("rules", "their text") and not line_ends:  # handed out with CRLF, they are stored so when sent back
            assert _lines_alike(value) == _lines_alike(other[what]), what
        else:
            assert value == other[what], what


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data(), acts=hands, switches=answers, others=st.booleans())
def test_what_is_left_is_as_if_it_had_never_been(
    data: st.DataObject, acts: list[str], switches: Switches, *, others: bool
) -> None:
    whole = data.draw(playbooks())
    part = data.draw(cut(whole))
    exact = switches.memo_line_ends == "as sent"
    with clinic(switches, acts) as emulator, clinic(switches, acts) as plain:
        if others:
            made(emulator, OTHERS)
            made(plain, OTHERS)
        there_before = frozenset(name for (name,) in emulator.sql("SELECT name FROM queue"))
        untouched = state(emulator, there_before)
        links = made(emulator, text(whole))
        done = pruned(emulator, text(part), links)
        assert set(done.statuses.values()) <= {Status.VERIFIED}, done.outcomes
        assert [note.message for note in done.decision.plan.warnings if "stays" in note.message] == []
        direct = made(plain, text(part))
        compare(state(emulator, there_before), state(plain, there_before), line_ends=exact)
        assert going(emulator, text(part), links | links_made(done)) == {}

        if not whole["workstreams"][0].get("fallback_queue"):
            destroyed(emulator, text(part), links | links_made(done))
            destroyed(plain, text(part), direct)
            compare(state(emulator, there_before), untouched, line_ends=exact)
            compare(state(plain, there_before), untouched, line_ends=exact)
