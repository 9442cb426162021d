"""`export` of environments that somebody clicked together: what it says, remarks and refuses, and of which part."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.cli.exported import NotProved, prove
from d365setup.cli.output import Output
from d365setup.emulator import Fault
from d365setup.exporting.tree import Entry, Map
from d365setup.exporting.yaml_text import yaml_text
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.model import join_key
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import plain
from d365setup.playbook.reading import read
from tests.engine.driver import decided
from tests.exporting.driver import creates, export
from tests.survey import rule_text
from tests.survey.rule_text import compares, equals, one_of, rule, sends, splits
from tests.survey.site import BOOLEAN, NUMBER, Site, site

ODD_NAMES = (
    "no", "1_0", "a: b", "# one", "${x}", "$${y}", "'single'", 'a "b" \\c', "- dash", "&anchor", "*star", "!tag", "%20",
    "@at", "`tick", "[list]", "{map}", "null", "~", "0o17", "2026-01-01", "1:30", "Größe", "日本語", "a,b",
    "=", "<<", "🚑",
)  # fmt: skip


XML_REFUSES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def remarks(text: str) -> str:
    """All comments, as one text."""
    return " ".join(line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("#"))


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\n\t\\\"'#:${}[],&*!|>%@` "),
        max_size=40,
    )
)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    mistakes = Mistakes()
    written = yaml_text(Map((Entry("value", text),)))
    node = read(written.encode(), "it.yaml", mistakes)
    assert node is not None
    mistakes.raise_any()
    assert plain(node) == {"value": text.replace("${", "$${")}


def test_names_that_yaml_takes_for_something_else(here: Site) -> None:
    person = here.make_person("nurse.one@contoso.example")
    queues = [here.make_queue(name, members=[person], description=name) for name in ODD_NAMES]
    chat = here.make_workstream("yes: chat", fallback=queues[0])
    for name in ODD_NAMES:
        here.make_variable(chat, name)
    here.make_rule_set(chat, [(name, equals("no", name), row) for name, row in zip(ODD_NAMES, queues, strict=True)])
    found = export(here.emulator)
    assert found.code == 0, found.err
    desired = found.playbook.desired
    assert {each.name for each in desired.of(Queue)} == set(ODD_NAMES)
    assert {each.name for each in desired.of(ContextVariable)} == set(ODD_NAMES)
    assert [each.name for each in desired.of(RoutingRule)] == list(ODD_NAMES)
    assert len(desired.of(QueueMember)) == len(ODD_NAMES)


HOSTILE = st.lists(st.sampled_from(ODD_NAMES) | st.text(st.characters(codec="utf-8"), max_size=30), min_size=1).map(
    "".join
)


@settings(max_examples=12, deadline=None)  # the machine may be busy
@given(given=st.lists(HOSTILE | HOSTILE.map(lambda name: (name * 200)[:200]), min_size=1, max_size=5))
def test_a_name_comes_back_as_it_was_or_the_export_says_why_not(given: list[str]) -> None:
    """Queues, variables and rules of any names: each is in the playbook, or in a remark."""
    with site() as here:
        queues = {name: here.make_queue(name[:200]) for name in _kept_by_the_service(given)}
        chat = here.make_workstream("Chat")
        for name in queues:
            here.make_variable(chat, name[:100])
        here.make_rule_set(chat, [(each[:200], None, row) for each, row in queues.items()])
        found = export(here.emulator, "--report", "it.json")
        assert found.code == 0, found.err
        desired = found.playbook.desired
        told = json.loads(Path("it.json").read_text(encoding="utf-8"))["untouched"]
    for kind, longest, *where in ((Queue, 200), (ContextVariable, 100, "Chat"), (RoutingRule, 200, "Chat")):
        said = {join_key(*where, each.name) for each in desired.of(kind)}
        left = {each["key"] for each in told if each["kind"] == kind.kind and each["state"] == "left out"}
        names = {join_key(*where, name[:longest]) for name in queues}
        assert said <= names
        assert names - said <= left


def _kept_by_the_service(names: list[str]) -> list[str]:
    """Those that the Web API and a rule set's XML can hold, each once."""
    return list(dict.fromkeys(name for name in names if name.strip() and not XML_REFUSES.search(name)))


