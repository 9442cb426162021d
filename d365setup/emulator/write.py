"""Writes: create, update, delete, link; each checked first, then acted out with the product's own acts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import ServiceError, duplicate, duplicate_key, no_row
from .payload import Parsed, Reference
from .platform import Platform
from .schema import Collection, Column, ManyToMany, OneToMany, Schema, Table
from .store import Row, Rows, new_id, quoted

_HISTORY = frozenset({"createdby", "modifiedby", "owninguser", "owningteam", "owningbusinessunit"})
"""Lookups that do not keep a row from being deleted."""


@dataclass(frozen=True)
class Writer:
    """Carries out writes inside one transaction."""

    rows: Rows
    schema: Schema
    platform: Platform

    def create(self, table: Table, parsed: Parsed, row_id: str | None = None) -> str:
        """Add a row and return its id."""
        if table.intersect:
            message = f"The 'Create' method does not support entities of type '{table.name}'."
            raise ServiceError(400, "0x80040800", message)
        parsed.references.update(self._created_above(parsed))
        values = {**parsed.values, **self._looked_up(parsed)}
        made = self.insert(table, values, row_id or parsed.row_id, parsed.links)
        self._create_below(table, made, parsed)
        return made

    def _created_above(self, parsed: Parsed) -> dict[str, tuple[Column, Reference | None]]:
        """Create the rows a deep insert's lookups hold."""
        made: dict[str, tuple[Column, Reference | None]] = {}
        for name, (column, target, inner) in parsed.above.items():
            made[name] = (column, Reference(target, self.create(self.schema.tables[target], inner)))
        return made

    def _create_below(self, table: Table, row_id: str, parsed: Parsed) -> None:
        """Create the rows a deep insert's collections hold."""
        for navigation, members in parsed.below.items():
            collection = table.collections[navigation]
            target = self.schema.tables[collection.table]
            for inner in members:
                if isinstance(collection, OneToMany):
                    column = target.columns[collection.column]
                    inner.references[column.name] = (column, Reference(table.name, row_id))
                    self.create(target, inner)
                else:
                    self.link(table, row_id, collection, Reference(target.name, self.create(target, inner)))

    def insert(
        self,
        table: Table,
        given: Row,
        row_id: str | None = None,
        links: dict[str, list[Reference]] | None = None,
    ) -> str:
        """Add a row from column values, with defaults and the product's acts."""
        if row_id is not None and self.rows.get(table.name, row_id) is not None:
            raise duplicate()
        values = {**_defaults(table), **self.platform.system_values(table.name), **given}
        self.platform.before_create(table.name, values, set(given))
        _check_required(table, values)
        self._check_keys(table, values, None)
        values[table.primary_id] = row_id or new_id()
        row = self.rows.insert(table.name, values)
        self.platform.after_create(table.name, row)
        for navigation, references in (links or {}).items():
            for reference in references:
                self.link(table, values[table.primary_id], table.collections[navigation], reference)
        return str(values[table.primary_id])

    def update(self, table: Table, old: Row, parsed: Parsed) -> None:
        """Change a row."""
        row_id = old[table.primary_id]
        values = {**parsed.values, **self._looked_up(parsed)}
        _match_state(table, old, values)
        self.platform.before_update(table.name, old, values)
        if any(name in values for key in table.keys for name in key):
            self._check_keys(table, {**old, **values}, row_id)
        if "modifiedby" in table.columns:
            values["modifiedby"] = self.platform.caller["systemuserid"]
        self.rows.update(table.name, row_id, values)
        new = self.rows.get(table.name, row_id) or {}
        self.platform.after_update(table.name, old, new, set(values))

    def delete(self, table: Table, row: Row) -> None:
        """Remove a row, its links and what points to it; or let the platform keep it."""
        self._check_needed(table, row[table.primary_id])
        if self.platform.before_delete(table.name, row):
            return
        row_id = row[table.primary_id]
        for collection in table.collections.values():
            if isinstance(collection, ManyToMany):
                where = f"{quoted(collection.this_column)} = ?"
                self.rows.connection.execute(f"DELETE FROM {quoted(collection.intersect)} WHERE {where}", [row_id])  # noqa: S608  # names from the schema
        for other, column in self._pointing(table):
            for each in self._rows_pointing(other, column, table, row_id):
                self.rows.update(other.name, each[other.primary_id], _pointer(column, None))
        self.rows.delete(table.name, row_id)
        self.platform.after_delete(table.name, row)

    def link(self, table: Table, row_id: str, collection: Collection, reference: Reference) -> None:
        """Add a row to a collection."""
        this = self._existing(table.name, row_id)
        if reference.table != collection.table:
            message = f"A row of '{reference.table}' cannot be added to '{collection.navigation}'."
            raise ServiceError(400, "0x80060888", message)
        other = self._existing(reference.table, reference.row_id)
        if not isinstance(collection, ManyToMany):
            self._point(collection.table, collection.column, other, Reference(table.name, row_id))
            return
        self.platform.before_link(collection, this, other)
        added = self.rows.link(collection, row_id, reference.row_id)
        if not added and self.platform.switches.repeated_link == "412":
            raise duplicate("Cannot insert duplicate key.")

    def unlink(self, table: Table, row_id: str, collection: Collection, other_id: str) -> None:
        """Take a row out of a collection; a pair that is not there is no error."""
        this = self._existing(table.name, row_id)
        other = self._existing(collection.table, other_id)
        if isinstance(collection, ManyToMany):
            self.platform.before_unlink(collection, this, other)
            self.rows.unlink(collection, row_id, other_id)
        elif other[collection.column] == row_id:
            self._point(collection.table, collection.column, other, None)

    def _point(self, table: str, column: str, row: Row, target: Reference | None) -> None:
        described = self.schema.tables[table]
        parsed = Parsed(references={column: (described.columns[column], target)})
        self.update(described, row, parsed)

    def _existing(self, table: str, row_id: str) -> Row:
        row = self.rows.get(table, row_id) if table in self.schema.tables else None
        if row is None:
            raise no_row(table, row_id)
        return row

    def _looked_up(self, parsed: Parsed) -> Row:
        values: Row = {}
        for column, reference in parsed.references.values():
            if reference is not None:
                self._existing(reference.table, reference.row_id)
            values.update(_pointer(column, reference))
        return values

    def _pointing(self, table: Table) -> Iterable[tuple[Table, Column]]:
        for other, column in self.schema.referencing(table.name):
            if column.name not in _HISTORY:
                yield other, column

    def _check_keys(self, table: Table, values: Row, row_id: str | None) -> None:
        """Refuse a second row with the values of an alternate key; a key with an empty part binds nobody."""
        for key in table.keys:
            if any(values.get(name) is None for name in key):
                continue
            tests = " AND ".join(f"sort_key({quoted(name)}) = sort_key(?)" for name in key)
            sql = f"SELECT {quoted(table.primary_id)} AS id FROM {quoted(table.name)} WHERE {tests}"  # noqa: S608  # names from the schema
            if any(row["id"] != row_id for row in self.rows.select(sql, [values[name] for name in key])):
                raise duplicate_key(key)

    def _rows_pointing(self, other: Table, column: Column, table: Table, row_id: str) -> list[Row]:
        found = self.rows.find(other.name, **{column.name: row_id})
        return [row for row in found if not column.is_polymorphic or row[column.target_column] == table.name]

    def _check_needed(self, table: Table, row_id: str) -> None:
        for other, column in self._pointing(table):
            if column.system_required and self._rows_pointing(other, column, table, row_id):
                message = f"The {table.name} cannot be deleted: rows of '{other.name}' are associated with it."
                raise ServiceError(405, "0x80040227", message)


