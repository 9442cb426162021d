"""When a queue is open, by its operating hours; None wherever nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from d365setup.center import Hours, Queue

_DAY = 24 * 60
_LOOK_AHEAD = 400  # days; hours that open on no day of a year never do


def is_open(queue: Queue, at: datetime) -> bool | None:
    """Whether the queue is open; one without operating hours always is."""
    if queue.hours is None:
        return True if queue.hours_read else None
    zone = _zone(queue.hours)
    if zone is None:
        return None
    local = at.astimezone(zone)
    minute = local.hour * 60 + local.minute
    today = _spans(queue.hours, local.date())
    yesterday = _spans(queue.hours, local.date() - timedelta(days=1))  # those that last beyond midnight
    return any(start <= minute < end for start, end in today) or any(minute + _DAY < end for _, end in yesterday)


def next_opening(queue: Queue, at: datetime) -> datetime | None:
    """When a closed queue opens, in UTC; None for never, or where that cannot be told."""
    zone = _zone(queue.hours) if queue.hours else None
    if queue.hours is None or zone is None:
        return None
    first = at.astimezone(zone).date()
    for day in (first + timedelta(days=number) for number in range(_LOOK_AHEAD)):
        midnight = datetime.combine(day, time())
        starts = (midnight + timedelta(minutes=start) for start, _ in _spans(queue.hours, day))
        found = [start.replace(tzinfo=zone).astimezone(UTC) for start in starts]
        later = [start for start in found if start > at]
        if later:
            return min(later)
    return None


def _zone(hours: Hours) -> ZoneInfo | None:
    if hours.problem:
        return None
    try:
        return ZoneInfo(hours.zone)
    except (KeyError, ValueError, OSError):  # an unknown zone, no name of one, a folder of the zone database
        return None


def _spans(hours: Hours, day: date) -> Iterator[tuple[int, int]]:
    """Opening and closing minute of each span that begins on a day; none on a holiday."""
    if day.isoformat() not in hours.holidays:
        yield from ((start, end) for weekday, start, end in hours.spans if weekday == day.weekday())
