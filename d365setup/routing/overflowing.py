"""Whether a queue overflows before a conversation enters it, and what is done then (routing facts, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from d365setup.center import Overflow, Queue
from d365setup.routing.deciding import Answer
from d365setup.routing.hours import is_open
from d365setup.routing.setting import Setting
from d365setup.ruleset import Rule

ANYWAY = Overflow("out of hours", "assign anyway", name="the one that comes with operating hours")


@dataclass(frozen=True)
class Overflowing:
    """Whether a queue overflows, by which setting, and why; ``line`` is None where that cannot be told.

    ``closed_only``: an open queue would not overflow.
    """

    answer: Answer
    line: Overflow | None = None
    why: str = ""
    closed_only: bool = False


def overflowing(setting: Setting, queue: Queue, rule: Rule) -> Overflowing:
    """Whether a queue overflows for a conversation that a rule sends there."""
    open_now = is_open(queue, setting.at)
    lines = setting.center.overflows.get(rule.overflow) if rule.overflow else queue.prequeue
    if lines is None:
        told = f"the overflow settings of {'rule ' + rule.name if rule.overflow else queue.name} were not read"
        return Overflowing(True if open_now is False and not rule.overflow else None, why=told)
    has_hours = any(line.when == "out of hours" for line in lines)
    if rule.overflow and not has_hours and open_now is not True:
        told = f"rule {rule.name} has overflow settings of its own that say nothing of {queue.name} being closed"
        return _judged(setting, queue, lines, Overflowing(None, why=told, closed_only=True))
    if not has_hours and (queue.hours is not None or not queue.hours_read):
        lines = (*lines, ANYWAY)
    return _judged(setting, queue, lines, Overflowing(answer=False))


def _judged(setting: Setting, queue: Queue, lines: Sequence[Overflow], otherwise: Overflowing) -> Overflowing:
    """The line whose action fires: that of the operating hours first, then in the order they are listed."""
    ordered = sorted(lines, key=lambda line: line.when != "out of hours")
    answers = [(line, _triggered(setting, queue, line)) for line in ordered]
    if all(answer is False for _, answer in answers):
        return otherwise
    first, answer = next((line, answer) for line, answer in answers if answer is not False)
    overflows = True if any(each is True for _, each in answers) else None
    closed_only = all(each is False for line, each in answers if line.when != "out of hours")
    told = _told(queue, first)
    if answer is None:
        doubtful = f"{queue.name} overflows" if overflows else f"whether {told} cannot be told"
        return Overflowing(overflows, None, doubtful, closed_only)
    return Overflowing(overflows, first if otherwise.answer is False else None, told, closed_only)


def _triggered(setting: Setting, queue: Queue, line: Overflow) -> Answer:
    if line.when == "out of hours":
        open_now = is_open(queue, setting.at)
        return None if open_now is None else not open_now
    load = {"work items": setting.occupancy.waiting, "estimated wait": setting.occupancy.wait}.get(line.when)
    if load is None or line.limit is None:
        return None
    return load.get(queue.row_id, 0) >= line.limit


def _told(queue: Queue, line: Overflow) -> str:
    match line.when:
        case "out of hours":
            return f"{queue.name} is closed"
        case "work items":
            return f"{queue.name} has {line.limit} work items or more"
        case "estimated wait":
            return f"the predicted wait of {queue.name} is {line.limit} s or more"
    return f"{queue.name} overflows ({line.text or line.name or line.when})"
