"""How much capacity a bot needs: in a queue with people the bot is only asked first if it has strictly the most.

Counts where conversations are counted in units and the queue's method is highest capacity; a bot's capacity is never
used up (routing facts, section 0, fact 9 and section 5, steps 7 and 8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from d365setup.kinds import users
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.model import Desired, Live, Mistake, Note, join_key
from d365setup.scope import Scope

if TYPE_CHECKING:
    from d365setup.kinds.bot_user import BotUser

MAXIMUM = 2147483647  # systemuser.msdyn_capacity, whole number of 32 bits
AT_LEAST = 100  # what the user form gives a new user; a bot that must beat nobody gets it too


@dataclass(frozen=True)
class Settled:
    """A number of units, why, and what must be said about it."""

    units: int
    reason: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class _Rival:
    name: str
    units: int | None  # None: a bot that says highest as well
    queue: str

    def __str__(self) -> str:
        return f"{self.name} ({self.units}) in {self.queue}"


def clashes(bot: BotUser, desired: Desired) -> Iterator[Mistake]:
    """Two bots that both say `highest` in one queue can never both be right; told of the later one."""
    if bot.capacity != "highest" or bot.existing:
        return
    for queue in _declared(bot, desired):
        for other in takewhile(lambda each: each.name != bot.name, _declared_bots(queue, desired)):
            if other.capacity == "highest" and not other.existing:
                message = f"{other.name} is in the queue {queue} too, and also says highest; give one of them a number"
                yield Mistake(("capacity",), message)


def settle(bot: BotUser, live: Live[BotUser] | None, scope: Scope) -> Settled:
    """The number this bot's capacity must be, as things stand and as the playbook will make them."""
    queues = _queues(bot, live, scope)
    notes = tuple(_idle(bot, queues, scope))
    if bot.capacity == "maximum":
        return Settled(MAXIMUM, "maximum", notes)
    if isinstance(bot.capacity, int):
        return Settled(bot.capacity, "", notes)
    people = [rival for queue in queues for rival in _people(queue, scope)]
    bots = [rival for queue in queues for rival in _bots(queue, bot, scope)]
    found = _highest(live, people)
    errors = tuple(Note("error", bot.id, told, bot.source) for told in _unbeatable(found.units, people, bots))
    return Settled(found.units, found.reason, (*notes, *errors))


def _highest(live: Live[BotUser] | None, people: Sequence[_Rival]) -> Settled:
    """What the bot has where that is enough; a bot without any units beats nobody, not even an empty queue."""
    top = max(people, key=lambda rival: rival.units or 0, default=None)
    limit = (top.units or 0) if top else 0
    have = live.spec.capacity if live else None
    units = have if isinstance(have, int) and have > limit else max(limit + 1, AT_LEAST)
    return Settled(min(units, MAXIMUM), f"must beat {top}" if top else "no person to beat in its queues")


def _unbeatable(units: int, people: Sequence[_Rival], bots: Sequence[_Rival]) -> Iterator[str]:
    for rival in people:
        if rival.units == MAXIMUM:
            yield f"nobody can have more capacity than {rival}; lower it, or take that person out of the queue"
    for rival in bots:
        if rival.units is None:
            yield f"{rival.name} is in the queue {rival.queue} too, and also says highest; give one of them a number"
        elif rival.units >= units:
            yield f"the bot {rival} has as much or more; use a number instead of highest"


def _declared(bot: BotUser, desired: Desired) -> Iterator[str]:
    for link in desired.of(QueueMember):
        if link.name == bot.name:
            yield link.queue


def _all_declared(desired: Desired) -> Iterator[BotUser]:
    for spec in desired.specs:
        if spec.kind == "bot_user":
            yield spec  # type: ignore[misc]  # a bot_user spec by its kind; importing the class would be a circle


def _declared_bots(queue: str, desired: Desired) -> Iterator[BotUser]:
    names = {link.name for link in desired.of(QueueMember) if link.queue == queue}
    return (bot for bot in _all_declared(desired) if bot.name in names)


def _queues(bot: BotUser, live: Live[BotUser] | None, scope: Scope) -> list[str]:
    """Every queue the bot is in or will be in: declared, or linked by hand and not about to be removed."""
    names = list(_declared(bot, scope.desired))
    for link in scope.live.known(users.Membership):
        if live and link.user.row_id == live.row_id and not _exact(link.queue, scope.desired):
            names.append(link.queue)
    return list(dict.fromkeys(names))


def _exact(queue: str, desired: Desired) -> bool:
    found = desired.find(Queue.kind, join_key(queue))
    return isinstance(found, Queue) and found.members is not None and found.members.mode == "exact"


def _people(queue: str, scope: Scope) -> Iterator[_Rival]:
    """Enabled people who are in the queue, or will be once the playbook is applied."""
    wanted = {link.name for link in scope.desired.of(QueueMember) if link.queue == queue and link.is_person}
    seen = {user.row_id: user for email in wanted for user in users.by_email(scope.live, email)}
    if not _exact(queue, scope.desired):
        seen.update({user.row_id: user for user in users.members(scope.live, queue)})
    for user in seen.values():
        if user.enabled and user.is_person:
            yield _Rival(user.shown, user.capacity, queue)


def _bots(queue: str, bot: BotUser, scope: Scope) -> Iterator[_Rival]:
    """Other bots that are or will be in the queue: with what the playbook gives them, else with what they have."""
    declared = {each.identity: each for each in _all_declared(scope.desired)}
    joined = {each.identity: each for each in _declared_bots(queue, scope.desired)}
    for user in () if _exact(queue, scope.desired) else users.members(scope.live, queue):
        if user.application_id in declared:
            joined[user.application_id] = declared[user.application_id]
        elif user.is_bot and user.enabled and not _is_leaving(user, scope):
            yield _Rival(user.shown, user.capacity, queue)
    for other in joined.values():
        if other.identity != bot.identity:
            yield from _declared_rival(other, queue, scope)


def _is_leaving(user: users.User, scope: Scope) -> bool:
    """A bot that this playbook made and no longer declares: it is disabled by the same apply."""
    return scope.prune is not None and user.row_id == scope.ids.made("bot_user", user.application_id)


def _declared_rival(other: BotUser, queue: str, scope: Scope) -> Iterator[_Rival]:
    if other.existing:
        live = scope.live.find("bot_user", other.identity)
        if live and live.spec.enabled:
            yield _Rival(other.name, live.spec.capacity or 0, queue)
        return
    units = {"highest": None, "maximum": MAXIMUM}.get(str(other.capacity), other.capacity)
    yield _Rival(other.name, None if units is None else int(units), queue)


def _idle(bot: BotUser, queues: Sequence[str], scope: Scope) -> Iterator[Note]:
    """Where the number decides nothing: the queue hands out work by another method."""
    for name in queues:
        declared = scope.desired.find(Queue.kind, join_key(name))
        live = scope.live.find(Queue.kind, join_key(name))
        method = getattr(declared, "assignment", None) or (live.spec.assignment if live else None)
        if method and method != "highest capacity":
            message = f"the queue {name} hands out work by {method!r}: the bot's capacity decides nothing there"
            yield Note("warning", bot.id, message, bot.source)
