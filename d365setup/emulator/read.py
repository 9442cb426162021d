"""Reads: rows of a set or a collection, expanded, sorted and paged, as the service shapes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from .conditions import Caller
from .errors import bad_query
from .filters import FilterCompiler, Place, collection_join
from .options import Switches
from .query import Expand, Order
from .query import Options as Query
from .render import Renderer, target_of
from .schema import Collection, Column, ManyToMany, OneToMany, Schema, Table
from .store import Row, Rows, quoted

COUNT_LIMIT = 5000
CONTRACT = "msdyn_decisioncontract"


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    values: list[dict[str, Any]]
    more: bool
    total: int | None


@dataclass(frozen=True)
class Owner:
    """The row whose collection is listed."""

    table: Table
    row_id: str
    collection: Collection


@dataclass
class Reader:
    """Answers reads inside one transaction; `base` is the service root with a slash at its end."""

    rows: Rows
    schema: Schema
    switches: Switches
    base: str
    annotations: Sequence[str] = ()
    contracts_read: set[str] = field(default_factory=set)
    """Ids of the decision contracts whose text went into the reply."""
    caller: Caller = field(default_factory=Caller)

    def __post_init__(self) -> None:
        self._names: dict[tuple[str, str], str | None] = {}
        self.renderer = Renderer(self.switches, self.annotations, self._name_of)

    def compiler(self) -> FilterCompiler:
        """Return what compiles the conditions of one query."""
        return FilterCompiler(self.schema, self.switches, self.caller)

    def page(self, table: Table, query: Query, size: int, owner: Owner | None = None) -> Page:
        """Return one page of a set, or of a row's collection."""
        compiler = self.compiler()
        root = compiler.place(table.name)
        source = self._source(compiler, root, owner)
        where = self._where(compiler, root, query)
        order = self._ordering(compiler, root, query.order)
        columns = ", ".join(f"{root.alias}.{quoted(name)}" for name in self._fetched(table, query))
        limit = f"LIMIT {size + 1} OFFSET {(query.page - 1) * size}"
        found = self.rows.select(
            f"SELECT {columns} {source} AND {where} ORDER BY {order} {limit}",  # parts built from the schema
            compiler.parameters,
        )
        total = self._count(compiler, source, where) if query.count else None
        return Page(self.shown(table, found[:size], query), len(found) > size, total)

    def count(self, table: Table, query: Query, owner: Owner | None = None) -> int:
        """Return how many rows there are, at most 5000."""
        compiler = self.compiler()
        root = compiler.place(table.name)
        source = self._source(compiler, root, owner)
        return self._count(compiler, source, self._where(compiler, root, query))

    def shown(self, table: Table, found: list[Row], query: Query, *, etag: bool = True) -> list[dict[str, Any]]:
        """Return rows as JSON objects with everything they expand."""
        columns = self._columns(table, query)
        if table.name == CONTRACT:
            self.contracts_read.update(row[table.primary_id] for row in found)
        shown = [self.renderer.row(table, row, columns, etag=etag) for row in found]
        for expand in query.expand:
            self._expand(table, found, shown, expand)
        return shown

    def _source(self, compiler: FilterCompiler, root: Place, owner: Owner | None) -> str:
        if owner is None:
            return f"FROM {quoted(root.table.name)} {root.alias} WHERE 1"
        outer = Place("o", owner.table)
        joined = collection_join(owner.collection, root, outer)
        mark = compiler.parameter(owner.row_id)
        return joined.replace(f"= o.{quoted(owner.table.primary_id)}", f"= {mark}")

    def _where(self, compiler: FilterCompiler, root: Place, query: Query) -> str:
        conditions = [compiler.condition(query.filter, root)] if query.filter is not None else []
        if root.table.has("deletedstate") and "deletedstate" not in compiler.names:
            conditions.append(f"coalesce({root.alias}.deletedstate, 0) = 0")
        return " AND ".join(conditions) or "1"

    def _ordering(self, compiler: FilterCompiler, root: Place, order: Iterable[Order]) -> str:
        keys = []
        for each in order:
            operand = compiler.operand(each.path, root, {})
            if operand.column is None:
                raise bad_query(f"The property '{'/'.join(each.path)}' cannot be sorted by.")
            keys.append(f"sort_key({operand.sql}) {'DESC' if each.descending else 'ASC'}")
        return ", ".join([*keys, f"{root.alias}.{quoted(root.table.primary_id)}"])

    def _count(self, compiler: FilterCompiler, source: str, where: str) -> int:
        sql = f"SELECT count(*) AS n FROM (SELECT 1 {source} AND {where} LIMIT {COUNT_LIMIT})"  # noqa: S608  # as above
        return int(self.rows.select(sql, compiler.parameters)[0]["n"])

    def _columns(self, table: Table, query: Query) -> list[Column]:
        if query.select is None:
            return list(table.columns.values())
        named = [table.properties[name] for name in query.select if name in table.properties]
        key = table.columns[table.primary_id]
        return named if key in named else [*named, key]

    def _fetched(self, table: Table, query: Query) -> list[str]:
        columns = self._columns(table, query)
        needed = [table.primary_id, "versionnumber"]
        needed += [table.lookups[e.navigation][0].name for e in query.expand if e.collection is None]
        columns += [table.columns[name] for name in needed if name in table.columns]
        names = dict.fromkeys(column.name for column in columns)
        names.update(dict.fromkeys(c.target_column for c in columns if c.is_polymorphic))
        return list(names)

    def _expand(self, table: Table, found: list[Row], shown: list[dict[str, Any]], expand: Expand) -> None:
        if expand.collection is None:
            self._expand_single(table, found, shown, expand)
            return
        grouped = self._collected(table, found, expand)
        for row, each in zip(found, shown, strict=True):
            row_id = row[table.primary_id]
            members = grouped.get(row_id, [])
            each[expand.navigation] = members[: expand.options.top]
            if not expand.options.expand:
                each[f"{expand.navigation}@odata.nextLink"] = self._link(table, row_id, expand)

    def _link(self, table: Table, row_id: str, expand: Expand) -> str:
        query = "&".join(f"{name}={quote(value, safe=',()$')}" for name, value in expand.text)
        address = f"{self.base}{table.entity_set}({row_id})/{expand.navigation}"
        return f"{address}?{query}" if query else address

    def _expand_single(self, table: Table, found: list[Row], shown: list[dict[str, Any]], expand: Expand) -> None:
        column, targets = table.lookups[expand.navigation]
        ids = {row[column.name] for row in found if row[column.name] and target_of(column, row) in targets}
        related = self._by_target(column, targets, found, ids)
        for row, each in zip(found, shown, strict=True):
            each[expand.navigation] = self._one(related, row[column.name], expand)

    def _by_target(
        self, column: Column, targets: tuple[str, ...], found: list[Row], ids: set[str]
    ) -> dict[str, tuple[Table, Row]]:
        related = {}
        for target in targets:
            wanted = [row[column.name] for row in found if row[column.name] in ids]
            if target in self.schema.tables and wanted:
                table = self.schema.tables[target]
                related.update({row[table.primary_id]: (table, row) for row in self._with_ids(table, wanted)})
        return related

    def _with_ids(self, table: Table, ids: Iterable[str]) -> list[Row]:
        key = quoted(table.primary_id)
        sql = f"SELECT * FROM {quoted(table.name)} WHERE {key} IN (SELECT value FROM json_each(?))"  # noqa: S608  # as above
        return self.rows.select(sql, [json.dumps(sorted(set(ids)))])

    def _one(
        self, related: Mapping[str, tuple[Table, Row]], row_id: str | None, expand: Expand
    ) -> dict[str, Any] | None:
        if row_id is None or row_id not in related:
            return None
        table, row = related[row_id]
        if expand.reference:
            return {"@odata.id": f"{self.base}{table.entity_set}({row_id})"}
        return self.shown(table, [row], expand.options, etag=False)[0]

    def _collected(self, table: Table, found: list[Row], expand: Expand) -> dict[str, list[dict[str, Any]]]:
        compiler = self.compiler()
        inner = compiler.place(expand.table.name)
        parent, source = _members(expand.collection, inner)
        ids = compiler.parameter(json.dumps([row[table.primary_id] for row in found]))
        where = self._where(compiler, inner, expand.options)
        order = self._ordering(compiler, inner, expand.options.order)
        rows = self.rows.select(
            f"SELECT {inner.alias}.*, {parent} AS _parent {source} "  # noqa: S608  # as above
            f"WHERE {parent} IN (SELECT value FROM json_each({ids})) AND {where} ORDER BY {order}",
            compiler.parameters,
        )
        grouped: dict[str, list[dict[str, Any]]] = {}
        for row, each in zip(rows, self.shown(expand.table, rows, expand.options), strict=True):
            grouped.setdefault(row["_parent"], []).append(each)
        return grouped

    def _name_of(self, table: str, row_id: str) -> str | None:
        if (table, row_id) not in self._names:
            described = self.schema.tables.get(table)
            row = self.rows.get(table, row_id) if described else None
            name = row[described.primary_name] if described and row and described.primary_name else None
            self._names[table, row_id] = name
        return self._names[table, row_id]


