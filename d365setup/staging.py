"""How writes are put together: stages one after another, change sets side by side within a stage. Pure.

Up to 20 writes are one change set. An apply of more is split, its routes too, so that nothing in it refers across: what
shares a group, or refers to a row made in the same stage, stays together, and the rest is laid out evenly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from d365setup.model import Stage, Write

ONE_CHANGE_SET = 20  # operations run one after another inside a change set; beyond this, side by side is faster
MOST_WRITES = 500  # in a change set: a `$batch` takes 1000 operations, and the reads behind the writes count too

ChangeSets = tuple[tuple[Write, ...], ...]


def stages(writes: Sequence[Write], width: int, *, waits: bool, whole: bool = False) -> tuple[ChangeSets, ...]:
    """The stages of an apply, in order; empty ones are left out.

    ``waits`` says that the routes may have to wait for something the earlier stages make, so that they cannot share a
    change set with it. ``whole`` asks for one change set a stage, whatever the size (``--transaction stage``).
    """
    if not waits and len(writes) <= ONE_CHANGE_SET:
        return _present([tuple(sorted(writes, key=lambda write: write.stage))])
    things, links, routes, *gone = (_of(writes, stage) for stage in Stage)
    if whole:
        return _present([(*things, *links), routes, *gone])
    last = _spread(gone, width, whole_up_to=ONE_CHANGE_SET)
    if len(things) + len(links) <= ONE_CHANGE_SET:
        return (*_present([(*things, *links)]), *_spread([routes], width, whole_up_to=ONE_CHANGE_SET), *last)
    first = _spread([things, links], width, whole_up_to=ONE_CHANGE_SET)
    return (*first, *_spread([routes], width, whole_up_to=0), *last)


def _present(change_sets: Sequence[tuple[Write, ...]]) -> tuple[ChangeSets, ...]:
    return tuple((each,) for each in change_sets if each)


def _of(writes: Sequence[Write], stage: Stage) -> tuple[Write, ...]:
    return tuple(write for write in writes if write.stage is stage)


def _spread(parts: Sequence[Sequence[Write]], width: int, *, whole_up_to: int) -> tuple[ChangeSets, ...]:
    return tuple((tuple(part),) if len(part) <= whole_up_to else _split(part, width) for part in parts if part)


def _split(writes: Sequence[Write], width: int) -> ChangeSets:
    """At most ``width`` change sets of nearly one length: what belongs together first, then what stands alone.

    More than ``width`` where they would otherwise be larger than the service takes; they then wait for one another.
    """
    bins: list[list[Write]] = [[] for _ in range(max(1, width, -(-len(writes) // MOST_WRITES)))]
    components = _components(writes)
    for together in sorted((each for each in components if len(each) > 1), key=len, reverse=True):
        min(bins, key=len).extend(together)
    alone = iter([each[0] for each in components if len(each) == 1])
    for share, room in zip(bins, _rooms(bins, sum(len(each) == 1 for each in components)), strict=True):
        share.extend(islice(alone, room))  # neighbours share a change set, and so what must be read back behind it
    order = {id(write): place for place, write in enumerate(writes)}
    return tuple(tuple(sorted(each, key=lambda write: order[id(write)])) for each in bins if each)


def _rooms(bins: Sequence[Sequence[Write]], count: int) -> list[int]:
    """How many of ``count`` more each takes, so that all end as level as they can."""
    filled = [len(each) for each in bins]
    for _ in range(count):
        filled[filled.index(min(filled))] += 1
    return [now - len(each) for now, each in zip(filled, bins, strict=True)]


def _components(writes: Sequence[Write]) -> list[list[Write]]:
    """Writes that must share a change set: those of one group, and those that need what another one makes."""
    parent = list(range(len(writes)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    _join(writes, lambda one, other: parent.__setitem__(root(one), root(other)))
    found: dict[int, list[Write]] = {}
    for place, write in enumerate(writes):
        found.setdefault(root(place), []).append(write)
    return list(found.values())


def _join(writes: Sequence[Write], unite: Callable[[int, int], None]) -> None:
    maker = {made: place for place, write in enumerate(writes) for made in write.changes}
    group: dict[str, int] = {}
    for place, write in enumerate(writes):
        if write.group:
            unite(place, group.setdefault(write.group, place))
        for needed in (*write.needs, *write.changes):
            if needed in maker:
                unite(place, maker[needed])
