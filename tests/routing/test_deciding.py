"""Conditions in three values, under both readings; hand-overs that stand for all others."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.center import Variable
from d365setup.conditions import ALWAYS, NEVER, All, AnyOf, Comparison, Condition, Foreign, Operator, Test
from d365setup.routing import Reading, Value, catches, decide, is_monotone, minimal_escalations, undecidable

from .clinic import ODD, foreign, rule, stream, topic

TYPES = (Variable("Topic", "text"), Variable("Severity", "number"), Variable("Odd", ""))
S, T, U = "Severity", "Topic", "Undeclared"


def test(variable: str, operator: Operator, *values: str | int) -> Test:
    return Test(variable, operator, values if operator is Operator.IS_ONE_OF else (*values, None)[0])


test.__test__ = False  # type: ignore[attr-defined]
EQ, IN, MORE, LEAST, HAS = Operator  # in the order they are declared in

#  condition, context, strict, loose
ANSWERS: list[tuple[Condition, dict[str, Value], bool | None, bool | None]] = [
    (topic("Nurse"), {T: "Nurse"}, True, True),
    (topic("Nurse"), {T: "nurse "}, False, True),
    (topic("Nurse"), {}, False, False),
    (topic("Nurse"), {"topic": "Nurse"}, False, False),
    (topic("straße"), {T: "STRASSE"}, False, True),
    (test(T, EQ, "7"), {T: 7}, True, True),
    (test(T, EQ, "7"), {T: "07"}, False, True),
    (test(S, EQ, 7), {S: "07"}, True, True),
    (test(S, EQ, 7), {S: " 7"}, False, True),
    (test(S, EQ, "7.0"), {S: 7}, True, True),
    (test(S, EQ, "many"), {S: "many"}, True, True),
    (test(U, EQ, 7), {U: "7.0"}, False, True),
    (test(T, IN, "A", "B"), {T: "B"}, True, True),
    (test(T, IN, "A", "B"), {T: "b"}, False, True),
    (test(T, IN), {T: "b"}, False, False),
    (test(S, MORE, 7), {S: 8}, True, True),
    (test(S, MORE, 7), {S: 7}, False, False),
    (test(S, LEAST, 7), {S: "7"}, True, True),
    (test(S, LEAST, 7), {S: "many"}, False, False),
    (test(S, LEAST, "many"), {S: "many"}, False, False),
    (test(S, LEAST, 10), {S: "9"}, False, False),
    (test(T, LEAST, 7), {T: "8"}, False, True),
    (test(T, LEAST, 7), {}, False, False),
    (test(S, LEAST, "1" * 5000), {S: 7}, False, False),
    (test(T, HAS), {T: "x"}, True, True),
    (test(T, HAS), {T: ""}, True, False),
    (test(T, HAS), {T: " "}, True, False),
    (test(S, HAS), {S: 0}, True, True),
    (test(T, HAS), {}, False, False),
    (foreign("null"), {}, True, True),
    (foreign("null"), {T: ""}, False, True),
    (foreign("null"), {T: "x"}, False, False),
    (foreign("contains", "urs"), {T: "Nurse"}, True, True),
    (foreign("contains", "NURS"), {T: "Nurse"}, False, True),
    (foreign("contains", "x"), {}, False, False),
    (foreign("contains", ""), {T: "x"}, None, None),
    (foreign("!=", "x"), {T: "y"}, True, True),
    (foreign("!=", "x"), {T: "X"}, True, False),
    (foreign("!=", "x"), {}, False, False),
    (foreign("<", "7", S), {S: 6}, True, True),
    (foreign("<", "7", S), {S: 7}, False, False),
    (foreign("<=", "7", S), {S: 7}, True, True),
    (foreign("<", "7"), {T: "6"}, False, True),
    (foreign("begins-with", "N"), {T: "Nurse"}, None, None),
    (foreign("equals", "Nurse"), {}, None, None),
    (ODD, {T: "x"}, None, None),
    (Foreign("<never>"), {T: "x"}, None, None),
    (Foreign("x", Comparison("liveworkitemcontext.Topic", "<", "3", "seconds", T)), {T: "1"}, None, None),
    (test("Odd", EQ, "x"), {"Odd": "x"}, True, True),
    (test("Odd", LEAST, 7), {"Odd": 8}, None, True),
    (test("Odd", LEAST, 7), {"Odd": "many"}, False, False),
    (ALWAYS, {}, True, True),
    (NEVER, {}, False, False),
    (All((ODD, topic("A"))), {T: "B"}, False, False),
    (All((ODD, topic("A"))), {T: "A"}, None, None),
    (AnyOf((ODD, topic("A"))), {T: "A"}, True, True),
    (AnyOf((ODD, topic("A"))), {T: "B"}, None, None),
]


@pytest.mark.parametrize(("condition", "context", "strict", "loose"), ANSWERS, ids=range(len(ANSWERS)))
def test_decide(condition: Condition, context: dict[str, Value], strict: bool | None, loose: bool | None) -> None:
    assert decide(condition, context, TYPES, Reading.STRICT) is strict
    assert decide(condition, context, TYPES, Reading.LOOSE) is loose


def test_types_that_were_not_read_count_only_where_they_matter() -> None:
    assert decide(test(S, LEAST, 7), {S: 8}, None, Reading.STRICT) is None
    assert decide(test(S, LEAST, 7), {S: 8}, None, Reading.LOOSE) is True
    assert decide(topic("A"), {T: "A"}, None, Reading.STRICT) is True


def test_catches() -> None:
    rules = [rule("A", "Nurses", topic("A")), rule("Odd", "Nurses", ODD)]
    assert catches(rules, {T: "A"}, TYPES, Reading.STRICT) is True
    assert catches(rules, {T: "B"}, TYPES, Reading.STRICT) is None
    assert catches(rules[:1], {T: "B"}, TYPES, Reading.STRICT) is False


def test_why_it_cannot_be_decided() -> None:
    parts = All((ODD, topic("A"), AnyOf((foreign("begins-with", "N"), foreign("contains", "N"), Foreign("<never>")))))
    assert list(undecidable(parts)) == [
        "msdyn_ocliveworkitem.msdyn_channel is no context variable; only those are simulated.",
        "The operator of 'liveworkitemcontext.Topic begins-with N' is not known here.",
        "'<never>' is not understood.",
    ]


def test_minimal_escalations() -> None:
    made = stream(
        (
            rule("A", "Nurses", AnyOf((topic("Nurse"), foreign("contains", "lab")))),
            rule("B", "Nurses", All((test(S, MORE, 3), test(S, LEAST, "6.5")))),
            rule("C", "Nurses", test(U, EQ, "x")),
            rule("D", "Nurses", ODD),
        )
    )
    assert list(minimal_escalations(made)) == [
        {T: "something else"},
        {T: "Nurse"},
        {T: "lab"},
        {T: "Nurse lab"},
        *({S: number} for number in (2, 3, 4, 5, 6, 7, 8, -998, 1008)),
    ]
    unread = stream(made.routes.rules if made.routes else (), variables=None)
    assert {name for context in minimal_escalations(unread) for name in context} == {T, S, U}
    assert list(minimal_escalations(stream((), variables=(Variable("Vip", "boolean"), Variable(S, "number"))))) == [
        {"Vip": "something else"},
        {"Vip": "true"},
        {"Vip": "false"},
        {S: 0},
        {S: 1},
    ]


def test_a_fresh_text_is_none_that_a_rule_knows() -> None:
    made = stream((rule("A", "Nurses", foreign("contains", "ELSE")), rule("B", "Nurses", topic("another value"))))
    assert next(iter(minimal_escalations(made))) == {T: "xyz"}


def test_what_is_monotone() -> None:
    assert is_monotone(All((topic("A"), AnyOf((test(S, MORE, 1), foreign("contains", "x"))))))
    assert not is_monotone(All((topic("A"), foreign("null"))))
    assert not is_monotone(ODD)
    assert not is_monotone(Foreign("<never>"))


TESTS = st.one_of(
    st.builds(lambda value: test(T, EQ, value), st.sampled_from(["A", "a", "7", "B C"])),
    st.builds(lambda values: test(T, IN, *values), st.lists(st.sampled_from(["A", "B", "8"]), max_size=2)),
    st.builds(lambda o, n: test(S, o, n), st.sampled_from([EQ, MORE, LEAST]), st.integers(-2, 9)),
    st.builds(lambda o, n: test(T, o, n), st.sampled_from([MORE, LEAST]), st.integers(6, 8)),
    st.builds(lambda name: test(name, HAS), st.sampled_from([S, T])),
    st.builds(lambda text: foreign("contains", text), st.sampled_from(["A", "B"])),
    st.builds(lambda o, n: foreign(o, str(n), S), st.sampled_from(["<", "<=", "!="]), st.integers(-2, 9)),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.builds(
        lambda g, parts: g(tuple(parts)), st.sampled_from([All, AnyOf]), st.lists(inner, max_size=3)
    ),
    max_leaves=5,
)
HAND_OVERS = st.dictionaries(
    st.sampled_from([T, S]),
    st.one_of(st.integers(-5, 12), st.sampled_from(["A", "a ", "B", "AB", "7", "x"])),
    min_size=1,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(CONDITIONS, max_size=3), HAND_OVERS, st.sampled_from(Reading))
def test_what_catches_the_minimal_ones_catches_all(
    conditions: list[Condition], context: dict[str, Value], reading: Reading
) -> None:
    """Of values a bot can hand over: whole numbers for a number, text for a text."""
    handed = {
        name: value if name == S else str(value)
        for name, value in context.items()
        if name == T or isinstance(value, int)
    }
    rules = [rule(str(number), "Nurses", each) for number, each in enumerate(conditions)]
    made = stream(rules)
    assert all(is_monotone(each) for each in conditions)
    if handed and all(catches(rules, each, made.variables, reading) for each in minimal_escalations(made)):
        assert catches(rules, handed, made.variables, reading)
