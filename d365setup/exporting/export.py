"""A contact center, and what a plan would see of it, as the text of a playbook."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from d365setup.center import ContactCenter, Queue, User, Workstream
from d365setup.exporting import bots, queues, streams
from d365setup.exporting.seen import Seen
from d365setup.exporting.tree import Entry, Items, Map, Remark, Value
from d365setup.exporting.yaml_text import yaml_text
from d365setup.model import LiveState, ResourceId, join_key
from d365setup.survey import Part


@dataclass(frozen=True)
class Export:
    """A playbook's text, not yet proved; ``variables`` are the ids it has on the environment it came from."""

    text: str
    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    untouched: tuple[Remark, ...] = ()  # what it says of what no playbook can say
    unread: tuple[str, ...] = ()


def exported(
    center: ContactCenter, live: LiveState, part: Part | None, name: str = "", taken: frozenset[str] = frozenset()
) -> Export:
    """What was read, as a playbook of this name (the organization's, where none is given).

    ``taken`` are names that no variable may get.
    """
    seen = Seen(center, live)
    names, queue_remarks = queues.sayable(center.queues, seen)
    streams_said, stream_remarks = streams.said(_streams(center, part), seen, names)
    referred = frozenset(each for said in streams_said for each in said.queues)
    kept = [each for each in center.queues if each.row_id in names and _is_wanted(each, part, referred)]
    bots_said, bot_remarks = bots.said(_bots(center, part, kept, seen), seen, taken)
    declared = bots.by_application(bots_said)
    sections: dict[str, Sequence[Value | Remark]] = {
        "bot_users": (*bot_remarks, *map(bots.entry, bots_said)),
        "queues": (
            *queue_remarks,
            *_unused(center, part, referred),
            *(queues.entry(each, seen, declared) for each in kept),
        ),
        "workstreams": (*stream_remarks, *(each.entry for each in streams_said)),
    }
    called = name or playbook_name(center.organization)
    document = Map(tuple(_document(center, called, bots_said, sections)))
    values = {variable: value for each in bots_said for variable, value in each.values}
    return Export(
        yaml_text(document),
        called,
        values,
        tuple(each for each in _remarks(document) if each.about),
        tuple(map(str, center.unread)),
    )


def playbook_name(organization: str) -> str:
    """A name that a playbook may have, made of an organization's."""
    plain = unicodedata.normalize("NFKD", organization).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].rstrip("-") or "exported"


def _document(
    center: ContactCenter, name: str, found: Sequence[bots.Said], sections: Mapping[str, Sequence[Value | Remark]]
) -> Iterator[Entry | Remark]:
    yield Remark(f"Exported by d365setup from {center.organization or 'an environment'} ({center.url}).")
    yield Remark(
        "Its plan there was empty when it was written. What a playbook cannot say is remarked where it stands;"
    )
    yield Remark("it stays as it is, and `apply` on another environment does not make it.")
    for unread in center.unread:
        yield Remark(f"Not read: {unread}.")
    yield Remark("", gap=True)
    yield Entry("playbook", 1)
    yield Entry("name", name)
    if found:
        yield Remark("", gap=True)
        yield Entry("variables", Map(tuple(bots.variables(found))))
    for key, items in sections.items():
        if items:
            yield Remark("", gap=True)
            listed = Items(tuple(items))
            yield from listed.remarks if listed.is_empty else (Entry(key, listed),)


def _streams(center: ContactCenter, part: Part | None) -> Iterable[Workstream]:
    return (each for each in center.workstreams if part is None or each.name in part.workstreams)


def _is_wanted(queue: Queue, part: Part | None, referred: frozenset[str]) -> bool:
    """Queues that come with Omnichannel only where something leads to them, or where they are asked for."""
    if queue.name in referred or (part is not None and queue.name in part.queues):
        return True
    return part is None and not queue.is_default


def _unused(center: ContactCenter, part: Part | None, referred: frozenset[str]) -> Iterator[Remark]:
    """Queues that come with Omnichannel and that nothing leads to: nobody asked for those, but they are there."""
    for each in center.queues:
        if part is None and each.is_default and each.name not in referred:
            told = f"The queue {each.name} is left out: it comes with Omnichannel, and nothing here leads to it."
            yield Remark(told, ResourceId("queue", join_key(each.name)), "left out")


def _bots(center: ContactCenter, part: Part | None, kept: Iterable[Queue], seen: Seen) -> Iterator[User]:
    """Those asked for, and those in a queue of the playbook."""
    inside = {user.row_id for queue in kept if not queue.is_default for user in seen.members(queue.row_id)}
    for bot in sorted(center.bots, key=lambda each: (each.name, each.row_id)):
        if part is None or bot.application_id in part.bots or bot.row_id in inside:
            yield bot


def _remarks(value: Value | Remark | Entry) -> Iterator[Remark]:
    if isinstance(value, Remark):
        yield value
    elif isinstance(value, Entry):
        yield from _remarks(value.value)
    elif isinstance(value, Map):
        for each in value.entries:
            yield from _remarks(each)
    elif isinstance(value, Items):
        for item in value.items:
            yield from _remarks(item)
