"""FetchXML queries carried out: tables joined, rows shaped as the Web API shapes them, pages with their cookie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import conditions
from .context import Work
from .errors import ServiceError, bad_query
from .fetchxml import MAX_PAGE, Attribute, Condition, Fetch, Filter, Link, Sort, Source, parse_fetch
from .filters import FilterCompiler, Place
from .operation import Reply, json_reply
from .read import COUNT_LIMIT, skip_token
from .schema import Column, Schema, Table
from .store import Row, quoted

COOKIE = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE = "Microsoft.Dynamics.CRM.morerecords"


def fetch_rows(work: Work, table: Table, given: Mapping[str, str]) -> Reply:
    """Answer GET of a set with `fetchXml`."""
    beside = sorted(name for name in given if name.startswith("$"))
    if beside:
        raise bad_query(f"The query option '{beside[0]}' cannot stand beside fetchXml.")
    fetch = parse_fetch(given["fetchXml"])
    if table_named(work.schema, fetch.root.table) is not table:
        message = f"The entity '{fetch.root.table}' of the FetchXML is not that of the set '{table.entity_set}'."
        raise bad_query(message)
    found = run(work, table, fetch)
    body = {"@odata.context": f"{work.base}$metadata#{table.entity_set}", **found.notes, "value": found.values}
    return json_reply(200, body, work.applied())


@dataclass(frozen=True)
class Found:
    """What a query found: a page of rows, whether more follow, and the annotations asked for."""

    values: list[dict[str, Any]]
    more: bool
    notes: Mapping[str, Any]


def run(work: Work, table: Table, fetch: Fetch) -> Found:
    """Return what a query finds."""
    return _Run(work, table, fetch).found()


def table_named(schema: Schema, name: str) -> Table:
    """Return the table of a logical name, or raise the service's refusal."""
    if name not in schema.tables:
        message = f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the MetadataCache."
        raise ServiceError(400, "0x80041102", message)
    return schema.tables[name]


def column_named(table: Table, name: str) -> Column:
    """Return the column of a logical name, or raise the service's refusal."""
    if name == table.inherited_key:
        name = table.primary_id
    if name not in table.columns:
        message = f"'{table.name}' entity doesn't contain attribute with Name = '{name}' and NameMapping = 'Logical'."
        raise ServiceError(400, "0x80041103", message)
    return table.columns[name]


@dataclass
class Joins:
    """The tables of a query under their aliases, and the SQL that joins and restricts them."""

    schema: Schema
    compiler: FilterCompiler
    places: dict[str, Place] = field(default_factory=dict)
    clauses: list[str] = field(default_factory=list)
    late: list[tuple[Source, int]] = field(default_factory=list)
    """Joined tables, with the clause their own filters belong to."""

    def add(self, root: Source) -> str:
        """Return FROM and WHERE of a query."""
        place = self._place(root)
        for link in root.links:
            self._join(link, place)
        for source, index in self.late:
            self.clauses[index] += "".join(f" AND {self.filter(each, source)}" for each in source.filters)
        tests = [self.filter(each, root) for each in root.filters]
        if place.table.has("deletedstate") and "deletedstate" not in self.compiler.names:
            tests.append(f"coalesce({place.alias}.deletedstate, 0) = 0")
        joined = " ".join(self.clauses)
        return f"FROM {quoted(place.table.name)} {place.alias} {joined} WHERE {' AND '.join(tests) or '1'}"

    def _place(self, source: Source) -> Place:
        self.places[source.alias] = self.compiler.place(table_named(self.schema, source.table).name)
        return self.places[source.alias]

    def _join(self, link: Link, parent: Place) -> None:
        place = self._place(link.source)
        own, other = column_named(place.table, link.own), column_named(parent.table, link.other)
        kind = "LEFT JOIN" if link.outer else "JOIN"
        on = f"{place.alias}.{quoted(own.name)} = {parent.alias}.{quoted(other.name)}"
        self.late.append((link.source, len(self.clauses)))
        self.clauses.append(f"{kind} {quoted(place.table.name)} {place.alias} ON {on}")
        for inner in link.source.links:
            self._join(inner, place)

    def place(self, entity: str | None, source: Source) -> Place:
        """Return the table an alias stands for; none is the table itself."""
        if (entity or source.alias) not in self.places:
            raise bad_query(f"The entityname '{entity}' is no alias of the query.")
        return self.places[entity or source.alias]

    def filter(self, given: Filter, source: Source) -> str:
        """Return the SQL of a filter; an empty one holds."""
        parts = [self._condition(each, source) for each in given.conditions]
        parts += [self.filter(each, source) for each in given.filters]
        return f"({f' {given.kind.upper()} '.join(parts)})" if parts else "1"

    def _condition(self, given: Condition, source: Source) -> str:
        self.compiler.count_condition()
        place = self.place(given.entity, source)
        column = column_named(place.table, given.attribute)
        self.compiler.names.add(column.public)
        return conditions.test(self.compiler.subject(place, column), given.operator, given.values)


@dataclass(frozen=True)
class _Cell:
    """One column of the answer: where it comes from and what it is called."""

    alias: str
    column: Column
    key: str
    joined: bool


