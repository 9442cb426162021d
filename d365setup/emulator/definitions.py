"""Metadata over HTTP: `EntityDefinitions`, `RelationshipDefinitions`, `GlobalOptionSetDefinitions` and below."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .changes import NAME as RETRIEVE_CHANGES
from .changes import on_changes
from .context import Work
from .csdl import on_metadata_document
from .errors import ServiceError, bad_query, no_segment, not_allowed, not_served
from .metadata import NAMESPACE, Row
from .metamodel import KINDS, ROOTS, Kind, cast, roots
from .metaquery import Wanted, found, read_wanted, shown
from .operation import Reply, json_reply
from .query import split_query

_KEY = re.compile(r"(\w+)='((?:[^']|'')*)'")
_ID = re.compile(r"(?:MetadataId=)?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")
_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Place:
    """Where a path has led: descriptions of one kind, one of them, nothing, or a plain value."""

    kind: Kind
    context: str
    rows: list[Row] | None = None
    row: Row | None = None


def on_definitions(work: Work) -> Reply:
    """Answer a request to metadata; changes of it are not acted out."""
    method = work.operation.method
    if method == "PATCH":
        raise not_allowed("The requested resource does not support http method 'PATCH'.", "0x80060888")
    if method != "GET":
        raise not_served("changes of metadata")
    wanted = read_wanted(split_query(work.address.query))
    first, *rest = work.address.segments
    kind, rows = roots(work.schema, first.name)
    place = _keyed(Place(kind, first.name, rows=rows), first.key)
    for index, segment in enumerate(rest):
        name = segment.name
        if place.row is not None and name in place.row and segment.key is None and index == len(rest) - 1:
            return _property(work, place, name)
        place = _keyed(_step(work, place, name), segment.key)
    return _reply(work, place, wanted)


def _step(work: Work, place: Place, name: str) -> Place:
    if name.startswith(NAMESPACE):
        return _cast(place, name.removeprefix(NAMESPACE))
    if place.row is None or name not in place.kind.follows:
        raise no_segment(name)
    target, follow = place.kind.follows[name]
    there = follow(work.schema, place.row)
    key = place.row.get("LogicalName", place.row["MetadataId"])
    context = f"{place.context}('{key}')/{name}"
    if isinstance(there, list):
        return Place(KINDS[target], context, rows=there)
    return Place(KINDS[target], context, row=there)


def _cast(place: Place, name: str) -> Place:
    kind = cast(place.kind, name)
    if kind is None:
        raise no_segment(f"{NAMESPACE}{name}")
    context = f"{place.context}/{NAMESPACE}{name}"
    if place.row is not None:
        if place.row.get("@odata.type") != f"#{NAMESPACE}{name}":
            raise ServiceError(404, "0x80040217", f"The description is not of type '{NAMESPACE}{name}'.")
        return Place(kind, context, row=place.row)
    return Place(
        kind, context, rows=[row for row in place.rows or () if row.get("@odata.type") == f"#{NAMESPACE}{name}"]
    )


def _keyed(place: Place, key: str | None) -> Place:
    if key is None:
        return place
    if place.rows is None:
        raise bad_query("Bad Request - Error in query syntax.")
    by_id, by_name = _ID.fullmatch(key), _KEY.fullmatch(key)
    if by_id is None and (by_name is None or by_name[1] != place.kind.key):
        raise bad_query("Bad Request - Error in query syntax.")
    name = by_name[2].replace("''", "'") if by_name else ""
    row_id = by_id[1].lower() if by_id else _NOBODY
    for row in place.rows:
        if row["MetadataId"] == row_id or (by_name and row[place.kind.key] == name):
            return Place(place.kind, place.context, row=row)
    raise place.kind.not_found(f"name {name} and id {row_id}")


def _reply(work: Work, place: Place, wanted: Wanted) -> Reply:
    context = f"{work.base}$metadata#{place.context}{wanted.fragment}"
    if place.rows is not None:
        rows = found(work.schema, place.kind, place.rows, wanted)
        return json_reply(200, {"@odata.context": context, "value": rows})
    if place.row is None:
        return Reply(204)
    return json_reply(
        200, {"@odata.context": f"{context}/$entity", **shown(work.schema, place.kind, place.row, wanted)}
    )


def _property(work: Work, place: Place, name: str) -> Reply:
    value = (place.row or {})[name]
    if value is None:
        return Reply(204)
    key = (place.row or {})["MetadataId"]
    context = f"{work.base}$metadata#{place.context}({key})/{name}"
    if isinstance(value, dict):
        return json_reply(200, {"@odata.context": context, **value})
    return json_reply(200, {"@odata.context": context, "value": value})


def _published(work: Work) -> Reply:
    """Answer a publication: there is never anything unpublished here."""
    if work.operation.method != "POST":
        raise ServiceError(404, "", f"No HTTP resource was found that matches the request URI '{work.operation.url}'.")
    return Reply(204)


def _changed(_work: Work) -> Reply:
    raise not_served("changes of metadata")


METADATA: Mapping[str, Callable[[Work], Reply]] = {
    **dict.fromkeys(ROOTS, on_definitions),
    "$metadata": on_metadata_document,
    RETRIEVE_CHANGES: on_changes,
    **dict.fromkeys(("PublishXml", "PublishAllXml"), _published),
    "CreateEntities": _changed,
}
"""First segments of an address that lead here."""
