"""Operating hours: calendars and their rules to when a queue is open. What is not plainly understood is said so.

A calendar's rules say on which days (`pattern`) and in which zone; each leads to an inner calendar whose rules say
from when (`offset`) and how long (`duration`), in minutes. Days off are rules of the calendar's holiday schedule, or
rules of its own whose inner calendar says *unavailable*. Calendar entities, learn.microsoft.com; that operating hours
are kept like this: one public tool's reads of a live organization (medium).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from d365setup.center import Hours
from d365setup.survey.people import bare
from d365setup.survey.zones import ZONES

Row = Mapping[str, Any]
Span = tuple[int, int, int]

DAY = 1440  # minutes
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_AVAILABLE, _UNAVAILABLE = 0, 2  # calendarrule.timecode
_FOR_EVER = "9999"
_MOST_DAYS_OFF = 366  # of one rule


class _Odd(ValueError):
    """A calendar that is not plainly understood, and why."""


def hours_of(row: Row, calendars: Mapping[str, Row] | None) -> Hours:
    """When a queue with these operating hours is open; ``calendars`` by id, None where they could not be read."""
    row_id, name = bare(row["msdyn_operatinghourid"]), row.get("msdyn_name") or ""
    if calendars is None:
        return Hours(row_id, name, problem="its calendar could not be read")
    try:
        return _understood(row_id, name, _found(calendars, row.get("msdyn_calendarid")), calendars)
    except _Odd as odd:
        return Hours(row_id, name, problem=str(odd))


def inner_calendars(calendar: Row) -> Iterator[str]:
    """The calendars its rules, and its days off, lead to."""
    for rule in _rules(calendar):
        yield bare(rule.get("_innercalendarid_value"))
    yield bare(calendar.get("_holidayschedulecalendarid_value"))


def _understood(row_id: str, name: str, calendar: Row, calendars: Mapping[str, Row]) -> Hours:
    spans: list[Span] = []
    closed: set[str] = set()
    zones: set[int] = set()
    for rule in _rules(calendar):
        zones.add(_whole(rule, "timezonecode"))
        leaves = _leaves(rule, calendars)
        if any(_timecode(leaf) == _UNAVAILABLE for leaf in leaves):
            closed.update(_days_off(rule, leaves))
        else:
            _check_for_ever(rule)
            spans += (span for day in _weekdays(rule) for leaf in leaves for span in _spans(day, leaf))
    holidays = bare(calendar.get("_holidayschedulecalendarid_value"))
    for rule in _rules(_found(calendars, holidays)) if holidays else ():
        closed.update(_days_off(rule, [rule]))
    return Hours(row_id, name, _zone(zones), tuple(sorted(set(spans))), tuple(sorted(closed)))


def _rules(calendar: Row) -> Sequence[Row]:
    found = calendar.get("calendar_calendar_rules")
    if not isinstance(found, list):
        raise _Odd("the rules of its calendar could not be read")
    return found


def _found(calendars: Mapping[str, Row], row_id: Any) -> Row:
    calendar = calendars.get(bare(row_id))
    if calendar is None:
        raise _Odd(f"its calendar {bare(row_id)} is not there" if row_id else "it has no calendar")
    return calendar


def _leaves(rule: Row, calendars: Mapping[str, Row]) -> Sequence[Row]:
    inner = bare(rule.get("_innercalendarid_value"))
    leaves = _rules(_found(calendars, inner)) if inner else [rule]
    if not leaves:
        raise _Odd("one of its calendar's rules says no time")
    if any(leaf.get("_innercalendarid_value") for leaf in leaves if leaf is not rule):
        raise _Odd("its calendar nests deeper than days and times")
    return leaves


def _weekdays(rule: Row) -> Iterator[int]:
    """The days of a weekly pattern; a daily one is every day."""
    parts = _pattern(rule)
    limited = parts.keys() - {"FREQ", "INTERVAL", "BYDAY", "WKST"}
    if limited or parts.get("INTERVAL", "1") != "1" or parts.get("FREQ") not in {"WEEKLY", "DAILY"}:
        raise _Odd(f"one of its calendar's rules recurs by {rule.get('pattern')!r}, which is not once a week")
    if parts["FREQ"] == "DAILY" and "BYDAY" not in parts:
        yield from range(7)
        return
    for day in parts.get("BYDAY", "").split(","):
        if day not in _DAYS:
            raise _Odd(f"one of its calendar's rules names no day of the week ({rule.get('pattern')!r})")
        yield _DAYS.index(day)


def _pattern(rule: Row) -> dict[str, str]:
    text = str(rule.get("pattern") or "").upper().strip().strip(";")
    if not re.fullmatch(r"[A-Z]+=[A-Z0-9,+-]+(;[A-Z]+=[A-Z0-9,+-]+){0,9}", text):
        raise _Odd(f"one of its calendar's rules recurs by {rule.get('pattern')!r}")
    return dict(part.split("=", 1) for part in text.split(";"))


def _check_for_ever(rule: Row) -> None:
    end = str(rule.get("effectiveintervalend") or _FOR_EVER)
    if not end.startswith(_FOR_EVER):
        raise _Odd(f"one of its calendar's rules holds until {end[:10]} only")


def _spans(day: int, leaf: Row) -> Iterator[Span]:
    """One leaf on one day, cut at midnight."""
    if _timecode(leaf) != _AVAILABLE:
        raise _Odd(f"one of its calendar's times is of the kind {_timecode(leaf)}")
    start, end = _whole(leaf, "offset"), _whole(leaf, "offset") + _whole(leaf, "duration")
    if not (0 <= start < DAY and start < end <= start + DAY):
        raise _Odd(f"one of its calendar's times is from minute {start} to {end}")
    yield day, start, min(end, DAY)
    if end > DAY:
        yield (day + 1) % 7, 0, end - DAY


def _days_off(rule: Row, leaves: Sequence[Row]) -> Iterator[str]:
    """The dates of a rule that closes for whole days, once."""
    pattern = _pattern(rule) if rule.get("pattern") else {}
    if pattern and (pattern.get("FREQ"), pattern.get("COUNT")) != ("DAILY", "1"):
        raise _Odd(f"it closes by {rule.get('pattern')!r}, which is not one time")
    minutes = max((leaf.get("duration") or DAY) for leaf in leaves)
    if len(leaves) > 1 or any(leaf.get("offset") for leaf in leaves) or minutes % DAY or minutes > _MOST_DAYS_OFF * DAY:
        raise _Odd("it closes for a part of a day")
    first = _date(rule.get("starttime") or rule.get("effectiveintervalstart"))
    yield from ((first + timedelta(days=number)).isoformat() for number in range(minutes // DAY))


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise _Odd(f"it closes on a day that is no date ({value!r})") from None


def _timecode(leaf: Row) -> int:
    return leaf.get("timecode") or _AVAILABLE


def _whole(rule: Row, column: str) -> int:
    value = rule.get(column)
    if not isinstance(value, int):
        raise _Odd(f"one of its calendar's rules has no {column}")
    return value


def _zone(codes: set[int]) -> str:
    if not codes:
        return "UTC"  # without a rule it is never open, wherever it is
    if len(codes) > 1 or not codes <= ZONES.keys():
        raise _Odd(f"its time zone is not known (code {', '.join(map(str, sorted(codes)))})")
    return ZONES[codes.pop()]
