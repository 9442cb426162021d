"""`RetrieveMetadataChanges`: typed columns of chosen tables in one answer, as Microsoft's SDK for Python asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import metadata, relationships
from .context import Work
from .errors import ServiceError, bad_query, not_allowed, not_served, payload
from .metadata import NAMESPACE, Row
from .operation import Reply, json_reply
from .query import split_query

NAME = "RetrieveMetadataChanges"
MAX_DEPTH = 10
_ABSENT = frozenset({"ClientVersionStamp", "DeletedMetadataFilters"})
_ALWAYS = frozenset({"MetadataId", "@odata.type"})
_STAMP = "1!1"
"""The metadata here never changes, so one stamp does."""


def on_changes(work: Work) -> Reply:
    """Answer the function; the metadata of an emulator is the same from its first to its last day."""
    first = work.address.first
    if work.operation.method != "GET" or len(work.address.segments) > 1:
        raise not_allowed("The requested resource does not support this http method.")
    query = _query(work, first.key or "")
    tables = [
        table for table in work.schema.tables.values() if _fits(query.get("Criteria"), metadata.definition(table))
    ]
    rows = [_entity(work, table.name, query) for table in tables]
    context = f"{work.base}$metadata#{NAMESPACE}{NAME}Response"
    return json_reply(
        200, {"@odata.context": context, "ServerVersionStamp": _STAMP, "EntityMetadata": rows, "DeletedMetadata": None}
    )


def _query(work: Work, key: str) -> Mapping[str, Any]:
    given = split_query(work.address.query)
    arguments = dict(part.strip().partition("=")[::2] for part in key.split(","))
    for name in arguments:
        if name in _ABSENT:
            raise not_served(f"{NAME} with {name}")
    text = given.get(arguments.get("Query", ""), arguments.get("Query", ""))
    try:
        query = json.loads(text)
    except (ValueError, RecursionError):
        raise payload(NAME, "The parameter 'Query' with an EntityQueryExpression was expected.") from None
    return _object(query, "Query")


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise payload(NAME, f"An object was expected as '{name}'.")
    return value


def _entity(work: Work, table_name: str, query: Mapping[str, Any]) -> Row:
    table = work.schema.tables[table_name]
    schema, names = work.schema, _names(query)
    parts: dict[str, tuple[str, Callable[[], list[Row]]]] = {
        "Attributes": ("AttributeQuery", lambda: metadata.attributes(table)),
        "Keys": ("KeyQuery", lambda: metadata.keys(table)),
        "OneToManyRelationships": ("RelationshipQuery", lambda: relationships.one_to_many(schema, table)),
        "ManyToOneRelationships": ("RelationshipQuery", lambda: relationships.many_to_one(schema, table)),
        "ManyToManyRelationships": ("RelationshipQuery", lambda: relationships.many_to_many(schema, table)),
    }
    row = _selected(metadata.definition(table), names)
    for name, (inner, rows) in parts.items():
        if names is None or name in names:
            row[name] = _listed(rows(), _object(query.get(inner) or {}, inner))
    return row


def _listed(rows: Iterable[Row], query: Mapping[str, Any]) -> list[Row]:
    names = _names(query)
    return [_selected(row, names) for row in rows if _fits(query.get("Criteria"), row)]


def _names(query: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the properties asked for, None for all."""
    properties = _object(query.get("Properties") or {"AllProperties": True}, "Properties")
    if properties.get("AllProperties") is True:
        return None
    names = properties.get("PropertyNames") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise payload(NAME, "A list of names was expected as 'PropertyNames'.")
    return frozenset(names)


def _selected(row: Row, names: frozenset[str] | None) -> Row:
    return {name: value for name, value in row.items() if names is None or name in names | _ALWAYS}


def _fits(criteria: object, row: Row, depth: int = 0) -> bool:
    if criteria is None:
        return True
    if depth > MAX_DEPTH:
        raise bad_query("The filter is nested too deeply.")
    expression = _object(criteria, "Criteria")
    conditions = [_condition(_object(each, "Conditions"), row) for each in expression.get("Conditions") or []]
    inner = [_fits(each, row, depth + 1) for each in expression.get("Filters") or []]
    results = [*conditions, *inner]
    return any(results) if expression.get("FilterOperator") == "Or" and results else all(results)


def _condition(condition: Mapping[str, Any], row: Row) -> bool:
    name = str(condition.get("PropertyName"))
    operator = str(condition.get("ConditionOperator"))
    value = _object(condition.get("Value") or {}, "Value").get("Value")
    actual = row.get(name)
    if isinstance(actual, dict):
        actual = actual.get("Value")
    if operator in {"Equals", "NotEquals"}:
        return _same(actual, value) is (operator == "Equals")
    if operator in {"In", "NotIn"} and isinstance(value, list):
        return any(_same(actual, each) for each in value) is (operator == "In")
    raise ServiceError(400, "0x80040203", f"The condition operator '{operator}' is not valid for '{name}'.")


def _same(actual: object, wanted: object) -> bool:
    """Compare as text: values arrive beside the name of their .NET type."""
    return str(actual).lower() == str(wanted).lower() if isinstance(actual, bool) else str(actual) == str(wanted)
