"""What is sent together: a change set, and the reads behind it that show whether it did what it should. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from d365setup import staging
from d365setup.dataverse.messages import ChangeSet, Reply, Request
from d365setup.kinds import Kinds
from d365setup.live import path
from d365setup.model import Change, Cost, Desired, Query, ResourceId, Write
from d365setup.plan import Decision


@dataclass(frozen=True)
class Parcel:
    """One change set, the changes it carries out, and the reads that show whether it did."""

    writes: tuple[Write, ...]
    changes: tuple[Change, ...]
    queries: tuple[Query, ...]
    tries: int = 0
    number: int = 0  # under which the journal knows what was sent
    lost: int = 0  # the number of the try whose answer never came, if there was one
    second: bool = False  # writes that followed from the read-back: what they complete has landed already

    @property
    def ids(self) -> frozenset[ResourceId]:
        """The changes it carries out."""
        return frozenset(change.id for change in self.changes)

    @property
    def parts(self) -> list[ChangeSet | Request]:
        """The parts of the `$batch`: the change set first, then each read."""
        requests = (Request(each.method, each.path, dict(each.condition), each.body) for each in self.writes)
        return [ChangeSet(tuple(requests)), *(Request("GET", path(each)) for each in self.queries)]

    def at_fault(self, reply: object) -> tuple[Write, ...]:
        """The write the service named as the one at fault; all of them where it named none."""
        place = getattr(reply, "failed_content_id", None)
        if place and place.isdigit() and 0 < int(place) <= len(self.writes):
            return (self.writes[int(place) - 1],)
        return self.writes


@dataclass(frozen=True)
class Load:
    """What a plan sends, and whether some may have to wait for what others make."""

    decision: Decision
    kinds: Kinds
    waits: bool

    def stages(self, width: int, *, whole: bool = False) -> list[list[Parcel]]:
        """The parcels to send, stage by stage."""
        found = staging.stages(self.decision.writes, width, waits=self.waits, whole=whole)
        return [list(self._parcels(change_sets)) for change_sets in found]

    def _parcels(self, change_sets: Iterable[Sequence[Write]]) -> Iterator[Parcel]:
        for writes in change_sets:
            made = dict.fromkeys(each for write in writes for each in write.changes)
            own = [self._changes[each] for each in made]
            queries = (*readback(own, self.kinds), *self._gates(frozenset(made)))
            yield Parcel(tuple(writes), tuple(own), tuple(dict.fromkeys(queries)))

    def _gates(self, made: frozenset[ResourceId]) -> Iterator[Query]:
        """Reads that tell whether later changes may go ahead, where this change set makes what they need."""
        places = sorted({place for each in made for place in self._needing.get(each, ())})
        later = (self.decision.writes[place].changes for place in places)
        waiting = dict.fromkeys(each for changes in later if not made.issuperset(changes) for each in changes)
        for kind in self.kinds.values():
            yield from kind.gate([self._changes[each] for each in waiting if each.kind == kind.kind])

    @cached_property
    def _changes(self) -> Mapping[ResourceId, Change]:
        return {change.id: change for change in self.decision.plan.changes}

    @cached_property
    def _needing(self) -> Mapping[ResourceId, Sequence[int]]:
        """The writes that need a change, by their places: asked for each change set, of each change in it."""
        found: dict[ResourceId, list[int]] = {}
        for place, write in enumerate(self.decision.writes):
            for each in write.needs:
                found.setdefault(each, []).append(place)
        return found


def loaded(decision: Decision, kinds: Kinds) -> Load:
    """What there is to send."""
    waits = any(kinds[change.id.kind].blocked(change, decision.scope) for change in decision.plan.changes)
    return Load(decision, kinds, waits)


def estimate(stages: Sequence[Sequence[Parcel]], width: int, reads: int) -> Cost:
    """What applying a plan takes: its reading (``reads`` queries), then each stage."""
    parcels = [parcel for stage in stages for parcel in stage]
    operations = reads + sum(len(parcel.writes) + len(parcel.queries) for parcel in parcels)
    return Cost(1 + len(stages), min(width, reads) + len(parcels), operations)


def readback(changes: Sequence[Change], kinds: Kinds) -> Iterator[Query]:
    """What must be read to see how these things now stand."""
    changed = Desired(tuple(change.desired for change in changes if change.desired))
    for kind in kinds.values():
        yield from kind.readback(changed)


def rows_of(reply: Any) -> list[dict[str, Any]] | None:
    """The rows of a read; None when it must be asked again: not answered, refused, or more pages to come."""
    if not isinstance(reply, Reply) or reply.error is not None or not isinstance(reply.body, dict):
        return None
    rows = reply.body.get("value")
    return rows if isinstance(rows, list) and "@odata.nextLink" not in reply.body else None
