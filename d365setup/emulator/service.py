"""Which address form leads where."""

from __future__ import annotations

from .address import Segment, key_id, parse_address, table_of
from .context import Session, Work
from .definitions import on_definitions
from .errors import ServiceError, no_segment, not_allowed, not_served
from .functions import FUNCTIONS
from .lists import count_rows, list_rows
from .navigation import on_collection, on_single
from .operation import Operation, Reply, json_reply
from .properties import NAMESPACE, bound_action, no_resource, on_property, unknown_action
from .rows import create_row, delete_row, get_row, patch_row
from .schema import Table

MAX_URL = 32 * 1024
MAX_URL_IN_BATCH = 64 * 1024
_ABSENT = frozenset({"$metadata", "RelationshipDefinitions", "GlobalOptionSetDefinitions"})


def perform(session: Session, operation: Operation) -> Reply:
    """Carry out one operation in the session's transaction; raises ServiceError when it is refused."""
    limit = MAX_URL_IN_BATCH if session.in_batch else MAX_URL
    if operation.method == "GET" and len(operation.url) > limit:
        raise ServiceError(414, "", "The request URI is too long.")
    address = parse_address(session.replaced(operation.url, operation.root))
    work = Work(session, operation, address)
    if not address.segments:
        return _service_document(work)
    first = address.first
    if first.name in FUNCTIONS:
        return _function(work, first)
    if first.name == "EntityDefinitions":
        return on_definitions(work)
    if first.name in _ABSENT:
        raise not_served(first.name)
    table = table_of(session.schema, first)
    return _on_set(work, table) if first.key is None else _on_row(work, table, first.key)


def _service_document(work: Work) -> Reply:
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in sorted(work.schema.sets)]
    return json_reply(200, {"@odata.context": f"{work.base}$metadata", "value": sets})


def _function(work: Work, segment: Segment) -> Reply:
    if work.operation.method != "GET" or len(work.address.segments) > 1:
        raise no_resource(work.operation.url)
    values = FUNCTIONS[segment.name](work.rows, work.session.caller, work.operation.root)
    context = f"{work.base}$metadata#{NAMESPACE}{segment.name}Response"
    return json_reply(200, {"@odata.context": context, **values})


def _on_set(work: Work, table: Table) -> Reply:
    rest = [segment.name for segment in work.address.segments[1:]]
    if rest == ["$count"] and work.operation.method == "GET":
        return count_rows(work, table, None)
    if rest:
        raise unknown_action(rest[0]) if NAMESPACE in rest[0] else no_segment(rest[0])
    if work.operation.method == "GET":
        return list_rows(work, table, None)
    if work.operation.method == "POST":
        return create_row(work, table)
    raise not_allowed(f"The requested resource does not support http method '{work.operation.method}'.")


def _on_row(work: Work, table: Table, key: str) -> Reply:
    rest = work.address.segments[1:]
    if not rest:
        return _row(work, table, key)
    row_id = key_id(work.rows, table, key)
    name = rest[0].name
    if name.startswith(NAMESPACE):
        return bound_action(work, table, row_id, name.removeprefix(NAMESPACE))
    if name in table.collections:
        return on_collection(work, table, row_id, table.collections[name], rest)
    if name in table.lookups:
        return on_single(work, table, row_id, name, rest)
    if name in table.properties:
        return on_property(work, table, row_id, rest)
    raise no_segment(name)


def _row(work: Work, table: Table, key: str) -> Reply:
    row_id = key_id(work.rows, table, key)
    method = work.operation.method
    if method == "GET":
        return get_row(work, table, row_id)
    if method == "PATCH":
        return patch_row(work, table, row_id)
    if method == "DELETE":
        return delete_row(work, table, row_id)
    raise not_allowed(f"The requested resource does not support http method '{method}'.")
