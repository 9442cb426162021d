"""Scenarios as a kind, without any service: what differs, what is taken back, what a lost import became."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.healthbot.generate import generate
from d365setup.healthbot.meaning import changed, said
from d365setup.healthbot.scenario import StoredScenario, import_body, read_scenario
from d365setup.healthbot.side import (
    UNDELETABLE,
    Scenarios,
    WantedScenario,
    is_as_expected,
    portal_in,
    seen,
    version,
    wanted,
    written,
)
from d365setup.healthbot.taking_back import became, taken_back
from d365setup.journal import Recorded, Recording, Sent
from d365setup.kinds import discover, specs
from d365setup.model import (
    Action,
    Change,
    Desired,
    Environment,
    Errand,
    FieldChange,
    LiveState,
    Named,
    Note,
    ResourceId,
    Stage,
)
from d365setup.playbook import Playbook, load
from d365setup.scope import Ids, Prune, Scope

PORTAL = "https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3"
TEXT = """\
playbook: 1
name: contoso-health-bot
workstreams:
  - name: Patient chat
    context_variables:
      - {name: Topic, type: text}
      - {name: Severity, type: number}
scenarios:
  - name: To a nurse
    trigger: to_a_nurse
    say: Connecting you with a nurse.
    escalate: {summary: Wants a nurse, context: {Topic: Nurse, Severity: 7}}
