"""`EntityDefinitions`: reading the metadata over HTTP. Lists never page; there is no order and no count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from . import metadata
from .address import Segment
from .context import Work
from .errors import ServiceError, bad_query, no_segment, not_allowed, not_served
from .operation import Reply, json_reply
from .query import split_query, split_top
from .schema import CHOICES, Table
from .syntax import Compare, Literal, Logical, Node, Not, Path, parse_filter

Row = dict[str, Any]
_OPTIONS = frozenset({"$select", "$filter", "$expand", "$top", "LabelLanguages"})
_KEY = re.compile(r"LogicalName='([^']*)'|([0-9a-fA-F-]{36})")
_CHOICE_SETS = frozenset({"OptionSet", "GlobalOptionSet"})


def on_definitions(work: Work) -> Reply:
    """Answer a request to `EntityDefinitions` and what is below it."""
    if work.operation.method in {"PATCH", "DELETE"}:
        raise not_allowed("The requested resource does not support this http method.", "0x80060888")
    if work.operation.method != "GET":
        raise not_served("changes of metadata")
    first, *rest = work.address.segments
    given = split_query(work.address.query)
    for name in given:
        if name not in _OPTIONS and not name.startswith("@"):
            raise bad_query(f"The query parameter '{name}' is not supported.")
    if first.key is None:
        rows = [metadata.definition(table) for table in work.schema.tables.values()]
        return _list(work, rows, given, "EntityDefinitions")
    table = _table(work, first.key)
    return _below(work, table, rest, given) if rest else _one(work, metadata.definition(table), given)


def _table(work: Work, key: str) -> Table:
    found = _KEY.fullmatch(key)
    if found is None:
        raise bad_query("Bad Request - Error in query syntax.")
    for table in work.schema.tables.values():
        if found[1] == table.name or (found[2] or "").lower() == metadata.metadata_id(table.name):
            return table
    name, row_id = found[1] or "", found[2] or "00000000-0000-0000-0000-000000000000"
    raise ServiceError(404, "0x80040217", f"Could not find an entity with name {name} and id {row_id}.")


def _below(work: Work, table: Table, rest: list[Segment], given: Mapping[str, str]) -> Reply:
    name, key = rest[0].name, rest[0].key
    if name == "Attributes":
        return _attributes(work, table, rest, given)
    rows: Iterable[Row]
    if name == "ManyToOneRelationships":
        rows = metadata.many_to_one(table)
    elif name == "OneToManyRelationships":
        rows = metadata.one_to_many(work.schema, table)
    elif name == "ManyToManyRelationships":
        rows = metadata.many_to_many(table)
    elif name == "Keys":
        rows = ()  # no source lists an alternate key as metadata
    else:
        raise no_segment(name)
    if key is not None or len(rest) > 1:
        raise not_served(f"one row of {name}")
    return _list(work, list(rows), given, f"EntityDefinitions('{table.name}')/{name}")


def _attributes(work: Work, table: Table, rest: list[Segment], given: Mapping[str, str]) -> Reply:
    rows = metadata.attributes(table)
    cast = rest[1].name if len(rest) > 1 else ""
    if cast:
        rows = [row for row in rows if row["@odata.type"] == f"#{cast}"]
    expand = split_top(given.get("$expand", ""), ",")
    for row in rows:
        _expand(row, table, [each.partition("(")[0] for each in expand])
    key = rest[0].key
    if key is None:
        return _list(work, rows, given, f"EntityDefinitions('{table.name}')/Attributes")
    for row in rows:
        if key in {f"LogicalName='{row['LogicalName']}'", row["MetadataId"]}:
            return _one(work, row, given)
    raise ServiceError(404, "0x80040217", f"Could not find an attribute with {key} for entity {table.name}.")


def _expand(row: Row, table: Table, names: list[str]) -> None:
    for name in names:
        if name not in _CHOICE_SETS:
            raise bad_query(f"The property '{name}' cannot be expanded.")
        column = table.columns[row["LogicalName"]]
        own = name == "OptionSet" and column.type in {*CHOICES, "MultiSelectPicklist"}
        row[name] = metadata.option_set(column) if own else None


def _one(work: Work, row: Row, given: Mapping[str, str]) -> Reply:
    context = f"{work.base}$metadata#EntityDefinitions/$entity"
    return json_reply(200, {"@odata.context": context, **_selected(row, given)})


def _list(work: Work, rows: list[Row], given: Mapping[str, str], context: str) -> Reply:
    if "$filter" in given:
        aliases = {name: value for name, value in given.items() if name.startswith("@")}
        tree = parse_filter(given["$filter"], aliases)
        rows = [row for row in rows if _holds(tree, row)]
    shown = [_selected(row, given) for row in rows]
    return json_reply(200, {"@odata.context": f"{work.base}$metadata#{context}", "value": shown})


def _selected(row: Row, given: Mapping[str, str]) -> Row:
    names = [name.strip() for name in given.get("$select", "").split(",") if name.strip()]
    if not names:
        return row
    expanded = {each.partition("(")[0] for each in split_top(given.get("$expand", ""), ",")}
    kept = {"@odata.type", "MetadataId", *names, *expanded}
    return {name: value for name, value in row.items() if name in kept}


def _holds(node: Node, row: Row) -> bool:
    if isinstance(node, Logical):
        every = [_holds(each, row) for each in node.operands]
        return all(every) if node.operator == "and" else any(every)
    if isinstance(node, Not):
        return not _holds(node.operand, row)
    if isinstance(node, Compare) and isinstance(node.left, Path) and isinstance(node.right, Literal):
        return _compared(node.operator, _value(row, node.left.parts), node.right.value)
    raise bad_query("Metadata is filtered with eq, ne, and, or, not only.")


def _compared(operator: str, value: object, wanted: object) -> bool:
    if operator not in {"eq", "ne"}:
        raise bad_query(f"Metadata cannot be filtered with '{operator}'.")
    return (value == wanted) is (operator == "eq")


def _value(row: Row, parts: tuple[str, ...]) -> Any:
    value: Any = row
    for part in parts:
        if value is None:
            return None
        if not isinstance(value, dict) or part not in value:
            raise bad_query(f"Could not find a property named '{part}'.")
        value = value[part]
    return value
