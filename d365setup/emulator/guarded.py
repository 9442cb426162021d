"""Reads that ask first whether the caller may read the table, those of `$expand` included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .privileges import Rights
from .query import Options as Query
from .read import Owner, Page, Reader
from .schema import Table
from .store import Row


@dataclass
class GuardedReader(Reader):
    """A reader for one caller."""

    rights: Rights | None = None

    def page(self, table: Table, query: Query, size: int, owner: Owner | None = None) -> Page:
        """Return one page, or refuse."""
        self._check(table)
        return super().page(table, query, size, owner)

    def count(self, table: Table, query: Query, owner: Owner | None = None) -> int:
        """Return how many rows there are, or refuse."""
        self._check(table)
        return super().count(table, query, owner)

    def shown(self, table: Table, found: list[Row], query: Query, *, etag: bool = True) -> list[dict[str, Any]]:
        """Return rows as JSON objects, or refuse."""
        self._check(table)
        return super().shown(table, found, query, etag=etag)

    def _check(self, table: Table) -> None:
        if self.rights is not None:
            self.rights.need("Read", table.name)
