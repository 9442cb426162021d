"""Request bodies to column values: names, JSON types, limits and choices checked as the service checks them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import ServiceError, not_served, payload
from .filters import moment
from .schema import CHOICES, Column, Schema, Table

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NULL_ID = str(uuid.UUID(int=0))
NAMESPACE = "Microsoft.Dynamics.CRM."
MAX_DEPTH = 20


@dataclass(frozen=True)
class Reference:
    """A row named in a body or URL, not yet looked up."""

    table: str
    row_id: str


@dataclass
class Parsed:
    """The columns a body sets; lookups as references still to be checked."""

    row_id: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    references: dict[str, tuple[Column, Reference | None]] = field(default_factory=dict)
    links: dict[str, list[Reference]] = field(default_factory=dict)
    """Rows bound to a collection in a create, by navigation name."""
    above: dict[str, tuple[Column, str, Parsed]] = field(default_factory=dict)
    """Rows to create first, which lookups will point to: column, table and content by column name."""
    below: dict[str, list[Parsed]] = field(default_factory=dict)
    """Rows to create afterwards in a collection, by navigation name."""


Resolve = Callable[[str], Reference]


def parse_json(body: bytes, entity_set: str) -> dict[str, Any]:
    """Return the JSON object of a body, or raise the service's payload error."""
    try:
        parsed = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_no_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise payload(entity_set, f"An error occurred while parsing the body: {error}") from None
    if not isinstance(parsed, dict):
        raise payload(entity_set, "A node of type 'StartObject' was expected.")
    return parsed


def _no_constant(name: str) -> None:
    message = f"{name} is no JSON value"
    raise ValueError(message)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a property stands there twice"
        raise ValueError(message)
    return found


def parse_body(
    body: Mapping[str, Any], table: Table, resolve: Resolve, schema: Schema, *, creating: bool, depth: int = 0
) -> Parsed:
    """Return what a create or update sets; columns not writable now are dropped without a word."""
    if depth > MAX_DEPTH:
        raise payload(table.entity_set, f"Rows stand within rows more than {MAX_DEPTH} levels deep.")
    parsed = Parsed()
    reading = _Reading(parsed, table, resolve, schema, creating, depth)
    for name, value in body.items():
        if name.endswith("@odata.bind"):
            _bind(parsed, name.removesuffix("@odata.bind"), value, table, resolve)
        elif "@" not in name:
            _plain(reading, name, value)
    return parsed


@dataclass(frozen=True)
class _Reading:
    """A body on its way into `parsed`."""

    parsed: Parsed
    table: Table
    resolve: Resolve
    schema: Schema
    creating: bool
    depth: int

    def related(self, name: str, value: Mapping[str, Any], targets: tuple[str, ...]) -> tuple[str, Parsed]:
        """Return table and content of a row given in place of a reference (deep insert)."""
        if not self.creating:
            message = f"'{name}' holds a row: rows within rows are created with a new row only, not in an update."
            raise payload(self.table.entity_set, message)
        target = _related_table(self.table, name, value, targets)
        if target not in self.schema.tables:
            raise not_served(f"rows of '{target}'")
        inner = self.schema.tables[target]
        deeper = self.depth + 1
        return target, parse_body(value, inner, self.resolve, self.schema, creating=True, depth=deeper)


def _related_table(table: Table, name: str, value: Mapping[str, Any], targets: tuple[str, ...]) -> str:
    given = str(value.get("@odata.type", "")).lstrip("#").removeprefix(NAMESPACE)
    if not given and len(targets) == 1:
        return targets[0]
    if given in targets:
        return given
    raise payload(table.entity_set, f"'{name}' needs an '@odata.type' that is one of {', '.join(targets)}.")


def _plain(reading: _Reading, name: str, value: Any) -> None:
    parsed, table = reading.parsed, reading.table
    if name in {table.primary_id, table.inherited_key}:
        parsed.row_id = guid(value, table)
        return
    column = table.columns.get(name)
    if name in table.lookups and isinstance(value, dict):
        lookup, targets = table.lookups[name]
        parsed.above[lookup.name] = (lookup, *reading.related(name, value, targets))
    elif column is not None and not column.is_lookup:
        _column_value(parsed, column, value, table, creating=reading.creating)
    elif name in table.lookups and value is None:
        _clear(parsed, table.lookups[name][0], table)
    elif name in table.lookups or name in table.properties:
        message = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead."
        raise payload(table.entity_set, message)
    elif name in table.collections:
        parsed.below[name] = _rows_below(reading, name, value)
    else:
        raise undeclared(name, table)


def _rows_below(reading: _Reading, name: str, value: Any) -> list[Parsed]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise payload(reading.table.entity_set, f"A list of rows was expected in '{name}'.")
    targets = (reading.table.collections[name].table,)
    return [reading.related(name, each, targets)[1] for each in value]


def _column_value(parsed: Parsed, column: Column, value: Any, table: Table, *, creating: bool) -> None:
    checked = checked_value(column, value, table)
    if column.create if creating else column.update:
        parsed.values[column.name] = checked


def undeclared(name: str, table: Table) -> ServiceError:
    """Return the refusal of a property the table does not have."""
    return payload(
        table.entity_set,
        f"An undeclared property '{name}' which only has property annotations in the payload but no property value "
        "was found in the payload. In OData, only declared navigation properties and declared named streams can be "
        "represented as properties without values.",
    )


