"""Running a playbook's tests: on hand-made simulations for every expectation, then on the engine itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from d365setup.center import ContactCenter, Hours, Overflow
from d365setup.intended import of_playbook
from d365setup.playbook import Playbook, load, load_file
from d365setup.proof import SKIPPED, Proof, TestResult, Unmet
from d365setup.proving import Simulate, always_open, events_of, prove
from d365setup.routing import (
    Candidate,
    Ended,
    Escalated,
    Event,
    Journey,
    Leg,
    Reading,
    RuleResult,
    Simulation,
    Start,
    Transferred,
)
from tests.kinds.site import APPLICATION, BOT_ID, SPECS

FOLDER = Path(__file__).parent.parent / "playbooks"
HEAD = f"""\
playbook: 1
name: contoso
bot_users:
  - {{name: Health Bot, application_id: {APPLICATION}, bot_application_id: {BOT_ID}, email: bot@contoso.example}}
queues:
  - {{name: Bots, members: [Health Bot]}}
  - {{name: Nurses, members: [nurse.one@contoso.example]}}
  - {{name: Billing, existing: true}}
workstreams:
  - name: Patient chat
    fallback_queue: Nurses
    context_variables: [{{name: Topic, type: text}}, {{name: Severity, type: number}}]
    routing_rules:
      - {{name: Money, when: {{Topic: Billing}}, queue: Billing}}
      - {{name: Rest, when: {{variable: Topic, operator: has a value}}, queue: Nurses}}
      - {{name: Bot first, queue: Bots}}
