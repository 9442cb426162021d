"""Single properties of a row, and the action bound to queues."""

from __future__ import annotations

import json

from .address import Segment
from .context import Work
from .errors import ServiceError, not_allowed, not_served, payload
from .operation import Reply, json_reply
from .payload import Reference, guid, parse_body, parse_json, undeclared
from .query import Options as Query
from .schema import Table

NAMESPACE = "Microsoft.Dynamics.CRM."
PRINCIPALS = frozenset({"systemuser", "team"})


def on_property(work: Work, table: Table, row_id: str, rest: tuple[Segment, ...]) -> Reply:
    """Answer a request to one column of a row."""
    column = table.properties[rest[0].name]
    names = [segment.name for segment in rest[1:]]
    if work.operation.method == "GET":
        return _property(work, table, row_id, column.public, raw=names == ["$value"])
    if names or column.is_lookup or work.operation.method not in {"PUT", "DELETE"}:
        raise not_allowed("The requested resource does not support this http method.")
    value = None
    if work.operation.method == "PUT":
        body = parse_json(work.operation.body, table.entity_set)
        if set(body) != {"value"}:
            raise undeclared(next(iter(set(body) - {"value"}), "value"), table)
        value = body["value"]
    parsed = parse_body({column.name: value}, table, work.session.reference, creating=False)
    work.writer.update(table, work.existing(table, row_id), parsed)
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


def bound_action(work: Work, table: Table, row_id: str, name: str) -> Reply:
    """Answer a bound action."""
    if table.name != "queue" or name != "AddPrincipalToQueue":
        raise unknown_action(name)
    if work.operation.method != "POST":
        raise no_resource(work.operation.url)
    work.existing(table, row_id)
    principal = _principal(work, table)
    collection = table.collections["queuemembership_association"]
    work.writer.link(table, row_id, collection, principal)
    return Reply(204)


def _principal(work: Work, table: Table) -> Reference:
    body = parse_json(work.operation.body, table.entity_set).get("Principal")
    kind = str(body.get("@odata.type", "")).lstrip("#").removeprefix(NAMESPACE) if isinstance(body, dict) else ""
    if kind == "team":
        raise not_served("AddPrincipalToQueue with a team")
    value = body.get("systemuserid", body.get("ownerid")) if isinstance(body, dict) else None
    if kind not in PRINCIPALS or value is None:
        raise payload(table.entity_set, "EdmEntityObject passed should have the key property value set.")
    return Reference(kind, guid(value, work.schema.tables[kind]))


def unknown_action(name: str) -> ServiceError:
    """Return the answer about a function or action that is not there."""
    return ServiceError(404, "0x80060888", f"Resource not found for the segment '{name}'.")


def no_resource(url: str) -> ServiceError:
    """Return the answer to a function called like an action, or the reverse."""
    message = f"No HTTP resource was found that matches the request URI '{url}'."
    return ServiceError(404, "", message)
