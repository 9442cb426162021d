"""Whether a queue can come to overflow before a conversation gets into it (routing facts, section 5, point 4)."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.destinations import targets
from d365setup.center import ContactCenter, Hours, Queue
from d365setup.ruleset import Rule

_DAY = 24 * 60


def spills(center: ContactCenter, rule: Rule) -> bool | None:
    """Whether some queue of a rule may be passed over for the next rule's; None where that could not be read."""
    if rule.overflow:
        return True
    found = [_overflows(queue) if queue else False for queue in map(center.queue, targets(rule))]
    if True in found:
        return True
    return None if None in found else False


def reasons(center: ContactCenter, rule: Rule) -> Iterator[str]:
    """Why, for people: `Nurses has operating hours`."""
    if rule.overflow:
        yield f"{rule.name} has overflow settings of its own"
    for queue in filter(None, map(center.queue, targets(rule))):
        if queue.hours and _closes(queue.hours):
            yield f"{queue.name} has operating hours"
        for each in queue.prequeue or ():
            if each.when != "out of hours":
                yield f"{queue.name} has an overflow limit ({each.when})"


def _overflows(queue: Queue) -> bool | None:
    limits = any(each.when != "out of hours" for each in queue.prequeue or ())
    closes = _closes(queue.hours) if queue.hours else False
    if limits or closes:
        return True
    return None if queue.prequeue is None or not queue.hours_read or closes is None else False


def _closes(hours: Hours) -> bool | None:
    """Whether there is a minute of the week, or a holiday, outside these hours; None for a calendar nobody can read."""
    if hours.problem:
        return None
    return bool(hours.holidays) or not all(_is_covered(hours, day) for day in range(7))


def _is_covered(hours: Hours, day: int) -> bool:
    """Whether every minute of a weekday lies in a span; a span may last beyond its midnight."""
    own = [(start, end) for weekday, start, end in hours.spans if weekday == day]
    from_before = [(0, end - _DAY) for weekday, _, end in hours.spans if weekday == (day - 1) % 7 and end > _DAY]
    reached = 0
    for start, end in sorted((*own, *from_before)):
        if start > reached:
            return False
        reached = max(reached, end)
    return reached >= _DAY
