"""Single rows: read, create, update, delete, and the conditions of each."""

from __future__ import annotations

from .context import Work
from .errors import ServiceError, duplicate, no_row, payload, stale
from .operation import Reply, json_reply
from .payload import guid
from .render import etag_of
from .schema import Table
from .store import Row


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
    if parsed.row_id not in {None, row_id}:
        raise payload(table.entity_set, "The key in the body differs from the key in the URL.")
    if row is None:
        work.writer.create(table, parsed, guid(row_id, table))
    else:
        work.writer.update(table, row, parsed)
    return work.written(table, row_id, created=row is None)


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
