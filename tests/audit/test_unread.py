"""What could not be read, or is not understood, is told as not checked, and is never among what passed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from d365setup.audit import Audit, Seen, audit
from d365setup.center import ContactCenter, Unread
from d365setup.conditions import ALWAYS, All, Comparison, Condition, Foreign, Operator, Test
from d365setup.ruleset import Rule
from tests.audit.test_stranding import NOON, NURSE, QUEUES, STAFF, center

TOPIC = Test("Topic", Operator.HAS_A_VALUE)
ODD = Foreign("msdyn_ocliveworkitem.msdyn_title == x", Comparison("msdyn_ocliveworkitem.msdyn_title", "==", "x"))
SOUND = center([(TOPIC, "nurses")])


def stream(**changes: Any) -> ContactCenter:
    return replace(SOUND, workstreams=(replace(SOUND.workstreams[0], **changes),))


def rule_set(found: ContactCenter, **changes: Any) -> ContactCenter:
    (chat,) = found.workstreams
    (configuration,) = chat.configurations or ()
    (step,) = configuration.steps
    assert step.rule_set
    steps = (replace(step, rule_set=replace(step.rule_set, **changes)),)
    return replace(found, workstreams=(replace(chat, configurations=(replace(configuration, steps=steps),)),))


def rules(*made: tuple[Condition, str]) -> ContactCenter:
    found = (Rule(f"r{at}", f"Rule {at}", when, to) for at, (when, to) in enumerate(made))
    return rule_set(SOUND, rules=tuple(found))


def queue(name: str, **changes: Any) -> ContactCenter:
    return replace(SOUND, queues=tuple(replace(each, **changes) if each.name == name else each for each in QUEUES))


def judged(found: ContactCenter, *only: str) -> Audit:
    return audit(Seen(found, NOON), only=only)


UNREAD = {
    "the fallback queue": (stream(fallback_read=False), {"R12"}),
    "its members": (queue("Nurses", members=None), {"R02", "R03", "R09", "R12"}),
    "context variables": (stream(variables=None), {"R01", "R05", "R06", "R07"}),
    "the contract": (stream(contract=None), {"R07"}),
    "routing configurations": (
        stream(configurations=None),
        {"R01", "R05", "R06", "R08", "R09", "R10", "R11", "R13", "R14", "R15"},
    ),
    "legacy rules": (stream(legacy_rules=None), {"R16"}),
    "capacity profiles of the work stream": (stream(unit_based=False, profiles=None), {"R04"}),
    "capacity profiles of the bot": (stream(unit_based=False, profiles=("Chats",)), {"R04"}),
    "dependency mappings": (rule_set(SOUND, mappings=None), {"R08"}),
    "the overflow settings": (queue("Nurses", prequeue=None), {"R11"}),
    "the operating hours": (queue("Nurses", hours_read=False), {"R11"}),
    "the queues": (
        replace(rules((TOPIC, "gone"), (ALWAYS, "bots")), unread=(Unread("queue", reason="no privilege"),)),
        {"R09"},
    ),
    "the queues, the fallback among them": (
        replace(stream(fallback_id="gone"), unread=(Unread("queue", reason="no privilege"),)),
        {"R12"},
    ),
}


@pytest.mark.parametrize("case", UNREAD, ids=str)
def test_what_was_not_read_is_not_checked(case: str) -> None:
    found, ids = UNREAD[case]
    for each in ids:
        result = judged(found, each)
        assert {unchecked.id for unchecked in result.unchecked} == {each}, case
        assert result.passed == ()


def test_all_of_it_is_checked_where_all_was_read() -> None:
    found = rule_set(stream(contract={"Topic": "string", "Severity": "number"}), mappings=frozenset())
    mine = [f"R{number:02}" for number in range(1, 17)]
    assert judged(found, *mine).unchecked == ()


@pytest.mark.parametrize(
    ("made", "ids"),
    [
        (((ODD, "nurses"), (ALWAYS, "bots")), {"R01"}),
        (((ODD, "nurses"), (TOPIC, "office"), (ALWAYS, "bots")), {"R10", "R11"}),
        (((All((ODD, TOPIC)), "office"), (Test("Topic", Operator.EQUALS, "x"), "nurses")), {"R10"}),
    ],
    ids=["R01", "R10 and R11", "R10"],
)
def test_a_condition_nobody_understands_decides_nothing(made: tuple[tuple[Condition, str], ...], ids: set[str]) -> None:
    result = judged(rules(*made), "R01", "R10", "R11")
    assert {each.id for each in result.unchecked} == ids
    assert {each.id for each in result.findings if each.level == "error"} == set()


def test_what_is_not_understood_does_not_matter_where_another_rule_decides() -> None:
    found = rules(
        (TOPIC, "nurses"), (Test("Severity", Operator.HAS_A_VALUE), "nurses"), (ODD, "bots"), (ALWAYS, "bots")
    )
    result = judged(found, "R01", "R11")
    assert (result.findings, result.unchecked) == ((), ())


FALLBACKS: dict[str, tuple[Callable[[], ContactCenter], str, str]] = {
    "is gone": (lambda: stream(fallback_id="gone"), "error", "is not there (gone)"),
    "is the own bot's, with people": (lambda: stream(bot_queue_id="nurses"), "warning", "the queue of its own bot"),
    "has only who is disabled": (
        lambda: queue("Nurses", members=(replace(NURSE, enabled=False),), staff=replace(STAFF, enabled=0, able=())),
        "error",
        "has nobody in it who is enabled",
    ),
}


@pytest.mark.parametrize("case", FALLBACKS, ids=str)
def test_a_fallback_queue_that(case: str) -> None:
    made, level, told = FALLBACKS[case]
    (found,) = judged(made(), "R12").findings
    assert (found.level, told in found.message) == (level, True)


def test_the_own_bot_of_a_work_stream_is_stranded_as_well() -> None:
    found = replace(
        rules((ALWAYS, "bots")), workstreams=(replace(rules((ALWAYS, "bots")).workstreams[0], bot_user_id="bot"),)
    )
    (told,) = judged(found, "R01").findings
    assert (told.level, str(told.subject)) == ("error", "queue:Bots")
    assert dict(told.evidence)["reached by"] == "its own bot Bot"


def test_an_inactive_work_stream_gets_no_conversation() -> None:
    found = stream(active=False, fallback_id="", unified=False)
    assert judged(found, "R12", "R16").findings == ()


def test_an_operator_that_another_work_stream_uses_is_known() -> None:
    odd = Foreign("liveworkitemcontext.Topic begins x")
    text = '<decision><rules><rule id="a" name="Rule"><condition operator="{}"><lhs type="attribute">'
    text += (
        'liveworkitemcontext.Topic</lhs><rhs type="staticvalue">x</rhs></condition><action/></rule></rules></decision>'
    )
    for operator, known in (("begins-with", True), ("equals", False)):
        one = rule_set(SOUND, rules=(Rule("a", "Rule", odd, "nurses"),), text=text.format(operator))
        both = replace(one, workstreams=(*one.workstreams, replace(one.workstreams[0], row_id="other", name="Other")))
        assert len(judged(one, "R14").findings) == 1
        assert (judged(both, "R14").findings == ()) is known


def test_an_odd_share_is_told() -> None:
    split = Rule("a", "Shares", TOPIC, None, "percentage split", shares=(("nurses", "half"), ("office", "50")))
    (found,) = judged(rule_set(SOUND, rules=(split,)), "R13").findings
    assert "'half' is no percentage" in found.message