tests:
"""
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def playbook(tests: str) -> Playbook:
    return load(HEAD + tests if tests else HEAD.removesuffix("tests:\n"), SPECS, {})


def giving(*legs: Leg, loose: tuple[Leg, ...] | None = None) -> Simulate:
    """An engine that says the same whatever happens; legs before the last are empty ones."""

    def simulated(_center: ContactCenter, stream: str, events: Sequence[Event], at: datetime) -> Simulation:
        def journey(reading: Reading, found: tuple[Leg, ...]) -> Journey:
            empty = tuple(Leg(event) for event in events[: len(events) - len(found)])
            return Journey(reading, (*empty, *found))

        other = legs if loose is None else loose
        return Simulation(stream, at, journey(Reading.STRICT, legs), journey(Reading.LOOSE, other))

    return simulated


def only(found: Proof) -> TestResult:
    (result,) = found.results
    return result


def one(expect: str, *legs: Leg, origin: Any = "merged", loose: tuple[Leg, ...] | None = None) -> TestResult:
    """One short test on hand-made legs."""
    text = playbook(f"  - {{name: T, escalated_by: Health Bot, given: {{Topic: X}}, expect: {expect}}}\n")
    return only(prove(text, ContactCenter(origin=origin), simulated=giving(*legs, loose=loose)))


TO_NURSES = Leg(Escalated(), chosen_by="rule", rule="Rest", queue="Nurses", answer="person")
TO_BOT = Leg(Start(), chosen_by="rule", rule="Bot first", queue="Bots", answer="bot", answered_by="Health Bot")
STRANDED = Leg(
    Escalated(),
    chosen_by="rule",
    rule="Bot first",
    queue="Bots",
    waits=True,
    candidates=(Candidate("Health Bot", "1", is_bot=True, eligible=False, why="it had this conversation already"),),
)
CLOSED = Leg(Escalated(), chosen_by="fallback queue", queue="Billing", closed=True, notes=("It has no members.",))
OVER = Leg(Ended(), chosen_by="end", closed=True)
UNDECIDED = Leg(Escalated(), chosen_by="cannot decide", answer="unknown", notes=("the rule 'Odd' cannot be read.",))
UNKNOWN_PEOPLE = Leg(Escalated(), chosen_by="rule", rule="Money", queue="Billing", answer="unknown")

MET = [
    ("{queue: Nurses}", TO_NURSES),
    ("{rule: Rest}", TO_NURSES),
    ("{answered_by: a person}", TO_NURSES),
    ("{closed: false}", TO_NURSES),
    ("{waits: false}", TO_NURSES),
    ("{queue: Nurses, rule: Rest, answered_by: a person, closed: false, waits: false}", TO_NURSES),
    ("{answered_by: Health Bot}", TO_BOT),
    ("{answered_by: nobody}", STRANDED),
    ("{waits: true}", STRANDED),
    ("{closed: true}", CLOSED),
    ("{answered_by: nobody, waits: false}", CLOSED),
    ("{closed: true}", OVER),
    ("{queue: Billing, rule: Money}", UNKNOWN_PEOPLE),
]


@pytest.mark.parametrize(("expect", "leg"), MET)
def test_met(expect: str, leg: Leg) -> None:
    result = one(expect, leg)
    assert (result.state, result.passed, result.problems) == ("passed", True, ())


BY_REST = "the rule 'Rest' leads to 'Nurses'"
BY_LAST = "the rule 'Bot first' leads to 'Bots'"
HAD_IT = "in the queue are Health Bot: it had this conversation already"
BY_FALLBACK = "no rule matched, so it went to the fallback queue 'Billing'. It has no members"
ODD = "a rule or queue on the way cannot be decided. the rule 'Odd' cannot be read"
FAILED = [
    ("{queue: Bots}", TO_NURSES, f"expected the queue 'Bots', got the queue 'Nurses': {BY_REST}"),
    ("{rule: Money}", TO_NURSES, f"expected the rule 'Money', got the rule 'Rest': {BY_REST}"),
    ("{rule: Money}", CLOSED, f"expected the rule 'Money', got no rule: {BY_FALLBACK}"),
    ("{answered_by: a person}", STRANDED, f"expected a person to answer, got nobody to answer: {BY_LAST}; {HAD_IT}"),
    ("{answered_by: a person}", TO_BOT, f"expected a person to answer, got Health Bot to answer: {BY_LAST}"),
    ("{closed: true}", TO_BOT, f"expected that it is closed, got that it is not closed: {BY_LAST}"),
    (
        "{waits: false}",
        STRANDED,
        f"expected that it does not wait for ever, got that it waits for ever: {BY_LAST}; {HAD_IT}",
    ),
    ("{queue: Nurses}", UNDECIDED, f"expected the queue 'Nurses', which cannot be decided: {ODD}"),
    (
        "{closed: false}",
        UNKNOWN_PEOPLE,
        "expected that it is not closed, which cannot be decided: the rule 'Money' leads to 'Billing'",
    ),
]


@pytest.mark.parametrize(("expect", "leg", "message"), FAILED)
def test_not_met(expect: str, leg: Leg, message: str) -> None:
    result = one(expect, leg)
    assert (result.state, [each.message for each in result.problems]) == ("failed", [message])


RULES = [
    ("matched", "'Money' matched too, but another came first or its queue did not take it; "),
    ("not matched", "'Money' did not match; "),
    ("disabled", "'Money' is switched off in the environment; "),
    ("cannot decide", "'Money' cannot be decided; "),
]


@pytest.mark.parametrize(("said", "told"), RULES)
def test_what_became_of_the_expected_rule(said: Any, told: str) -> None:
    leg = replace(TO_NURSES, rules=(RuleResult("1", "Money", said), RuleResult("2", "Rest", "matched")))
    (unmet,) = one("{rule: Money}", leg).problems
    assert unmet.message == f"expected the rule 'Money', got the rule 'Rest': {told}{BY_REST}"


def test_the_line_of_the_expectation_that_failed() -> None:
    text = """\
  - name: Long
    steps:
      - {start: {}, expect: {queue: Bots}}
      - escalate: {Topic: Nurse}
        expect:
          queue: Nurses
          rule: Money
      - {end: {}}
