"""Things against things: what only one has, and which fields differ."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.center import ContactCenter
from d365setup.comparing.reading import things
from d365setup.comparing.things import UNREAD, Thing, Things
from d365setup.comparing.values import Comparison, Difference, NotCompared, Side, Where
from d365setup.model import FieldChange, ResourceId

_ORDER = "order of rules"


def compare(first: ContactCenter, second: ContactCenter, names: tuple[str, str] = ("first", "second")) -> Comparison:
    """What the two differ in; ``names`` is what the call knows them by."""
    look = _Look(things(first), things(second))
    differences = tuple(look.differences())
    return Comparison(
        _side(first, names[0]), _side(second, names[1]), differences, look.same, tuple(dict.fromkeys(look.unsure()))
    )


def _side(center: ContactCenter, name: str) -> Side:
    return Side(name, center.organization, center.url, center.taken_at, center.origin == "snapshot")


class _Look:
    """One comparison; ``same`` and what is unsure fill up on the way."""

    def __init__(self, first: Things, second: Things) -> None:
        self._first, self._second = first, second
        self.same = 0
        self._unread: list[NotCompared] = []

    def differences(self) -> Iterator[Difference]:
        """In the order of the first, then what only the second has, each sort beside its like."""
        ids = dict.fromkeys((*self._first.by_id, *self._second.by_id))
        kinds = list(dict.fromkeys(each.kind for each in ids))
        for row in sorted(ids, key=lambda each: kinds.index(each.kind)):
            one, other = self._first.by_id.get(row), self._second.by_id.get(row)
            found = one or other
            if found is None or self._is_beyond(found):
                continue
            if one and other:
                yield from self._both(one, other)
            else:
                yield Difference(row, "first" if one else "second")

    def unsure(self) -> Iterator[NotCompared]:
        """What could not be compared; asked for after the differences."""
        sides: tuple[tuple[Where, Things], ...] = (("first", self._first), ("second", self._second))
        for where, side in sides:
            for part, reason in side.gaps.items():
                yield NotCompared(part, where, reason)
        yield from self._unread

    def _is_beyond(self, thing: Thing) -> bool:
        """Whether it is of a part that one side did not read, or goes with an owner that only one has."""
        if any(part in side.gaps for part in thing.parts for side in (self._first, self._second)):
            return True
        return thing.owner is not None and not self._have(thing.owner)

    def _have(self, row: ResourceId) -> bool:
        return row in self._first.by_id and row in self._second.by_id

    def _both(self, one: Thing, other: Thing) -> Iterator[Difference]:
        changed = tuple(self._changed(one, other))
        if changed:
            yield Difference(one.id, "both", changed)
        else:
            self.same += 1

    def _changed(self, one: Thing, other: Thing) -> Iterator[FieldChange]:
        for name, value in one.fields.items():
            against = other.fields[name]
            if UNREAD in (value, against):
                where: Where = "both" if value is against else "first" if value is UNREAD else "second"
                self._unread.append(NotCompared(f"{name} of {one.id}", where, "not read"))
            elif name == _ORDER:
                yield from _reordered(value, against)
            elif value != against:
                yield FieldChange(name, value, against)


def _reordered(one: tuple[str, ...], other: tuple[str, ...]) -> Iterator[FieldChange]:
    """The order of those rules that both have; which rules there are is told one by one."""
    kept, against = [each for each in one if each in other], [each for each in other if each in one]
    if sorted(kept) == sorted(against) and kept != against:
        yield FieldChange(_ORDER, tuple(kept), tuple(against))
