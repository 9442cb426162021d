"""URLs to what they name: service root, segments, keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from .errors import ServiceError, bad_query
from .query import split_top
from .schema import Schema, Table
from .store import Row, Rows

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


def key_id(rows: Rows, table: Table, key: str) -> str:
    """Return the row id a key stands for; an alternate key is looked up."""
    if _GUID.fullmatch(key):
        return key.lower()
    name, equals, value = key.partition("=")
    if not equals:
        raise bad_query("Bad Request - Error in query syntax.")
    if name == (table.inherited_key or table.primary_id) and _GUID.fullmatch(value):
        return value.lower()
    return str(_by_alternate_key(rows, table, key)[table.primary_id])


def _by_alternate_key(rows: Rows, table: Table, key: str) -> Row:
    pairs = dict(part.partition("=")[::2] for part in split_top(key, ","))
    if tuple(pairs) not in table.keys:
        message = f"The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{table.name}'."
        raise bad_query(message)
    values = {name: value.strip("'").replace("''", "'").lower() for name, value in pairs.items()}
    found = rows.find(table.name, **values)
    if not found:
        message = "A record with the specified key values does not exist in the set."
        raise ServiceError(404, "0x80060891", message)
    return found[0]
