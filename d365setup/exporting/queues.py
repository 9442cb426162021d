"""Queues and who is in them; what a playbook does not say of a queue is remarked at its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from d365setup.center import Queue as Shown
from d365setup.exporting.fitting import email_problem, name_problem, text_problem
from d365setup.exporting.seen import Seen, address
from d365setup.exporting.tree import Entry, Items, Map, Remark, Value
from d365setup.kinds import users
from d365setup.kinds.queue import METHODS, TYPES, Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.model import ResourceId, fold, join_key

_WRITTEN = frozenset(METHODS) - {"custom"}


def problem(queue: Shown, seen: Seen) -> str:
    """Why a queue can be neither declared nor referred to; empty when it can."""
    live = seen.queues.get(queue.row_id)
    if live is None:
        return "it was not found a second time"
    have: Queue = live.spec
    if unfit := name_problem(have.name):
        return f"its name {unfit}"
    if len(seen.live.rows_named(Queue.kind, join_key(have.name))) > 1:
        return "several queues bear this name; rename all but one"
    if not have.omnichannel:
        return "it is no Omnichannel queue"
    if not have.private:
        return "it is public, and work is handed out from private queues only"
    return "" if have.active else "it is inactive"


def sayable(queues: Iterable[Shown], seen: Seen) -> tuple[dict[str, str], tuple[Remark, ...]]:
    """The names of the queues that can be spoken of, by row; and a remark for each of the others."""
    names: dict[str, str] = {}
    looks: set[str] = set()
    remarks: list[Remark] = []
    for queue in queues:
        why = problem(queue, seen)
        if not why and fold(queue.name) in looks:
            why = "another queue's name differs from it only by case, blanks or Unicode form"
        if why:
            told = f"The queue {queue.name or queue.row_id} is left out: {why}."
            remarks.append(Remark(told, _id(queue), "left out"))
        else:
            names[queue.row_id] = queue.name
            looks.add(fold(queue.name))
    return names, tuple(remarks)


def entry(queue: Shown, seen: Seen, bots: Mapping[str, str]) -> Map:
    """The queue under ``queues``; ``bots`` are the names of those declared, by application id."""
    name = Entry("name", queue.name)
    if queue.is_default:
        told = Remark(
            "It comes with Omnichannel, so it is only referred to; its members stay as they are.",
            _id(queue),
            "referred to",
        )
        return Map((name, told, Entry("existing", value=True)))
    have: Queue = seen.queues[queue.row_id].spec
    fields = [*_fields(have, _id(queue)), *_members(queue, seen, bots), *untouched(queue)]
    return Map((name, *fields))


def _id(queue: Shown) -> ResourceId:
    return ResourceId(Queue.kind, join_key(queue.name or queue.row_id))


def _fields(have: Queue, own: ResourceId) -> Iterator[Entry | Remark]:
    text = (have.description or "").replace("\r\n", "\n")
    if unfit := text_problem(text):
        yield Remark(f"Its description stays as it is: it {unfit}.", own)
    elif text:
        yield Entry("description", text)
    settings: dict[str, tuple[Any, bool]] = {
        "type": (have.type, have.type in TYPES),
        "priority": (have.priority, isinstance(have.priority, int) and have.priority >= 1),
        "assignment": (have.assignment, have.assignment in _WRITTEN),
    }
    for name, (value, is_sayable) in settings.items():
        if is_sayable:
            yield Entry(name, value)
        elif value is not None:
            yield Remark(f"Its {name} stays as it is: {value}, which a playbook cannot set.", own)


def _members(queue: Shown, seen: Seen, bots: Mapping[str, str]) -> Iterator[Entry | Remark]:
    names: list[Value | Remark] = []
    taken: set[str] = set()
    for member in seen.members(queue.row_id):
        name = bots.get(member.application_id, "") if member.application_id else member.email.strip()
        why = _unlisted(member, name, seen) or ("it is listed already" if fold(name) in taken else "")
        if why:
            link = ResourceId(QueueMember.kind, join_key(queue.name, name or member.shown))
            yield Remark(f"The member {member.shown} stays, and is not listed: {why}.", link, "left out")
        else:
            names.append(name)
            taken.add(fold(name))
    if names:
        yield Entry(
            "members", Map((Entry("mode", "include"), Entry("users", Items(tuple(names), flow=True))), flow=True)
        )


def _unlisted(member: users.User, name: str, seen: Seen) -> str:
    """Why a member cannot be listed."""
    if member.application_id or member.is_bot:
        what = "this bot is not declared above" if member.is_bot else "it is an application and no bot"
        return "" if name and member.application_id else what
    if not member.enabled:
        return "the user is disabled"
    if not name:
        return "the user has no e-mail address"
    if unfit := email_problem(name):
        return f"the address {unfit}"
    others = seen.enabled_people.get(address(name), frozenset()) - {member.row_id}
    return f"another enabled user has the address {name} too" if others else ""


def untouched(queue: Shown) -> Iterator[Remark]:
    """What the queue has that format 1 does not speak of."""
    if queue.hours is not None or not queue.hours_read:
        told = (
            f"Its operating hours {queue.hours.name!r}"
            if queue.hours
            else "Its operating hours (they could not be read)"
        )
        yield Remark(f"{told} stay as they are: a playbook has no word for hours.", _id(queue))
    for where, lines in (("before", queue.prequeue), ("in", queue.inqueue)):
        if lines:
            shown = ", ".join(f"{each.when}: {each.action}" for each in lines)
            told = f"Its overflow {where} the queue ({shown}) stays as it is: a playbook has no word for overflow."
            yield Remark(told, _id(queue))
        elif lines is None:
            yield Remark(f"Its overflow {where} the queue could not be read, and stays as it is.", _id(queue))
