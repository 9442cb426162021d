"""Single properties of a row."""

from __future__ import annotations

import json

from .address import Segment
from .context import Work
from .errors import ServiceError, not_allowed
from .operation import Reply, json_reply
from .payload import parse_body, parse_json, undeclared
from .query import Options as Query
from .rows import check_conditions
from .schema import Table


def on_property(work: Work, table: Table, row_id: str, rest: tuple[Segment, ...]) -> Reply:
    """Answer a request to one column of a row."""
    column = table.properties[rest[0].name]
    names = [segment.name for segment in rest[1:]]
    if work.operation.method == "GET" and names in ([], ["$value"]):
        return _property(work, table, row_id, column.public, raw=names == ["$value"])
    if names or column.is_lookup or work.operation.method not in {"PUT", "DELETE"}:
        raise not_allowed("The requested resource does not support this http method.")
    value = None
    if work.operation.method == "PUT":
        body = parse_json(work.operation.body, table.entity_set)
        if set(body) != {"value"}:
            raise undeclared(next(iter(set(body) - {"value"}), "value"), table)
        value = body["value"]
    row = work.existing(table, row_id)
    check_conditions(work, table, row, row_id)
    parsed = parse_body({column.name: value}, table, work.session.reference, work.schema, creating=False)
    work.writer.update(table, row, parsed)
    return Reply(204)


def _property(work: Work, table: Table, row_id: str, name: str, *, raw: bool) -> Reply:
    shown = work.reader.shown(table, [work.existing(table, row_id)], Query(select=(name,)))[0]
    value = shown.get(name)
    if value is None:
        return Reply(204)
    if raw:
        return Reply(200, (value if isinstance(value, str) else json.dumps(value)).encode(), "text/plain")
    context = f"{work.base}$metadata#{table.entity_set}({row_id})/{name}"
    return json_reply(200, {"@odata.context": context, "value": value})


def unknown_action(name: str) -> ServiceError:
    """Return the answer about a function or action that is not there."""
    return ServiceError(404, "0x80060888", f"Resource not found for the segment '{name}'.")


def no_resource(url: str) -> ServiceError:
    """Return the answer to a function called like an action, or the reverse."""
    message = f"No HTTP resource was found that matches the request URI '{url}'."
    return ServiceError(404, "", message)