def _pointer(column: Column, reference: Reference | None) -> Row:
    values: Row = {column.name: reference.row_id if reference else None}
    if column.is_polymorphic:
        values[column.target_column] = reference.table if reference else None
    return values


def _defaults(table: Table) -> Row:
    values: Row = {}
    for column in table.columns.values():
        if column.default is not None:
            values[column.name] = int(column.default) if isinstance(column.default, bool) else column.default
    return values


def _check_required(table: Table, values: Row) -> None:
    for column in table.columns.values():
        filled = column.platform_fills or column.name == table.primary_id
        if column.system_required and column.create and not filled and values.get(column.name) is None:
            message = f"Required field '{column.name}' is missing."
            raise ServiceError(400, "0x80040203", message)


def _match_state(table: Table, old: Row, values: Row) -> None:
    """Refuse a status reason of another state; a new state alone brings its own first reason."""
    if not table.has("statecode", "statuscode") or not {"statecode", "statuscode"} & set(values):
        return
    state = table.columns["statecode"].options.get(values.get("statecode", old["statecode"]))
    states = table.columns["statuscode"].states
    if "statuscode" not in values:
        values["statuscode"] = next((code for code, owner in states.items() if owner == state), old["statuscode"])
    elif states.get(values["statuscode"], state) != state:
        message = f"{values['statuscode']} is not a valid status code for state code {state} on {table.name}."
        raise ServiceError(400, "0x80048408", message)