class _Run:
    def __init__(self, work: Work, table: Table, fetch: Fetch) -> None:
        self._work = work
        self._table = table
        self._fetch = fetch
        self._joins = Joins(work.schema, work.reader.compiler())
        limit = min(work.session.options.page_size, MAX_PAGE)
        self._size = min(fetch.top if fetch.top is not None else fetch.count or limit, limit)

    def found(self) -> Found:
        source = self._joins.add(self._fetch.root)
        for place in self._joins.places.values():
            self._work.may_read(place.table.name)
        cells = list(self._cells(self._fetch.root, joined=False))
        if len({cell.key for cell in cells}) != len(cells):
            raise bad_query("Two columns of the query go by the same name or alias.")
        rows = self._select(source, cells)
        values = [self._shown(row, cells) for row in rows[: self._size]]
        more = len(rows) > self._size and self._fetch.top is None
        return Found(values, more, dict(self._notes(source, values, more=more)))

    def _cells(self, source: Source, *, joined: bool) -> Iterator[_Cell]:
        table = self._joins.places[source.alias].table
        given = source.attributes or (() if joined else (Attribute(None),))
        names = [each for one in given for each in (_every(table) if one.name is None else (one,))]
        if not joined and not self._fetch.distinct:
            names.append(Attribute(table.primary_id))
        for each in dict.fromkeys(names):
            column = column_named(table, each.name or "")
            own = f"{source.alias}.{column.name}" if joined else column.public
            yield _Cell(source.alias, column, each.alias or own, joined)
        for link in source.links:
            yield from self._cells(link.source, joined=True)

    def _select(self, source: str, cells: list[_Cell]) -> list[Row]:
        columns = dict.fromkeys(each for cell in cells for each in self._fetched(cell))
        if not self._fetch.distinct:
            columns[self._named(self._fetch.root.alias, "versionnumber")] = None
        distinct = "DISTINCT" if self._fetch.distinct else ""
        limit = f"LIMIT {self._size + 1} OFFSET {(self._fetch.page - 1) * self._size}"
        sql = f"SELECT {distinct} {', '.join(columns)} {source} ORDER BY {self._order(cells)} {limit}"
        return self._work.rows.select(sql, self._joins.compiler.parameters)

    def _fetched(self, cell: _Cell) -> Iterator[str]:
        yield self._named(cell.alias, cell.column.name)
        if cell.column.is_polymorphic:
            yield self._named(cell.alias, cell.column.target_column)

    def _named(self, alias: str, column: str) -> str:
        return f"{self._joins.places[alias].alias}.{quoted(column)} AS {quoted(f'{alias}.{column}')}"

    def _order(self, cells: list[_Cell]) -> str:
        keys = [self._sorted(each, source) for source in _sources(self._fetch.root) for each in source.orders]
        if self._fetch.distinct:
            keys += [quoted(f"{cell.alias}.{cell.column.name}") for cell in cells]
        else:
            keys.append(f"{self._joins.places[self._fetch.root.alias].alias}.{quoted(self._table.primary_id)}")
        return ", ".join(dict.fromkeys(keys)) or "1"

    def _sorted(self, each: Sort, source: Source) -> str:
        place = self._joins.place(each.entity, source)
        column = column_named(place.table, each.attribute)
        return f"sort_key({place.alias}.{quoted(column.name)}) {'DESC' if each.descending else 'ASC'}"

    def _shown(self, row: Row, cells: list[_Cell]) -> dict[str, Any]:
        root = self._fetch.root.alias
        shown: dict[str, Any] = {}
        if not self._fetch.distinct:
            shown["@odata.etag"] = f'W/"{row[f"{root}.versionnumber"]}"'
        for cell in cells:
            own = {cell.column.name: row[f"{cell.alias}.{cell.column.name}"]}
            if cell.column.is_polymorphic:
                own[cell.column.target_column] = row[f"{cell.alias}.{cell.column.target_column}"]
            if not cell.joined or own[cell.column.name] is not None:
                shown.update(self._work.reader.renderer.cell(cell.column, own, cell.key))
        return shown

    def _notes(self, source: str, values: list[dict[str, Any]], *, more: bool) -> Iterator[tuple[str, Any]]:
        """Yield what stands beside the rows when annotations are asked for: total, more, cookie."""
        if not self._work.operation.annotations:
            return
        total = self._total(source) if self._fetch.total else -1
        yield "@Microsoft.Dynamics.CRM.totalrecordcount", total
        yield "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded", total >= COUNT_LIMIT
        if self._work.reader.renderer.wants(MORE):
            yield f"@{MORE}", more
        by_joined = any(source.orders for source in _sources(self._fetch.root) if source is not self._fetch.root)
        if more and not self._fetch.distinct and not by_joined and self._work.reader.renderer.wants(COOKIE):
            yield f"@{COOKIE}", skip_token(self._fetch.page, self._table, values)

    def _total(self, source: str) -> int:
        sql = f"SELECT count(*) AS n FROM (SELECT 1 {source} LIMIT {COUNT_LIMIT})"  # noqa: S608  # built from the schema
        return int(self._work.rows.select(sql, self._joins.compiler.parameters)[0]["n"])


def _every(table: Table) -> Iterable[Attribute]:
    return tuple(Attribute(name) for name in table.columns)


def _sources(root: Source) -> Iterator[Source]:
    yield root
    for link in root.links:
        yield from _sources(link.source)
