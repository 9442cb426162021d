"""Presences: a kind nobody asked for, in a folder of its own, to see that a kind is one file and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from d365setup.kinds.base import Column, TableKind
from d365setup.kinds.fields import Name100
from d365setup.model import Desired, Place, Query, Row, Spec


@dataclass(frozen=True, kw_only=True)
class Presence(Spec):
    """A presence and the text it shows."""

    kind: ClassVar[str] = "presence"
    place: ClassVar[Place] = Place("presences")

    name: Name100
    text: Name100 | None = None


class Presences(TableKind[Presence]):
    """Rows of the presence table."""

    kind = "presence"
    spec = Presence
    after = ("queue",)
    entity_set = "msdyn_presences"
    row_key = "msdyn_presenceid"
    label = "presences"
    columns = {"name": Column("msdyn_name"), "text": Column("msdyn_presencestatustext")}  # noqa: RUF012  # declared once, in the base class
    compared = ("text",)
    fixed = {"msdyn_basepresencestatus": 192360000}  # noqa: RUF012  # as above

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """All of them: there are few."""
        if wanted.of(Presence):
            yield Query(self.label, self.entity_set, (self.row_key, "msdyn_name", "msdyn_presencestatustext"))

    def from_row(self, row: Row) -> Presence:
        """Every row is one."""
        return Presence(**self.read(row))
