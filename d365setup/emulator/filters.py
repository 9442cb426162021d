"""A `$filter` tree to one SQL condition, with the service's own refusals."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import conditions, syntax
from .conditions import Caller, Subject
from .errors import ServiceError, bad_query, no_property
from .options import Switches
from .schema import Collection, Column, ManyToMany, Schema, Table
from .store import quoted
from .syntax import NAMESPACE, Call, Compare, Lambda, Literal, Logical, Named, Node, Not, Path

MAX_CONDITIONS = 500
_SQL_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_FLIPPED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}


@dataclass(frozen=True)
class Place:
    """A table of the query under its SQL alias."""

    alias: str
    table: Table


@dataclass(frozen=True)
class Operand:
    """An SQL expression and the column it comes from; no column: a navigation property."""

    sql: str
    column: Column | None
    place: Place


@dataclass
class FilterCompiler:
    """Compiles trees for one query; collects the parameters of all of them."""

    schema: Schema
    switches: Switches
    caller: Caller = field(default_factory=Caller)
    parameters: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    """Properties of the root table the filter mentions."""
    _aliases: int = 0
    _conditions: int = 0

    def place(self, table: str) -> Place:
        """Return a table under an alias nothing else in the query has."""
        self._aliases += 1
        return Place(f"t{self._aliases}", self.schema.tables[table])

    def parameter(self, value: Any) -> str:
        """Return the mark that stands for a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def condition(self, node: Node, root: Place, variables: dict[str, Place] | None = None) -> str:
        """Return the SQL condition of a tree."""
        inside = variables or {}
        if isinstance(node, Logical):
            parts = [self.condition(each, root, inside) for each in node.operands]
            return "(" + f" {node.operator.upper()} ".join(parts) + ")"
        if isinstance(node, Not):
            return f"(NOT {self.condition(node.operand, root, inside)})"
        if isinstance(node, Lambda):
            return self._lambda(node, root, inside)
        return self._leaf(node, root, inside)

    def _leaf(self, node: Node, root: Place, inside: dict[str, Place]) -> str:
        self.count_condition()
        if isinstance(node, Compare):
            return self._compare(node, root, inside)
        if isinstance(node, Call):
            return self._call(node, root, inside)
        if isinstance(node, Named):
            return self._named(node, root)
        return self._bare(node, root, inside)

    def count_condition(self) -> None:
        """Count one more condition; too many are refused."""
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise conditions.too_many(MAX_CONDITIONS)

    def _bare(self, node: Node, root: Place, variables: dict[str, Place]) -> str:
        if isinstance(node, Path):
            operand = self.operand(node.parts, root, variables)
            if operand.column is not None and operand.column.type == "Boolean":
                return f"({operand.sql} = 1)"
        raise bad_query("The $filter expression must evaluate to a single boolean value.")

    def operand(self, parts: tuple[str, ...], root: Place, variables: dict[str, Place]) -> Operand:
        """Return the SQL of a property reached through single-valued navigation properties."""
        if parts[0] in variables:
            place, rest = variables[parts[0]], parts[1:]
            if not rest:
                raise bad_query(f"The range variable '{parts[0]}' cannot be compared.")
            return self._reach(place, rest)
        self.names.add(parts[0])
        return self._reach(root, parts)

    def _reach(self, place: Place, parts: tuple[str, ...]) -> Operand:
        name, rest = parts[0], parts[1:]
        if not rest:
            return self._last(place, name)
        if name in place.table.collections:
            raise bad_query(f"The parent value for a property access of a property '{rest[0]}' is not a single value.")
        column, target = self._step(place.table, name)
        inner = self._reach(self.place(target.name), rest)
        next_place = _joined(inner)
        sql = (
            f"(SELECT {inner.sql} FROM {quoted(target.name)} {next_place.alias} "  # noqa: S608  # names from the schema
            f"WHERE {next_place.alias}.{quoted(target.primary_id)} = {place.alias}.{quoted(column.name)})"
        )
        return Operand(sql, inner.column, place)

    def _step(self, table: Table, name: str) -> tuple[Column, Table]:
        if name not in table.lookups:
            raise no_property(name, table.name)
        column, targets = table.lookups[name]
        if len(targets) > 1 or targets[0] not in self.schema.tables:
            raise bad_query(f"The navigation property '{name}' cannot be followed in a filter.")
        return column, self.schema.tables[targets[0]]

    def _last(self, place: Place, name: str) -> Operand:
        if name == place.table.inherited_key:
            name = place.table.primary_id
        column = place.table.properties.get(name)
        if column is not None:
            return Operand(f"{place.alias}.{quoted(column.name)}", column, place)
        if name in place.table.lookups:
            lookup, _ = place.table.lookups[name]
            return Operand(f"{place.alias}.{quoted(lookup.name)}", None, place)
        raise no_property(name, place.table.name)

    def _compare(self, node: Compare, root: Place, variables: dict[str, Place]) -> str:
        left, right, operator = node.left, node.right, node.operator
        if isinstance(left, Literal) and isinstance(right, Path):
            left, right, operator = right, left, _FLIPPED.get(operator, operator)
        if not isinstance(left, Path):
            raise bad_query("A condition must compare a property.")
        first = self.operand(left.parts, root, variables)
        if isinstance(right, Literal):
            return self._against_literal(first, operator, right)
        if isinstance(right, Path):
            return self._against_path(first, operator, self.operand(right.parts, root, variables))
        raise bad_query("A condition must compare a property with a value or a property.")

    def _against_path(self, left: Operand, operator: str, right: Operand) -> str:
        if left.column is None or right.column is None or left.column.edm != right.column.edm:
            raise _incompatible(left.column, right.column.edm if right.column else "navigation", operator)
        a, b = _comparable(left.sql, left.column), _comparable(right.sql, right.column)
        return f"({a} {_SQL_OPERATORS[operator]} {b})"

    def _against_literal(self, left: Operand, operator: str, literal: Literal) -> str:
        if literal.kind == "null":
            return _null_test(left.sql, operator)
        if left.column is None:
            raise _incompatible(None, literal.kind, operator)
        value = literal_value(left, operator, literal)
        sql = f"{_comparable(left.sql, left.column)} {_SQL_OPERATORS[operator]} "
        sql += _comparable(self.parameter(value), left.column)
        if operator == "ne" and self.switches.not_equal_null == "included":
            return f"({left.sql} IS NULL OR {sql})"
        return f"({sql})"

    def _call(self, node: Call, root: Place, variables: dict[str, Place]) -> str:
        subject, pattern = node.arguments
        if not isinstance(subject, Path) or not isinstance(pattern, Literal) or pattern.kind != "string":
            raise bad_query(f"No function signature for the function with name '{node.function}' matches.")
        operand = self.operand(subject.parts, root, variables)
        if operand.column is None or operand.column.edm != "Edm.String":
            raise bad_query(f"No function signature for the function with name '{node.function}' matches.")
        return f"sql_like('{node.function}', {operand.sql}, {self.parameter(pattern.value)})"

    def _lambda(self, node: Lambda, root: Place, variables: dict[str, Place]) -> str:
        place, navigation = self._collection_owner(node.path, root, variables)
        collection = place.table.collections[navigation]
        inner = self.place(collection.table)
        joined = collection_join(collection, inner, place)
        if node.body is None or node.variable is None:
            return f"EXISTS (SELECT 1 {joined})"
        body = self.condition(node.body, root, {**variables, node.variable: inner})
        if node.quantifier == "any":
            return f"EXISTS (SELECT 1 {joined} AND {body})"
        return f"NOT EXISTS (SELECT 1 {joined} AND NOT coalesce({body}, 0))"

    def _collection_owner(self, path: tuple[str, ...], root: Place, variables: dict[str, Place]) -> tuple[Place, str]:
        place, rest = (variables[path[0]], path[1:]) if path[0] in variables else (root, path)
        if len(rest) != 1:
            raise bad_query("A collection reached through a lookup cannot be used with any or all.")
        if rest[0] not in place.table.collections:
            raise no_property(rest[0], place.table.name)
        return place, rest[0]

    def _named(self, node: Named, root: Place) -> str:
        if node.function not in conditions.QUERY_FUNCTIONS:
            raise _no_function(node.function)
        name = node.parameters.get("PropertyName")
        if not isinstance(name, str):
            raise bad_query(f"The function '{node.function}' needs PropertyName.")
        column = root.table.columns.get(name) or root.table.properties.get(name)
        if column is None:
            raise no_property(name, root.table.name)
        self.names.add(column.public)
        operator = conditions.fetch_name(node.function)
        return conditions.test(self.subject(root, column), operator, _values(node, operator))

    def subject(self, place: Place, column: Column) -> Subject:
        """Return a column as query operators take it."""
        return Subject(
            f"{place.alias}.{quoted(column.name)}",
            column,
            self.caller,
            self.parameter,
            lambda text: from_text(column, text),
            self.switches.not_equal_null == "included",
        )


