from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.conditions import (
    ALWAYS,
    NEVER,
    All,
    AnyOf,
    Condition,
    Foreign,
    Operator,
    Test,
    describe,
    normal,
    same,
    simplified,
    variables,
)

from .documents import CONDITIONS


def eq(variable: str, value: str | int) -> Test:
    return Test(variable, Operator.EQUALS, value)


def one_of(variable: str, *values: str | int) -> Test:
    return Test(variable, Operator.IS_ONE_OF, values)


def has(variable: str) -> Test:
    return Test(variable, Operator.HAS_A_VALUE)


def least(variable: str, value: str | int) -> Test:
    return Test(variable, Operator.AT_LEAST, value)


A, B, C = eq("Topic", "Nurse"), least("Severity", 7), has("Vip")

SAME = {
    "a number and its text": (eq("S", 7), eq("S", "7")),
    "order": (All((A, B)), All((B, A))),
    "order of alternatives": (AnyOf((A, B)), AnyOf((B, A))),
    "nesting": (All((A, All((B, All((C,)))))), All((A, B, C))),
    "nested alternatives": (AnyOf((A, AnyOf((B, C)))), AnyOf((A, B, C))),
    "duplicates": (All((A, A)), A),
    "duplicates of another order": (AnyOf((All((A, B)), All((B, A)))), All((A, B))),
    "groups of one": (All((AnyOf((A,)),)), A),
    "the designer's guard": (All((has("Severity"), B)), B),
    "a guard in an inner group": (All((All((has("Severity"),)), All((B,)))), B),
    "a guard next to alternatives": (All((has("T"), AnyOf((eq("T", "a"), eq("T", "b"))))), one_of("T", "a", "b")),
    "alternatives of one variable": (AnyOf((eq("T", "a"), eq("T", "b"))), one_of("T", "b", "a")),
    "alternatives beside a list": (AnyOf((one_of("T", 1, 2), eq("T", 3), B)), AnyOf((B, one_of("T", 3, 2, 1)))),
    "a list of one": (one_of("T", "a"), eq("T", "a")),
    "a list with duplicates": (one_of("T", 1, "1"), eq("T", 1)),
    "nothing at all": (All((All(), All((All(),)))), ALWAYS),
    "an alternative that always holds": (AnyOf((A, ALWAYS)), ALWAYS),
    "a part that never holds": (All((A, NEVER)), NEVER),
    "an empty list": (Test("T", Operator.IS_ONE_OF, ()), NEVER),
    "what a test for a value is given": (Test("T", Operator.HAS_A_VALUE, "x"), has("T")),
    "foreign parts": (All((A, Foreign("x > 1"))), All((Foreign("x > 1"), A))),
}

