"""Addresses behind a row: its collections, its lookups and their references."""

from __future__ import annotations

from .address import Segment, key_id
from .context import Work
from .errors import ServiceError, bad_query, no_segment, not_allowed, not_served, payload
from .lists import count_rows, list_rows
from .operation import Reply, json_reply
from .payload import Parsed, Reference, parse_json
from .query import Options as Query
from .query import split_query
from .read import Owner
from .schema import Collection, OneToMany, Table
from .store import Row


def on_collection(work: Work, table: Table, row_id: str, collection: Collection, rest: tuple[Segment, ...]) -> Reply:
    """Answer a request to a collection of a row."""
    names = [segment.name for segment in rest[1:]]
    target = work.schema.tables[collection.table]
    method = work.operation.method
    if names == ["$ref"]:
        return references(work, table, row_id, collection, rest[0].key)
    work.existing(table, row_id)
    owner = Owner(table, row_id, collection)
    if not names and rest[0].key is None and method == "GET":
        return list_rows(work, target, owner)
    if names == ["$count"] and method == "GET":
        return count_rows(work, target, owner)
    if not names and rest[0].key is None and method == "POST":
        return create_related(work, table, row_id, collection)
    raise not_served(f"{method} on '{collection.navigation}' in this form")


def create_related(work: Work, table: Table, row_id: str, collection: Collection) -> Reply:
    """Answer POST to a collection: a new row that is in it from the start."""
    target = work.schema.tables[collection.table]
    parsed = work.parsed(target, creating=True)
    owner = Reference(table.name, row_id)
    if isinstance(collection, OneToMany):
        column = target.columns[collection.column]
        parsed.references[column.name] = (column, owner)
    made = work.writer.create(target, parsed)
    if not isinstance(collection, OneToMany):
        work.writer.link(table, row_id, collection, Reference(target.name, made))
    return work.written(target, made, created=True)


def references(work: Work, table: Table, row_id: str, collection: Collection, key: str | None) -> Reply:
    """Answer `/$ref` of a collection."""
    method = work.operation.method
    if method == "GET" and key is None:
        return reference_list(work, table, row_id, collection)
    if method == "POST" and key is None:
        reference = odata_id(work, table, absolute=True)
        work.writer.link(table, row_id, collection, reference)
        return Reply(204)
    if method == "DELETE":
        work.writer.unlink(table, row_id, collection, unlinked(work, collection, key))
        return Reply(204)
    raise not_allowed(f"The requested resource does not support http method '{method}'.")


def unlinked(work: Work, collection: Collection, key: str | None) -> str:
    """Return the id of the row a DELETE of a link names."""
    if key is not None:
        return key_id(work.rows, work.schema.tables[collection.table], key)
    address = split_query(work.address.query).get("$id")
    if address is None:
        raise bad_query("The row to take out must be named, as a key or as $id.")
    return work.session.reference(address).row_id


def reference_list(work: Work, table: Table, row_id: str, collection: Collection) -> Reply:
    """Answer GET of `/$ref` of a collection."""
    work.existing(table, row_id)
    target = work.schema.tables[collection.table]
    owner = Owner(table, row_id, collection)
    page = work.reader.page(target, Query(select=()), work.session.options.page_size, owner)
    values = [{"@odata.id": f"{work.base}{target.entity_set}({each[target.primary_id]})"} for each in page.values]
    return json_reply(200, {"@odata.context": f"{work.base}$metadata#Collection($ref)", "value": values})


def odata_id(work: Work, table: Table, *, absolute: bool) -> Reference:
    """Return the row the body names."""
    body = parse_json(work.operation.body, table.entity_set)
    address = body.get("@odata.id")
    if not isinstance(address, str):
        raise payload(table.entity_set, "The annotation '@odata.id' with the address of a row was expected.")
    if absolute and not address.startswith(("http://", "https://", "$")):
        raise payload(table.entity_set, f"The relative URI value '{address}' cannot be resolved.")
    return work.session.reference(address)


def on_single(work: Work, table: Table, row_id: str, name: str, rest: tuple[Segment, ...]) -> Reply:
    """Answer a request to a lookup of a row."""
    names = [segment.name for segment in rest[1:]]
    method = work.operation.method
    if not names and method == "GET":
        return related(work, table, row_id, name)
    if names != ["$ref"]:
        raise no_segment("/".join([name, *names]))
    if method == "GET":
        return related_reference(work, table, row_id, name)
    if method not in {"PUT", "DELETE"}:
        raise not_allowed(f"The requested resource does not support http method '{method}'.")
    reference = odata_id(work, table, absolute=False) if method == "PUT" else None
    point(work, table, row_id, name, reference)
    return Reply(204)


def point(work: Work, table: Table, row_id: str, name: str, reference: Reference | None) -> None:
    """Set or clear a lookup."""
    row = work.existing(table, row_id)
    column, targets = table.lookups[name]
    if reference is None and column.system_required:
        raise ServiceError(400, "0x80040200", f"The attribute '{column.name}' cannot be set to NULL.")
    if reference is not None and reference.table not in targets:
        raise bad_query(f"A row of '{reference.table}' cannot be set as '{name}'.")
    work.writer.update(table, row, Parsed(references={column.name: (column, reference)}))


def target_row(work: Work, table: Table, row_id: str, name: str) -> tuple[Table, Row] | None:
    """Return the row a lookup points to, with its table."""
    row = work.existing(table, row_id)
    column, targets = table.lookups[name]
    target = row[column.target_column] if column.is_polymorphic else targets[0]
    related = work.rows.get(target, row[column.name]) if row[column.name] and target in targets else None
    return (work.schema.tables[target], related) if related is not None else None


def related(work: Work, table: Table, row_id: str, name: str) -> Reply:
    """Answer GET of the row a lookup points to."""
    found = target_row(work, table, row_id, name)
    if found is None:
        return Reply(204)
    target, related = found
    query = work.options(target)
    shown = work.reader.shown(target, [related], query)[0]
    return json_reply(200, {"@odata.context": work.context(target, query, "/$entity"), **shown}, work.applied())


def related_reference(work: Work, table: Table, row_id: str, name: str) -> Reply:
    """Answer GET of `/$ref` of a lookup."""
    found = target_row(work, table, row_id, name)
    if found is None:
        return Reply(204)
    target, related = found
    address = f"{work.base}{target.entity_set}({related[target.primary_id]})"
    return json_reply(200, {"@odata.context": f"{work.base}$metadata#$ref", "@odata.id": address})
