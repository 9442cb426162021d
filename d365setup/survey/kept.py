"""What a snapshot keeps for plans: the rows an environment gave to queries, as it gave them. Values, and their JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from d365setup.model import Environment, Query, Row
from d365setup.survey.codec import Malformed, read

_QUERY = ("entity_set", "select", "filter", "expand", "key")
_ANSWER = frozenset({*_QUERY, "rows", "refused"})
_KEPT = frozenset({"user_id", "name_format", "width", "answers", "sha256"})
_WIDEST = 64  # requests side by side; more than any environment has hinted at

Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A query and its rows; None where the environment refused them, for this reason."""

    query: Query
    rows: tuple[Row, ...] | None = ()
    refused: str = ""


@dataclass(frozen=True)
class Kept:
    """What an environment answered; ``width`` is how many requests it takes side by side."""

    environment: Environment
    answers: tuple[Answer, ...] = ()
    width: int = 4


def kept_written(kept: Kept) -> Values:
    """As JSON has it. The digest tells of edits; it is no signature."""
    where = kept.environment
    answers = [
        {
            **{name: _plain(getattr(each.query, name)) for name in _QUERY},
            "rows": None if each.rows is None else list(each.rows),
            "refused": each.refused,
        }
        for each in kept.answers
    ]
    said = {"user_id": where.user_id, "name_format": where.name_format, "width": kept.width, "answers": answers}
    return {**said, "sha256": _digest(said)}


def kept_read(value: Any, environment: Environment) -> Kept:
    """What the JSON stands for; ``environment`` is what the rest of the snapshot says. Raises Malformed."""
    said = _object(value, _KEPT, "kept")
    digest = said.pop("sha256")
    if digest != _digest(said):
        raise Malformed("kept was changed since it was written (its sha256 is another)")
    where = Environment(
        environment.url,
        environment.organization_id,
        environment.name,
        read(str, said["user_id"], "kept.user_id", "user_id"),
        environment.root_business_unit,
        read(int, said["name_format"], "kept.name_format"),
        environment.taken_at,
    )
    width = read(int, said["width"], "kept.width")
    if not 1 <= width <= _WIDEST:
        raise Malformed(f"kept.width is {width}, not a number from 1 to {_WIDEST}")
    if not isinstance(said["answers"], list):
        raise Malformed("kept.answers is not a list")
    answers = (_answer(each, f"kept.answers[{index}]") for index, each in enumerate(said["answers"]))
    return Kept(where, tuple(answers), width)


def _answer(value: Any, where: str) -> Answer:
    said = _object(value, _ANSWER, where)
    query = Query(
        "",
        read(str, said["entity_set"], f"{where}.entity_set"),
        read(tuple[str, ...], said["select"], f"{where}.select"),
        read(str, said["filter"], f"{where}.filter"),
        read(tuple[str, ...], said["expand"], f"{where}.expand"),
        read(str, said["key"], f"{where}.key"),
    )
    refused = read(str, said["refused"], f"{where}.refused")
    if said["rows"] is None:
        return Answer(query, None, refused)
    if not isinstance(said["rows"], list):
        raise Malformed(f"{where}.rows is not a list")
    expanded = dict(map(_expansion, query.expand))
    rows = (_row(each, query, expanded, f"{where}.rows[{index}]") for index, each in enumerate(said["rows"]))
    return Answer(query, tuple(rows), refused)


def _expansion(text: str) -> tuple[str, tuple[str, ...]]:
    """The name and the columns of ``name($select=a,b)``."""
    name, _, columns = text.partition("($select=")
    return name, tuple(columns.removesuffix(")").split(",")) if columns else ()


def _row(value: Any, query: Query, expanded: Mapping[str, tuple[str, ...]], where: str) -> Row:
    """A row with every column that was asked for, an id among them, and nothing nested but what was expanded."""
    row = _flat(value, (*query.select, *expanded), frozenset(expanded), where)
    if not isinstance(row.get(query.row_key), str):
        raise Malformed(f"{where}.{query.row_key[:60]} is no id")
    for name, columns in expanded.items():
        inner = row[name]
        for each in inner if isinstance(inner, list) else () if inner is None else (inner,):
            _flat(each, columns, frozenset(), f"{where}.{name[:60]}")
    return row


def _flat(value: Any, columns: Iterable[str], nested: frozenset[str], where: str) -> Row:
    if not isinstance(value, dict):
        raise Malformed(f"{where} is not an object")
    for name in columns:
        if name not in value:
            raise Malformed(f"{where} has no {name[:60]!r}")
    for name, each in value.items():
        if name not in nested and not _is_plain(each):
            raise Malformed(f"{where}.{name[:60]} is not a plain value")
    found: Row = value
    return found


def _is_plain(value: Any) -> bool:
    """A column's value; a managed property is an object of such, as `iscustomizable`."""
    inner = value.values() if isinstance(value, dict) else (value,)
    return not any(isinstance(each, dict | list) for each in inner)


def _object(value: Any, keys: frozenset[str], where: str) -> Values:
    if not isinstance(value, Mapping):
        raise Malformed(f"{where} is not an object")
    for key in sorted(keys ^ value.keys()):
        raise Malformed(f"{where} has {key[:60]!r}, which nobody knows" if key in value else f"{where} has no {key!r}")
    return dict(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _digest(said: Values) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
