"""When a queue may be passed over for the next rule's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from d365setup.audit import Seen, audit
from d365setup.audit.overflowing import reasons, spills
from d365setup.center import ContactCenter, Hours, Overflow, Queue
from d365setup.conditions import ALWAYS, Operator, Test
from d365setup.ruleset import Rule
from tests.audit.test_stranding import NOON, OFFICE, QUEUES, center

WEEK = tuple((day, 0, 24 * 60) for day in range(7))
HALVES = tuple((day, start, start + 12 * 60) for day in range(7) for start in (12 * 60, 0))
PAST_MIDNIGHT = tuple((day, 6 * 60, 30 * 60) for day in range(7))
RULE = Rule("r", "Rule", ALWAYS, "q")
FULL, LATE = Overflow("work items", "transfer", 10), Overflow("out of hours", "end conversation")


def hours(*spans: tuple[int, int, int], **more: object) -> Hours:
    return replace(Hours("h", "Hours", spans=spans), **more)  # type: ignore[arg-type]  # told by the case


@pytest.mark.parametrize(
    ("queue", "answer"),
    [
        (Queue("q", "Ward"), False),
        (Queue("q", "Ward", hours=OFFICE), True),
        (Queue("q", "Ward", hours=hours(*WEEK)), False),
        (Queue("q", "Ward", hours=hours(*HALVES)), False),
        (Queue("q", "Ward", hours=hours(*PAST_MIDNIGHT)), False),
        (Queue("q", "Ward", hours=hours(*PAST_MIDNIGHT[1:])), True),
        (Queue("q", "Ward", hours=hours(*WEEK, holidays=("2026-12-24",))), True),
        (Queue("q", "Ward", hours=hours(problem="a rule nobody understands")), None),
        (Queue("q", "Ward", hours_read=False), None),
        (Queue("q", "Ward", prequeue=None), None),
        (Queue("q", "Ward", prequeue=None, hours=OFFICE), True),
        (Queue("q", "Ward", prequeue=(FULL,)), True),
        (Queue("q", "Ward", prequeue=(LATE,)), False),  # it is never out of hours
        (Queue("other", "Ward", hours=OFFICE), False),  # not the rule's
    ],
)
def test_a_queue(queue: Queue, answer: bool | None) -> None:
    assert spills(ContactCenter(queues=(queue,)), RULE) is answer


def test_a_rule_with_overflow_settings_of_its_own() -> None:
    rule = replace(RULE, overflow="set")
    assert spills(ContactCenter(), rule) is True
    assert list(reasons(ContactCenter(), rule)) == ["Rule has overflow settings of its own"]


def test_a_split_spills_with_each_of_its_queues() -> None:
    queues = ContactCenter(queues=(Queue("a", "A"), Queue("b", "B", prequeue=(FULL,))))
    rule = replace(RULE, queue=None, shares=(("a", "50"), ("b", "50")))
    assert spills(queues, rule) is True
    assert list(reasons(queues, rule)) == ["B has an overflow limit (work items)"]


def test_what_cannot_be_told_of_a_queue_cannot_be_told_of_its_rules() -> None:
    found = center([(Test("Topic", Operator.HAS_A_VALUE), "nurses")])
    unread = replace(found, queues=tuple(replace(each, prequeue=None) for each in QUEUES))
    result = audit(Seen(unread, NOON), only=["R11"])
    assert [str(each.subject) for each in result.unchecked] == ["routing_rule:Chat/Rule 1"]
    assert result.findings == ()