def _bind(parsed: Parsed, navigation: str, value: Any, table: Table, resolve: Resolve) -> None:
    if navigation in table.collections:
        parsed.links[navigation] = [resolve(each) for each in _addresses(value, table)]
        return
    if navigation not in table.lookups:
        raise undeclared(navigation, table)
    column, targets = table.lookups[navigation]
    if value is None:
        _clear(parsed, column, table)
        return
    if not isinstance(value, str):
        raise payload(table.entity_set, f"The value of '{navigation}@odata.bind' must be an address.")
    reference = resolve(value)
    if reference.table not in targets:
        raise payload(
            table.entity_set,
            f"Entity of type '{reference.table}' cannot be bound to the navigation property '{navigation}'.",
        )
    parsed.references[column.name] = (column, reference)


def _addresses(value: Any, table: Table) -> list[str]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    raise payload(table.entity_set, "A list of addresses was expected.")


def _clear(parsed: Parsed, column: Column, table: Table) -> None:
    if column.system_required:
        raise required(column, table)
    parsed.references[column.name] = (column, None)


def required(column: Column, table: Table) -> ServiceError:
    """Return the refusal of null where the service itself needs a value."""
    return ServiceError(400, "0x80040200", f"The attribute '{column.name}' of '{table.name}' cannot be set to NULL.")


def checked_value(column: Column, value: Any, table: Table) -> Any:
    """Return a JSON value as it is stored, or raise the error of the first rule it breaks."""
    if value is None:
        if column.system_required and column.update:
            raise required(column, table)
        return None
    return _CHECKS[column.type](column, value, table)


def _converted(column: Column, value: Any, table: Table) -> ServiceError:
    shown = json.dumps(value) if not isinstance(value, str) else value
    return payload(table.entity_set, f"Cannot convert the literal '{shown[:100]}' to the expected type '{column.edm}'.")


def _text(column: Column, value: Any, table: Table) -> str:
    if not isinstance(value, str):
        raise _converted(column, value, table)
    if _CONTROL.search(value):
        message = f"Invalid characters in field '{column.name}' of '{table.name}'."
        raise ServiceError(400, "0x80040278", message)
    if column.max_length is not None and len(value) > column.max_length:
        message = (
            f"A validation error occurred.  The length of the '{column.name}' attribute of the '{table.name}' "
            f"entity exceeded the maximum allowed length of '{column.max_length}'."
        )
        raise ServiceError(400, "0x80044331", message)
    return value


def _whole(column: Column, value: Any, table: Table) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _converted(column, value, table)
    if column.edm == "Edm.Int32" and not -(2**31) <= value < 2**31:
        raise _converted(column, value, table)
    if column.type in CHOICES and value not in column.options:
        raise _out_of_choice(column, value, table)
    _check_range(column, value, table, "0x8004432f")
    return value


def _check_range(column: Column, value: float, table: Table, code: str) -> None:
    low, high = column.minimum, column.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        message = (
            f"A validation error occurred. The value of '{column.name}' on record of type '{table.name}' "
            f"is outside the valid range."
        )
        raise ServiceError(400, code, message)


def _out_of_choice(column: Column, value: Any, table: Table) -> ServiceError:
    accepted = ",".join(str(option) for option in column.options)
    return ServiceError(
        400,
        "0x8004431a",
        f"A validation error occurred. The value {value} of '{column.name}' on record of type '{table.name}' "
        f"is outside the valid range. Accepted Values: {accepted}",
    )


def _flag(column: Column, value: Any, table: Table) -> int:
    if not isinstance(value, bool):
        raise _converted(column, value, table)
    return int(value)


def _double(column: Column, value: Any, table: Table) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _converted(column, value, table)
    _check_range(column, value, table, "0x80044330")
    return float(value)


def _several(column: Column, value: Any, table: Table) -> str:
    text = _text(column, value, table)
    for part in text.split(","):
        if not re.fullmatch(r"-?[0-9]{1,10}", part.strip()) or int(part) not in column.options:
            raise _out_of_choice(column, part, table)
    return ",".join(part.strip() for part in text.split(","))


def _id_value(column: Column, value: Any, table: Table) -> str:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise _converted(column, value, table)
    return value.lower()


def _moment(column: Column, value: Any, table: Table) -> str:
    if not isinstance(value, str):
        raise _converted(column, value, table)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise _converted(column, value, table) from None
    return moment(value)


def _managed(column: Column, value: Any, table: Table) -> int:
    if not isinstance(value, dict) or not isinstance(value.get("Value"), bool):
        raise _converted(column, value, table)
    return int(value["Value"])


_CHECKS: dict[str, Callable[[Column, Any, Table], Any]] = {
    "String": _text,
    "Memo": _text,
    "MultiSelectPicklist": _several,
    "Integer": _whole,
    "BigInt": _whole,
    "Picklist": _whole,
    "State": _whole,
    "Status": _whole,
    "Boolean": _flag,
    "Double": _double,
    "DateTime": _moment,
    "Uniqueidentifier": _id_value,
    "ManagedProperty": _managed,
}


def guid(value: Any, table: Table) -> str:
    """Return a row id in lower case; the all-zero one is refused."""
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise payload(table.entity_set, f"Cannot convert the literal '{value}' to the expected type 'Edm.Guid'.")
    if value == NULL_ID:
        raise ServiceError(400, "0x80040203", "The entity id must not be an empty Guid.")
    return value.lower()
