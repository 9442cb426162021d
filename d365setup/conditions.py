"""When a rule matches: conditions as values, what makes two of them the same, and how people read them.

Nothing here knows how a condition is stored; `ruleset` reads and writes that.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, TypeGuard


class Operator(StrEnum):
    """The comparisons this tool writes; each was seen in a rule set the designer itself had stored."""

    EQUALS = "equals"
    IS_ONE_OF = "is one of"
    MORE_THAN = "more than"
    AT_LEAST = "at least"
    HAS_A_VALUE = "has a value"


@dataclass(frozen=True)
class Test:
    """One comparison of one context variable; `is one of` has a tuple as its value, `has a value` none."""

    __test__: ClassVar[bool] = False  # pytest would otherwise collect whatever is called Test

    variable: str
    operator: Operator
    value: str | int | tuple[str | int, ...] | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """What the variable is compared with, as text: a rule set holds nothing else."""
        if self.value is None:
            return ()
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        return tuple(str(value) for value in values)


@dataclass(frozen=True)
class All:
    """Holds when every part does; without parts it always holds."""

    parts: "tuple[Condition, ...]" = ()


@dataclass(frozen=True)
class AnyOf:
    """Holds when one part does; without parts it never holds."""

    parts: "tuple[Condition, ...]" = ()


@dataclass(frozen=True)
class Comparison:
    """One plain comparison this tool never writes: ``operator`` and ``value`` as stored, None without a value.

    ``subject`` is the attribute compared; ``variable`` its name where it is a context variable, else "".
    """

    subject: str
    operator: str
    value: str | None = None
    unit: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Foreign:
    """A live condition that can be shown and kept but not written.

    ``comparison`` is what it compares, None where it is not one plain comparison; the text tells two apart.
    """

    text: str
    comparison: Comparison | None = field(default=None, compare=False, repr=False)


Condition: TypeAlias = Test | All | AnyOf | Foreign

ALWAYS = All()
NEVER = AnyOf()

_COMPARED = frozenset(Operator) - {Operator.HAS_A_VALUE}
_LISTED = frozenset({Operator.EQUALS, Operator.IS_ONE_OF})

_Arrange: TypeAlias = Callable[[Iterable[Any]], Iterable[Any]]  # of conditions, and of texts


def normal(condition: Condition) -> Condition:
    """The one form all conditions that mean the same by their shape share.

    Flattened, in a fixed order, without duplicates and groups of one; values are text; equals of one
    variable side by side in an OR become `is one of`; a `has a value` next to a comparison of the same
    variable in the same AND is gone (the designer adds it; a comparison cannot hold without a value).
    """
    return _simplified(condition, lambda parts: sorted(parts, key=repr))


def simplified(condition: Condition) -> Condition:
    """As `normal`, but parts and values stay in the order they were given in: the form to write."""
    return _simplified(condition, lambda parts: parts)


def same(one: Condition, other: Condition) -> bool:
    """Whether both mean the same by their shape; order, nesting and the designer's guards do not count."""
    return normal(one) == normal(other)


def variables(condition: Condition) -> frozenset[str]:
    """Every context variable the condition compares; what a foreign part reads is not counted."""
    return frozenset(test.variable for test in _tests(condition))


def foreign_parts(condition: Condition) -> Iterator[Foreign]:
    """Every part that this tool could not have written, in the order they stand in."""
    if isinstance(condition, Foreign):
        yield condition
    elif isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from foreign_parts(part)


def describe(condition: Condition) -> str:
    """On one line for people: `Topic equals Nurse and (Severity at least 7 or Vip has a value)`."""
    match condition:
        case Test():
            return _described_test(condition)
        case Foreign(text):
            return _one_line(text)
        case All(parts):
            return " and ".join(_described_part(part) for part in parts) or "always"
    return " or ".join(_described_part(part) for part in condition.parts) or "never"


def _tests(condition: Condition) -> Iterator[Test]:
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from _tests(part)


def _simplified(condition: Condition, arrange: _Arrange) -> Condition:
    match condition:
        case Test():
            return _simplified_test(condition, arrange)
        case Foreign():
            return condition
        case All(parts):
            return _all([_simplified(part, arrange) for part in parts], arrange)
    return _any([_simplified(part, arrange) for part in condition.parts], arrange)


def _simplified_test(test: Test, arrange: _Arrange) -> Condition:
    if test.operator is Operator.HAS_A_VALUE:
        return replace(test, value=None)
    if test.operator in _LISTED:
        return _listed(test.variable, test.texts, arrange)
    return replace(test, value=test.texts[0] if len(test.texts) == 1 else test.texts)


def _all(parts: list[Condition], arrange: _Arrange) -> Condition:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))]
    if NEVER in flat:
        return NEVER
    compared = {p.variable for p in flat if isinstance(p, Test) and p.operator in _COMPARED}
    kept = tuple(arrange(dict.fromkeys(part for part in flat if not _is_guard(part, compared))))
    return kept[0] if len(kept) == 1 else All(kept)


def _is_guard(part: Condition, compared: set[str]) -> bool:
    return isinstance(part, Test) and part.operator is Operator.HAS_A_VALUE and part.variable in compared


def _any(parts: list[Condition], arrange: _Arrange) -> Condition:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, AnyOf) else (part,))]
    if ALWAYS in flat:
        return ALWAYS
    kept = tuple(arrange(dict.fromkeys(_lists_merged(flat, arrange))))
    return kept[0] if len(kept) == 1 else AnyOf(kept)


def _lists_merged(parts: list[Condition], arrange: _Arrange) -> list[Condition]:
    """Every equals and `is one of` of a variable as one test, where the first of them stood."""
    values: dict[str, list[str]] = {}
    for part in parts:
        if _is_list(part):
            values.setdefault(part.variable, []).extend(part.texts)
    merged = {variable: _listed(variable, texts, arrange) for variable, texts in values.items()}
    return [merged[part.variable] if _is_list(part) else part for part in parts]


def _is_list(part: Condition) -> TypeGuard[Test]:
    return isinstance(part, Test) and part.operator in _LISTED


def _listed(variable: str, texts: Iterable[str], arrange: _Arrange) -> Condition:
    found = tuple(arrange(dict.fromkeys(texts)))
    if not found:
        return NEVER
    if len(found) == 1:
        return Test(variable, Operator.EQUALS, found[0])
    return Test(variable, Operator.IS_ONE_OF, found)


def _described_part(part: Condition) -> str:
    text = describe(part)
    return f"({text})" if isinstance(part, All | AnyOf) and len(part.parts) > 1 else text


def _described_test(test: Test) -> str:
    words = f"{_shown(test.variable)} {test.operator}"
    if test.operator is Operator.HAS_A_VALUE:
        return words
    return f"{words} {', '.join(map(_shown, test.texts))}"


# What reads unmistakably without quotes: words that are no connective, with no comma or bracket.
_PLAIN = re.compile(r"(?!.*\b(?:and|or)\b)[\w.@:/+-]+(?: [\w.@:/+-]+)*")


def _shown(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))
