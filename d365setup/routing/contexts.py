"""Which hand-overs have to be tried so that nothing a bot may say is missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import floor

from d365setup.center import Variable, Workstream
from d365setup.conditions import All, AnyOf, Condition, Foreign, Test
from d365setup.routing.comparing import IS_NULL, number
from d365setup.routing.journey import Reading, Value
from d365setup.ruleset import Rule

_FRESH = ("something else", "another value", "xyz", "?", "~")
_BOOLEANS = ("true", "false")


def minimal_escalations(stream: Workstream) -> Iterator[Mapping[str, Value]]:
    """Hand-overs that set a single variable, with every value that may make a difference to the routing rules.

    Where no rule tests for the absence of a value (`is_monotone`), a rule that catches a hand-over also catches it
    with more variables set; so every hand-over that sets anything is caught by some rules if these all are. Values
    are the literals the rules compare with, the numbers around them, and a text or number no rule has heard of.
    Without a list of variables (not read) those the rules mention are tried.
    """
    literals = tuple(chain.from_iterable(_literals(rule.condition) for rule in _rules(stream)))
    declared = stream.variables
    if declared is None:
        declared = tuple(Variable(name, "") for name in dict.fromkeys(each.variable for each in literals))
    for variable in declared:
        for value in dict.fromkeys(_values(variable, [each for each in literals if each.variable == variable.name])):
            yield {variable.name: value}


def is_monotone(condition: Condition) -> bool:
    """Whether a conversation that matches still does when one more variable has a value."""
    match condition:
        case All(parts) | AnyOf(parts):
            return all(map(is_monotone, parts))
        case Foreign(comparison=compared):
            return compared is not None and bool(compared.variable) and compared.operator != IS_NULL
    return True


@dataclass(frozen=True)
class _Literal:
    variable: str
    text: str


def _rules(stream: Workstream) -> Sequence[Rule]:
    return stream.routes.rules if stream.routes else ()


def _literals(condition: Condition) -> Iterator[_Literal]:
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from _literals(part)
        case Test(variable):
            yield from (_Literal(variable, text) for text in condition.texts)
            if not condition.texts:
                yield _Literal(variable, "")
        case Foreign(comparison=compared) if compared is not None and compared.variable:
            yield _Literal(compared.variable, compared.value or "")


def _values(variable: Variable, literals: Iterable[_Literal]) -> Iterator[Value]:
    texts = [each.text for each in literals if each.text]
    if variable.type == "number":
        yield from _numbers(texts)
        return
    yield _fresh(texts)
    yield from texts
    if len(texts) > 1:
        yield " ".join(dict.fromkeys(texts))  # for rules that look for several texts inside one value
    if variable.type == "boolean":
        yield from _BOOLEANS
    if any(number(text, Reading.LOOSE) is not None for text in texts):
        yield from (str(each) for each in _numbers(texts))  # read loosely, such a text compares as a number


def _numbers(texts: Iterable[str]) -> Iterator[int]:
    """Whole numbers (a bot can hand over no others) on, right beside and far beyond each boundary."""
    found = [value for value in (number(text, Reading.LOOSE) for text in texts) if value is not None]
    bounds = sorted({floor(value) + step for value in found for step in (-1, 0, 1, 2)})
    yield from bounds or (0, 1)
    if bounds:
        yield from (bounds[0] - 1000, bounds[-1] + 1000)


def _fresh(texts: Sequence[str]) -> str:
    known = [text.casefold() for text in texts]
    return next((word for word in _FRESH if not any(each in word for each in known)), _FRESH[-1])
