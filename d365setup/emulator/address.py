"""URLs to what they name: service root, segments, keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from .errors import ServiceError, bad_query
from .filters import from_text
from .query import split_top
from .schema import Column, Schema, Table
from .store import Row, Rows, quoted

SERVICE = re.compile(r"/+api/data/(?P<version>v\d+\.\d+)(?:/(?P<rest>.*))?\Z", re.DOTALL)
VERSIONS = frozenset({"v9.0", "v9.1", "v9.2"})
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SEGMENT = re.compile(r"(?P<name>[^(]+)(?:\((?P<key>.*)\))?", re.DOTALL)


@dataclass(frozen=True)
class Segment:
    """One part of a path; `key` is what stands in brackets."""

    name: str
    key: str | None = None


@dataclass(frozen=True)
class Address:
    """A URL below the service root."""

    version: str
    segments: tuple[Segment, ...]
    query: str

    @property
    def first(self) -> Segment:
        """The set or function."""
        return self.segments[0]


def parse_address(url: str) -> Address:
    """Return the address of an absolute or rooted URL; unknown versions are answered 501."""
    parts = split_url(url)
    found = SERVICE.fullmatch(unquote(parts[0]))
    if found is None:
        raise no_version(parts[0])
    if found["version"] not in VERSIONS:
        message = f"The version '{found['version']}' of the Web API is not served."
        raise ServiceError(501, "0x8006088a", message)
    return Address(found["version"], segments_of(found["rest"] or ""), parts[1])


def split_url(url: str) -> tuple[str, str]:
    """Return path and query of a URL, absolute or not."""
    if re.match(r"https?://", url):
        try:
            split = urlsplit(url)
        except ValueError:
            raise bad_query(f"Invalid URI: '{url}'.") from None
        return split.path, split.query
    path, _, query = url.partition("?")
    return path, query.partition("#")[0]


class NoVersion(ServiceError):  # it names what was found
    """A path without a version: the service answers it with `{"Message"}` only."""


def no_version(path: str) -> ServiceError:
    """Return the answer to a path outside the versions, or outside the API altogether."""
    if path.rstrip("/").endswith("/api/data"):
        message = "Requested API Version must be provided. Example: /api/data/v9.2"
        return NoVersion(400, "", message)
    return NoVersion(404, "", f"No HTTP resource was found that matches the request URI '{path}'.")


def segments_of(path: str) -> tuple[Segment, ...]:
    """Return the parts of a path below the service root."""
    return tuple(_segment(part) for part in split_top(path.strip("/"), "/"))


def _segment(text: str) -> Segment:
    found = _SEGMENT.fullmatch(text)
    if found is None:
        raise bad_query("Bad Request - Error in query syntax.")
    return Segment(found["name"], found["key"])


def table_of(schema: Schema, segment: Segment) -> Table:
    """Return the table of a set; unknown names are the service's 404."""
    table = schema.sets.get(segment.name)
    if table is None:
        raise ServiceError(404, "0x80060888", f"Resource not found for the segment '{segment.name}'.")
    return table


@dataclass(frozen=True)
class Found:
    """What a key leads to: a row id, of a row that may not be there; or only the values of an alternate key."""

    row_id: str | None
    values: Row = field(default_factory=dict)
    """Column values of the alternate key; empty when the key is the row's id."""


def find_key(rows: Rows, table: Table, key: str) -> Found:
    """Return what a key leads to; an alternate key is looked up."""
    if _GUID.fullmatch(key):
        return Found(key.lower())
    name, equals, value = key.partition("=")
    if not equals:
        raise bad_query("Bad Request - Error in query syntax.")
    if name == (table.inherited_key or table.primary_id) and _GUID.fullmatch(value):
        return Found(value.lower())
    values = _alternate_key(table, key)
    tests = " AND ".join(f"sort_key({quoted(column)}) = sort_key(?)" for column in values)
    sql = f"SELECT * FROM {quoted(table.name)} WHERE {tests}"  # noqa: S608  # names from the schema
    found = rows.select(sql, list(values.values()))
    return Found(found[0][table.primary_id] if found else None, values)


def key_id(rows: Rows, table: Table, key: str) -> str:
    """Return the row id a key stands for; an alternate key without a row is a 404."""
    found = find_key(rows, table, key)
    if found.row_id is None:
        raise no_row_by_key()
    return found.row_id


def no_row_by_key() -> ServiceError:
    """Return the answer about an alternate key that no row has."""
    return ServiceError(404, "0x80060891", "A record with the specified key values does not exist in the set.")


def _alternate_key(table: Table, key: str) -> Row:
    given = [part.partition("=") for part in split_top(key, ",")]
    columns = {name: table.properties.get(name) for name, _, _ in given}
    names = {column.name for column in columns.values() if column is not None}
    declared = any(names == set(parts) for parts in table.keys)
    if not declared or len(given) != len(names) or None in columns.values():
        message = f"The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{table.name}'."
        raise bad_query(message)
    return {column.name: _key_value(column, text) for name, _, text in given if (column := columns[name])}


def _key_value(column: Column, text: str) -> Any:
    quoted_text = len(text) > 1 and text.startswith("'") and text.endswith("'")
    if column.edm == "Edm.String" and not quoted_text:
        raise bad_query(f"The value of the key part '{column.public}' must stand in single quotes.")
    value = text[1:-1].replace("''", "'") if quoted_text else text
    if value == "":
        raise bad_query(f"The key part '{column.public}' is empty: such a row cannot be addressed by this key.")
    return from_text(column, value)
