"""Backups, read strictly: what is in one, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.healthbot.backup import MOST_SCENARIOS, read_backup
from d365setup.healthbot.collecting import of_backup
from d365setup.healthbot.graph import ScenarioError
from d365setup.healthbot.walking import called
from tests.healthbot.bots import SAMPLES, bot, text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_the_public_sample() -> None:
    found = read_backup((SAMPLES / "backup-skeleton.json").read_text(encoding="utf-8"), "backup.json")
    assert [each.trigger for each in found.scenarios] == ["sample_trigger"]
    assert found.handlers == {"sample_intent": "sample_trigger"}
    assert found.setting("dataRetentionDays") == 0
    assert found.setting("handoff", "omnichannel", "bridge") is None
    assert found.setting("handoff", "enable", "more") is None
    assert list(found.localization) == ["system", "custom"]


def test_handlers_of_other_forms_begin_nothing_that_is_known() -> None:
    made = bot()
    made["configuration"]["language_understanding"]["intent_handler_map"] = {
        "a": "/scenarios/x", "b": {"handler": "builtin/y"}, "c": None, "d": {"handler": 7},
    }  # fmt: skip
    assert read_backup(text(made)).handlers == {"a": "x", "b": "", "c": "", "d": ""}
    made["configuration"]["language_understanding"] = []
    assert read_backup(text(made)).handlers == {}


WRONG: list[tuple[Any, str]] = [
    ([], "it is no backup of a Health Bot: it is no JSON object"),
    ({}, "it has no list of `scenarios`"),
    ({"scenarios": {}}, "it has no list of `scenarios`"),
    ({"scenarios": []}, "it has no `configuration`"),
    ({"scenarios": [], "configuration": 1}, "it has no `configuration`"),
    ({"scenarios": [], "configuration": {}, "localization": 1}, "its `localization` is no object"),
    ({"scenario_trigger": "x", "name": "y", "code": "{}"}, "it is one scenario; give the folder it is in"),
    ({"scenarios": [1], "configuration": {}}, "backup.json: scenarios[0]: it is no scenario"),
    (
        {"scenarios": [{"name": "x", "scenario_trigger": "x", "code": "{"}], "configuration": {}},
        "backup.json: scenarios[0]: scenario 'x': it is no JSON",
    ),
    ({"scenarios": [{}] * (MOST_SCENARIOS + 1), "configuration": {}}, "it has 5,001 scenarios, more than the 5,000"),
]


@pytest.mark.parametrize(("value", "says"), WRONG, ids=[each[1][-30:] for each in WRONG])
def test_what_is_no_backup(value: Any, says: str) -> None:
    with pytest.raises(ScenarioError, match=r"backup\.json") as error:
        read_backup(json.dumps(value), "backup.json")
    assert says in str(error.value)
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("", "it is no JSON"),
        ("<html>", "it is no JSON"),
        ('{"a": ' * 100_000, "nested too deeply"),
        ("[" * 70 + "]" * 70, "nested more than 60 levels deep"),
        ('{"scenarios": [], "scenarios": []}', "comes twice"),
    ],
    ids=["nothing", "a page", "without an end", "deep", "twice"],
)
def test_texts_that_are_nothing(told: str, says: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read_backup(told, "backup.json")
    assert says in str(error.value)


@given(JSON, JSON, JSON)
def test_whatever_is_in_it_is_read_or_refused(scenarios: Any, configuration: Any, localization: Any) -> None:
    value = {"scenarios": scenarios, "configuration": configuration, "localization": localization}
    try:
        found = read_backup(json.dumps(value))
    except ScenarioError:
        return
    assert dict(found.configuration) == configuration
    assert list(found.handlers.values()) == [""] * len(found.handlers)


def test_each_step_is_found_in_the_text_however_it_is_written() -> None:
    made = bot()
    for told in (text(made), json.dumps(made)):
        for found in of_backup(told, "b.json", "backup").scenarios:
            for step in found.scenario.graph.steps:
                place = found.place(step)
                line = told.splitlines()[place.line - 1]
                assert line[place.column - 1 :].split('"')[1] == "id"
                assert line[place.column - 1 :].split('"')[3] == step.id


def test_steps_that_copies_share_are_looked_for_at_their_scenario() -> None:
    made = bot()
    made["scenarios"].append(made["scenarios"][0] | {"name": "Copy", "scenario_trigger": "copy"})
    told = text(made)
    copy = of_backup(told, "b.json", "backup").scenarios[-1]
    place = copy.place(copy.scenario.graph.steps[0])
    assert '"scenario_trigger": "copy"' in told.splitlines()[place.line - 1]


def test_a_trigger_that_stands_nowhere_by_itself_is_looked_for_at_the_beginning() -> None:
    made = bot()
    made["scenarios"].append(made["scenarios"][0])
    (first, *_) = of_backup(text(made), "b.json", "backup").scenarios
    assert str(first.place(first.scenario.graph.steps[0])) == "b.json:1:1"


def test_a_computed_scenario_is_none_by_name() -> None:
    made = bot()
    step = made["scenarios"][0]["code"]["steps"][0]
    for scenario, name in (("menu", "menu"), ("scenario.next + 'x'", ""), (None, "")):
        step.update(type="beginScenario", scenario=scenario)
        assert called(read_backup(text(made)).scenarios[0].graph.steps[0]) == name
