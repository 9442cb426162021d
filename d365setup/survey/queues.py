"""Rows to queues: their settings, hours, overflow, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from d365setup.center import Hours, Overflow, Queue
from d365setup.survey import queries
from d365setup.survey.gathered import OVERFLOW_COLUMNS, Gathered
from d365setup.survey.hours import hours_of
from d365setup.survey.people import Roll, bare

Row = Mapping[str, Any]
Lines = tuple[Overflow, ...]

_PRIVATE = 1  # queue.queueviewtype
_TYPES = {192350000: "messaging", 192350001: "record", 192350002: "voice"}
_METHODS = {  # queue.msdyn_assignmentstrategy
    192350000: "highest capacity",
    192350001: "advanced round robin",
    192350002: "custom",
    192350003: "least active",
    192350005: "no assignment",
}
_HOURS = "_msdyn_operatinghourid_value"


def queues(gathered: Gathered, roll: Roll | None) -> tuple[Queue, ...]:
    """Every queue that was read, by name; ``roll`` is None where members could not be read."""
    lines = gathered.overflow_lines
    found = (_queue(row, gathered, roll, lines) for row in gathered.of(queries.QUEUES))
    return tuple(sorted(found, key=lambda each: (each.name, each.row_id)))


def _queue(row: Row, gathered: Gathered, roll: Roll | None, lines: Mapping[str, Lines]) -> Queue:
    row_id = bare(row["queueid"])
    called = roll or Roll()
    hours, hours_read = _hours(row, gathered)
    prequeue, inqueue = (_overflow(row, column, lines) for column in OVERFLOW_COLUMNS)
    return Queue(
        row_id,
        row.get("name") or "",
        type=_TYPES.get(row.get("msdyn_queuetype") or 0, ""),
        priority=row.get("msdyn_priority") or 1,
        assignment=_METHODS.get(row.get("msdyn_assignmentstrategy") or 0, ""),
        active=not row.get("statecode"),
        private=row.get("queueviewtype") == _PRIVATE,
        omnichannel=bool(row.get("msdyn_isomnichannelqueue")),
        members=called.members(row_id) if roll else None,
        left_out=called.left_out(row_id),
        staff=called.staff(row_id),
        hours=hours,
        hours_read=hours_read,
        prequeue=prequeue,
        inqueue=inqueue,
        is_default=bool(row.get("msdyn_isdefaultqueue")),
        modified_on=row.get("modifiedon") or "",
    )


def _hours(row: Row, gathered: Gathered) -> tuple[Hours | None, bool]:
    """The queue's hours, and whether it is known that these are they."""
    if not row.get(_HOURS):
        return None, _HOURS in row
    found = (gathered.by_id(queries.HOURS) or {}).get(bare(row[_HOURS]))
    return (hours_of(found, gathered.by_id(queries.CALENDARS)), True) if found else (None, False)


def _overflow(row: Row, column: str, lines: Mapping[str, Lines]) -> Lines | None:
    """None where the queue's column, or the rule set it leads to, could not be read."""
    if not row.get(column):
        return () if column in row else None
    return lines.get(bare(row[column]))