def _values(node: Named, operator: str) -> tuple[str, ...]:
    """Return the values of a query function; a list has a name of its own."""
    listed = operator in {"in", "not-in", "between", "not-between", "contain-values", "not-contain-values"}
    name = "PropertyValues" if listed else "PropertyValue"
    other = "PropertyValue" if listed else "PropertyValues"
    given = node.parameters.get(name, () if not listed else None)
    if other in node.parameters or given is None or isinstance(given, tuple) is not (listed or not given):
        raise bad_query(f"The function '{node.function}' needs PropertyName and {name}.")
    return given if isinstance(given, tuple) else (given,)


def _no_function(name: str) -> ServiceError:
    if conditions.ABSENT_FUNCTIONS.fullmatch(name):
        return ServiceError(501, "0x80060888", f"The emulator does not serve the function '{name}'.")
    return bad_query(f"An unknown function with name '{NAMESPACE}{name}' was found.")


def collection_join(collection: Collection, inner: Place, outer: Place) -> str:
    """Return the FROM and WHERE that give a row's collection; more conditions follow with AND."""
    outer_id = f"{outer.alias}.{quoted(outer.table.primary_id)}"
    source = f"FROM {quoted(inner.table.name)} {inner.alias}"
    if isinstance(collection, ManyToMany):
        link = f"{inner.alias}x"
        return (
            f"{source} JOIN {quoted(collection.intersect)} {link} "
            f"ON {link}.{quoted(collection.other_column)} = {inner.alias}.{quoted(inner.table.primary_id)} "
            f"WHERE {link}.{quoted(collection.this_column)} = {outer_id}"
        )
    return f"{source} WHERE {inner.alias}.{quoted(collection.column)} = {outer_id}"


