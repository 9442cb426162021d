"""What the page of any other document shows: its published JSON value as lists and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from d365setup.report.as_json import data
from d365setup.report.documents import Document

_DEEPEST = 12


@dataclass(frozen=True)
class Table:
    """Mappings with the same keys, as rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Fields:
    """A mapping: names with what stands there."""

    pairs: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[Any, ...]


@dataclass(frozen=True)
class PlainView:
    """Everything the template needs: small facts first, then a section for each larger part."""

    title: str
    verdict: str
    level: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[tuple[str, Table | Fields | Items | str], ...]


def plain_view(document: Document) -> PlainView:
    """The value taken apart by shape alone: a document made tomorrow is shown too."""
    value = dict(data(document))
    name = str(value.pop("schema", "")).split("/")[1:2]
    title = label(name[0] if name else "report")
    facts = tuple((label(key), _said(each)) for key, each in value.items() if _is_small(each))
    sections = tuple((label(key), shaped(each)) for key, each in value.items() if not _is_small(each) and each)
    code = value.get("exit_code", 0)
    verdict = str(value.get("message") or ("Nothing is wrong" if code == 0 else "Something needs attention"))
    return PlainView(title, verdict, "good" if code == 0 else "error", facts, sections)


def label(key: str) -> str:
    """`exit_code` as people read it: `Exit code`."""
    text = str(key).replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def shaped(value: Any, depth: int = 0) -> Table | Fields | Items | str:
    """A JSON value as what it is shown as."""
    if depth > _DEEPEST or _is_small(value):
        return _said(value)
    if isinstance(value, Mapping):
        return Fields(tuple((label(key), shaped(each, depth + 1)) for key, each in value.items()))
    if _is_tabular(value):
        columns = tuple(dict.fromkeys(key for row in value for key in row))
        rows = tuple(tuple(_said(row.get(key)) for key in columns) for row in value)
        return Table(tuple(label(key) for key in columns), rows)
    return Items(tuple(shaped(each, depth + 1) for each in value))


def _is_small(value: Any) -> bool:
    return not isinstance(value, Mapping | list | tuple)


def _is_tabular(value: Any) -> bool:
    rows = list(value)
    return len(rows) > 1 and all(isinstance(row, Mapping) and all(map(_is_small, row.values())) for row in rows)


def _said(value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
