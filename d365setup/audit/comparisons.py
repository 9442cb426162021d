"""What the rules of a rule set compare: every comparison as it is stored, understood or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from d365setup.center import RuleSet
from d365setup.conditions import All, AnyOf, Condition, Operator, Test
from d365setup.ruleset import Rule, RuleSetError
from d365setup.ruleset.markup import Element, parse

VARIABLE = "liveworkitemcontext."
TOKENS = {
    Operator.EQUALS: "==",
    Operator.IS_ONE_OF: "in",
    Operator.MORE_THAN: ">",
    Operator.AT_LEAST: ">=",
    Operator.HAS_A_VALUE: "not-null",
}


@dataclass(frozen=True)
class Compared:
    """One comparison of one rule: the attribute, the operator's token, and the texts it is compared with."""

    rule: int  # the rule's place in the rule set
    attribute: str
    operator: str
    values: tuple[str, ...] = ()

    @property
    def variable(self) -> str:
        """The context variable it looks at; "" where it looks at something else."""
        return self.attribute.removeprefix(VARIABLE) if self.attribute.startswith(VARIABLE) else ""


def comparisons(rule_set: RuleSet) -> tuple[Compared, ...]:
    """Every comparison of every rule; from the stored text where there is one, else from the understood conditions."""
    if rule_set.problem:
        return ()
    if rule_set.text:
        return _stored(rule_set.text)
    return tuple(each for place, rule in enumerate(rule_set.rules) for each in _understood(place, rule))


@lru_cache(maxsize=1024)  # several checks ask, and an environment may have hundreds of rule sets
def _stored(text: str) -> tuple[Compared, ...]:
    try:
        root = parse(text, "decision", "rule set").root
    except RuleSetError:
        return ()
    rules = (rule for container in root.named("rules") for rule in container.named("rule"))
    return tuple(each for place, rule in enumerate(rules) for each in _within(place, rule))


def _within(place: int, element: Element) -> Iterator[Compared]:
    for child in element.children:
        if child.name == "condition":
            attribute = "".join(side.text.strip() for side in child.named("lhs"))
            yield Compared(place, attribute, child.attributes.get("operator", ""), tuple(_values(child)))
        elif child.name == "logical":
            yield from _within(place, child)


def _values(condition: Element) -> Iterator[str]:
    for side in condition.named("rhs"):
        values = side.named("value")
        yield from (value.text for value in values)
        if not values:
            yield side.text


def _understood(place: int, rule: Rule) -> Iterator[Compared]:
    for test in _tests(rule.condition):
        yield Compared(place, VARIABLE + test.variable, TOKENS[test.operator], test.texts)


def _tests(condition: Condition) -> Iterator[Test]:
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from _tests(part)
