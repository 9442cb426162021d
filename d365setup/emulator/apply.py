"""`$apply`: filter, groupby and aggregate, as the Web API documents them; anything else is refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .context import Work
from .errors import ServiceError, bad_query, not_served
from .filters import FilterCompiler, Operand
from .operation import Reply, json_reply
from .query import split_top
from .schema import Column, Table
from .store import Row, quoted
from .syntax import Node, parse_filter

MAX_SOURCE_ROWS = 50_000
_STEP = re.compile(r"(?P<name>\w+)\((?P<inner>.*)\)", re.DOTALL)
_AGGREGATE = re.compile(r"(?P<path>[\w/]+)\s+with\s+(?P<method>\w+)\s+as\s+(?P<alias>\w+)")
_COUNT = re.compile(r"\$count\s+as\s+(?P<alias>\w+)")
_GROUP = re.compile(r"\((?P<columns>[^()]*)\)(?:\s*,\s*aggregate\((?P<aggregates>.*)\))?", re.DOTALL)
_NUMBERS = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Double"})
_SQL = {"sum": "sum({})", "average": "avg({})", "min": "min({})", "max": "max({})",
        "countdistinct": "count(DISTINCT {})"}  # fmt: skip
_BESIDE = ("$filter", "$select", "$expand", "$orderby", "$top", "$count")


@dataclass(frozen=True)
class Aggregate:
    """One figure: a method over a property path under an alias; no path counts rows."""

    method: str
    path: tuple[str, ...]
    alias: str


@dataclass(frozen=True)
class Plan:
    """What `$apply` asks for."""

    filters: tuple[Node, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    aggregates: tuple[Aggregate, ...] = ()


def apply_rows(work: Work, table: Table, given: Mapping[str, str]) -> Reply:
    """Answer GET of a set with `$apply`."""
    beside = [name for name in _BESIDE if name in given]
    if beside:
        raise bad_query(f"The query option '{beside[0]}' cannot stand beside $apply.")
    aliases = {name: value for name, value in given.items() if name.startswith("@")}
    plan = parse_apply(given["$apply"], aliases)
    values = _Run(work, table, plan).values()
    context = f"{work.base}$metadata#{table.entity_set}"
    return json_reply(200, {"@odata.context": context, "value": values}, work.applied())


def parse_apply(text: str, aliases: Mapping[str, str]) -> Plan:
    """Return what `$apply` asks for: any number of filter(...), then groupby(...) or aggregate(...)."""
    filters: list[Node] = []
    steps = split_top(text, "/")
    for index, step in enumerate(steps):
        found = _STEP.fullmatch(step)
        if found is None:
            raise bad_query(f"Syntax error in $apply '{text}'.")
        if found["name"] == "filter":
            filters.append(parse_filter(found["inner"], aliases))
            continue
        if index != len(steps) - 1:
            raise not_served(f"a transformation behind {found['name']} in $apply")
        return _last(found["name"], found["inner"], tuple(filters))
    raise not_served("$apply without groupby or aggregate (use $filter)")


def _last(name: str, inner: str, filters: tuple[Node, ...]) -> Plan:
    if name == "aggregate":
        return Plan(filters, (), _aggregates(inner))
    if name != "groupby":
        raise not_served(f"the transformation {name} of $apply")
    found = _GROUP.fullmatch(inner.strip())
    if found is None:
        raise bad_query(f"Syntax error in groupby '{inner}'.")
    groups = tuple(tuple(part.split("/")) for part in split_top(found["columns"], ","))
    if not groups:
        raise bad_query("groupby needs at least one property.")
    return Plan(filters, groups, _aggregates(found["aggregates"]) if found["aggregates"] is not None else ())


def _aggregates(text: str) -> tuple[Aggregate, ...]:
    found = tuple(_aggregate(part) for part in split_top(text, ","))
    if not found:
        raise bad_query("aggregate needs at least one figure.")
    return found


def _aggregate(text: str) -> Aggregate:
    counted = _COUNT.fullmatch(text)
    if counted is not None:
        return Aggregate("count", (), counted["alias"])
    found = _AGGREGATE.fullmatch(text)
    if found is None:
        raise bad_query(f"Syntax error in aggregate '{text}'.")
    if found["method"] not in _SQL:
        raise bad_query(f"'{found['method']}' is no method of aggregate: sum, average, min, max, countdistinct.")
    return Aggregate(found["method"], tuple(found["path"].split("/")), found["alias"])


@dataclass(frozen=True)
class _Output:
    """One property of the result: its SQL, and the column it came from (None: a count)."""

    name: str
    sql: str
    column: Column | None
    target: str | None = None
    """SQL of the table a polymorphic lookup points to."""


class _Run:
    def __init__(self, work: Work, table: Table, plan: Plan) -> None:
        self._work = work
        self._plan = plan
        self._compiler: FilterCompiler = work.reader.compiler()
        self._root = self._compiler.place(table.name)

    def values(self) -> list[dict[str, Any]]:
        groups = [self._group(path) for path in self._plan.groups]
        outputs = [*groups, *(self._figure(each) for each in self._plan.aggregates)]
        names = [each.name for each in outputs]
        if len(set(names)) != len(names):
            raise bad_query("A name stands twice in the result of $apply.")
        source = self._source()
        self._check_size(source)
        keys = ", ".join(_compared(each.sql, each.column) for each in groups)
        grouped = f"GROUP BY {keys} ORDER BY {keys}" if groups else ""
        sql = f"SELECT {', '.join(self._columns(outputs))} {source} {grouped}"
        found = self._work.rows.select(sql, self._compiler.parameters)
        return [dict(self._shown(row, outputs)) for row in found]

    def _source(self) -> str:
        tests = [self._compiler.condition(each, self._root) for each in self._plan.filters]
        if self._root.table.has("deletedstate") and "deletedstate" not in self._compiler.names:
            tests.append(f"coalesce({self._root.alias}.deletedstate, 0) = 0")
        return f"FROM {quoted(self._root.table.name)} {self._root.alias} WHERE {' AND '.join(tests) or '1'}"

    def _check_size(self, source: str) -> None:
        sql = f"SELECT count(*) AS n FROM (SELECT 1 {source} LIMIT {MAX_SOURCE_ROWS + 1})"  # noqa: S608  # built from the schema
        if self._work.rows.select(sql, self._compiler.parameters)[0]["n"] > MAX_SOURCE_ROWS:
            message = f"The maximum record limit of {MAX_SOURCE_ROWS} is exceeded. Reduce the number of records."
            raise ServiceError(400, "0x8004e023", message)

    def _columns(self, outputs: list[_Output]) -> Iterator[str]:
        for index, each in enumerate(outputs):
            yield f"{each.sql} AS c{index}"
            if each.target is not None:
                yield f"max({each.target}) AS t{index}"

    def _operand(self, path: tuple[str, ...]) -> tuple[Operand, Column]:
        operand = self._compiler.operand(path, self._root, {})
        if operand.column is None:
            raise bad_query(f"'{'/'.join(path)}' is no property that $apply can use.")
        self._may_follow(path)
        return operand, operand.column

    def _may_follow(self, path: tuple[str, ...]) -> None:
        """Refuse a caller who may not read a table that a path leads to, as with `$expand`."""
        table = self._root.table
        for navigation in path[:-1]:
            table = self._work.schema.tables[table.lookups[navigation][1][0]]
            self._work.may_read(table.name)

    def _group(self, path: tuple[str, ...]) -> _Output:
        operand, column = self._operand(path)
        if column.is_polymorphic and len(path) > 1:
            raise not_served(f"grouping by '{'/'.join(path)}', which points to several tables")
        target = f"{operand.place.alias}.{quoted(column.target_column)}" if column.is_polymorphic else None
        return _Output("_".join(path), operand.sql, column, target)

    def _figure(self, wanted: Aggregate) -> _Output:
        if wanted.method == "count":
            return _Output(wanted.alias, "count(*)", None)
        operand, column = self._operand(wanted.path)
        if wanted.method in {"sum", "average"} and (column.edm not in _NUMBERS or column.options):
            raise bad_query(f"'{'/'.join(wanted.path)}' is no number: {wanted.method} cannot be made of it.")
        shown = column if wanted.method in {"min", "max"} else None
        compared = _compared(operand.sql, column) if wanted.method == "countdistinct" else operand.sql
        return _Output(wanted.alias, _SQL[wanted.method].format(compared), shown)

    def _shown(self, row: Row, outputs: list[_Output]) -> Iterator[tuple[str, Any]]:
        for index, each in enumerate(outputs):
            if each.column is None:
                yield each.name, row[f"c{index}"]
                continue
            own = {each.column.name: row[f"c{index}"]}
            if each.column.is_polymorphic:
                own[each.column.target_column] = row.get(f"t{index}")
            yield from self._work.reader.renderer.cell(each.column, own, each.name)


def _compared(sql: str, column: Column | None) -> str:
    return f"sort_key({sql})" if column is not None and column.edm == "Edm.String" else sql
