"""What a comparison comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from d365setup.model import FieldChange, ResourceId

Where = Literal["first", "second", "both"]


@dataclass(frozen=True)
class Side:
    """One of the two: what the call names it by, and what it says about itself."""

    name: str
    organization: str = ""
    url: str = ""
    taken_at: str = ""
    is_snapshot: bool = False


@dataclass(frozen=True)
class Difference:
    """A thing that only one of the two has, or that both have otherwise: each field as the first and second has it."""

    id: ResourceId
    where: Where
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class NotCompared:
    """What could not be compared, on which side, and why."""

    what: str
    where: Where
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Two contact centers, what they differ in, how many things are the same, and what nobody can say."""

    first: Side
    second: Side
    differences: tuple[Difference, ...] = ()
    same: int = 0
    not_compared: tuple[NotCompared, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 no difference was seen, 3 there is one."""
        return 3 if self.differences else 0

    def count(self, where: Where) -> int:
        """How many differences are of this sort."""
        return sum(1 for each in self.differences if each.where == where)
