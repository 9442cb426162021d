"""Who in a queue is given a conversation (routing facts, section 5, points 7 to 9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from d365setup.center import AGENT_ROLE, Queue, StepType, User
from d365setup.routing.deciding import Answer
from d365setup.routing.setting import Known, Setting

HIGHEST, NOBODY_ASSIGNED = "highest capacity", "no assignment"


@dataclass(frozen=True)
class Past:
    """Which bots had the conversation; ``doubt``: others may have, since an earlier step could not be decided."""

    bots: frozenset[str] = frozenset()
    doubt: bool = False


@dataclass(frozen=True)
class Standing:
    """A member and the conversation. ``able``: may be given it; ``free``: now; ``count``: of people not kept singly."""

    name: str
    row_id: str
    is_bot: bool
    able: Answer
    why: str
    units: int
    free: bool = True
    count: int = 1


@dataclass(frozen=True)
class Winners:
    """Who may be next. ``certain``: one of them is."""

    standings: tuple[Standing, ...] = ()
    certain: bool = False


def standings(setting: Setting, queue: Queue, past: Past, known: Known) -> tuple[Standing, ...]:
    """Every member of a queue whose members were read, those who can be given the conversation first."""
    found = [_standing(setting, queue, user, past) for user in queue.members or ()]
    found += _left_out(setting, queue)
    if _filtered(setting, known):
        found = [replace(each, able=None, why=_FILTERED) if each.able else each for each in found]
    return tuple(sorted(found, key=lambda each: (each.able is not True, not each.free, -each.units)))


_FILTERED = "it depends on skills or groups, which are not simulated"


def winners(setting: Setting, queue: Queue, members: Sequence[Standing]) -> Winners:
    """Those who may be given the conversation now, as the queue's method sorts them."""
    possible = [each for each in members if each.able is not False and each.free]
    if not _is_ranked(setting, queue):
        return Winners(tuple(possible), any(each.able for each in possible))
    found: list[Standing] = []
    for _, group in groupby(sorted(possible, key=lambda each: -each.units), key=lambda each: each.units):
        equals = list(group)
        found += equals
        if any(each.able for each in equals):
            return Winners(tuple(found), certain=True)
    return Winners(tuple(found))


def order_told(setting: Setting, queue: Queue) -> str:
    """Why it cannot be told who comes first in a queue; "" where capacity sorts its members."""
    if _is_ranked(setting, queue):
        return ""
    if queue.assignment == HIGHEST and setting.stream.closest_match:
        return "skills are matched as closely as possible and sort before capacity, so anyone may come first"
    if queue.assignment == HIGHEST:
        return "capacity goes by profiles, so the number of units decides nothing and anyone may come first"
    return f"the queue assigns by {queue.assignment or 'a method nobody knows'}, so anyone may come first"


def _is_ranked(setting: Setting, queue: Queue) -> bool:
    return queue.assignment == HIGHEST and setting.stream.unit_based and not setting.stream.closest_match


def _filtered(setting: Setting, known: Known) -> bool:
    """Whether skills or groups may keep members out; the closest match only sorts."""
    kinds: tuple[StepType, ...] = ("skills", "agent group", "unknown")
    steps = (step for kind in kinds[setting.stream.closest_match :] for step in setting.stream.steps(kind))
    sets = (step.rule_set for step in steps if step.rule_set)
    return any(setting.any_matches(each, known) is not False for each in sets)


def _standing(setting: Setting, queue: Queue, user: User, past: Past) -> Standing:
    taken = 0 if user.is_bot or not setting.stream.unit_based else setting.occupancy.taken.get(user.row_id, 0)
    able, why = _able(setting, queue, user, past)
    busy = "" if user.is_bot or not able else _busy(setting, user, taken)
    return Standing(user.name, user.row_id, user.is_bot, able, busy or why, user.capacity - taken, free=not busy)


def _busy(setting: Setting, user: User, taken: int) -> str:
    if user.row_id in setting.occupancy.away:
        return "is away"
    if taken and user.capacity - taken < setting.stream.units:
        return f"has {user.capacity - taken} of {user.capacity} units left; a conversation costs {setting.stream.units}"
    return ""


def _able(setting: Setting, queue: Queue, user: User, past: Past) -> tuple[Answer, str]:
    """Whether a member may ever be given the conversation, and why (not)."""
    for no in _never(setting, queue, user, past):
        return False, no
    for unknown in _unknown(setting, user, past):
        return None, unknown
    return True, _fit(setting, user)


def _never(setting: Setting, queue: Queue, user: User, past: Past) -> Iterator[str]:
    stream = setting.stream
    if not user.is_bot and not user.is_person:
        yield "is an application, neither a bot nor a person"
    if not user.enabled:
        yield "is disabled"
    if user.has_agent_role is False:
        yield f"does not hold the role {AGENT_ROLE}"
    if user.row_id in past.bots:
        yield "had this conversation before, and a bot is never given the same one again"
    if user.is_bot and not stream.push:
        yield "is a bot, and in this work stream people pick their conversations"
    if user.is_bot and queue.assignment == NOBODY_ASSIGNED:
        yield "is a bot, and this queue assigns nothing by itself"
    if stream.unit_based and user.capacity < stream.units:
        yield f"has {user.capacity} units; a conversation costs {stream.units}"
    missing = _missing_profiles(setting, user)
    if missing and not user.is_bot:
        yield f"does not have the capacity profile {', '.join(missing)}"


def _unknown(setting: Setting, user: User, past: Past) -> Iterator[str]:
    if not user.is_bot:
        return
    if past.doubt:
        yield "may have had this conversation before, and a bot is never given the same one again"
    if user.roles is None:
        yield "cannot be judged: its roles were not read"
    if not setting.stream.unit_based and (setting.stream.profiles is None or user.profiles is None):
        yield "cannot be judged: capacity profiles were not read"
    if _missing_profiles(setting, user):
        yield "lacks a capacity profile of the work stream; no page says whether a bot needs it"


def _missing_profiles(setting: Setting, user: User) -> tuple[str, ...]:
    if setting.stream.unit_based or user.profiles is None:
        return ()
    return tuple(each for each in setting.stream.profiles or () if each not in user.profiles)


def _fit(setting: Setting, user: User) -> str:
    if not setting.stream.unit_based:
        return "has the capacity profiles it takes"
    told = f"has {user.capacity} units; a conversation costs {setting.stream.units}"
    return told + ("; a bot's are never used up" if user.is_bot else "")


def _left_out(setting: Setting, queue: Queue) -> list[Standing]:
    """People who are only counted, in groups of equal units."""
    if not queue.left_out:
        return []
    kept = Counter(user.capacity for user in queue.members or () if user.is_person and _serves(user))
    groups = Counter(dict(queue.staff.able)) - kept
    return [_group(setting, units, count) for units, count in sorted(groups.items(), reverse=True)]


def _serves(user: User) -> bool:
    return user.enabled and user.has_agent_role is not False


def _group(setting: Setting, units: int, count: int) -> Standing:
    stream = setting.stream
    able = not stream.unit_based or units >= stream.units
    told = f"have {units} units; a conversation costs {stream.units}" if stream.unit_based else "profiles were not read"
    people = "1 more person" if count == 1 else f"{count} more people"
    return Standing(people, "", is_bot=False, able=able, why=told, units=units, count=count)


def named(members: Iterable[Standing]) -> str:
    """The one member this is, "" for several."""
    found = tuple(members)
    return found[0].name if len(found) == 1 and found[0].row_id else ""
