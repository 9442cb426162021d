"""Who is asked first where a bot and people share a queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from d365setup.audit.checking import Result, Seen, about_queue, about_workstream, check, finding
from d365setup.audit.destinations import destinations
from d365setup.audit.findings import Unchecked
from d365setup.center import ContactCenter, Queue, User, Workstream

BY_CAPACITY = "highest capacity"


@check("R02")
def bot_above_everybody(seen: Seen) -> Iterator[Result]:
    """Where the number decides, the bot's is above everybody's."""
    leading = _leading(seen)
    for queue in seen.center.queues:
        streams = leading.get(queue.row_id, [])
        if queue.members is None:
            yield Unchecked("R02", "the queue's members could not be read", about_queue(queue))
        elif _is_mixed(queue) and queue.assignment == BY_CAPACITY and not _sorted_otherwise(streams):
            yield from _too_low(queue)


def _too_low(queue: Queue) -> Iterator[Result]:
    most = queue.staff.most_units
    low = [bot for bot in queue.bots if bot.enabled and bot.capacity <= most]
    if low:
        units = ", ".join(f"{bot.name} {bot.capacity}" for bot in low)
        told = f"people in it have up to {most} units, and its bot is not above them ({units})"
        yield finding("R02", about_queue(queue), told, bot_units=units, highest_of_people=most)


def _is_mixed(queue: Queue) -> bool:
    return bool(queue.bots and queue.staff.able)


def _sorted_otherwise(streams: Sequence[Workstream]) -> bool:
    """Whether everything that leads to the queue goes by profiles or skills (R03 and R04 tell of that)."""
    return bool(streams) and all(stream.closest_match or not stream.unit_based for stream in streams)


def _leading(seen: Seen) -> Mapping[str, list[Workstream]]:
    """By queue, the work streams whose conversations can come there."""
    found: dict[str, list[Workstream]] = {}
    for stream in seen.workstreams:
        for each in destinations(seen.center, stream):
            found.setdefault(each.queue.row_id, []).append(stream)
    return found


@check("R03")
def capacity_decides(seen: Seen) -> Iterator[Result]:
    """In a queue of bots and people the assignment goes by the highest capacity, and no skill sorts before it."""
    leading = _leading(seen)
    for queue in seen.center.queues:
        if queue.members is None:
            yield Unchecked("R03", "the queue's members could not be read", about_queue(queue))
        elif _is_mixed(queue):
            reasons = tuple(_other_orders(queue, leading.get(queue.row_id, [])))
            if reasons:
                method = queue.assignment or "unknown"
                told = f"a bot and people share it, and {'; '.join(reasons)}"
                yield finding("R03", about_queue(queue), told, assignment=method, bots=_names(queue.bots))


def _other_orders(queue: Queue, streams: Sequence[Workstream]) -> Iterator[str]:
    if queue.assignment != BY_CAPACITY:
        yield f"its assignment method is {queue.assignment or 'one that is not known'}, not {BY_CAPACITY}"
    for stream in streams:
        if stream.closest_match:
            yield f"{stream.name} sorts by the closest match of skills before capacity"


@check("R04")
def capacity_by_profiles(seen: Seen) -> Iterator[Result]:
    """Where capacity goes by profiles, the number of a bot decides nothing."""
    for stream in seen.workstreams:
        if stream.unit_based:
            continue
        subject = about_workstream(stream)
        if stream.profiles is None:
            yield Unchecked("R04", "the work stream's capacity profiles could not be read", subject)
            continue
        unread = _bots_of_unknown_profiles(seen.center, stream)
        if unread:
            yield Unchecked("R04", f"the capacity profiles of {_names(unread)} could not be read", subject)
        told = tuple(_doubts(seen.center, stream, frozenset(stream.profiles)))
        if told:
            profiles = ", ".join(stream.profiles) or "none"
            yield finding("R04", subject, f"its capacity goes by profiles, and {'; '.join(told)}", profiles=profiles)


def _bots(center: ContactCenter, stream: Workstream) -> tuple[User, ...]:
    own = center.user(stream.bot_user_id) if stream.bot_user_id else None
    queued = (bot for each in destinations(center, stream) for bot in each.queue.bots)
    found = (*filter(None, (own,)), *queued)
    return tuple({bot.row_id: bot for bot in found}.values())


def _bots_of_unknown_profiles(center: ContactCenter, stream: Workstream) -> tuple[User, ...]:
    return tuple(bot for bot in _bots(center, stream) if bot.profiles is None)


def _doubts(center: ContactCenter, stream: Workstream, profiles: frozenset[str]) -> Iterator[str]:
    for bot in _bots(center, stream):
        lacking = profiles - frozenset(bot.profiles or ())
        if bot.profiles is not None and lacking:
            yield f"{bot.name} does not have {', '.join(sorted(lacking))}: it may never be given a conversation"
    for each in destinations(center, stream):
        if _is_mixed(each.queue):
            yield f"in {each.queue.name} nothing puts the bot before the people"


def _names(bots: tuple[User, ...]) -> str:
    return ", ".join(bot.name for bot in bots)
