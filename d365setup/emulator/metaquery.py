"""`$select`, `$filter` and `$expand` over descriptions: lists never page, there is no order and no count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import bad_query
from .metadata import NAMESPACE, Row
from .metamodel import KINDS, Kind
from .query import split_top
from .schema import Schema
from .syntax import Compare, Literal, Logical, Node, Not, Path, parse_filter

MAX_DEPTH = 4
_KNOWN = frozenset({"$select", "$filter", "$expand", "$top", "LabelLanguages", "annotations"})
_ENUM = re.compile(r"Microsoft\.Dynamics\.CRM\.(\w+)'")
_ENUMS = frozenset(
    {
        "AttributeTypeCode", "AttributeRequiredLevel", "EntityKeyIndexStatus", "OptionSetType", "OwnershipTypes",
        "RelationshipType", "SecurityTypes",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which descriptions, and what of them."""

    select: tuple[str, ...] = ()
    filter: Node | None = None
    expand: tuple[tuple[str, Wanted], ...] = ()

    @property
    def fragment(self) -> str:
        """The part of `@odata.context` that repeats the selection."""
        parts = [*self.select, *(f"{name}{wanted.fragment or '()'}" for name, wanted in self.expand)]
        return f"({','.join(parts)})" if parts else ""


def read_wanted(given: Mapping[str, str], depth: int = 0) -> Wanted:
    """Return what query options ask for; raises the service's 400 on those metadata does not know."""
    for name in given:
        if name not in _KNOWN and not name.startswith("@"):
            raise bad_query(f"The query parameter '{name}' is not supported.")
    if depth > MAX_DEPTH:
        raise bad_query(f"The number of expands exceeds the limit of {MAX_DEPTH}.")
    aliases = {name: value for name, value in given.items() if name.startswith("@")}
    expand = [_expand(part, depth) for part in split_top(given.get("$expand", ""), ",")]
    return Wanted(
        select=tuple(split_top(given.get("$select", ""), ",")),
        filter=_filter(given["$filter"], aliases) if "$filter" in given else None,
        expand=tuple(expand),
    )


def _filter(text: str, aliases: Mapping[str, str]) -> Node:
    for name in _ENUM.findall(text):
        if name not in _ENUMS:
            raise bad_query(f"The type '{NAMESPACE}{name}' is not a known enumeration type.")
    return parse_filter(text, aliases)


def _expand(text: str, depth: int) -> tuple[str, Wanted]:
    name, bracket, rest = text.partition("(")
    if bracket and not rest.endswith(")"):
        raise bad_query(f"Syntax error in $expand '{text}'.")
    options = dict(part.partition("=")[::2] for part in split_top(rest[:-1], ";"))
    return name.strip(), read_wanted({key.strip(): value for key, value in options.items()}, depth + 1)


def found(schema: Schema, kind: Kind, rows: Iterable[Row], wanted: Wanted) -> list[Row]:
    """Return those rows that fit, with what was asked of them."""
    kept = list(rows)
    known = _known(kind, kept)
    if wanted.filter is not None:
        kept = [row for row in kept if _holds(wanted.filter, row, kind, known)]
    return [shown(schema, kind, row, wanted, known) for row in kept]


def shown(schema: Schema, kind: Kind, row: Row, wanted: Wanted, known: frozenset[str] | None = None) -> Row:
    """Return what is asked of one row; MetadataId comes unasked."""
    known = _known(kind, [row]) if known is None else known
    for name in wanted.select:
        _check(name, kind, known)
    names = {"@odata.type", "MetadataId", *wanted.select} if wanted.select else set(row)
    result = {name: value for name, value in row.items() if name in names}
    if kind.base is None:
        result.pop("@odata.type", None)
    for name, inner in wanted.expand:
        result[name] = _followed(schema, kind, row, name, inner)
    return result


def _followed(schema: Schema, kind: Kind, row: Row, name: str, wanted: Wanted) -> list[Row] | Row | None:
    if name not in kind.follows:
        raise _no_property(name, kind)
    target, follow = kind.follows[name]
    there = follow(schema, row)
    if isinstance(there, list):
        return found(schema, KINDS[target], there, wanted)
    return None if there is None else shown(schema, KINDS[target], there, wanted)


def _known(kind: Kind, rows: Iterable[Row]) -> frozenset[str]:
    """Return what may be named: the common properties of mixed rows, else whatever a row has."""
    return kind.base or frozenset(name for row in rows for name in row)


def _check(name: str, kind: Kind, known: frozenset[str]) -> None:
    if known and name not in known:
        raise _no_property(name, kind)


def _no_property(name: str, kind: Kind) -> Exception:
    return bad_query(f"Could not find a property named '{name}' on type '{NAMESPACE}{kind.name}'.")


def _holds(node: Node, row: Row, kind: Kind, known: frozenset[str]) -> bool:
    if isinstance(node, Logical):
        every = [_holds(each, row, kind, known) for each in node.operands]
        return all(every) if node.operator == "and" else any(every)
    if isinstance(node, Not):
        return not _holds(node.operand, row, kind, known)
    if isinstance(node, Compare) and isinstance(node.left, Path) and isinstance(node.right, Literal):
        _check(node.left.parts[0], kind, known)
        return _compared(node.operator, _value(row, node.left.parts), node.right.value)
    if isinstance(node, Path):
        _check(node.parts[0], kind, known)
        return _value(row, node.parts) is True
    raise bad_query("Metadata is filtered with eq, ne, and, or, not only.")


def _compared(operator: str, value: object, wanted: object) -> bool:
    if operator not in {"eq", "ne"}:
        raise bad_query(f"Metadata cannot be filtered with '{operator}'.")
    return (value == wanted) is (operator == "eq")


def _value(row: Row, parts: tuple[str, ...]) -> Any:
    value: Any = row
    for part in parts:
        if value is None:
            return None
        if not isinstance(value, dict) or part not in value:
            raise bad_query(f"Could not find a property named '{part}'.")
        value = value[part]
    return value
