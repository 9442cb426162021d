"""What a YAML text says, before it means anything: scalars, lists and fields, each knowing where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from d365setup.model import Source

Step: TypeAlias = str | int


@dataclass(frozen=True)
class Scalar:
    """Text, a whole number, true or false, or nothing.

    ``written`` is how messages show it. ``digits`` is the text form of a number that came from a variable: it fits text
    fields too. ``wants`` names variables without a value. ``wrong`` says that a mistake was told already.
    """

    value: str | int | bool | None
    source: Source
    written: str = field(default="", compare=False)
    digits: str = ""
    wants: tuple[str, ...] = ()
    wrong: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Items:
    """A YAML list."""

    items: tuple[Node, ...]
    source: Source


@dataclass(frozen=True)
class Entry:
    """One ``key: value``."""

    key: Scalar
    value: Node

    @property
    def name(self) -> str:
        """The key; reading lets only text through."""
        return str(self.key.value)


@dataclass(frozen=True)
class Fields:
    """A YAML map; its keys are text and each stands there once. ``wrong`` says that a key was told and left out."""

    entries: tuple[Entry, ...]
    source: Source
    wrong: bool = field(default=False, compare=False)

    @cached_property
    def by_name(self) -> Mapping[str, Entry]:
        """The entries by their key."""
        return {entry.name: entry for entry in self.entries}

    def get(self, name: str) -> Node | None:
        """The value under a key."""
        entry = self.by_name.get(name)
        return entry.value if entry else None

    def text(self, name: str) -> str | None:
        """The value under a key, where it is text."""
        node = self.get(name)
        return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None

    def without(self, *names: str) -> Fields:
        """The same, less some keys."""
        return replace(self, entries=tuple(entry for entry in self.entries if entry.name not in names))


Node: TypeAlias = Scalar | Items | Fields


@dataclass(frozen=True)
class Spot:
    """Where a path led: the node, the key in front of it, the steps that could be taken, and those that could not."""

    node: Node
    key: Scalar | None = None
    taken: tuple[Step, ...] = ()
    missed: tuple[Step, ...] = ()


def follow(node: Node, path: tuple[Step, ...]) -> Spot:
    """Walk a path; a step that leads nowhere is skipped (shorthands leave steps out, validation adds some)."""
    spot = Spot(node)
    for step in path:
        spot = _stepped(spot, step)
    return spot


def _stepped(spot: Spot, step: Step) -> Spot:
    node = spot.node
    if isinstance(node, Fields) and step in node.by_name:
        entry = node.by_name[str(step)]
        return Spot(entry.value, entry.key, (*spot.taken, step), spot.missed)
    if isinstance(node, Items) and isinstance(step, int) and 0 <= step < len(node.items):
        return Spot(node.items[step], spot.key, (*spot.taken, step), spot.missed)
    return replace(spot, missed=(*spot.missed, step))


def scalars(node: Node) -> Iterator[Scalar]:
    """Every scalar at and below a node in reading order, keys included."""
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        for item in node.items:
            yield from scalars(item)
    else:
        for entry in node.entries:
            yield entry.key
            yield from scalars(entry.value)


def values(node: Node) -> Iterator[Scalar]:
    """Every scalar that is a value, in reading order."""
    if isinstance(node, Scalar):
        yield node
    else:
        inner = node.items if isinstance(node, Items) else tuple(entry.value for entry in node.entries)
        for each in inner:
            yield from values(each)


def plain(node: Node) -> Any:
    """The node as dicts, lists and values."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {entry.name: plain(entry.value) for entry in node.entries}
