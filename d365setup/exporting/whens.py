"""A rule's condition in the playbook's own words, or why format 1 has none for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from d365setup.conditions import (
    ALWAYS,
    All,
    AnyOf,
    Condition,
    Operator,
    Test,
    describe,
    foreign_parts,
    same,
    simplified,
)
from d365setup.exporting.fitting import Unsayable, value_problem
from d365setup.exporting.tree import Entry, Items, Map, Scalar, Value, flat

DEEPEST = 12  # groups inside groups; a playbook nests no deeper than 40 levels, two for each group
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_KEYWORDS = frozenset({"variable", "operator", "any", "all"})  # of the longer shapes: no shorthand begins with them


def when(condition: Condition, types: Mapping[str, str]) -> Value | None:
    """The condition under ``when``; None for one that always holds. ``types`` are the variables that are declared.

    Raises Unsayable.
    """
    for part in foreign_parts(condition):
        raise Unsayable(
            f"its condition holds {describe(part)}, which is none of the playbook's operators on a variable"
        )
    plain = simplified(condition)
    if plain == ALWAYS:
        return None
    if not same(plain, condition):
        raise Unsayable("its condition cannot be written as simply as it is meant")
    return _said(plain, types, DEEPEST)


def _said(condition: Condition, types: Mapping[str, str], room: int) -> Value:
    if isinstance(condition, Test):
        return _test(condition, types)
    if not isinstance(condition, All | AnyOf) or not condition.parts or room == 0:
        raise Unsayable("its condition can never hold" if room else "its condition nests too deep")
    parts = tuple(_said(part, types, room - 1) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return Map((Entry("any", Items(parts, flow=True)),), flow=True)
    return _shorthand(condition, types) or Map((Entry("all", Items(parts, flow=True)),), flow=True)


def _shorthand(condition: All, types: Mapping[str, str]) -> Map | None:
    """Several equals of different variables as one map."""
    tests = [part for part in condition.parts if isinstance(part, Test) and part.operator is Operator.EQUALS]
    names = {test.variable for test in tests}
    if len(tests) < len(condition.parts) or len(names) < len(tests) or names & _KEYWORDS:
        return None
    return Map(tuple(Entry(each.variable, _value(each, each.texts[0], types)) for each in tests), flow=True)


def _test(test: Test, types: Mapping[str, str]) -> Map:
    _check(test, types)
    if test.operator is Operator.HAS_A_VALUE:
        return flat(variable=test.variable, operator=test.operator.value)
    values = tuple(_value(test, text, types) for text in test.texts)
    if test.operator is Operator.IS_ONE_OF:
        return flat(variable=test.variable, operator=test.operator.value, value=Items(values, flow=True))
    if test.operator is Operator.EQUALS and test.variable not in _KEYWORDS:
        return Map((Entry(test.variable, values[0]),), flow=True)
    return flat(variable=test.variable, operator=test.operator.value, value=values[0])


def _check(test: Test, types: Mapping[str, str]) -> None:
    if test.variable not in types:
        raise Unsayable(f"it looks at {test.variable}, which the playbook does not declare")
    if types[test.variable] == "text" and test.operator in (Operator.MORE_THAN, Operator.AT_LEAST):
        raise Unsayable(f"{test.operator.value!r} compares numbers, and {test.variable} is a text")


def _value(test: Test, text: str, types: Mapping[str, str]) -> Scalar:
    """The value with the variable's type: a rule set holds text only."""
    _check(test, types)
    if types[test.variable] == "number":
        if not _NUMBER.fullmatch(text):
            raise Unsayable(f"it compares the number {test.variable} with {text!r}, which is no plain whole number")
        return int(text)
    problem = value_problem(text)
    if problem:
        raise Unsayable(f"it compares {test.variable} with a text that {problem}")
    return text
