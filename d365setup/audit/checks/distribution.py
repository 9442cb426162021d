"""How work streams hand out conversations: pull or push, two bots in line, units that do not divide."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_queue, about_workstream, check, finding
from d365setup.audit.destinations import Destination, destinations
from d365setup.audit.findings import Level
from d365setup.center import ContactCenter, Workstream

GREAT_LOSS = 3  # a person who can use less than two thirds of the capacity: one in this many is lost


@check("R17")
def bots_need_push(seen: Seen) -> Iterator[Result]:
    """A bot never picks a conversation from a list, so its work stream must push."""
    for stream in seen.workstreams:
        bots = () if stream.push else tuple(dict.fromkeys(_bots(seen.center, stream)))
        if bots:
            told = f"people pick its conversations, and {_listed(bots)} can only be given them"
            yield finding("R17", about_workstream(stream), told, distribution="pick", bots=", ".join(bots))


@check("R22")
def two_bots_in_line(seen: Seen) -> Iterator[Result]:
    """A work stream's own bot answers before any bot of a queue does."""
    for stream in seen.workstreams:
        own = seen.center.user(stream.bot_user_id) if stream.bot_user_id else None
        queued = _with_bots(seen.center, stream)
        if stream.bot_user_id and queued:
            name, first = own.name if own else stream.bot_user_id, queued[0]
            told = f"its own bot {name} answers first; the bots in {first.queue.name} ({first.by}) come later or never"
            bots = ", ".join(each.name for each in first.queue.bots)
            yield finding("R22", about_workstream(stream), told, own_bot=name, queue=first.queue.name, bots=bots)


@check("R28")
def units_that_do_not_divide(seen: Seen) -> Iterator[Result]:
    """Units below the cost of one more conversation are never used."""
    for stream in seen.workstreams:
        if not stream.unit_based or stream.units <= 0:
            continue
        for destination in destinations(seen.center, stream):
            yield from _lost_units(stream, destination)


def _lost_units(stream: Workstream, destination: Destination) -> Iterator[Result]:
    queue, cost = destination.queue, stream.units
    odd = {units: count for units, count in queue.staff.able if units > 0 and units % cost}
    if not odd:
        return
    worst = max(odd, key=lambda units: (units % cost) / units)
    level: Level = "warning" if GREAT_LOSS * (worst % cost) >= worst else "info"
    count = sum(odd.values())
    who = "1 of its people has" if count == 1 else f"{count} of its people have"
    told = (
        f"{who} units that conversations of {stream.name} (each costs {cost}) cannot use up: "
        f"{worst} units serve {worst // cost} at a time, and {worst % cost} are left over"
    )
    numbers = ", ".join(str(units) for units in sorted(odd))
    yield finding("R28", about_queue(queue), told, level=level, workstream=stream.name, cost=cost, units=numbers)


def _bots(center: ContactCenter, stream: Workstream) -> Iterator[str]:
    own = center.user(stream.bot_user_id) if stream.bot_user_id else None
    if stream.bot_user_id:
        yield own.name if own else stream.bot_user_id
    for destination in destinations(center, stream):
        yield from (bot.name for bot in destination.queue.bots)


def _with_bots(center: ContactCenter, stream: Workstream) -> tuple[Destination, ...]:
    return tuple(each for each in destinations(center, stream) if each.queue.bots)


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
