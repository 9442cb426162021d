"""A YAML document as values: maps, lists, scalars, and remarks that become comments at their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from d365setup.model import ResourceId

# left out: the playbook does not have it; referred to: it has its name only; in part: a setting of it is not written
State = Literal["left out", "referred to", "in part"]


@dataclass(frozen=True)
class Remark:
    """A comment; ``gap`` leaves an empty line above it. ``about`` is the thing it says a reason of."""

    text: str
    about: ResourceId | None = None
    state: State = "in part"
    gap: bool = False


@dataclass(frozen=True)
class Reference:
    """``${name}``: the only text in which a dollar sign means something."""

    name: str


@dataclass(frozen=True)
class Entry:
    """One ``key: value`` of a map."""

    key: str
    value: Value


@dataclass(frozen=True)
class Map:
    """A map with remarks between its entries; ``flow`` writes it on one line where it fits and has no remarks."""

    entries: tuple[Entry | Remark, ...]
    flow: bool = False


@dataclass(frozen=True)
class Items:
    """A list with remarks between its items."""

    items: tuple[Value | Remark, ...]
    flow: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing but remarks is in it."""
        return all(isinstance(each, Remark) for each in self.items)

    @property
    def remarks(self) -> Iterator[Remark]:
        """The remarks in it."""
        return (each for each in self.items if isinstance(each, Remark))


Scalar: TypeAlias = str | int | bool | Reference
Value: TypeAlias = "Scalar | Map | Items"


def flat(**entries: Value) -> Map:
    """A map on one line."""
    return Map(tuple(Entry(key, value) for key, value in entries.items()), flow=True)
