"""Calendars to hours: what is plain is understood, everything else says why, and nothing is guessed."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.center import Hours
from d365setup.survey.hours import hours_of
from d365setup.survey.zones import ZONES

ROW = {"msdyn_operatinghourid": "h", "msdyn_name": "Office", "msdyn_calendarid": "{OUTER}"}
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def leaf(offset: Any = 480, duration: Any = 540, **columns: Any) -> dict[str, Any]:
    return {"offset": offset, "duration": duration, "timecode": 0, **columns}


def weekly(days: str = "MO", zone: Any = 92, inner: str = "inner", **columns: Any) -> dict[str, Any]:
    pattern = f"FREQ=WEEKLY;INTERVAL=1;BYDAY={days}"
    return {"pattern": pattern, "timezonecode": zone, "_innercalendarid_value": inner, **columns}


def calendars(*rules: dict[str, Any], **others: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    known = {"outer": list(rules), "inner": [leaf()], **others}
    return {row_id: {"calendarid": row_id, "calendar_calendar_rules": found} for row_id, found in known.items()}


def read(*rules: dict[str, Any], **others: list[dict[str, Any]]) -> Hours:
    return hours_of(ROW, calendars(*rules, **others))


def test_plain_hours() -> None:
    assert read(weekly("MO,FR", 110)) == Hours("h", "Office", "Europe/Berlin", ((0, 480, 1020), (4, 480, 1020)))


def test_a_rule_without_an_inner_calendar_says_its_own_time() -> None:
    assert read({**weekly(inner=""), **leaf(0, 60)}).spans == ((0, 0, 60),)


def test_every_day() -> None:
    spans = read(weekly() | {"pattern": "FREQ=DAILY;INTERVAL=1"}).spans
    assert spans == tuple((day, 480, 1020) for day in range(7))


@settings(deadline=None)  # the machine may be busy
@given(st.sets(st.sampled_from(DAYS), min_size=1), st.integers(0, 1439), st.integers(1, 1440))
def test_every_minute_is_in_the_spans_once_and_none_beside(days: set[str], offset: int, duration: int) -> None:
    found = read(weekly(",".join(sorted(days))), inner=[leaf(offset, duration)])
    assert found.problem == ""
    open_minutes = {(day, minute) for day, start, end in found.spans for minute in range(start, end)}
    wanted = {
        ((DAYS.index(day) + (offset + minute) // 1440) % 7, (offset + minute) % 1440)
        for day in days
        for minute in range(duration)
    }
    assert open_minutes == wanted
    assert all(0 <= start < end <= 1440 for _, start, end in found.spans)


def test_days_off() -> None:
    schedule = [{"starttime": "2026-12-24T00:00:00Z", "duration": 2880, "timecode": 2}]
    found = calendars(weekly(), holidays=schedule)
    found["outer"]["_holidayschedulecalendarid_value"] = "HOLIDAYS"
    assert hours_of(ROW, found).holidays == ("2026-12-24", "2026-12-25")


def test_a_day_off_among_the_rules() -> None:
    once = {**weekly(inner="off"), "pattern": "FREQ=DAILY;INTERVAL=1;COUNT=1", "starttime": "2027-01-01T00:00:00Z"}
    found = read(weekly(), once, off=[leaf(0, 1440, timecode=2)])
    assert (found.holidays, found.problem) == (("2027-01-01",), "")
    assert found.spans == ((0, 480, 1020),)


def test_no_rules_at_all_is_never_open() -> None:
    assert read() == Hours("h", "Office", "UTC", ())


ODD: dict[str, tuple[str, dict[str, dict[str, Any]] | None]] = {
    "calendars unread": ("could not be read", None),
    "calendar gone": ("not there", {}),
    "rules unread": ("could not be read", {"outer": {"calendarid": "outer"}}),
    "inner gone": ("not there", calendars(weekly(inner="elsewhere"))),
    "inner empty": ("says no time", calendars(weekly(), inner=[])),
    "deeper": ("nests deeper", calendars(weekly(), inner=[leaf(_innercalendarid_value="x")])),
    "every other week": ("not once a week", calendars(weekly() | {"pattern": "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"})),
    "monthly": ("not once a week", calendars(weekly() | {"pattern": "FREQ=MONTHLY;INTERVAL=1;BYDAY=1MO"})),
    "ends by count": ("not once a week", calendars(weekly() | {"pattern": "FREQ=WEEKLY;BYDAY=MO;COUNT=3"})),
    "no day": ("names no day", calendars(weekly("XX"))),
    "no pattern": ("recurs by None", calendars(weekly() | {"pattern": None})),
    "garbage": ("recurs by", calendars(weekly() | {"pattern": "every day;;;"})),
    "ends": ("holds until 2027-06-30", calendars(weekly(effectiveintervalend="2027-06-30T00:00:00Z"))),
    "zone unknown": ("time zone is not known (code 9999)", calendars(weekly(zone=9999))),
    "two zones": ("time zone is not known (code 85, 92)", calendars(weekly("MO", 92), weekly("TU", 85))),
    "no zone": ("has no timezonecode", calendars(weekly(zone=None))),
    "no offset": ("has no offset", calendars(weekly(), inner=[leaf(None)])),
    "beyond a day": ("from minute 0 to 2880", calendars(weekly(), inner=[leaf(0, 2880)])),
    "no length": ("from minute 480 to 480", calendars(weekly(), inner=[leaf(480, 0)])),
    "another kind of time": ("of the kind 1", calendars(weekly(), inner=[leaf(timecode=1)])),
    "half a day off": (
        "a part of a day",
        calendars(weekly() | {"pattern": "FREQ=DAILY;COUNT=1"}, inner=[leaf(0, 720, timecode=2)]),
    ),
    "off every year": ("not one time", calendars(weekly() | {"pattern": "FREQ=YEARLY;INTERVAL=1"},
                                                 inner=[leaf(0, 1440, timecode=2)])),
    "off on no date": ("no date", calendars(weekly() | {"pattern": "FREQ=DAILY;COUNT=1", "starttime": "soon"},
                                            inner=[leaf(0, 1440, timecode=2)])),
}  # fmt: skip


@pytest.mark.parametrize(("said", "rows"), ODD.values(), ids=ODD)
def test_what_is_not_plain_says_why(said: str, rows: dict[str, dict[str, Any]] | None) -> None:
    found = hours_of(ROW, rows)
    assert said in found.problem
    assert (found.spans, found.holidays) == ((), ())


def test_hours_without_a_calendar() -> None:
    assert hours_of(ROW | {"msdyn_calendarid": None}, {}).problem == "it has no calendar"


def test_every_zone_is_one_python_knows() -> None:
    assert set(ZONES.values()) <= available_timezones()