DIFFERENT = {
    "case of a value": (eq("T", "nurse"), eq("T", "Nurse")),
    "case of a variable": (eq("t", "x"), eq("T", "x")),
    "white space": (eq("T", "x "), eq("T", "x")),
    "operator": (Test("S", Operator.MORE_THAN, 7), least("S", 7)),
    "spelling of a number": (least("S", "7.0"), least("S", 7)),
    "group": (All((A, B)), AnyOf((A, B))),
    "a guard of another variable": (All((has("Other"), B)), B),
    "a guard as an alternative": (AnyOf((has("Severity"), B)), B),
    "a guard outside the alternatives": (All((has("Severity"), AnyOf((B, A)))), AnyOf((B, A))),
    "equals that must both hold": (All((eq("T", "a"), eq("T", "b"))), one_of("T", "a", "b")),
    "foreign texts": (Foreign("x > 1"), Foreign("x > 2")),
    "several values where one belongs": (Test("S", Operator.AT_LEAST, (7, 8)), least("S", 7)),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_same(one: Condition, other: Condition) -> None:
    assert same(one, other)
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_different(one: Condition, other: Condition) -> None:
    assert not same(one, other)


def test_simplified_keeps_the_order_it_was_given() -> None:
    given_order = All((has("Topic"), least("Z", 1), AnyOf((eq("Topic", "b"), eq("Topic", "a")))))
    assert simplified(given_order) == All((least("Z", "1"), one_of("Topic", "b", "a")))
    assert normal(given_order) == All((least("Z", "1"), one_of("Topic", "a", "b"))) or same(
        given_order, normal(given_order)
    )


DESCRIBED = {
    "always": All(),
    "never": AnyOf(),
    "Topic equals Nurse": A,
    "Severity at least 7": B,
    "Severity more than -1": Test("Severity", Operator.MORE_THAN, -1),
    "Vip has a value": C,
    "Topic is one of Emergency, Urgent": one_of("Topic", "Emergency", "Urgent"),
    "Topic equals Nurse and (Severity at least 7 or Vip has a value)": All((A, AnyOf((B, C)))),
    "(Topic equals Nurse and Vip has a value) or Severity at least 7": AnyOf((All((A, C)), B)),
    "Topic equals Nurse or Vip has a value": AnyOf((All((A,)), C)),
    "Topic equals two words": eq("Topic", "two words"),
    'Topic equals "this and that"': eq("Topic", "this and that"),
    'Topic equals ""': eq("Topic", ""),
    'Topic equals " x"': eq("Topic", " x"),
    'Topic is one of "a, b", c': one_of("Topic", "a, b", "c"),
    'Topic equals "Grüße!"': eq("Topic", "Grüße!"),
    'Topic equals "a\\nb"': eq("Topic", "a\nb"),
    'Topic equals "\\u001b[31m"': eq("Topic", "\x1b[31m"),
    'Topic equals "\\u2028"': eq("Topic", "\u2028"),
    '"a b)" has a value'.replace("a b", "a\\tb"): has("a\tb)"),
    "x > 1 \\x1b[0m": Foreign("x >\n  1 \x1b[0m"),
}


@pytest.mark.parametrize(("text", "condition"), DESCRIBED.items(), ids=range(len(DESCRIBED)))
def test_described(text: str, condition: Condition) -> None:
    assert describe(condition) == text


def test_variables() -> None:
    assert variables(All((A, AnyOf((B, All((C, Foreign("Other > 1")))))))) == {"Topic", "Severity", "Vip"}
    assert variables(ALWAYS) == frozenset()


SMALL_TESTS = st.one_of(
    st.builds(eq, st.sampled_from("XY"), st.integers(1, 3)),
    st.builds(least, st.sampled_from("XY"), st.integers(1, 3)),
    st.builds(lambda v, n: Test(v, Operator.MORE_THAN, n), st.sampled_from("XY"), st.integers(1, 3)),
    st.builds(lambda v, ns: one_of(v, *ns), st.sampled_from("XY"), st.lists(st.integers(1, 3), max_size=3)),
    st.builds(has, st.sampled_from("XY")),
)
SMALL = st.recursive(
    SMALL_TESTS,
    lambda inner: st.builds(
        lambda group, parts: group(tuple(parts)), st.sampled_from([All, AnyOf]), st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)
EVERY_CASE = [dict(zip("XY", values, strict=True)) for values in product((None, 1, 2, 3), repeat=2)]


def holds(condition: Condition, values: dict[str, int | None]) -> bool:
    """A second reading of what a condition means: no value, no match."""
    match condition:
        case All(parts):
            return all(holds(part, values) for part in parts)
        case AnyOf(parts):
            return any(holds(part, values) for part in parts)
        case Test(variable, operator):
            value = values[variable]
            numbers = [int(text) for text in condition.texts]
            if value is None:
                return False
            return {
                Operator.EQUALS: value in numbers,
                Operator.IS_ONE_OF: value in numbers,
                Operator.MORE_THAN: all(value > number for number in numbers),
                Operator.AT_LEAST: all(value >= number for number in numbers),
                Operator.HAS_A_VALUE: True,
            }[operator]
    raise AssertionError(condition)


@given(SMALL)
def test_normal_and_simplified_mean_the_same(condition: Condition) -> None:
    for values in EVERY_CASE:
        assert holds(normal(condition), values) == holds(condition, values)
        assert holds(simplified(condition), values) == holds(condition, values)


@given(SMALL, SMALL)
def test_what_is_the_same_matches_the_same(one: Condition, other: Condition) -> None:
    if same(one, other):
        assert all(holds(one, values) == holds(other, values) for values in EVERY_CASE)


@given(CONDITIONS)
def test_normal_and_simplified_are_final(condition: Condition) -> None:
    assert normal(normal(condition)) == normal(condition)
    assert normal(simplified(condition)) == normal(condition)
    assert simplified(simplified(condition)) == simplified(condition)
    assert variables(normal(condition)) <= variables(condition)
    assert same(condition, condition)


@given(CONDITIONS, st.randoms(use_true_random=False))
def test_order_never_counts(condition: Condition, random) -> None:
    assert same(shuffled(condition, random), condition)


def shuffled(condition: Condition, random) -> Condition:
    match condition:
        case All(parts) | AnyOf(parts):
            inner = [shuffled(part, random) for part in parts]
            random.shuffle(inner)
            return type(condition)(tuple(inner))
        case Test(variable, Operator.IS_ONE_OF):
            return one_of(variable, *random.sample(condition.texts, len(condition.texts)))
    return condition


@given(CONDITIONS)
def test_a_description_is_one_printable_line(condition: Condition) -> None:
    assert describe(condition).isprintable()
