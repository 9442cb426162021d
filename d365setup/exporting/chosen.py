"""Which part of an environment is meant, found by the names its rows bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from d365setup.dataverse.odata import query
from d365setup.errors import NothingThere
from d365setup.kinds.nearest import did_you_mean
from d365setup.model import Note, ResourceId
from d365setup.survey import Part

Row = Mapping[str, Any]

# Read in one wave; where there are no work streams, there is no Omnichannel, and that is told.
NAMES = (
    query("msdyn_liveworkstreams", select=("msdyn_liveworkstreamid", "msdyn_name")),
    query("queues", select=("queueid", "name", "msdyn_isdefaultqueue"), filter="msdyn_isomnichannelqueue eq true"),
    query(
        "systemusers",
        select=("systemuserid", "fullname", "applicationid"),
        filter="msdyn_botapplicationid ne null and applicationid ne null",
    ),
)


@dataclass(frozen=True)
class Chosen:
    """What somebody asked for; nothing at all means everything. A bot by its name or its application id."""

    workstreams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether no part was asked for."""
        return not (self.workstreams or self.queues or self.bots)


def part_of(chosen: Chosen, streams: Sequence[Row], queues: Sequence[Row], bots: Sequence[Row]) -> Part | None:
    """The part to read, from the rows of `NAMES`; None for everything. Raises NothingThere for names nobody bears."""
    if chosen.is_everything:
        return None
    stream_names = [row.get("msdyn_name") or "" for row in streams]
    queue_names = [row.get("name") or "" for row in queues]
    notes = [*_absent("workstream", chosen.workstreams, stream_names), *_absent("queue", chosen.queues, queue_names)]
    found = {each: list(_bots(each, bots)) for each in chosen.bots}
    names = [row.get("fullname") or "" for row in bots]
    notes += _absent("bot_user", (each for each, ids in found.items() if not ids), names)
    notes += [_note("bot_user", each, _several(ids)) for each, ids in found.items() if len(ids) > 1]
    if notes:
        raise NothingThere(notes)
    return Part(_once(chosen.workstreams), _once(chosen.queues), _once(each for ids in found.values() for each in ids))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _bots(asked: str, rows: Sequence[Row]) -> Iterator[str]:
    bare = asked.strip().strip("{}").lower()
    for row in rows:
        application = str(row.get("applicationid") or "").lower()
        if asked == row.get("fullname") or bare == application:
            yield application


def _several(ids: Sequence[str]) -> str:
    return f"{len(ids)} bots bear this name; say which by its application id: {' or '.join(ids)}"


def _absent(kind: str, asked: Iterable[str], names: Sequence[str]) -> Iterator[Note]:
    what = {"workstream": "work stream", "queue": "Omnichannel queue", "bot_user": "bot"}[kind]
    for each in asked:
        if kind == "bot_user" or each not in names:
            yield _note(kind, each, f"the environment has no {what} of this name{did_you_mean(each, names)}")


def _note(kind: str, name: str, message: str) -> Note:
    return Note("error", ResourceId(kind, name), message)
