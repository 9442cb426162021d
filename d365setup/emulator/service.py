"""Which address form leads where."""

from __future__ import annotations

from dataclasses import replace

from .actions import UNBOUND, bound_action, is_action, set_action, unbound_action
from .address import Segment, find_key, key_id, parse_address, table_of
from .context import Session, Work
from .definitions import METADATA
from .errors import ServiceError, bad_query, no_segment, not_allowed
from .functions import FUNCTIONS, Asked, parameters
from .lists import count_rows, list_rows
from .navigation import on_collection, on_single
from .operation import Operation, Reply, json_reply
from .payload import NAMESPACE
from .principals import user_function
from .properties import no_resource, on_property
from .query import split_query
from .rows import create_row, delete_row, get_row, patch_by_key, patch_row
from .schema import Table

MAX_URL = 32 * 1024
MAX_URL_IN_BATCH = 64 * 1024


def perform(session: Session, operation: Operation) -> Reply:
    """Carry out one operation in the session's transaction; raises ServiceError when it is refused."""
    if operation.method == "HEAD":  # the server sends its head only
        operation = replace(operation, method="GET")
    if operation.method == "OPTIONS":
        return Reply(200, headers=(("Allow", "OPTIONS,GET,HEAD,POST"),))
    limit = MAX_URL_IN_BATCH if session.in_batch else MAX_URL
    if operation.method == "GET" and len(operation.url) > limit:
        raise ServiceError(414, "", "The request URI is too long.")
    address = parse_address(session.replaced(operation.url, operation.root))
    work = Work(session, operation, address)
    if not address.segments:
        return _service_document(work)
    first = address.first
    if first.name in UNBOUND and len(address.segments) == 1:
        return unbound_action(work, first.name)
    if first.name in FUNCTIONS:
        return _function(work, first)
    if first.name in METADATA:
        return METADATA[first.name](work)
    table = table_of(session.schema, first)
    if operation.method == "GET" and session.rights is not None:
        session.rights.need("Read", table.name)
    return _on_set(work, table) if first.key is None else _on_row(work, table, first.key)


def _service_document(work: Work) -> Reply:
    sets = [{"name": name, "kind": "EntitySet", "url": name} for name in sorted(work.schema.sets)]
    return json_reply(200, {"@odata.context": f"{work.base}$metadata", "value": sets})


def _function(work: Work, segment: Segment) -> Reply:
    if work.operation.method != "GET" or len(work.address.segments) > 1:
        raise no_resource(work.operation.url)
    given = parameters(segment.key, split_query(work.address.query))
    asked = Asked(work.rows, work.session.caller, work.operation.root, given, work.may_read)
    values = FUNCTIONS[segment.name](asked)
    context = f"{work.base}$metadata#{NAMESPACE}{segment.name}Response"
    return json_reply(200, {"@odata.context": context, **values})


def _on_set(work: Work, table: Table) -> Reply:
    rest = [segment.name for segment in work.address.segments[1:]]
    if rest == ["$count"] and work.operation.method == "GET":
        return count_rows(work, table, None)
    if rest:
        if len(rest) == 1 and rest[0].startswith(NAMESPACE):
            return set_action(work, table, rest[0].removeprefix(NAMESPACE))
        raise no_segment(rest[0])
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
    told = user_function(work, table, row_id, rest[0]) if name.startswith(NAMESPACE) else None
    if told is not None:
        return told
    if name.startswith(NAMESPACE):
        return bound_action(work, table, row_id, name.removeprefix(NAMESPACE))
    if name in table.collections:
        return on_collection(work, table, row_id, table.collections[name], rest)
    if name in table.lookups:
        return on_single(work, table, row_id, name, rest)
    if name in table.properties:
        return on_property(work, table, row_id, rest)
    if is_action(table, name):
        raise bad_query("Request message has unresolved parameters.")
    raise no_segment(name)


def _row(work: Work, table: Table, key: str) -> Reply:
    method = work.operation.method
    found = find_key(work.rows, table, key)
    if method == "PATCH" and found.values:
        return patch_by_key(work, table, found)
    row_id = key_id(work.rows, table, key)
    if method == "GET":
        return get_row(work, table, row_id)
    if method == "PATCH":
        return patch_row(work, table, row_id)
    if method == "DELETE":
        return delete_row(work, table, row_id)
    raise not_allowed(f"The requested resource does not support http method '{method}'.")