def _joined(operand: Operand) -> Place:
    return operand.place


def _null_test(sql: str, operator: str) -> str:
    if operator == "eq":
        return f"({sql} IS NULL)"
    if operator == "ne":
        return f"({sql} IS NOT NULL)"
    return "(0)"


def _comparable(sql: str, column: Column) -> str:
    return f"sort_key({sql})" if column.edm == "Edm.String" else sql


def _incompatible(column: Column | None, other: str, operator: str) -> ServiceError:
    first = column.edm if column is not None else "navigation"
    return bad_query(
        "A binary operator with incompatible types was detected. "
        f"Found operand types '{first}' and '{other}' for operator kind '{operator}'."
    )


_LITERALS = {
    "Edm.String": {"string"},
    "Edm.Int32": {"number"},
    "Edm.Int64": {"number"},
    "Edm.Double": {"number"},
    "Edm.Boolean": {"boolean"},
    "Edm.Guid": {"guid"},
    "Edm.DateTimeOffset": {"datetime"},
}


def literal_value(left: Operand, operator: str, literal: Literal) -> Any:
    """Return a literal as it is stored; a literal of another type is refused as the service does."""
    column = left.column
    edm = column.edm if column is not None else ""
    if left.place.table.intersect and edm == "Edm.Guid" and literal.kind == "string":
        return from_text(column, str(literal.value)) if column else None
    if literal.kind not in _LITERALS.get(edm, set()):
        raise _incompatible(column, f"Edm.{literal.kind.capitalize()}", operator)
    if literal.kind == "datetime":
        return moment(str(literal.value))
    if literal.kind == "boolean":
        return int(bool(literal.value))
    return literal.value


def from_text(column: Column | None, value: str) -> Any:
    """Return the stored value a quoted parameter stands for."""
    edm = column.edm if column is not None else "Edm.String"
    try:
        return _FROM_TEXT.get(edm, _plain)(value)
    except ValueError:
        raise bad_query(f"Cannot convert the literal '{value}' to the expected type '{edm}'.") from None


def moment(text: str) -> str:
    """Return a date or point in time as the service stores it: UTC, to the second."""
    try:
        parsed = datetime.fromisoformat(text)
        zoned = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_query(f"Cannot convert the literal '{text}' to the expected type 'Edm.DateTimeOffset'.") from None
    return zoned.strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(text: str) -> str:
    text.encode()  # half a character pair is no text
    return text


def _whole(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_FROM_TEXT: dict[str, Any] = {
    "Edm.Guid": lambda text: str(uuid.UUID(text)),
    "Edm.Int32": _whole,
    "Edm.Int64": _whole,
    "Edm.Double": _number,
    "Edm.Boolean": lambda text: int({"true": 1, "false": 0, "1": 1, "0": 0}.get(text.lower(), 0)),
    "Edm.DateTimeOffset": moment,
}

parse_filter = syntax.parse_filter
