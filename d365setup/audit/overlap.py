"""Whether two conditions can hold at once, and whether one follows from the other, decided on the conditions alone.

Each condition is a list of alternatives (`Clause`), each of which asks something of some variables; two can hold at
once unless they ask one variable for different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import product

from d365setup.conditions import All, AnyOf, Condition, Foreign, Operator, Test, normal
from d365setup.routing.comparing import IS_NULL

MOST_CLAUSES = 256  # a condition of more alternatives is not taken apart: nested groups multiply


@dataclass(frozen=True)
class Asked:
    """What is asked of one variable: one of these values (None: any) and a number above the bound, or no value."""

    values: frozenset[str] | None = None
    bound: Decimal | None = None
    reached: bool = True  # whether the bound itself will do
    is_absent: bool = False

    def also(self, other: Asked) -> Asked:
        """Both."""
        if self.is_absent or other.is_absent:
            return self if self == other else IMPOSSIBLE
        given = [each for each in (self.values, other.values) if each is not None]
        bounds = [each for each in (self, other) if each.bound is not None]
        highest = max(bounds, key=lambda each: (each.bound or Decimal(0), not each.reached), default=self)
        values = frozenset.intersection(*given) if given else None
        merged = Asked(values, highest.bound, highest.reached)
        return Asked(frozenset(filter(merged.takes, values)), merged.bound, merged.reached) if values else merged

    def meets(self, other: Asked) -> bool:
        """Whether one value does for both."""
        if self.values is not None and other.values is not None and self.values.isdisjoint(other.values):
            return False  # seen at once, and the most frequent case by far: rules of one variable, one value each
        return self.also(other).is_possible

    @property
    def is_possible(self) -> bool:
        """Whether there is such a value."""
        return self.values is None or bool(self.values)

    def takes(self, value: str) -> bool:
        """Whether this value is above the bound."""
        number = as_number(value)
        if self.bound is None:
            return True
        return number is not None and (number > self.bound or (self.reached and number == self.bound))

    def follows_from(self, other: Asked) -> bool:
        """Whether each value the other takes, this one takes as well."""
        if self.is_absent or other.is_absent:
            return self.is_absent == other.is_absent
        if other.values is not None:
            return all((self.values is None or each in self.values) and self.takes(each) for each in other.values)
        if self.values is not None:
            return False
        if self.bound is None:
            return True
        same_bound = other.bound == self.bound and (self.reached or not other.reached)
        return other.bound is not None and (other.bound > self.bound or same_bound)


IMPOSSIBLE = Asked(frozenset())


@dataclass(frozen=True)
class Clause:
    """One way in which a condition can hold; ``is_partly_known``: it also asks something that is not understood."""

    asked: Mapping[str, Asked] = field(default_factory=dict)
    is_partly_known: bool = False

    def meets(self, other: Clause) -> bool:
        """Whether both can hold at once."""
        return all(name not in other.asked or each.meets(other.asked[name]) for name, each in self.asked.items())

    def also(self, other: Clause) -> Clause | None:
        """Both at once, or None where they cannot be."""
        asked = dict(self.asked)
        for name, each in other.asked.items():
            asked[name] = asked[name].also(each) if name in asked else each
        possible = all(each.is_possible for each in asked.values())
        return Clause(asked, self.is_partly_known or other.is_partly_known) if possible else None

    def follows_from(self, other: Clause) -> bool:
        """Whether this holds wherever the other does."""
        if self.is_partly_known:
            return False
        return all(name in other.asked and each.follows_from(other.asked[name]) for name, each in self.asked.items())


Clauses = tuple[Clause, ...]


def clauses(condition: Condition, numbers: frozenset[str]) -> Clauses | None:
    """The ways in which a condition can hold; ``numbers`` are the variables compared as numbers. None: too many."""
    match normal(condition):
        case Test() as test:
            return (_clause(test, numbers),)
        case All(parts):
            return _every(parts, numbers)
        case AnyOf(parts):
            found = [clauses(part, numbers) for part in parts]
            flat = tuple(clause for each in found if each is not None for clause in each)
            return None if None in found or len(flat) > MOST_CLAUSES else flat
        case Foreign(comparison=compared) if compared is not None and compared.variable:
            absent = compared.operator == IS_NULL
            return (Clause({compared.variable: Asked(is_absent=absent)}, is_partly_known=not absent),)
    return (Clause(is_partly_known=True),)


def overlap(one: Clauses, other: Clauses) -> bool | None:
    """Whether both can hold for one conversation; None where that cannot be decided."""
    found = {a.is_partly_known or b.is_partly_known for a, b in product(one, other) if a.meets(b)}
    return True if False in found else None if found else False


def implies(one: Clauses, other: Clauses) -> bool:
    """Whether the other surely holds wherever this one does."""
    return all(any(wider.follows_from(clause) for wider in other) for clause in one)


def as_number(text: str) -> Decimal | None:
    """The number a text is."""
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _every(parts: tuple[Condition, ...], numbers: frozenset[str]) -> Clauses | None:
    found: Clauses = (Clause(),)
    for part in parts:
        more = clauses(part, numbers)
        if more is None or len(found) * len(more) > MOST_CLAUSES:
            return None
        found = tuple(both for a, b in product(found, more) if (both := a.also(b)) is not None)
    return found


def _clause(test: Test, numbers: frozenset[str]) -> Clause:
    if test.operator is Operator.HAS_A_VALUE:
        return Clause({test.variable: Asked()})
    if test.operator in (Operator.EQUALS, Operator.IS_ONE_OF):
        return Clause({test.variable: Asked(frozenset(_plain(text, test.variable in numbers) for text in test.texts))})
    bound = as_number(test.texts[0]) if len(test.texts) == 1 and test.variable in numbers else None
    if bound is None:  # more or less than a text: nobody knows what the engine makes of it (R06 tells of it)
        return Clause({test.variable: Asked()}, is_partly_known=True)
    return Clause({test.variable: Asked(None, bound, test.operator is Operator.AT_LEAST)})


def _plain(text: str, is_number: bool) -> str:  # noqa: FBT001  # what it is, of one text
    number = as_number(text) if is_number else None
    return text if number is None else format(number.normalize(), "f")
