"""Comparing, judging and the folder, as values; scenarios of any shape survive the way through files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.errors import Unresolvable, UsageError
from d365setup.healthbot import ScenarioError, StoredScenario, folder, read_scenario, same
from d365setup.healthbot.portal import EXAMPLE
from d365setup.healthbot.pushing import INACTIVE, State, became, compare, pushed
from d365setup.model import Action, Change, Environment, Plan, ResourceId
from d365setup.outcome import Failure, Outcome, Run, Status

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)


def scenario(name: str = "Escalate", trigger: str = "escalate", text: str = "Hello", **more: Any) -> StoredScenario:
    code = {"version": 3, "steps": [{"id": "a", "type": "statement", "text": text}]}
    value = {"name": name, "scenario_trigger": trigger, "description": "", "code": json.dumps(code)}
    return read_scenario({**value, **more})


@st.composite
def scenarios(draw: st.DrawFn) -> list[StoredScenario]:
    """Some with triggers and names of any characters, step types and fields nobody knows."""
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    found = []
    for name in names:
        steps = draw(st.lists(st.dictionaries(TEXTS, JSON, max_size=3), max_size=3))
        whole = [{**step, "id": f"s{number}", "type": "newer"} for number, step in enumerate(steps)]
        code = {"version": 3, "steps": whole, **draw(st.dictionaries(TEXTS.map("x".__add__), JSON, max_size=2))}
        text = json.dumps(code) if draw(st.booleans()) else code
        trigger = draw(st.sampled_from(["a", "A", "../../etc/passwd", "CON", ".hidden", "a b", name]))
        found.append(
            read_scenario({"name": name, "scenario_trigger": trigger, "userDisplayName": "canary", "code": text})
        )
    return found


@given(scenarios())
def test_any_scenarios_survive_the_way_through_files(
    tmp_path_factory: pytest.TempPathFactory, given: list[StoredScenario]
) -> None:
    place = tmp_path_factory.mktemp("pulled")
    written = folder.texts(given)
    assert written == folder.texts(reversed(given))
    assert len({name.casefold() for name in written}) == len(given)
    for name, text in written.items():
        assert Path(name).name == name
        assert "canary" not in text
        (place / name).write_text(text, encoding="utf-8")
    if not given:
        return
    back = {each.name: each for each in folder.read(place)}
    assert set(back) == {each.name for each in given}
    assert all(same(back[each.name], each) and back[each.name].trigger == each.trigger for each in given)
    assert folder.texts(back.values()) == written


def ran(*statuses: Status, detail: str = "", failure: Failure | None = None) -> Run:
    """A run of one scenario after the other."""
    names = ("Escalate", "Other", "Third")
    changes = [Change(Action.CREATE, ResourceId("scenario", name), None) for name in names]
    outcomes = (Outcome(each, status, detail, failure) for each, status in zip(changes, statuses, strict=False))
    return Run(Plan(Environment(EXAMPLE, ""), "", ""), tuple(outcomes), id="run")


@pytest.mark.parametrize(
    ("statuses", "states", "exit_code"),
    [
        ([Status.VERIFIED], ["verified"], 0),
        ([Status.MANUAL], ["verified"], 0),
        ([Status.FAILED], ["not written"], 6),
        ([Status.NOT_WRITTEN], ["not written"], 6),
        ([Status.NOT_VERIFIED], ["not verified"], 1),
        ([Status.VERIFIED, Status.FAILED], ["verified", "not written"], 7),
        ([Status.NOT_VERIFIED, Status.NOT_WRITTEN], ["not verified", "not written"], 7),
    ],
)
def test_what_became_of_them(statuses: list[Status], states: list[State], exit_code: int) -> None:
    push = pushed(compare([scenario(), scenario("Other", "other")][: len(states)], []), EXAMPLE)
    done = became(push, ran(*statuses, failure=Failure("no", exit_code=6, hint="look there")))
    assert [each.state for each in done.scenarios] == states
    assert (done.exit_code, done.hint, done.run, done.sent) == (exit_code, "look there", "run", True)
    assert push.exit_code == 3


def test_what_was_in_line_stays_so() -> None:
    push = pushed(compare([scenario(), scenario("Other", "other")], [scenario("Other", "other")]), EXAMPLE)
    done = became(push, ran(Status.VERIFIED))
    assert [each.state for each in done.scenarios] == ["verified", "unchanged"]


def test_one_that_was_left_inactive_says_so() -> None:
    done = became(pushed(compare([scenario()], []), EXAMPLE), ran(Status.MANUAL, detail="otherwise"))
    assert done.scenarios[0].detail == INACTIVE


@pytest.mark.parametrize(
    ("held", "told", "exit_code"),
    [
        ([scenario(), scenario(id="b")], "holds 2 scenarios of this name", 1),
        ([scenario("escalate")], "differs in case or white space only", 5),
        ([scenario("Another")], "has the trigger 'escalate' on its scenario 'Another'", 5),
    ],
)
def test_what_an_import_would_make_worse_is_refused(held: list[StoredScenario], told: str, exit_code: int) -> None:
    with pytest.raises(Unresolvable, match=told) as refused:
        compare([scenario()], held)
    assert refused.value.exit_code == exit_code


@pytest.mark.parametrize("other", [scenario("Escalate", "other"), scenario("Other", "escalate")])
def test_two_that_want_one_name_or_trigger(other: StoredScenario) -> None:
    with pytest.raises(UsageError, match="two scenarios have the"):
        compare([scenario(), other], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"[]", "no scenario"),
        (b'{"name": "a"}', "no `scenario_trigger`"),
        (b'{"name":"a","scenario_trigger":"a","code":"{"}', "no JSON"),
        (b'{"name":"a","name":"b","scenario_trigger":"a","code":{}}', "comes twice"),
        (b'{"name":"a","scenario_trigger":"a","code":' + b"[" * 5000, "nested too deeply|no JSON"),
        (b'"' + b"x" * 8_000_001, "more than the"),
    ],
)
def test_a_file_that_is_no_scenario_is_named(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "bad.scenario.json").write_bytes(content)
    with pytest.raises((UsageError, ScenarioError), match=told) as refused:
        folder.read(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "bad.scenario.json"))
    assert refused.value.exit_code == 2


def test_a_folder_without_any(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no scenario"):
        folder.read(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        folder.read(tmp_path / "nowhere")
