"""What is said of two conditions holds for every conversation one can think of, and nothing is left unsaid."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.audit.overlap import MOST_CLAUSES, Asked, clauses, implies, overlap
from d365setup.center import Variable
from d365setup.conditions import ALWAYS, NEVER, All, AnyOf, Comparison, Condition, Foreign, Operator, Test
from d365setup.routing import Reading
from d365setup.routing.deciding import decide

VARIABLES = (Variable("Topic", "text"), Variable("Severity", "number"))
NUMBERS = frozenset({"Severity"})
TOPICS, LEVELS = ("Nurse", "Pain", "7"), (3, 7, 8)
VALUES = (
    (None, *TOPICS, "something else"),
    (None, *range(1, 11), "3.5", "7.5", "8.5"),  # a number may come as a text
)  # whatever the conditions can tell apart
CONVERSATIONS = [
    {name: value for name, value in zip(("Topic", "Severity"), each, strict=True) if value is not None}
    for each in product(*VALUES)
]


def absent(variable: str) -> Foreign:
    subject = f"liveworkitemcontext.{variable}"
    return Foreign(f"{subject} null", Comparison(subject, "null", variable=variable))


TESTS = st.one_of(
    st.sampled_from(TOPICS).map(lambda value: Test("Topic", Operator.EQUALS, value)),
    st.lists(st.sampled_from(TOPICS), min_size=1, max_size=3).map(
        lambda values: Test("Topic", Operator.IS_ONE_OF, tuple(values))
    ),
    st.builds(
        Test,
        st.just("Severity"),
        st.sampled_from([Operator.EQUALS, Operator.MORE_THAN, Operator.AT_LEAST]),
        st.sampled_from(LEVELS),
    ),
    st.sampled_from(["Topic", "Severity"]).map(lambda name: Test(name, Operator.HAS_A_VALUE)),
    st.sampled_from(["Topic", "Severity"]).map(absent),
    st.just(ALWAYS),
    st.just(NEVER),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.lists(inner, max_size=3).flatmap(
        lambda parts: st.sampled_from([All(tuple(parts)), AnyOf(tuple(parts))])
    ),
    max_leaves=5,
)


def holding(condition: Condition) -> set[int]:
    """The conversations a condition holds for."""
    answers = {at: decide(condition, each, VARIABLES, Reading.STRICT) for at, each in enumerate(CONVERSATIONS)}
    assert None not in answers.values()
    return {at for at, answer in answers.items() if answer}


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, CONDITIONS)
def test_overlap_is_what_a_trial_of_every_conversation_shows(one: Condition, other: Condition) -> None:
    first, second = clauses(one, NUMBERS), clauses(other, NUMBERS)
    assert first is not None
    assert second is not None
    assert overlap(first, second) is bool(holding(one) & holding(other))


@settings(max_examples=200, deadline=None)
@given(CONDITIONS, CONDITIONS)
def test_what_implies_really_does(one: Condition, other: Condition) -> None:
    first, second = clauses(one, NUMBERS), clauses(other, NUMBERS)
    if first is not None and second is not None and implies(first, second):
        assert holding(one) <= holding(other)


@settings(max_examples=200, deadline=None)
@given(TESTS, TESTS)
def test_between_single_comparisons_no_implication_is_missed(one: Condition, other: Condition) -> None:
    first, second = clauses(one, NUMBERS), clauses(other, NUMBERS)
    assert first is not None
    assert second is not None
    assert implies(first, second) is (holding(one) <= holding(other))


def test_what_is_not_understood_is_decided_only_by_the_rest() -> None:
    odd = Foreign("msdyn_ocliveworkitem.msdyn_title == x")
    nurse, pain = (Test("Topic", Operator.EQUALS, each) for each in ("Nurse", "Pain"))
    first = clauses(All((odd, nurse)), NUMBERS) or ()
    assert overlap(first, clauses(pain, NUMBERS) or ()) is False
    assert overlap(first, clauses(nurse, NUMBERS) or ()) is None
    assert implies(first, clauses(nurse, NUMBERS) or ())
    assert not implies(clauses(nurse, NUMBERS) or (), first)


def test_a_comparison_of_a_text_with_more_than_is_not_understood() -> None:
    odd = clauses(Test("Topic", Operator.MORE_THAN, 7), NUMBERS) or ()
    assert overlap(odd, odd) is None


def test_a_condition_of_too_many_alternatives_is_not_taken_apart() -> None:
    several = AnyOf((Test("Topic", Operator.EQUALS, "a"), Test("Severity", Operator.AT_LEAST, 1)))
    each = (AnyOf((several, Test(f"V{number}", Operator.HAS_A_VALUE))) for number in range(9))
    assert clauses(All(tuple(each)), NUMBERS) is None
    assert (
        clauses(AnyOf(tuple(All((Test(f"V{at}", Operator.HAS_A_VALUE),)) for at in range(MOST_CLAUSES + 1))), NUMBERS)
        is None
    )


@pytest.mark.parametrize(
    ("text", "other", "same"), [("7", "7.0", True), ("7", "07", True), ("7", "8", False), ("x", "x", True)]
)
def test_numbers_are_compared_as_numbers(text: str, other: str, same: bool) -> None:
    first, second = (clauses(Test("Severity", Operator.EQUALS, each), NUMBERS) or () for each in (text, other))
    assert overlap(first, second) is same


def test_the_higher_bound_counts() -> None:
    at_least, above = Asked(bound=Decimal(7)), Asked(bound=Decimal(7), reached=False)
    assert at_least.also(above) == above == above.also(at_least)
    assert above.also(Asked(bound=Decimal(8))) == Asked(bound=Decimal(8))
