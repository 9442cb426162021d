"""Single rows: read, create, update, delete, and the conditions of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .address import Found, no_row_by_key
from .context import Work
from .errors import ServiceError, duplicate, no_row, payload, stale
from .operation import Reply, json_reply
from .payload import Parsed, Reference, guid, parse_body, parse_json
from .render import etag_of
from .schema import Table
from .store import Row
from .text import sort_key


def get_row(work: Work, table: Table, row_id: str) -> Reply:
    """Answer GET of one row."""
    query = work.options(table)
    row = work.existing(table, row_id)
    tag = etag_of(row)
    plain = not query.expand and not work.operation.annotations  # else the condition is not looked at
    if plain and work.operation.headers.get("if-none-match") == tag:
        return Reply(304, headers=(("ETag", tag),))
    shown = work.reader.shown(table, [row], query)[0]
    body = {"@odata.context": work.context(table, query, "/$entity"), **shown}
    return json_reply(200, body, [("ETag", tag), *work.applied()])


def create_row(work: Work, table: Table) -> Reply:
    """Answer POST to a set."""
    parsed = work.parsed(table, creating=True)
    row_id = work.writer.create(table, parsed)
    return work.written(table, row_id, created=True)


def patch_row(work: Work, table: Table, row_id: str) -> Reply:
    """Answer PATCH of one row: update, or create when it is not there."""
    if table.intersect:
        raise ServiceError(400, "0x80040800", f"The 'Update' method does not support '{table.name}'.")
    row = work.rows.get(table.name, row_id)
    check_conditions(work, table, row, row_id)
    parsed = work.parsed(table, creating=row is None)
    check_key(table, parsed, Found(row_id))
    if row is None:
        work.writer.create(table, parsed, guid(row_id, table))
    else:
        work.writer.update(table, row, parsed)
    return work.written(table, row_id, created=row is None)


def patch_by_key(work: Work, table: Table, found: Found) -> Reply:
    """Answer PATCH of an alternate key: update its row, or create one that has the key."""
    if found.row_id is None and work.operation.headers.get("if-match") is not None:
        raise no_row_by_key()
    if found.row_id is not None:
        row = work.existing(table, found.row_id)
        check_conditions(work, table, row, found.row_id)
    row_id, created = upsert(work, table, parse_json(work.operation.body, table.entity_set), found)
    return work.written(table, row_id, created=created)


def upsert(work: Work, table: Table, body: Mapping[str, Any], found: Found) -> tuple[str, bool]:
    """Update the row a key leads to or create it; return its id and whether it was created."""
    row = work.rows.get(table.name, found.row_id) if found.row_id is not None else None
    parsed = parse_body(body, table, work.session.reference, work.schema, creating=row is None)
    check_key(table, parsed, found)
    if row is not None:
        work.writer.update(table, row, parsed)
        return str(row[table.primary_id]), False
    for name, value in found.values.items():
        column = table.columns[name]
        if column.is_lookup:
            parsed.references[name] = (column, Reference(column.targets[0], value))
        else:
            parsed.values[name] = value
    return work.writer.create(table, parsed, found.row_id and guid(found.row_id, table)), True


def check_key(table: Table, parsed: Parsed, found: Found) -> None:
    """Refuse a body whose key values contradict the key of the address."""
    given = {name: reference.row_id for name, (_, reference) in parsed.references.items() if reference}
    given.update({name: value for name, value in parsed.values.items() if name in found.values})
    differs = any(sort_key(given[name]) != sort_key(found.values[name]) for name in found.values if name in given)
    if differs or (found.row_id is not None and parsed.row_id not in {None, found.row_id}):
        raise payload(table.entity_set, "The key in the body differs from the key in the URL.")


def delete_row(work: Work, table: Table, row_id: str) -> Reply:
    """Answer DELETE of one row."""
    row = work.existing(table, row_id)
    check_conditions(work, table, row, row_id)
    work.writer.delete(table, row)
    return Reply(204)


def check_conditions(work: Work, table: Table, row: Row | None, row_id: str) -> None:
    """Refuse the write when If-Match or If-None-Match does not hold."""
    match = work.operation.headers.get("if-match")
    none_match = _condition(work.operation.headers.get("if-none-match"))
    if match is not None and row is None:
        raise no_row(table.name, row_id)
    if match not in {None, "*"} and row is not None and match != etag_of(row):
        raise stale()
    if none_match == "*" and row is not None:
        raise duplicate()


def _condition(value: str | None) -> str | None:
    """`If-None-Match: null`, the literal word, is the documented way to say nothing."""
    return None if value == "null" else value
