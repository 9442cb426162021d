"""OData 4.0 addresses: literals, keys and query strings. Pure.

Rules: OData 4.0 part 2 (URL conventions) and learn.microsoft.com, "Query data using the Web API".
"""

import re
from collections.abc import Sequence
from urllib.parse import quote
from uuid import UUID

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_QUERY_SAFE = "/?:@!$'()*,;="  # what RFC 3986 allows in a query and OData gives no second meaning
_PATH_SAFE = "/:@!$'()*,;="
MAX_CONDITIONS = 500  # more in one query are refused with 0x8004430c


def quote_string(value: str) -> str:
    """A string literal: quotes doubled. Not yet percent-encoded; `query` does that."""
    return "'" + value.replace("'", "''") + "'"


def guid(value: str | UUID) -> str:
    """The lower-case form without braces; raises ValueError for anything that is not a GUID."""
    text = str(value).strip().lower()
    bare = text[1:-1] if text[:1] == "{" and text[-1:] == "}" else text
    if not _GUID.fullmatch(bare):
        raise ValueError(f"{value!r} is not a GUID like 01234567-89ab-cdef-0123-456789abcdef")
    return bare


def key(entity_set: str, row_id: str | UUID) -> str:
    """The path of one row by its id."""
    return f"{_path(entity_set)}({guid(row_id)})"


def query(
    entity_set: str,
    select: Sequence[str] = (),
    filter: str = "",  # noqa: A002  # the option's own name
    expand: Sequence[str] = (),
    orderby: str = "",
    top: int | None = None,
) -> str:
    """A path relative to the service root with its query string percent-encoded; options left out are not sent."""
    if top is not None and top < 1:
        raise ValueError(f"$top must be 1 or more, not {top}")
    options = {
        "$select": ",".join(select),
        "$filter": filter,
        "$expand": ",".join(expand),
        "$orderby": orderby,
        "$top": "" if top is None else str(top),
    }
    text = "&".join(f"{name}={quote(value, safe=_QUERY_SAFE)}" for name, value in options.items() if value)
    return f"{_path(entity_set)}?{text}" if text else _path(entity_set)


def any_of(column: str, values: Sequence[str | int | UUID]) -> str:
    """A condition that one of the values holds: strings quoted, numbers and UUID objects bare.

    Raises ValueError for no values (nothing can be asked) and for more than one query may hold.
    """
    if not values:
        raise ValueError(f"no values to compare {column} with: leave the query out instead")
    if len(values) > MAX_CONDITIONS:
        raise ValueError(f"{len(values)} conditions on {column}; a query holds {MAX_CONDITIONS}: split it")
    return "(" + " or ".join(f"{column} eq {_literal(value)}" for value in values) + ")"


def _literal(value: str | int | UUID) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quote_string(value) if isinstance(value, str) else str(value)


def _path(entity_set: str) -> str:
    if not entity_set or any(character in "?#\\" or not character.isprintable() for character in entity_set):
        raise ValueError(f"{entity_set!r} is not an entity set or a path below one")
    return quote(entity_set, safe=_PATH_SAFE)
