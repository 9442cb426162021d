"""One comparison of a variable's value with a literal, under one reading (routing facts, section 5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from d365setup.conditions import Operator
from d365setup.routing.journey import Reading, Value

CONTAINS, IS_NULL, DIFFERS, LESS, AT_MOST = "contains", "null", "!=", "<", "<="
# Tokens of foreign comparisons whose meaning is beyond doubt, though no capture shows them; others are not evaluated.
CERTAIN = frozenset({CONTAINS, IS_NULL, DIFFERS, LESS, AT_MOST})

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_MOST_CHARACTERS = 4000  # of a context variable's value (routing facts, section 4.3)
_ORDERS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    Operator.MORE_THAN: lambda one, other: one > other,
    Operator.AT_LEAST: lambda one, other: one >= other,
    LESS: lambda one, other: one < other,
    AT_MOST: lambda one, other: one <= other,
}


def has_value(value: Value | None, reading: Reading) -> bool:
    """Whether a variable counts as filled: an empty text does when read strictly, and does not when read loosely."""
    return value is not None and (reading is Reading.STRICT or bool(str(value).strip()))


def holds(
    value: Value | None, operator: str, literals: Iterable[str], *, is_number: bool, reading: Reading
) -> bool | None:
    """Whether a comparison holds, None where nobody can tell; ``operator`` is an Operator or one of `CERTAIN`.

    Without a value only the null test holds.
    """
    if operator == IS_NULL:
        return not has_value(value, reading)
    if value is None or not has_value(value, reading):
        return False
    return _compared(
        str(value), operator, tuple(literals), numeric=is_number or reading is Reading.LOOSE, reading=reading
    )


def number(text: str, reading: Reading) -> Decimal | None:
    """A text as a number, None where it is none; read loosely, blanks around it do not count."""
    bare = text.strip() if reading is Reading.LOOSE else text
    return Decimal(bare) if len(bare) <= _MOST_CHARACTERS and _NUMBER.fullmatch(bare) else None


def _compared(text: str, operator: str, literals: tuple[str, ...], *, numeric: bool, reading: Reading) -> bool | None:
    if operator == Operator.HAS_A_VALUE:
        return True
    if operator == CONTAINS:
        return None if "" in literals else all(_folded(each, reading) in _folded(text, reading) for each in literals)
    if operator in _ORDERS:
        return numeric and all(_ordered(text, operator, each, reading) for each in literals)
    equal = any(_equal(text, each, numeric=numeric, reading=reading) for each in literals)
    return not equal if operator == DIFFERS else equal


def _ordered(text: str, operator: str, literal: str, reading: Reading) -> bool:
    one, other = number(text, reading), number(literal, reading)
    return one is not None and other is not None and _ORDERS[operator](one, other)


def _equal(text: str, literal: str, *, numeric: bool, reading: Reading) -> bool:
    one, other = number(text, reading), number(literal, reading)
    if numeric and one is not None and other is not None:
        return one == other
    return _folded(text, reading) == _folded(literal, reading)


def _folded(text: str, reading: Reading) -> str:
    return text.strip().casefold() if reading is Reading.LOOSE else text
