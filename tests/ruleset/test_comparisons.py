"""What is kept of a condition nobody here could have written, and of what a rule sets."""

from __future__ import annotations

import pytest

from d365setup.conditions import Comparison, Foreign, foreign_parts
from d365setup.ruleset import read

from .documents import sample

X = "liveworkitemcontext.X"
SIDE = '<rhs type="staticvalue">1</rhs>'


def condition(operator: str, *sides: str, subject: str = X) -> str:
    return f'<condition operator="{operator}"><lhs type="attribute">{subject}</lhs>{"".join(sides)}</condition>'


COMPARISONS: dict[str, tuple[str, Comparison | None]] = {
    "an operator that is not written": (condition("contains", SIDE), Comparison(X, "contains", "1", variable="X")),
    "no value": (condition("null"), Comparison(X, "null", None, variable="X")),
    "blanks in a value": (condition("!=", SIDE.replace("1", " 1 ")), Comparison(X, "!=", " 1 ", variable="X")),
    "a unit": (
        condition("&lt;", '<rhs type="staticvalue" unit="days">1</rhs>'),
        Comparison(X, "<", "1", "days", "X"),
    ),
    "another subject": (condition("==", SIDE, subject="a.b"), Comparison("a.b", "==", "1")),
    "two values": (condition("contains", SIDE, SIDE), None),
    "something else": (condition("contains", SIDE, "<mid/>"), None),
    "a value of another type": (condition("==", '<rhs type="attribute">a.b</rhs>'), None),
    "elements in the value": (condition("contains", '<rhs type="staticvalue">1<b/></rhs>'), None),
    "no operator": (condition("x", SIDE).replace(' operator="x"', ""), None),
    "an attribute more": (condition("x", SIDE).replace(' operator="x"', ' operator="x" not="1"'), None),
    "no subject": (f'<condition operator="contains">{SIDE}</condition>', None),
    "a group nobody knows": ('<logical operator="NOT"/>', None),
}


@pytest.mark.parametrize(("xml", "comparison"), COMPARISONS.values(), ids=COMPARISONS)
def test_comparisons(xml: str, comparison: Comparison | None) -> None:
    (rule,) = read(f"<decision><rules><rule>{xml}</rule></rules></decision>").rules
    assert isinstance(rule.condition, Foreign)
    assert rule.condition.comparison == comparison


def test_foreign_parts_of_a_captured_set() -> None:
    rules = read(sample("thirty-rules.xml")).rules
    found = [part.comparison.operator for rule in rules for part in foreign_parts(rule.condition) if part.comparison]
    assert "contains" in found
    assert ">" in found


def test_what_a_rule_sets() -> None:
    (rule,) = read(sample("classification.xml")).rules
    assert rule.sets == (("msdyn_ocliveworkitem.msdyn_priorityscore", "20"),)
    copied = (
        '<setattribute><lhs type="attribute">a.b</lhs><rhs type="attribute">c.d</rhs></setattribute><setattribute/>'
    )
    (odd,) = read(f"<decision><rules><rule><action>{copied}</action></rule></rules></decision>").rules
    assert odd.sets == (("a.b", None), ("", None))
