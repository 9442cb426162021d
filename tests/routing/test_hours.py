"""Operating hours: open or not, and when a queue opens again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from d365setup.center import Hours, Queue
from d365setup.routing import is_open, next_opening

from .clinic import NURSES, OFFICE, SUNDAY

AMSTERDAM = Hours("h", "Night and day", "Europe/Amsterdam", ((5, 22 * 60, 30 * 60), (0, 540, 1020), (0, 420, 480)))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def with_hours(hours: Hours | None, *, read: bool = True) -> Queue:
    return replace(NURSES, hours=hours, hours_read=read)


OPEN = {
    "no hours": (with_hours(None), "2026-11-16T03:00", True),
    "hours that were not read": (with_hours(None, read=False), "2026-11-16T03:00", None),
    "the first minute": (with_hours(OFFICE), "2026-11-16T08:00", True),
    "the minute before": (with_hours(OFFICE), "2026-11-16T07:59", False),
    "the last minute": (with_hours(OFFICE), "2026-11-16T16:59", True),
    "the minute after": (with_hours(OFFICE), "2026-11-16T17:00", False),
    "another day": (with_hours(OFFICE), "2026-11-21T12:00", False),
    "a holiday": (with_hours(replace(OFFICE, holidays=("2026-11-16",))), "2026-11-16T12:00", False),
    "summer time": (with_hours(AMSTERDAM), "2026-07-06T07:30", True),
    "winter time": (with_hours(AMSTERDAM), "2026-11-16T07:30", False),
    "beyond midnight": (with_hours(AMSTERDAM), "2026-11-22T04:59", True),
    "no longer": (with_hours(AMSTERDAM), "2026-11-22T05:00", False),
    "beyond midnight of a holiday": (
        with_hours(replace(AMSTERDAM, holidays=("2026-11-21",))),
        "2026-11-22T04:59",
        False,
    ),
    "no days": (with_hours(replace(OFFICE, spans=())), "2026-11-16T12:00", False),
    "an odd calendar": (with_hours(replace(OFFICE, problem="odd")), "2026-11-16T12:00", None),
    "a zone nobody knows": (with_hours(replace(OFFICE, zone="Mars/Phobos")), "2026-11-16T12:00", None),
    "a zone that is a path": (with_hours(replace(OFFICE, zone="/etc/passwd")), "2026-11-16T12:00", None),
    "a zone that is a folder": (with_hours(replace(OFFICE, zone="Europe")), "2026-11-16T12:00", None),
}


@pytest.mark.parametrize(("queue", "when", "expected"), OPEN.values(), ids=OPEN)
def test_is_open(queue: Queue, when: str, expected: bool | None) -> None:
    assert is_open(queue, at(when)) is expected


OPENINGS = {
    "the next day": (with_hours(OFFICE), "2026-11-22T12:00", "2026-11-23T08:00"),
    "later the same day": (with_hours(OFFICE), "2026-11-16T07:59", "2026-11-16T08:00"),
    "after a holiday": (with_hours(replace(OFFICE, holidays=("2026-11-23",))), "2026-11-22T12:00", "2026-11-24T08:00"),
    "the earlier of two spans": (with_hours(AMSTERDAM), "2026-11-22T12:00", "2026-11-23T06:00"),
    "the later of two spans": (with_hours(AMSTERDAM), "2026-11-23T07:30", "2026-11-23T08:00"),
    "never": (with_hours(replace(OFFICE, spans=())), "2026-11-22T12:00", None),
    "an odd calendar": (with_hours(replace(OFFICE, problem="odd")), "2026-11-22T12:00", None),
    "no hours": (with_hours(None), "2026-11-22T12:00", None),
}


@pytest.mark.parametrize(("queue", "when", "expected"), OPENINGS.values(), ids=OPENINGS)
def test_next_opening(queue: Queue, when: str, expected: str | None) -> None:
    assert next_opening(queue, at(when)) == (at(expected) if expected else None)


def test_sunday_is_a_sunday() -> None:
    assert SUNDAY.weekday() == 6
