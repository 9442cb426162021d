"""Values to JSON and back, strictly: every field is of its declared type or the text is refused, saying where.

A field that is not compared (a line of a playbook) is not written. One that is left out gets its default, so that an
older document of the same version stays readable; one that is not known is an error.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from d365setup.dataverse.odata import guid

_IDS = frozenset(
    {
        "row_id",
        "fallback_id",
        "bot_user_id",
        "bot_queue_id",
        "queue_id",
        "application_id",
        "business_unit",
        "organization_id",
        "root_business_unit",
        "user_id",
    }
)  # fields that hold an id, or nothing
_MOST = 2**53  # a whole number beyond it would not survive other readers of JSON


class Malformed(ValueError):
    """JSON that is not the value it should be; the message says where and how."""


def written(value: Any) -> Any:
    """A value as JSON has it."""
    if dataclasses.is_dataclass(value):
        return {each.name: written(getattr(value, each.name)) for each in dataclasses.fields(value) if each.compare}
    if isinstance(value, frozenset):
        return sorted(map(written, value))
    if isinstance(value, tuple):
        return [written(each) for each in value]
    if isinstance(value, Mapping):
        return {key: written(value[key]) for key in sorted(value)}
    return value


def read(hint: Any, value: Any, where: str, name: str = "") -> Any:
    """The value of this type that the JSON stands for; ``name`` is the field it is for. Raises Malformed."""
    if dataclasses.is_dataclass(hint):
        return _fields(hint, value, where)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(hint):
            return None
        (other,) = (each for each in get_args(hint) if each is not type(None))
        return read(other, value, where, name)
    if origin is Literal:
        return _one_of(get_args(hint), value, where)
    if origin in _COLLECTIONS:
        return _COLLECTIONS[origin](get_args(hint), value, where)
    return _plain(hint, value, where, name)


def fields_read(hint: Any, value: Any, where: str, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The arguments a dataclass is made with, but for those left out. Raises Malformed."""
    known = {each.name: each for each in dataclasses.fields(hint) if each.compare and each.name not in without}
    hints = _hints(hint)
    _check_keys(known, value, where)
    return {name: read(hints[name], value[name], f"{where}.{name}", name) for name in known if name in value}


def _fields(hint: Any, value: Any, where: str) -> Any:
    return hint(**fields_read(hint, value, where))


def _check_keys(known: Mapping[str, dataclasses.Field[Any]], value: Any, where: str) -> None:
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {_shown(value)}, not an object")
    for key in value:
        if key not in known:
            raise Malformed(f"{where} has {key[:60]!r}, which nobody knows")
    for name, each in known.items():
        has_default = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
        if name not in value and not has_default:
            raise Malformed(f"{where} has no {name!r}")


@cache
def _hints(hint: Any) -> dict[str, Any]:
    return get_type_hints(hint)


def _one_of(values: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, str) or value not in values:
        raise Malformed(f"{where} is {_shown(value)}, not one of {', '.join(map(repr, values))}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed(f"{where} is {_shown(value)}, not a list")
    return value


def _tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    found = _list(value, where)
    if len(hints) == 2 and hints[1] is Ellipsis:  # any number of one type
        return tuple(read(hints[0], each, f"{where}[{index}]") for index, each in enumerate(found))
    if len(found) != len(hints):
        raise Malformed(f"{where} has {len(found)} parts, not {len(hints)}")
    return tuple(read(hint, each, f"{where}[{i}]") for i, (hint, each) in enumerate(zip(hints, found, strict=True)))


def _frozenset(hints: tuple[Any, ...], value: Any, where: str) -> frozenset[Any]:
    return frozenset(read(hints[0], each, f"{where}[{index}]") for index, each in enumerate(_list(value, where)))


def _mapping(hints: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {_shown(value)}, not an object")
    return {key: read(hints[1], each, f"{where}[{key[:60]!r}]") for key, each in value.items()}


_COLLECTIONS: dict[Any, Callable[[tuple[Any, ...], Any, str], Any]] = {
    tuple: _tuple,
    frozenset: _frozenset,
    Mapping: _mapping,
}


def _plain(hint: Any, value: Any, where: str, name: str) -> Any:
    wanted = {str: "text", int: "a whole number", bool: "true or false"}[hint]
    if type(value) is not hint:
        raise Malformed(f"{where} is {_shown(value)}, not {wanted}")
    if hint is int and abs(value) > _MOST:
        raise Malformed(f"{where} is a number far too large")
    if name in _IDS and value:
        _check_id(value, where)
    return value


def _check_id(value: str, where: str) -> None:
    try:
        canonical = guid(value)
    except ValueError:
        canonical = ""
    if canonical != value:
        raise Malformed(f"{where} is {_shown(value)}, not an id like 01234567-89ab-cdef-0123-456789abcdef")


def _shown(value: Any) -> str:
    if isinstance(value, str | int | float) or value is None:
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:60]}…"
    return "a list" if isinstance(value, list) else "an object"
