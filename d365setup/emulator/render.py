"""A stored row as the JSON the service sends: property names, types, annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .options import Switches
from .schema import CHOICES, Column, Table

FORMATTED = "OData.Community.Display.V1.FormattedValue"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
NameOf = Callable[[str, str], str | None]


class Renderer:
    """Turns rows into JSON objects for one reply."""

    def __init__(self, switches: Switches, annotations: Iterable[str], name_of: NameOf) -> None:
        self._switches = switches
        self._patterns = tuple(annotations)
        self._name_of = name_of
        self._wanted = {name: self._asked(name) for name in (FORMATTED, NAVIGATION, LOGICAL_NAME)}

    def _asked(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def row(
        self, table: Table, row: Mapping[str, Any], columns: Iterable[Column], *, etag: bool = True
    ) -> dict[str, Any]:
        """Return one object; annotations stand before the property they belong to."""
        shown: dict[str, Any] = {}
        if etag:
            shown["@odata.etag"] = etag_of(row)
        for column in columns:
            if self._is_missing(table, column):
                continue
            for name, value in self._notes(column, row):
                shown[f"{column.public}@{name}"] = value
            shown[column.public] = self.value(column, row[column.name])
        if table.inherited_key:
            shown[table.inherited_key] = row[table.primary_id]
        return shown

    def cell(self, column: Column, row: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
        """Yield one value of a row under a name of its own, after its annotations."""
        for name, value in self._notes(column, row):
            yield f"{key}@{name}", value
        yield key, self.value(column, row[column.name])

    def wants(self, name: str) -> bool:
        """Return whether an annotation was asked for."""
        return self._asked(name)

    def _is_missing(self, table: Table, column: Column) -> bool:
        return (
            self._switches.default_queue_column == "missing"
            and table.name == "msdyn_liveworkstream"
            and column.name == "msdyn_defaultqueue"
        )

    def value(self, column: Column, stored: Any) -> Any:
        """Return a stored value as JSON."""
        if stored is None:
            return None
        if column.type == "Boolean":
            return bool(stored)
        if column.type == "ManagedProperty":
            name = f"{column.name}anddeletable" if column.name == "iscustomizable" else column.name
            return {"Value": bool(stored), "CanBeChanged": True, "ManagedPropertyLogicalName": name}
        if column.type == "Memo" and self._switches.memo_line_ends == "crlf":
            return str(stored).replace("\r\n", "\n").replace("\n", "\r\n")
        if column.type == "DateTime" and column.date_only:
            return str(stored)[:10]
        return stored

    def _notes(self, column: Column, row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        stored = row[column.name]
        if stored is None or not self._patterns:
            return
        if self._wanted[FORMATTED]:
            formatted = self._formatted(column, row)
            if formatted is not None:
                yield FORMATTED, formatted
        if column.is_lookup:
            target = target_of(column, row)
            if self._wanted[NAVIGATION]:
                yield NAVIGATION, _navigation(column, target)
            if self._wanted[LOGICAL_NAME]:
                yield LOGICAL_NAME, target

    def _formatted(self, column: Column, row: Mapping[str, Any]) -> str | None:
        stored = row[column.name]
        if column.is_lookup:
            return self._name_of(target_of(column, row), stored)
        if column.type in CHOICES:
            return column.options.get(stored)
        if column.type == "Boolean":
            return column.options.get(bool(stored), "Yes" if stored else "No")
        if column.type in {"Integer", "BigInt"}:
            return f"{stored:,}"
        if column.type == "MultiSelectPicklist":
            return "; ".join(column.options.get(int(part), part) for part in stored.split(","))
        return stored if column.type == "DateTime" else None


def etag_of(row: Mapping[str, Any]) -> str:
    """Return a row's ETag."""
    return f'W/"{row["versionnumber"]}"'


def target_of(column: Column, row: Mapping[str, Any]) -> str:
    """Return the table a filled lookup points to."""
    if column.is_polymorphic:
        return str(row[column.target_column])
    return column.targets[0]


def _navigation(column: Column, target: str) -> str:
    for name, targets in column.navigations.items():
        if target in targets:
            return name
    return column.name