def test_what_format_1_cannot_say_is_remarked_where_it_stands(here: Site) -> None:
    nurse = here.make_person("nurse.one@contoso.example")
    nurses, billing = here.make_queue("Nurses", members=[nurse]), here.make_queue("Billing")
    here.make_queue("Night", hours=here.make_hours("Nights"))
    public = here.make_queue("Public", queueviewtype=0)
    chat = here.make_workstream("Patient chat", fallback=public)
    here.make_variable(chat, "Topic")
    here.make_variable(chat, "Severity", NUMBER)
    here.make_variable(chat, "Consent", BOOLEAN)
    here.make_rule_text(
        chat,
        rule_text.text([rule("Class", None, rule_text.sets("msdyn_ocliveworkitem.x", "1"))]),
        step="classification",
    )
    off = "99999999-cccc-4ccc-8ccc-000000000001"
    text = rule_text.text(
        [
            rule("First", equals("Topic", "no"), sends(nurses)),
            rule("Split", None, splits([(nurses, 60), (billing, 40)])),
            rule("Foreign", compares("Topic", "contains", "x"), sends(nurses)),
            rule("Half", compares("Severity", ">", "7.5"), sends(nurses)),
            rule("Off", None, sends(nurses), off),
            rule("Unknown", equals("Consent", "true"), sends(nurses)),
            rule("Outside", None, sends(public)),
            rule("Last", one_of("Topic", "a", "b"), sends(billing)),
        ]
    )
    here.make_rule_text(chat, text, msdyn_disabledrules=f'["{off}"]')
    found = export(here.emulator)
    assert found.code == 0, found.err
    assert [each.name for each in found.playbook.desired.of(RoutingRule)] == ["First", "Last"]
    order = ("First", "Split", "Foreign", "Half", "Off", "Unknown", "Outside", "Last")
    text = " ".join(found.out.replace("#", " ").split())
    places = [text.index(f"name: {name}" if name in ("First", "Last") else f"the rule {name!r},") for name in order]
    assert places == sorted(places)
    told = remarks(found.out)
    for words in (
        "percentage split",
        "Topic contains x",
        "'7.5', which is no plain whole number",
        "somebody disabled it",
        "Consent, which the playbook does not declare",
        "it is public",
        "its queue Public is left out above",
        "fallback queue Public stays",
        "The variable Consent is left out: it is of type boolean",
        "operating hours 'Nights'",
        "work classification",
    ):
        assert words in told, words


def test_bots_are_declared_or_only_referred_to(here: Site) -> None:
    queue = here.make_queue("Bots")
    here.make_bot("Good bot", queue=queue, msdyn_botprovider=192350001, accessmode=4)
    here.make_bot("Other provider", queue=queue, msdyn_botprovider=192350000, accessmode=4)
    here.make_bot("Sleeping", queue=queue, disabled=True, msdyn_botprovider=192350001, accessmode=4)
    here.make_bot("Idle bot", roles=(), msdyn_botprovider=192350001, accessmode=4)
    here.make_bot("No guid", bot_id="made-up", msdyn_botprovider=192350001, accessmode=4)
    found = export(here.emulator)
    assert found.code == 0, found.err
    entries = found.out[found.out.index("bot_users:") : found.out.index("queues:")]
    for name, reason in (
        ("Other provider", "its provider is virtual agent"),
        ("Sleeping", "its enabled is false"),
        ("Idle bot", "it holds no role directly"),
        ("No guid", "which is no GUID"),
    ):
        entry = entries[entries.index(f"- name: {name}") :].split("- name:")[1]
        assert "existing: true" in entry
        assert reason in remarks(entry)
    good = entries[entries.index("- name: Good bot") :].split("- name:")[1]
    assert "existing" not in good
    assert "capacity: 1000" in good
    assert set(found.variables) == {
        "good_bot_application_id", "good_bot_bot_id", "other_provider_application_id", "sleeping_application_id",
        "idle_bot_application_id", "no_guid_application_id",
    }  # fmt: skip
    members = {each.name for each in found.playbook.desired.of(QueueMember)}
    assert members == {"Good bot", "Other provider", "Sleeping"}


