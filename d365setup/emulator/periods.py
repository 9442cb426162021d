"""Points in time that query operators speak of: today, last-x-days and their kind, as spans in UTC. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Span = tuple[datetime | None, datetime | None]
"""From (inclusive) to (exclusive); None is open."""

MAX_COUNT = 10_000
_COUNTED = re.compile(r"(last|next|older-?than)-?x-?(minutes|hours|days|weeks|months|years)")
_NAMED = re.compile(r"(last|this|next)-?(week|month|year)")
_SEVEN = {"last-seven-days": "last-x-days", "next-seven-days": "next-x-days"}
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_NO_COUNT = frozenset({*_SEVEN, *_DAYS})
ON = frozenset({"on", "not-on", "on-or-before", "on-or-after"})


def is_period(operator: str) -> bool:
    """Return whether an operator speaks of a span of time that depends on today."""
    return operator in _NO_COUNT or bool(_COUNTED.fullmatch(operator) or _NAMED.fullmatch(operator))


def takes_count(operator: str) -> bool:
    """Return whether the operator needs a number."""
    return _COUNTED.fullmatch(operator) is not None


def span(operator: str, count: int, now: datetime) -> Span:
    """Return the span an operator stands for; ValueError for a number it cannot take."""
    if operator in _SEVEN:
        return span(_SEVEN[operator], 7, now)
    if operator in _DAYS:
        start = _day(now) + timedelta(days=_DAYS[operator])
        return start, start + timedelta(days=1)
    named = _NAMED.fullmatch(operator)
    if named is not None:
        return _calendar(named[2], {"last": -1, "this": 0, "next": 1}[named[1]], now)
    counted = _COUNTED.fullmatch(operator)
    if counted is None or not 0 < count <= MAX_COUNT:
        raise ValueError(count)
    return _counted(counted[1], counted[2], count, now)


def _counted(kind: str, unit: str, count: int, now: datetime) -> Span:
    exact = unit in {"minutes", "hours"}
    if kind == "last":
        back = moved(now, unit, -count)
        return (back if exact else _day(back)), now
    if kind == "next":
        ahead = moved(now, unit, count)
        return now, ahead if exact else _day(ahead) + timedelta(days=1)
    return None, moved(now, unit, -count)


def moved(moment: datetime, unit: str, count: int) -> datetime:
    """Return a moment so many units later; the last day of a shorter month where the day is missing."""
    if unit in {"months", "years"}:
        return _in_months(moment, count * (12 if unit == "years" else 1))
    return moment + timedelta(**{unit: count})


def _in_months(moment: datetime, count: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if not 1 <= year < 9999:
        raise ValueError(count)
    first = moment.replace(year=year, month=month + 1, day=1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(moment.day, last.day))


def _calendar(unit: str, offset: int, now: datetime) -> Span:
    today = _day(now)
    if unit == "week":  # weeks begin on Sunday, as in an organization's settings by default
        start = today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=offset)
        return start, start + timedelta(weeks=1)
    first = today.replace(day=1) if unit == "month" else today.replace(day=1, month=1)
    start = moved(first, f"{unit}s", offset)
    return start, moved(start, f"{unit}s", 1)


def _day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def on_day(operator: str, text: str) -> Span:
    """Return the span of on, on-or-before and on-or-after; ValueError for what is no date."""
    given = datetime.fromisoformat(text)
    start = _day(given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC))
    end = start + timedelta(days=1)
    spans: dict[str, Callable[[], Span]] = {
        "on-or-before": lambda: (None, end),
        "on-or-after": lambda: (start, None),
    }
    return spans.get(operator, lambda: (start, end))()


def written(moment: datetime) -> str:
    """Return a moment as rows hold it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
