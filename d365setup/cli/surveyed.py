"""The part of an environment that a playbook is about, read for judging, and who in it is a person."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.scope import part_of
from d365setup.center import ContactCenter, User
from d365setup.dataverse.client import Client
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.workstream import Workstream
from d365setup.playbook import Playbook
from d365setup.survey import Part, read_center


def surveyed(client: Client, playbook: Playbook) -> ContactCenter:
    """What the playbook declares and leads to, as it is. Raises DataverseError where nothing can be read."""
    return part_of(read_center(client, declared_part(playbook)), playbook)


def declared_part(playbook: Playbook) -> Part:
    """What to read for a playbook."""
    desired = playbook.desired
    streams, queues = desired.of(Workstream), desired.of(Queue)
    return Part(
        tuple(each.name for each in streams),
        tuple(each.name for each in queues),
        tuple(bot.application_id for bot in desired.of(BotUser)),
    )


def people_in(center: ContactCenter) -> Iterator[tuple[str, str]]:
    """Name and address of every person that was kept."""
    yield from dict.fromkeys((each.name, each.email) for each in _users(center) if each.is_person)


def bots_in(center: ContactCenter) -> Iterator[str]:
    """Names and addresses of its bots."""
    for each in _users(center):
        if each.is_bot:
            yield from filter(None, (each.name, each.email))


def _users(center: ContactCenter) -> Iterator[User]:
    yield from center.users
    for queue in center.queues:
        yield from queue.members or ()
