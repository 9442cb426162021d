"""The unbound action BulkDelete: rows found by query expressions, deleted before the reply is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import conditions
from .context import Work
from .errors import not_served, payload
from .fetch import Joins, table_named
from .fetchxml import Condition, Filter, Source
from .operation import Reply, json_reply
from .payload import NAMESPACE, parse_json
from .schema import Table
from .store import Row, new_id, quoted

ACTION = "BulkDelete"
MAX_DEPTH = 20
_NEEDED = ("QuerySet", "JobName", "SendEmailNotification", "RecurrencePattern", "StartDateTime", "ToRecipients",
           "CCRecipients")  # fmt: skip
_EMPTY = {"LinkEntities": "joined tables", "TopCount": "TopCount"}


def bulk_delete(work: Work) -> Reply:
    """Answer BulkDelete. The service answers with a job that works later; here the work is done at once."""
    body = parse_json(work.operation.body, ACTION)
    for name in _NEEDED:
        if name not in body:
            raise payload(ACTION, f"The parameter '{name}' is missing.")
    if body["RecurrencePattern"]:
        raise not_served("a BulkDelete that repeats")
    for query in _objects(body["QuerySet"], "QuerySet"):
        _delete_found(work, query)
    context = f"{work.base}$metadata#{NAMESPACE}{ACTION}Response"
    return json_reply(200, {"@odata.context": context, "JobId": new_id()})


def _delete_found(work: Work, query: Mapping[str, Any]) -> None:
    for name, what in _EMPTY.items():
        if query.get(name):
            raise not_served(f"{what} in a BulkDelete")
    table = table_named(work.schema, str(query.get("EntityName", "")))
    work.may_read(table.name)
    criteria = query.get("Criteria")
    filters = () if criteria is None else (_filter(_object(criteria, "Criteria"), 0),)
    for row in _found(work, table, Source(table.name, table.name, filters=filters)):
        current = work.rows.get(table.name, row[table.primary_id])  # an earlier one may have taken it along
        if current is not None:
            work.writer.delete(table, current)


def _found(work: Work, table: Table, source: Source) -> list[Row]:
    joins = Joins(work.schema, work.reader.compiler())
    sql = joins.add(source)
    key = f"{joins.places[source.alias].alias}.{quoted(table.primary_id)}"
    return work.rows.select(f"SELECT {key} {sql} ORDER BY {key}", joins.compiler.parameters)  # built from the schema


def _filter(given: Mapping[str, Any], depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise payload(ACTION, "The filters of 'Criteria' are nested too deeply.")
    kind = str(given.get("FilterOperator", "And")).lower()
    if kind not in {"and", "or"}:
        raise payload(ACTION, f"The FilterOperator '{kind}' is neither And nor Or.")
    tests = tuple(_condition(each) for each in _objects(given.get("Conditions", []), "Conditions"))
    inner = _objects(given.get("Filters", []), "Filters")
    return Filter(kind, tests, tuple(_filter(each, depth + 1) for each in inner))


def _condition(given: Mapping[str, Any]) -> Condition:
    values = tuple(_value(each) for each in _objects(given.get("Values", []), "Values"))
    operator = conditions.fetch_name(str(given.get("Operator", "")))
    return Condition(str(given.get("AttributeName", "")), operator, values)


def _value(given: Mapping[str, Any]) -> str:
    value = given.get("Value")
    if not isinstance(value, str | int | float):
        raise payload(ACTION, "A value of a condition must be a text or a number, with its type beside it.")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise payload(ACTION, f"'{name}' must be an object.")
    return value


def _objects(value: Any, name: str) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise payload(ACTION, f"'{name}' must be a list.")
    return [_object(each, name) for each in value]