"""
NOWHERE = LiveState(Environment("", ""))


def playbook(text: str = TEXT) -> Playbook:
    return load(text, specs(discover()), {})


def ours(text: str = TEXT) -> StoredScenario:
    (found,) = generate(playbook(text))
    return found


def with_step(stored: StoredScenario, place: int, **fields: Any) -> StoredScenario:
    """As the bot exports it after somebody changed one of its steps; None takes a field away."""
    body = import_body(stored)
    code = json.loads(body["code"])
    code["steps"][place] = {k: v for k, v in {**code["steps"][place], **fields}.items() if v is not None}
    return read_scenario({**body, "code": code})


def script(stored: StoredScenario) -> str:
    return str(stored.graph.steps[1].raw["onInit"])


# -- what differs

CASES: Mapping[str, tuple[str, str, Sequence[tuple[str, Any, Any]]]] = {
    "another case of a key": (
        '"Topic"',
        '"topic"',
        [("context/topic", "Nurse", None), ("context/Topic", None, "Nurse")],
    ),
    "another value": ('"Nurse"', '"nurse"', [("context/Topic", "nurse", "Nurse")]),
    "a number that became a text": ("7 }", '"7" }', [("context/Severity", "7", 7)]),
    "a value only the script knows": ("7 }", "scenario.x }", [("context/Severity", "the expression scenario.x", 7)]),
    "another summary": ("Wants a nurse", "Wants one", [("summary", "Wants one", "Wants a nurse")]),
    "another type": ('"Escalate"', '"escalate"', [("type", "escalate", "Escalate")]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hand_off_is_compared_by_what_it_says(case: str) -> None:
    old, new, fields = CASES[case]
    wants = ours()
    assert old in script(wants)
    found = with_step(wants, 1, onInit=script(wants).replace(old, new))
    assert [(e.field, e.before, e.after) for e in changed(found, wants)] == [
        (f"steps/Escalate/{name}", before, after) for name, before, after in fields
    ]


@pytest.mark.parametrize(
    "replacement",
    [
        lambda text: text + " ",
        lambda text: text + "\nsession.trace('x');" + text,
        lambda text: f"if (scenario.x) {{ {text} ",
        lambda text: text[:0] + "session.trace('x');",
    ],
)
def test_a_script_of_which_no_one_hand_off_is_known_is_shown_whole(replacement: Any) -> None:
    wants = ours()
    found = with_step(wants, 1, onInit=replacement(script(wants)))
    assert [(e.field, e.after) for e in changed(found, wants)] == [("steps/Escalate/onInit", script(wants))]


def test_what_a_script_does_beside_handing_over_is_shown_too() -> None:
    wants = ours()
    other = f"session.trace('x');\n{script(wants)}".replace('"Topic"', '"topic"')
    told = [each.field for each in changed(with_step(wants, 1, onInit=other), wants)]
    assert told == ["steps/Escalate/context/topic", "steps/Escalate/context/Topic", "steps/Escalate/onInit"]


def test_what_the_service_adds_empty_is_no_difference_and_what_a_person_adds_is() -> None:
    wants = ours()
    assert not [*changed(with_step(wants, 0, visible="", layout=None, attachment=[], markdown=False), wants)]
    assert [e.field for e in changed(with_step(wants, 0, visible="false"), wants)] == ["steps/Tell the patient/visible"]


def test_a_step_that_somebody_added_or_took_away_is_told() -> None:
    wants = ours()
    body = import_body(wants)
    code = json.loads(body["code"])
    more = {"id": "x", "type": "prompt", "label": "Ask", "text": "Why?"}
    found = read_scenario({**body, "code": {**code, "steps": [code["steps"][0], more]}})
    told = {each.field: (each.before, each.after) for each in changed(found, wants)}
    assert told.keys() == {"steps/Ask", "steps/Escalate"}
    assert json.loads(told["steps/Ask"][0]) == more
    assert told["steps/Ask"][1] is None


def test_a_new_one_is_told_by_what_it_says() -> None:
    assert {each.field: each.after for each in said(ours())} == {
        "trigger": "to_a_nurse",
        "description": "Hands the conversation over. Made from the playbook contoso-health-bot: change it there.",
        "steps/Tell the patient/text": "Connecting you with a nurse.",
        "steps/Escalate/type": "Escalate",
        "steps/Escalate/summary": "Wants a nurse",
        "steps/Escalate/context/Topic": "Nurse",
        "steps/Escalate/context/Severity": 7,
    }


@given(
    old=st.dictionaries(st.sampled_from(["Topic", "topic", "Severity"]), st.text(max_size=5) | st.integers(-9, 9)),
    new=st.dictionaries(st.sampled_from(["Topic", "topic", "Severity"]), st.text(max_size=5) | st.integers(-9, 9)),
)
def test_one_change_for_each_key_that_differs(old: dict[str, Any], new: dict[str, Any]) -> None:
    wants = ours()

    def handing(context: Mapping[str, Any]) -> StoredScenario:
        tags = f'JSON.stringify({{type: "Escalate", context: {json.dumps(context)}}})'
        return with_step(wants, 1, onInit=f'session.sendChannelData("s", {{tags: {tags}}});')

    told = {
        e.field.removeprefix("steps/Escalate/context/"): (e.before, e.after)
        for e in changed(handing(old), handing(new))
    }
    differ = {name for name in (*old, *new) if (name in old, old.get(name)) != (name in new, new.get(name))}
    expected = {name: (old.get(name), new.get(name)) for name in differ}
    if differ or [*old] == [*new]:
        assert told == expected
    else:
        assert [*told] == ["steps/Escalate/onInit"]  # the same, written otherwise


# -- the kind


def scope(*found: StoredScenario, everything: bool = False) -> Scope:
    live = seen(NOWHERE, found)
    prune = Prune(everything=True) if everything else None
    return Scope(Desired(wanted(playbook())), live, Ids("", "contoso-health-bot", live), prune=prune)


def planned(*found: StoredScenario) -> Change | None:
    (wants,) = wanted(playbook())
    return Scenarios(PORTAL).diff(wants, scope(*found).live.find("scenario", wants.identity))


def test_a_scenario_knows_its_line() -> None:
    (wants,) = wanted(playbook())
    assert (str(wants.id), wants.source.line) == ("scenario:To a nurse", 9)


def test_the_write_holds_what_it_overwrites_and_the_version_it_was_planned_against() -> None:
    (wants,), found = wanted(playbook()), with_step(ours(), 0, text="Hold on.")
    change = planned(found)
    assert change is not None
    (write,) = Scenarios(PORTAL).writes([change], scope(found))
    assert (write.method, write.path) == ("POST", f"{PORTAL}/scenarios/To%20a%20nurse")
    assert portal_in(write.path) == PORTAL
    assert (write.body, write.before) == (import_body(wants.stored), import_body(found))
    assert is_as_expected(write.condition, found)
    assert not is_as_expected(write.condition, with_step(found, 0, text="Hold."))
    assert not is_as_expected(write.condition, None)


def test_a_new_one_is_only_written_where_there_is_none() -> None:
    change = planned()
    assert change is not None
    (write,) = Scenarios(PORTAL).writes([change], scope())
    assert (change.action, write.before) == (Action.CREATE, None)
    assert is_as_expected(write.condition, None)
    assert not is_as_expected(write.condition, ours())


def test_a_version_is_not_of_how_the_text_is_written() -> None:
    one = ours()
    body = import_body(one)
    other = read_scenario(
        {**body, "id": "1", "active": True, "code": json.dumps(json.loads(body["code"]), sort_keys=True)}
    )
    assert version(one) == version(other)
    assert version(one) != version(with_step(one, 0, text="Hold on."))


@pytest.mark.parametrize(("active", "is_manual"), [(True, False), (None, False), (False, True)])
def test_switching_on_is_a_persons_step(active: bool | None, is_manual: bool) -> None:
    change = planned(replace(ours(), active=active))
    assert (change is not None) is is_manual
    if change is not None:
        assert change.fields == (FieldChange("active", before=False, after=True),)
        assert change.manual
        assert list(Scenarios(PORTAL).writes([change], scope(ours()))) == []


def test_names_count_as_every_other_kinds() -> None:
    live = seen(NOWHERE, [ours(), replace(ours(), name="To A Nurse", id="2")])
    assert [(each.kind, each.identity) for each in live.known(Named)] == [
        ("scenario", "To a nurse"),
        ("scenario", "To A Nurse"),
    ]
    assert len({each.row_id for each in live.known(Named)}) == 2


def test_a_trigger_starts_one_scenario_only() -> None:
    (wants,) = wanted(playbook())
    taken = replace(ours(), name="Nurse")
    (kept, note) = Scenarios(PORTAL).resolve(wants, scope(taken))
    assert kept is wants
    assert isinstance(note, Note)
    assert note.severity == "error"
    assert list(Scenarios(PORTAL).resolve(wants, scope(ours()))) == [wants]


def test_only_destroy_takes_away_and_only_what_bears_our_mark() -> None:
    kind = Scenarios(PORTAL, wanted(playbook()))
    code = {"version": 3, "steps": []}
    empty = read_scenario({"name": "To a nurse", "scenario_trigger": "x", "code": code})
    assert [each.spec.name for each in kind.strays(scope(ours(), everything=True))] == ["To a nurse"]
    assert not [*kind.strays(scope(replace(ours(), name="Copy"), everything=True))]
    assert not [*kind.strays(scope(empty, everything=True))]
    assert not [*kind.strays(scope(ours()))]
    former = ours(TEXT.replace("To a nurse", "To a doctor"))
    assert [each.spec.name for each in kind.strays(scope(former, everything=True))] == ["To a doctor"]
    (live,) = kind.strays(scope(ours(), everything=True))
    gone = kind.diff(None, live)
    assert gone is not None
    assert (gone.action, gone.manual) == (Action.DELETE, UNDELETABLE)
    assert kind.diff(None, None) is None
    assert list(kind.removals(scope(ours()))) == []


# -- taking back

ID = ResourceId("scenario", "To a nurse")
OLD, NEW = with_step(ours(), 0, text="Hold on."), ours()
OTHER = with_step(ours(), 0, text="One moment.")


def recorded(before: StoredScenario | None, *, portal: str = PORTAL) -> Recorded:
    change = Change(Action.UPDATE, ID, WantedScenario(name=NEW.name, stored=NEW))
    write = written(portal, change, NEW, before)
    return Recorded(Stage.ROUTES, "POST", write.path, write.body, (ID,), write.condition, write.before)


def recording(write: Recorded, *, landed: bool | None = True) -> Recording:
    return Recording("r", "apply", "", Environment("", ""), "p", "", sent=(Sent(1, (write,), landed),))


KEPT = "left as it is: somebody changed it since (steps/Tell the patient/text)"
BACK: Mapping[str, tuple[StoredScenario | None, Sequence[StoredScenario], str]] = {
    "still ours": (OLD, [NEW], "restored"),
    "as it was already": (OLD, [OLD], ""),
    "changed since": (OLD, [OTHER], KEPT),
    "deleted since": (OLD, [], "left as it is: somebody deleted it since"),
    "added, still ours": (None, [NEW], "manual"),
    "added, deleted since": (None, [], ""),
    "added, changed since": (None, [OTHER], KEPT),
}


@pytest.mark.parametrize("case", BACK)
def test_taking_back(case: str) -> None:
    before, found, expected = BACK[case]
    errand = taken_back(recording(recorded(before)), PORTAL, found)
    told = [note.message for note in errand.notes]
    if expected == "restored":
        (change,), (write,) = errand.changes, errand.writes
        assert (change.action, write.body, write.before) == (Action.UPDATE, import_body(OLD), import_body(NEW))
        assert [(e.field, e.before, e.after) for e in change.fields] == [
            ("steps/Tell the patient/text", "Connecting you with a nurse.", "Hold on.")
        ]
    elif expected == "manual":
        assert [(each.action, each.manual) for each in errand.changes] == [(Action.DELETE, UNDELETABLE)]
        assert not errand.writes
    else:
        assert (errand.changes, told) == ((), [expected] if expected else [])


def test_what_another_bot_got_and_what_nobody_knows_stays() -> None:
    elsewhere = taken_back(recording(recorded(OLD, portal=f"{PORTAL}x")), PORTAL, [NEW])
    lost = taken_back(recording(recorded(OLD), landed=None), PORTAL, [NEW])
    refused = taken_back(recording(recorded(OLD), landed=False), PORTAL, [NEW])
    assert [each.message for each in elsewhere.notes] == [f"left as it is: it is in another Health Bot ({PORTAL}x)"]
    assert [each.message.partition(";")[0] for each in lost.notes] == ["not taken back: its answer was lost"]
    assert (elsewhere.changes, lost.changes, refused) == ((), (), Errand())


@pytest.mark.parametrize(
    ("before", "found", "landed"),
    [
        (OLD, NEW, True), (OLD, OLD, False), (OLD, OTHER, None), (OLD, None, None),
        (None, NEW, True), (None, None, False), (None, OTHER, None),
    ],
)  # fmt: skip
def test_what_a_lost_import_became(
    before: StoredScenario | None, found: StoredScenario | None, landed: bool | None
) -> None:
    assert became(recorded(before), found) is landed


def test_a_recording_knows_its_sides() -> None:
    there = recorded(OLD)
    here = Recorded(Stage.THINGS, "PATCH", "queues(7a1c0b6e-0000-4000-8000-000000000001)", {}, ())
    run = replace(recording(there), sent=(Sent(1, (here,), True), Sent(2, (there,), True)))
    assert [each.number for each in run.here.sent] == [1]
    assert [each.number for each in run.elsewhere.sent] == [2]
