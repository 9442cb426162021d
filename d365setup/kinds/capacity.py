"""How much capacity a bot needs: in a queue with people the bot is only asked first if it has strictly the most.

Counts where conversations are counted in units and the queue's method is highest capacity; a bot's capacity is never
used up (routing facts, section 0, fact 9 and section 5, steps 7 and 8).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from d365setup.kinds import users
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.model import Desired, Live, Mistake, Note, Scope, join_key

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
    user: users.User
    queue: str

    def __str__(self) -> str:
        return f"{self.user.shown} ({self.user.capacity}) in {self.queue}"


def clashes(bot: BotUser, desired: Desired) -> Iterator[Mistake]:
    """Two bots that both say `highest` in one queue can never both be right."""
    if bot.capacity != "highest" or bot.existing:
        return
    for queue in _declared(bot, desired):
        for other in _declared_bots(queue, desired):
            if other.name != bot.name and other.capacity == "highest" and not other.existing:
                message = f"{other.name} is in the queue {queue} too, and also says highest; give one of them a number"
                yield Mistake(("capacity",), message)


def settle(bot: BotUser, live: Live[BotUser] | None, scope: Scope) -> Settled:
    """The number this bot's capacity must be, as things stand and as the playbook will make them."""
    queues = _queues(bot, live, scope)
    own = live.row_id if live else ""
    notes = tuple(_idle(bot, queues, scope))
    if bot.capacity == "maximum":
        return Settled(MAXIMUM, "maximum", notes)
    if isinstance(bot.capacity, int):
        return Settled(bot.capacity, "", notes)
    people = [r for queue in queues for r in _people(queue, scope)]
    bots = [r for queue in queues for r in _bots(queue, own, bot, scope)]
    return _highest(bot, live, people, bots, notes)


def _highest(
    bot: BotUser,
    live: Live[BotUser] | None,
    people: Sequence[_Rival],
    bots: Sequence[_Rival],
    notes: tuple[Note, ...],
) -> Settled:
    top = max(people, key=lambda rival: rival.user.capacity, default=None)
    have = live.spec.capacity if live and isinstance(live.spec.capacity, int) else 0
    limit = top.user.capacity if top else -1
    if limit >= MAXIMUM:
        message = f"nobody can have more capacity than {top}; lower it, or take that person out of the queue"
        return Settled(MAXIMUM, "", (*notes, Note("error", bot.id, message, bot.source)))
    units = have if live and have > limit else max(limit + 1, AT_LEAST)
    reason = f"must beat {top}" if top else "no person to beat in its queues"
    stronger = [rival for rival in bots if rival.user.capacity >= units]
    errors = [
        Note("error", bot.id, f"the bot {rival} has as much or more; use a number instead of highest", bot.source)
        for rival in stronger
    ]
    return Settled(units, reason, (*notes, *errors))


def _declared(bot: BotUser, desired: Desired) -> Iterator[str]:
    for link in desired.of(QueueMember):
        if link.name == bot.name:
            yield link.queue


def _declared_bots(queue: str, desired: Desired) -> Iterator[BotUser]:
    for link in desired.of(QueueMember):
        found = desired.find("bot_user", join_key(link.name))
        if link.queue == queue and found is not None:
            yield found  # type: ignore[misc]  # a bot_user spec by its kind; importing the class would be a circle


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
    wanted = {link.name.casefold() for link in scope.desired.of(QueueMember) if link.queue == queue}
    stays = not _exact(queue, scope.desired)
    seen: dict[str, users.User] = {}
    for user in users.members(scope.live, queue):
        if stays or user.email.casefold() in wanted:
            seen[user.row_id] = user
    for email in wanted:
        seen.update({user.row_id: user for user in users.by_email(scope.live, email)})
    yield from (_Rival(user, queue) for user in seen.values() if user.enabled and user.is_person)


def _bots(queue: str, own: str, bot: BotUser, scope: Scope) -> Iterator[_Rival]:
    """Other live bots of the queue; one that this playbook declares counts with what the playbook gives it."""
    if _exact(queue, scope.desired):
        return
    declared = {getattr(spec, "application_id", "") for spec in scope.desired.specs if spec.kind == "bot_user"}
    for user in users.members(scope.live, queue):
        if user.is_bot and user.enabled and user.row_id != own and user.application_id not in declared:
            yield _Rival(user, queue)
    for other in _declared_bots(queue, scope.desired):
        if other.name != bot.name and other.capacity != "highest":
            units = MAXIMUM if other.capacity == "maximum" else int(other.capacity)
            yield _Rival(users.User("", other.name, "", True, other.application_id, "-", units), queue)  # noqa: FBT003


def _idle(bot: BotUser, queues: Sequence[str], scope: Scope) -> Iterator[Note]:
    """Where the number decides nothing: the queue hands out work by another method."""
    for name in queues:
        declared = scope.desired.find(Queue.kind, join_key(name))
        live = scope.live.find(Queue.kind, join_key(name))
        method = getattr(declared, "assignment", None) or (live.spec.assignment if live else None)
        if method and method != "highest capacity":
            message = f"the queue {name} hands out work by {method!r}: the bot's capacity decides nothing there"
            yield Note("warning", bot.id, message, bot.source)