def _members(collection: Collection | None, inner: Place) -> tuple[str, str]:
    source = f"FROM {quoted(inner.table.name)} {inner.alias}"
    if isinstance(collection, OneToMany):
        return f"{inner.alias}.{quoted(collection.column)}", source
    if isinstance(collection, ManyToMany):
        link = (
            f"JOIN {quoted(collection.intersect)} x "
            f"ON x.{quoted(collection.other_column)} = {inner.alias}.{quoted(inner.table.primary_id)}"
        )
        return f"x.{quoted(collection.this_column)}", f"{source} {link}"
    raise TypeError(collection)


def skip_token(page: int, table: Table, values: Sequence[Mapping[str, Any]]) -> str:
    """Return the opaque cookie that stands for the page after this one."""
    key = table.primary_id
    first, last = (f"{{{values[index][key]}}}" for index in (0, -1))
    inner = quote(f'<cookie page="{page}"><{key} last="{last}" first="{first}" /></cookie>', safe="")
    return f'<cookie pagenumber="{page + 1}" pagingcookie="{quote(inner, safe="")}" istracking="False" />'


def page_number(token: str) -> int:
    """Return the page a skip token stands for; raises 400 on anything else."""
    found = re.fullmatch(r'<cookie pagenumber="(\d{1,6})" pagingcookie="[^"]*" istracking="False" />', unquote(token))
    if found is None:
        raise bad_query("Invalid value for $skiptoken query option found.")
    return int(found.group(1))
