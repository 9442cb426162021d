"""The filters that kinds write: what they mean, what implies what, and that no other form is guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.against.answering import covers
from d365setup.against.terms import LONGEST, Term, Unclear, choices
from d365setup.kinds.filters import alternatives, named, quoted

ID = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
ROWS = (  # filter, what it is
    ("", ((),)),
    ("name eq 'O''Neil'", ((Term(("name",), "eq", "O'Neil"),),)),
    ("a/b eq 'x'", ((Term(("a", "b"), "eq", "x"),),)),
    (f"applicationid eq {ID}", ((Term(("applicationid",), "eq", ID),),)),
    ("statecode eq -1", ((Term(("statecode",), "eq", -1),),)),
    ("flag eq true", ((Term(("flag",), "eq", True),),)),
    ("a ne null", ((Term(("a",), "has a value"),),)),
    ("not startswith(name,'<')", ((Term(("name",), "does not start with", "<"),),)),
    ("m/any(m:m/a eq 'x' or m/a eq 'y')", ((Term(("m", "a"), "eq", "x"),), (Term(("m", "a"), "eq", "y"),))),
    ("steps/any(s:s/of/name eq 'x')", ((Term(("steps", "of", "name"), "eq", "x"),),)),
    (
        "(a eq 1 or b eq 2) and (c eq 3 or c eq 4)",
        tuple((Term((left,), "eq", i), Term(("c",), "eq", j)) for left, i in (("a", 1), ("b", 2)) for j in (3, 4)),
    ),
)  # fmt: skip
UNCLEAR = (
    "name", "name eq", "name eq 'x", "name ne 'x'", "name gt 3", "name eq null", "contains(name,'x')", "name eq 1.5",
    "not contains(name,'x')", "name eq 'x' or", "(name eq 'x'", "name eq 'x')", "name eq 'x' name eq 'y'",
    "m/any(m:n/a eq 'x')", "m/any(m:m eq 'x')", "m/all(m:m/a eq 'x')", "m/any(m:m/a eq 'x' and m/b eq 'y')",
    "name eq 2024-01-01", "%", "(" * 50 + "a eq 1" + ")" * 50, " or ".join(["a eq 1"] * 5000),
    "a eq '" + "x" * LONGEST + "'",
    "not not startswith(name,'<')", "startswith(name,'<')", "name in ('x')",
)  # fmt: skip
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6) | st.sampled_from(
    ["Nurses", "nurses ", "<Nurse One>", "", " ", "'"]
)
values = texts | st.integers(-3, 3) | st.booleans()
terms = st.builds(
    lambda name, test, value: Term((name,), test, str(value) if test == "does not start with" else value),
    st.sampled_from("ab"),
    st.sampled_from(["eq", "has a value", "does not start with"]),
    values,
)


@pytest.mark.parametrize(("text", "meant"), ROWS, ids=[row[0] or "none" for row in ROWS])
def test_what_it_means(text: str, meant: object) -> None:
    assert choices(text) == meant


@pytest.mark.parametrize("text", UNCLEAR, ids=[each[:30] for each in UNCLEAR])
def test_another_form_is_not_guessed_at(text: str) -> None:
    with pytest.raises(Unclear):
        choices(text)


@given(st.lists(texts, min_size=1, unique=True))
def test_names_come_back_as_they_were(given_: list[str]) -> None:
    found = [choice for text in named("name", given_) for choice in choices(text)]
    assert found == [(Term(("name",), "eq", each),) for each in given_]


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for tried in (text, f"name eq {quoted(text)}", f"a eq 1 and {text}"):
        try:
            choices(tried)
        except Unclear:
            continue


@given(terms, terms, values | st.none())
def test_what_is_implied_holds_too(one: Term, other: Term, value: object) -> None:
    if one.implies(other) and one.holds(value):
        assert other.holds(value)
    assert one.implies(one)


@pytest.mark.parametrize(
    ("kept", "wanted", "is_covered"),
    [
        ("", "name eq 'x'", True),
        ("name eq 'Nurses '", "name eq 'NURSES'", True),
        ("name eq 'x'", "name eq 'y'", False),
        ("name eq 'x'", "", False),
        ("a ne null", "a eq 'x'", True),
        ("a ne null", "b eq 'x'", False),
        ("a ne null and s eq 0", "a eq 'x'", False),
        ("(a ne null or b ne null) and (s eq 0 or s eq 1)", "b eq 'x' and s eq 1", True),
        ("f eq true or not startswith(name,'<')", "name eq 'Nurses'", True),
        ("f eq true or not startswith(name,'<')", "name eq '<Nurse One>'", False),
        ("f eq true or not startswith(name,'<')", "f eq true", True),
        ("m/any(m:m/a ne null)", f"m/any(x:x/a eq {ID})", True),
        ("m/any(m:m/a ne null)", "a eq 'x'", False),
    ],
)
def test_what_covers_what(kept: str, wanted: str, is_covered: bool) -> None:
    assert all(covers(kept, each) for each in choices(wanted)) is is_covered


def test_alternatives_of_many_are_understood() -> None:
    many = [f"applicationid eq {ID[:-4]}{number:04}" for number in range(250)]
    assert sum(len(choices(f"({text}) and (s eq 0 or s eq 1)")) for text in alternatives(many)) == 500
