"""Conditions for `$filter`, never more in one query than the service takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

MOST_TERMS = 100  # in one query; the service refuses more than 500 (web-api page, section 1.8)
MOST_TEXT = 8000  # characters of one filter as it travels, percent-encoded; an address may have 32 KB


def alternatives(terms: Iterable[str]) -> Iterator[str]:
    """The terms joined by `or`, in as few filters as the limits allow; nothing for no terms."""
    part: list[str] = []
    size = 0
    for term in dict.fromkeys(terms):
        length = len(quote(f" or {term}"))
        if part and (len(part) == MOST_TERMS or size + length > MOST_TEXT):
            yield " or ".join(part)
            part, size = [], 0
        part.append(term)
        size += length
    if part:
        yield " or ".join(part)


def named(column: str, names: Iterable[str]) -> Iterator[str]:
    """Filters that find rows by name. The service ignores case here, so near misses come along and are noticed."""
    return alternatives(f"{column} eq {quoted(name)}" for name in names)


def quoted(text: str) -> str:
    """An OData string literal: single quotes doubled (web-api page, section 1.8)."""
    return "'" + text.replace("'", "''") + "'"
