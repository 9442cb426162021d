from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.report import FORMS, Form, Mask, render
from tests.report.samples import DOCUMENTS, PEOPLE

BOTS = ["Contoso Health Bot", "health-bot@contoso.example"]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("form", FORMS)
def test_no_person_is_left_and_bots_stay(name: str, form: Form) -> None:
    plain = render(DOCUMENTS[name], form)
    masked = render(DOCUMENTS[name], form, mask=Mask(PEOPLE, BOTS))
    assert "Nora" not in masked
    assert "nora.quist" not in masked
    for bot in BOTS:
        assert masked.count(bot) == plain.count(bot)


def test_name_and_address_of_one_person_become_the_same() -> None:
    mask = Mask([("Nora Quist", "nora@contoso.example"), ("Ole Berg", "ole@contoso.example")])
    said = "must beat Nora Quist (80); NORA@contoso.example and Ole Berg, ole@contoso.example are members"
    assert mask.text(said) == "must beat person-1 (80); person-1 and person-2, person-2 are members"


def test_addresses_nobody_told_of_are_masked_and_remembered() -> None:
    mask = Mask([("Nora Quist", "nora@contoso.example")])
    assert mask.text("queue_member:Nurses/x.y+z@other.example?") == "queue_member:Nurses/person-2?"
    assert mask.data({"a": ["x.y+z@other.example", 1, None]}) == {"a": ["person-2", 1, None]}


@pytest.mark.parametrize(
    ("people", "kept", "said", "masked"),
    [
        ([("Bo", "")], [], "Bo owns Boats, the Bo-Rule and Lobo", "person-1 owns Boats, the person-1-Rule and Lobo"),
        ([("Nora", ""), ("Nora Quist", "")], [], "Nora Quist, Nora", "person-2, person-1"),
        ([("Twin", "a@x.example"), ("Twin", "b@x.example")], [], "Twin b@x.example", "person-1 person-1"),
        ([("Health Bot", "bot@x.example")], ["Health Bot", "BOT@x.example"], "Health Bot bot@x.example", None),
        ([("", "")], [], "nothing to mask", None),
        ([("Ute Strauß", "")], [], "Ute Strauß and UTE STRAUß", "person-1 and person-1"),
        ([("Zoë (Ward 3)", "")], [], "told Zoë (Ward 3).", "told person-1."),
    ],
)
def test_what_counts_as_a_name(people: list[tuple[str, str]], kept: list[str], said: str, masked: str | None) -> None:
    assert Mask(people, kept).text(said) == (said if masked is None else masked)


@settings(deadline=None)  # no test here is about time
@given(st.lists(st.tuples(st.text(), st.text())), st.text())
def test_any_names_and_texts(people: list[tuple[str, str]], said: str) -> None:
    mask = Mask(people)
    assert mask.text(said) == mask.text(said)
    json.dumps(mask.data({"said": [said]}))
