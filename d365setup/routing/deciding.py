"""Whether a condition holds for a conversation: yes, no, or nobody can tell (which is never taken for no)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from d365setup.center import Variable
from d365setup.conditions import All, AnyOf, Comparison, Condition, Test, foreign_parts
from d365setup.routing.comparing import CERTAIN, holds
from d365setup.routing.journey import Reading, Value
from d365setup.ruleset import Rule

Answer = bool | None


@dataclass(frozen=True)
class Doubt:
    """Variables whose values are not known, because what sets them cannot be evaluated; ``all`` for every one."""

    names: frozenset[str] = frozenset()
    all: bool = False

    def covers(self, variable: str) -> bool:
        """Whether this variable's value is in doubt."""
        return self.all or variable in self.names


NO_DOUBT = Doubt()


def decide(
    condition: Condition,
    context: Mapping[str, Value],
    variables: Sequence[Variable] | None,
    reading: Reading,
    doubt: Doubt = NO_DOUBT,
) -> Answer:
    """Whether the condition holds for these values; None where that cannot be decided.

    ``variables`` are the work stream's, for their types; one that is not declared is text, as the service stores it.
    Where they were not read (None) an answer is given only if the type makes no difference.
    """
    match condition:
        case All(parts):
            return _every(decide(part, context, variables, reading, doubt) for part in parts)
        case AnyOf(parts):
            return _some(decide(part, context, variables, reading, doubt) for part in parts)
        case Test(variable, operator):
            return _tested(
                Comparison("", operator, variable=variable), condition.texts, context, variables, reading, doubt
            )
    compared = condition.comparison
    if compared is None or not compared.variable or compared.unit or compared.operator not in CERTAIN:
        return None
    literals = () if compared.value is None else (compared.value,)
    return _tested(compared, literals, context, variables, reading, doubt)


def catches(
    rules: Iterable[Rule],
    context: Mapping[str, Value],
    variables: Sequence[Variable] | None,
    reading: Reading,
) -> Answer:
    """Whether one of these rules matches; None where none surely does and one cannot be decided."""
    return _some(decide(rule.condition, context, variables, reading) for rule in rules)


def undecidable(condition: Condition) -> Iterator[str]:
    """Why a condition may not be decided, one sentence for each part that is not understood."""
    for part in foreign_parts(condition):
        compared = part.comparison
        if compared is None:
            yield f"{part.text!r} is not understood."
        elif not compared.variable:
            yield f"{compared.subject} is no context variable; only those are simulated."
        elif compared.unit or compared.operator not in CERTAIN:
            yield f"The operator of {part.text!r} is not known here."


def _tested(
    test: Comparison,
    literals: tuple[str, ...],
    context: Mapping[str, Value],
    variables: Sequence[Variable] | None,
    reading: Reading,
    doubt: Doubt,
) -> Answer:
    if doubt.covers(test.variable):
        return None
    value = context.get(test.variable)
    answers = {
        holds(value, test.operator, literals, is_number=each, reading=reading)
        for each in _may_be_number(test.variable, variables)
    }
    return answers.pop() if len(answers) == 1 else None


def _may_be_number(name: str, variables: Sequence[Variable] | None) -> tuple[bool, ...]:
    if variables is None:
        return (True, False)
    kind = next((each.type for each in variables if each.name == name), "text")
    return (True, False) if not kind else (kind == "number",)


def _every(answers: Iterable[Answer]) -> Answer:
    found = set(answers)
    return False if False in found else None if None in found else True


def _some(answers: Iterable[Answer]) -> Answer:
    found = set(answers)
    return True if True in found else None if None in found else False
