"""The part of a contact center that a playbook is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from d365setup.audit.destinations import destinations
from d365setup.center import ContactCenter, User, Workstream
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.workstream import Workstream as WorkstreamSpec
from d365setup.playbook import Playbook


def part_of(center: ContactCenter, playbook: Playbook) -> ContactCenter:
    """The work streams a playbook declares, the queues it declares or they lead to, its bots and those in there."""
    streams = tuple(each for each in center.workstreams if each.name in _names(playbook, WorkstreamSpec))
    kept = {each.row_id for each in center.queues if each.name in _names(playbook, Queue)}
    kept.update(row_id for stream in streams for row_id in _led_to(center, stream))
    queues = tuple(each for each in center.queues if each.row_id in kept)
    members = {user.row_id for queue in queues for user in queue.bots}
    own = {stream.bot_user_id for stream in streams}
    users = tuple(user for user in center.users if user.row_id in members | own or _is_declared(user, playbook))
    return replace(center, workstreams=streams, queues=queues, users=users)


def _names(playbook: Playbook, kind: type[Queue] | type[WorkstreamSpec]) -> frozenset[str]:
    return frozenset(spec.name for spec in playbook.desired.of(kind))


def _led_to(center: ContactCenter, stream: Workstream) -> Iterator[str]:
    yield from (each.queue.row_id for each in destinations(center, stream))
    yield stream.bot_queue_id


def _is_declared(user: User, playbook: Playbook) -> bool:
    declared = {spec.application_id.lower() for spec in playbook.desired.of(BotUser)}
    return user.application_id.lower() in declared
