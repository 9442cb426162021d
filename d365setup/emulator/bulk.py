"""Several rows in one action: CreateMultiple, UpdateMultiple, UpsertMultiple. All of them land, or none does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .address import Found, find_key, parse_address, segments_of, split_url
from .context import Work
from .errors import ServiceError, bad_query, no_row, payload
from .operation import Reply, json_reply
from .payload import NAMESPACE, guid, parse_body, parse_json
from .rows import upsert
from .schema import Table

Target = dict[str, Any]


def on_many(work: Work, table: Table, name: str) -> Reply:
    """Answer one of the actions bound to a set."""
    if table.intersect:
        raise ServiceError(400, "0x80040800", f"The '{name}' method does not support entities of type '{table.name}'.")
    return ACTIONS[name](work, table, _targets(work, table))


def _targets(work: Work, table: Table) -> list[Target]:
    body = parse_json(work.operation.body, table.entity_set)
    targets = body.get("Targets")
    if not isinstance(targets, list) or not all(isinstance(each, dict) for each in targets):
        raise payload(table.entity_set, "The parameter 'Targets' with a list of rows was expected.")
    for each in targets:
        kind = str(each.get("@odata.type", "")).lstrip("#")
        if kind != f"{NAMESPACE}{table.name}":
            message = f"Every row of 'Targets' needs '@odata.type' with the value '{NAMESPACE}{table.name}'."
            raise payload(table.entity_set, message)
    return targets


def _create(work: Work, table: Table, targets: list[Target]) -> Reply:
    made = []
    for each in targets:
        parsed = parse_body(each, table, work.session.reference, work.schema, creating=True)
        made.append(work.writer.create(table, parsed))
    context = f"{work.base}$metadata#{NAMESPACE}CreateMultipleResponse"
    return json_reply(200, {"@odata.context": context, "Ids": made})


def _update(work: Work, table: Table, targets: list[Target]) -> Reply:
    for each in targets:
        found = _named(work, table, each)
        if found is None:
            raise payload(table.entity_set, "Every row to update needs its id, or '@odata.id'.")
        if found.row_id is None or work.rows.get(table.name, found.row_id) is None:
            raise no_row(table.name, found.row_id or str(found.values))
        upsert(work, table, each, found)
    return Reply(204)


def _upsert(work: Work, table: Table, targets: list[Target]) -> Reply:
    for each in targets:
        upsert(work, table, each, _named(work, table, each) or Found(None))
    return Reply(204)


def _named(work: Work, table: Table, target: Mapping[str, Any]) -> Found | None:
    """Return which row a target means: `@odata.id`, which may hold an alternate key, or its own id."""
    address = target.get("@odata.id")
    if address is None:
        value = target.get(table.primary_id)
        return None if value is None else Found(guid(value, table))
    if not isinstance(address, str):
        raise payload(table.entity_set, "'@odata.id' must be an address.")
    path = split_url(address)[0]
    segments = parse_address(address).segments if "/api/data/" in path else segments_of(path)
    if len(segments) != 1 or segments[0].name != table.entity_set or segments[0].key is None:
        raise bad_query(f"'{address}' is no row of '{table.entity_set}'.")
    return find_key(work.rows, table, segments[0].key)


ACTIONS: Mapping[str, Callable[[Work, Table, list[Target]], Reply]] = {
    "CreateMultiple": _create,
    "UpdateMultiple": _update,
    "UpsertMultiple": _upsert,
}
