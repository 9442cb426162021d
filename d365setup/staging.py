"""How writes are put together: stages one after another, change sets side by side within a stage. Pure.

A stage of up to 20 writes is one change set. A larger one is split so that nothing in it refers across: what shares a
group, or refers to a row made in the same stage, stays together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from d365setup.model import Stage, Write

ONE_CHANGE_SET = 20  # operations run one after another inside a change set; beyond this, side by side is faster

ChangeSets = tuple[tuple[Write, ...], ...]


def stages(writes: Sequence[Write], width: int, *, waits: bool, whole: bool = False) -> tuple[ChangeSets, ...]:
    """The stages of an apply, in order; empty ones are left out.

    ``waits`` says that the routes may have to wait for something the earlier stages make, so that they cannot share a
    change set with it. ``whole`` asks for one change set a stage, whatever the size (``--transaction stage``).
    """
    if not waits and len(writes) <= ONE_CHANGE_SET:
        return _present([tuple(writes)])
    things, links, routes = (_of(writes, stage) for stage in Stage)
    if whole or len(things) + len(links) <= ONE_CHANGE_SET:
        return tuple(_split(part, width, whole=whole) for part in ((*things, *links), routes) if part)
    return tuple(_split(part, width, whole=whole) for part in (things, links, routes) if part)


def _present(change_sets: Sequence[tuple[Write, ...]]) -> tuple[ChangeSets, ...]:
    return tuple((each,) for each in change_sets if each)


def _of(writes: Sequence[Write], stage: Stage) -> tuple[Write, ...]:
    return tuple(write for write in writes if write.stage is stage)


def _split(writes: Sequence[Write], width: int, *, whole: bool) -> ChangeSets:
    if whole or len(writes) <= ONE_CHANGE_SET:
        return (tuple(writes),)
    bins: list[list[Write]] = [[] for _ in range(max(1, width))]
    for together in sorted(_components(writes), key=len, reverse=True):
        min(bins, key=len).extend(together)
    order = {id(write): place for place, write in enumerate(writes)}
    return tuple(tuple(sorted(each, key=lambda write: order[id(write)])) for each in bins if each)


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