def test_members_that_cannot_be_named_are_remarked(here: Site) -> None:
    one, two = (here.make_person(f"{name}@contoso.example") for name in ("twin.a", "twin.b"))
    here.change("systemusers", two, internalemailaddress="twin.a@contoso.example")
    gone = here.make_person("former.nurse@contoso.example", disabled=True)
    able = here.make_person("nurse.one@contoso.example")
    here.make_queue("Nurses", members=[one, gone, able])
    found = export(here.emulator)
    assert found.code == 0, found.err
    assert [each.name for each in found.playbook.desired.of(QueueMember)] == ["nurse.one@contoso.example"]
    assert "another enabled user has the address twin.a@contoso.example too" in remarks(found.out)
    assert "the user is disabled" in remarks(found.out)


def test_one_part_takes_along_what_it_leads_to(here: Site) -> None:
    bots, nurses, other = (here.make_queue(name) for name in ("Bots", "Nurses", "Other"))
    here.make_bot("First bot", queue=bots, msdyn_botprovider=192350001, accessmode=4)
    second = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
    here.make_bot("Second bot", queue=other, application_id=second, msdyn_botprovider=192350001, accessmode=4)
    chat, voice = here.make_workstream("Chat", fallback=nurses), here.make_workstream("Voice", fallback=other)
    here.make_rule_set(chat, [("Everyone", None, bots)])
    here.make_rule_set(voice, [("Everyone", None, other)])
    one = export(here.emulator, "--workstream", "Chat", "--name", "only-chat").playbook
    assert one.name == "only-chat"
    assert sorted(str(each.id) for each in one.desired.specs) == [
        "bot_user:First bot", "queue:Bots", "queue:Nurses", "queue_member:Bots/First bot",
        "role_assignment:First bot/Omnichannel agent", "routing_rule:Chat/Everyone", "workstream:Chat",
    ]  # fmt: skip
    queue = export(here.emulator, "--queue", "Nurses").playbook
    assert [str(each.id) for each in queue.desired.specs] == ["queue:Nurses"]
    for asked in ("Second bot", second.upper()):
        bot = export(here.emulator, "--bot", asked).playbook
        assert {each.kind for each in bot.desired.specs} == {"bot_user", "role_assignment"}
        assert bot.desired.specs[0].name == "Second bot"


def test_a_default_queue_is_only_referred_to(here: Site) -> None:
    row = here.rows("queues?$select=queueid&$filter=name eq 'Default messaging queue'")[0]["queueid"]
    here.make_workstream("Chat", fallback=row)
    found = export(here.emulator)
    assert [(each.name, each.existing) for each in found.playbook.desired.of(Queue)] == [
        ("Default messaging queue", True)
    ]


def test_names_that_are_not_there_are_told_all_at_once(here: Site) -> None:
    here.make_queue("Nurses")
    for _ in range(2):
        here.make_bot("Twin")
    asked = ("--queue", "Nurse", "--workstream", "Chat", "--bot", "Twin", "--out", "new.yaml")
    found = export(here.emulator, *asked)
    assert found.code == 1
    assert "what was asked for is not there, and nothing was exported" in found.err
    assert "did you mean 'Nurses'?" in found.err
    assert "no work stream of this name" in found.err
    assert "2 bots bear this name" in found.err
    assert not Path("new.yaml").exists()


