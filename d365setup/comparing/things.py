"""A contact center as named things with plain fields, and what of it was not read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from d365setup.model import ResourceId, join_key


class _Unread(Enum):
    """A type of its own, so that nobody takes it for a value."""

    UNREAD = "not read"


UNREAD: Final = _Unread.UNREAD  # in place of a field's value that nobody read


@dataclass(frozen=True)
class Thing:
    """One thing. ``parts`` say what it is a part of, as `Things.gaps` names it; ``owner`` is gone where it is gone."""

    id: ResourceId
    fields: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    owner: ResourceId | None = None


@dataclass(frozen=True)
class Things:
    """All of one contact center; ``gaps`` are parts that were not read, each with the reason."""

    by_id: Mapping[ResourceId, Thing]
    gaps: Mapping[str, str]


class Names:
    """Numbers things that bear one name: the second queue `Nurses` is `Nurses (2)`, on either side."""

    def __init__(self) -> None:
        self._taken: set[ResourceId] = set()

    def id(self, kind: str, name: str, owner: ResourceId | None = None) -> ResourceId:
        """The id of the next thing of this name, below its owner where it has one."""
        key = f"{owner.key}/{join_key(name)}" if owner else join_key(name)
        tries = (ResourceId(kind, key if count == 1 else f"{key} ({count})") for count in itertools.count(1))
        found = next(each for each in tries if each not in self._taken)
        self._taken.add(found)
        return found