"""
    steps = (TO_BOT, TO_NURSES, OVER)
    result = only(prove(playbook(text), ContactCenter(origin="merged"), simulated=giving(*steps)))
    (unmet,) = result.problems
    assert (HEAD + text).splitlines()[unmet.source.line - 1].strip() == "rule: Money"
    assert unmet.message.startswith("step 2 (escalate): expected the rule 'Money'")
    assert (HEAD + text).splitlines()[result.source.line - 1].strip() == "- name: Long"


def test_both_readings_must_meet_it() -> None:
    result = one("{queue: Nurses}", TO_NURSES, loose=(TO_BOT,))
    (unmet,) = result.problems
    assert unmet.message == (
        "expected the queue 'Nurses', got the queue 'Bots': the rule 'Bot first' leads to 'Bots', if upper and lower "
        "case do not count when texts are compared"
    )
    (unmet,) = one("{queue: Nurses}", TO_BOT, loose=(TO_NURSES,)).problems
    assert unmet.message.endswith("if upper and lower case count when texts are compared")


def test_what_a_playbook_alone_cannot_tell_stays_open() -> None:
    result = one("{answered_by: a person}", UNKNOWN_PEOPLE, origin="playbook")
    assert (result.state, result.passed, result.problems, len(result.undecided)) == ("open", False, (), 1)
    assert one("{answered_by: a person}", UNKNOWN_PEOPLE).state == "failed"
    assert one("{queue: Nurses, answered_by: a person}", UNKNOWN_PEOPLE, origin="playbook").state == "failed"


def test_no_more_than_five_people_are_named() -> None:
    people = tuple(Candidate(f"nurse.{n}", str(n), is_bot=False, eligible=False, why="is disabled") for n in range(9))
    (unmet,) = one("{answered_by: Health Bot}", replace(TO_NURSES, candidates=people)).problems
    assert unmet.message.endswith("nurse.4: is disabled and 4 more")


EVENTS = [
    ("given: {Topic: Nurse}, expect: {queue: Nurses}", (Start({"Topic": "Nurse"}),)),
    (
        "escalated_by: Health Bot, given: {Severity: 3}, expect: {queue: Nurses}",
        (Escalated({"Severity": 3}, "Health Bot"),),
    ),
    ("expect: {queue: Nurses}", (Start(),)),
    (
        "steps: [{start: {Topic: A}}, {escalate: {Topic: B}}, {transfer: {queue: Nurses}}, {end: {}, expect: *one}]",
        (Start({"Topic": "A"}), Escalated({"Topic": "B"}), Transferred("Nurses"), Ended()),
    ),
]


@pytest.mark.parametrize(("text", "events"), EVENTS)
def test_what_happens_in_a_test(text: str, events: tuple[Event, ...]) -> None:
    (test,) = playbook(f"  - {{name: T, {text.replace('*one', '{closed: true}')}}}\n").tests
    assert events_of(test) == events


def test_hours_and_overflow_do_not_count_in_a_test() -> None:
    center = of_playbook(playbook(""))
    shut = Hours("1", "Never")
    full = (Overflow("work items", "end conversation", 1),)
    queues = tuple(replace(each, hours=shut, prequeue=full, inqueue=None, hours_read=False) for each in center.queues)
    opened = always_open(replace(center, queues=queues))
    assert {(each.hours, each.hours_read, each.prequeue, each.inqueue) for each in opened.queues} == {
        (None, True, (), ())
    }


def result(**more: Any) -> TestResult:
    return TestResult("T", "Patient chat", **more)


UNMET = (Unmet("expected"),)
SUMMARIES = [
    (Proof(), "no tests", 0),
    (SKIPPED, "tests skipped (--skip-tests)", 0),
    (Proof((result(),)), "1 test passed", 0),
    (Proof((result(), result())), "2 tests passed", 0),
    (Proof((result(), result(problems=UNMET))), "1 of 2 tests failed", 4),
    (Proof((result(problems=UNMET),)), "1 of 1 test failed", 4),
    (Proof((result(), result(undecided=UNMET))), "1 test passed, 1 cannot be decided without an environment", 0),
    (Proof((result(problems=UNMET), result(undecided=UNMET))), "1 of 2 tests failed", 4),
]


@pytest.mark.parametrize(("proof", "summary", "code"), SUMMARIES)
def test_summaries_and_exit_codes(proof: Proof, summary: str, code: int) -> None:
    assert (proof.summary, proof.exit_code) == (summary, code)


# -- on the engine


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_tests_do_not_fail_without_an_environment(path: Path) -> None:
    shipped = load_file(path, SPECS, {}, {}, examples=True)
    proof = prove(shipped, of_playbook(shipped))
    assert [(each.name, each.problems) for each in proof.failed] == []
    assert shipped.tests


def handed(name: str, given: str, expect: str) -> str:
    return f"  - {{name: {name}, escalated_by: Health Bot, given: {given}, expect: {expect}}}\n"


REAL = (
    handed("Right", "{Topic: Pain}", "{queue: Nurses, rule: Rest, answered_by: a person}")
    + handed("Stranded", "{Severity: 1}", "{queue: Bots, waits: true, answered_by: nobody}")
    + handed("Wrong", "{Topic: Pain}", "{rule: Money}")
    + handed("Not known", "{Topic: Billing}", "{queue: Billing, answered_by: a person}")
)


def test_a_bot_that_is_none_there_is_told() -> None:
    found = playbook(handed("Gone", "{Topic: Pain}", "{queue: Nurses}"))
    center = of_playbook(found)
    people = tuple(replace(each, members=()) for each in center.queues)
    proof = prove(found, replace(center, queues=people, users=(), origin="merged"))
    (unmet,) = only(proof).problems
    assert unmet.message.startswith("it cannot be played: ")
    assert "Health Bot" in unmet.message
    assert unmet.source == found.tests[0].source


def test_on_the_engine() -> None:
    found = playbook(REAL)
    proof = prove(found, of_playbook(found))
    assert [each.state for each in proof.results] == ["passed", "passed", "failed", "open"]
    assert proof.exit_code == 4