def test_a_file_is_written_once_and_never_again(here: Site) -> None:
    here.make_queue("Nurses")
    first = export(here.emulator, "--out", "new.yaml")
    assert first.code == 0
    assert "exported 0 bots, 1 queue, 0 members, 0 work streams, 0 variables, 0 rules of " in first.out
    written = Path("new.yaml").read_text(encoding="utf-8")
    assert decided(here.emulator, written).plan.changes == ()
    here.make_queue("More")
    here.emulator.reset_log()
    again = export(here.emulator, "--out", "new.yaml")
    assert again.code == 5
    assert "never overwritten; name another one, or bring a playbook in line with --update" in again.err
    assert here.emulator.requests == []
    assert Path("new.yaml").read_text(encoding="utf-8") == written


def test_nothing_but_reads_is_sent(here: Site) -> None:
    here.make_queue("Nurses")
    here.emulator.reset_log()
    assert export(here.emulator).code == 0
    methods = {
        each[0] for request in here.emulator.requests for each in request.operations or ((request.method, "", 0),)
    }
    assert methods == {"GET"}


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        (
            "playbook: 1\nname: x\nqueues:\n  - name: Nurses\n    priority: 9\n",
            "queue:Nurses: it would update this | - name: Nurses",
        ),
        ("playbook: 1\nname: x\nqueues:\n  - name: nurses\n", "queue:nurses: the environment has 'Nurses'"),
        ("playbook: 1\nname: x\nqueues:\n  - name: no\n", "no without quotes can be read as"),
    ],
    ids=["a difference", "a name it cannot resolve", "no playbook"],
)
def test_what_is_not_proved_is_not_written(here: Site, text: str, objection: str) -> None:
    here.make_queue("Nurses", priority=3)
    with pytest.raises(NotProved, match="nothing was written") as raised:
        prove(here.client, text, {}, Output())
    assert objection in " ".join(f"{each.id}: {each.message}" for each in raised.value.problems)
    assert raised.value.exit_code == 1


def test_what_cannot_be_read_is_not_exported_as_if_it_were_empty(here: Site) -> None:
    here.make_queue("Nurses")
    here.emulator.fail(Fault(path=r"queues\?.*queueviewtype", status=403, code="0x80040220", message="No.", times=0))
    found = export(here.emulator, "--out", "new.yaml")
    here.emulator.reset("empty")
    assert found.code == 1
    assert "this cannot be read, so nothing is exported: queue: No." in found.err
    assert not Path("new.yaml").exists()


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("msdyn_liveworkstreams", 404, "Resource not found for the segment 'msdyn_liveworkstreams'."),
        ("queues.*isomnichannel", 400, "Could not find a property named 'msdyn_isomnichannelqueue' on type 'queue'."),
    ],
)
def test_an_environment_without_omnichannel(path: str, status: int, message: str, here: Site) -> None:
    here.emulator.fail(Fault(path=path, status=status, code="0x80060888", message=message, times=0))
    found = export(here.emulator, "--out", "new.yaml")
    here.emulator.reset("empty")
    assert found.code == 1
    assert "Omnichannel for Customer Service is not installed there" in found.err
    assert not Path("new.yaml").exists()


def test_a_bad_call_is_told_before_anything_is_sent(here: Site) -> None:
    here.emulator.reset_log()
    assert export(here.emulator, "--name", "Not A Name").code == 2
    assert export(here.emulator, "--out", "nowhere/new.yaml").code == 2
    assert here.emulator.requests == []


def test_a_row_lost_is_made_again(here: Site) -> None:
    person = here.make_person("nurse.one@contoso.example")
    queue = here.make_queue("Nurses", members=[person])
    found = export(here.emulator)
    here.remove_member(queue, person)
    assert creates(decided(here.emulator, found.filled)) == ["queue_member:Nurses/nurse.one@contoso.example"]
