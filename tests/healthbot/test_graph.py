"""Graphs and scenarios of real exports are read whole, and written as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.healthbot import (
    Graph,
    ScenarioError,
    differences,
    import_body,
    read_graph,
    read_scenario,
    same,
    write_graph,
)
from d365setup.healthbot.graph import DEEPEST, LARGEST, MOST_STEPS, json_text, parsed

SAMPLES = Path(__file__).with_name("samples")


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


EXPORTS = [sample("scenario-export-survey.json"), *sample("synthetic-import-body.json")]
CATALOGUE = [each["step"] for each in sample("step-type-catalogue.json")["steps"]]


@pytest.mark.parametrize("export", EXPORTS, ids=lambda each: each["scenario_trigger"])
def test_exports_are_written_as_they_were(export: dict[str, Any]) -> None:
    scenario = read_scenario(export, "export.json")
    body = import_body(scenario)
    assert list(body) == ["name", "scenario_trigger", "description", "code"]
    assert {key: body[key] for key in ("name", "scenario_trigger", "description")} == {
        key: export[key] for key in ("name", "scenario_trigger", "description")
    }
    text = json.dumps(json.loads(export["code"]), separators=(",", ":"), ensure_ascii=False)
    assert body["code"] == text, "every key in its order"
    assert same(scenario, read_scenario(body))
    assert scenario.raw == {key: each for key, each in export.items() if key != "code"}


def test_an_export_says_more_than_an_import_takes() -> None:
    scenario = read_scenario(EXPORTS[0])
    assert (scenario.name, scenario.trigger, scenario.active) == ("Sample survey", "sample_survey", True)
    assert scenario.id == "6af170d1-d035-42a6-8805-d03eb6bc6e0b"
    assert scenario.updated == "2021-01-01T00:00:00.0000000Z"
    assert [scenario.graph.version, len(scenario.graph.steps)] == [3, 10]


def test_a_backup_holds_the_graph_as_an_object() -> None:
    export = EXPORTS[0]
    backed_up = {**export, "code": json.loads(export["code"]), "RowKey": "x", "snapshots": 1}
    assert same(read_scenario(export), read_scenario(backed_up))
    assert write_graph(read_scenario(backed_up).graph) == write_graph(read_scenario(export).graph)


def test_what_is_read_is_no_longer_the_callers() -> None:
    code = json.loads(EXPORTS[0]["code"])
    graph = read_graph(code)
    code["steps"][0]["type"] = "changed"
    assert graph.steps[0].type == "assignVariable"


@pytest.mark.parametrize("raw", CATALOGUE, ids=lambda each: each["type"])
def test_every_type_of_step_is_understood(raw: dict[str, Any]) -> None:
    (step,) = read_graph({"version": 3, "steps": [raw]}).steps
    assert (step.id, step.type, step.label) == (raw["id"], raw["type"], raw.get("label", ""))
    written = json.dumps(raw)
    assert all(each in written for each in step.targets)
    expected = {"branch": 2, "yesnoprompt": 2, "switch": 4, "replaceScenario": 0, "endwithresult": 0}
    assert len(step.targets) == expected.get(step.type, 1)
    assert step.next == raw["designer"].get("next", "")


def test_the_survey_holds_together() -> None:
    graph = read_scenario(EXPORTS[0]).graph
    targets = {each for step in graph.steps for each in step.targets}
    assert targets == {step.id for step in graph.steps} - {graph.steps[0].id}
    assert graph.step(graph.steps[3].id) is graph.steps[3]
    assert graph.step("nobody") is None


words = st.text(max_size=6)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False),
              words, st.just("\ud83e"), st.just("\u2028")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
steps = st.builds(
    lambda rest, id_, type_, position: dict(
        [*list(rest.items())[:position], ("id", id_), ("type", type_), *list(rest.items())[position:]]
    ),
    st.dictionaries(
        st.one_of(words, st.sampled_from(["designer", "cases", "targetStepId", "label"])).filter(
            lambda key: key not in ("id", "type")
        ),
        values,
        max_size=4,
    ),
    st.text(min_size=1, max_size=4),
    st.text(min_size=1, max_size=4),
    st.integers(0, 4),
)
graphs = st.builds(
    lambda rest, found: {**rest, "version": 9, "steps": found, "newer": 1},
    st.dictionaries(words, values, max_size=3),
    st.lists(steps, max_size=3),
)


@given(graphs)
def test_what_nobody_knows_is_kept_in_its_order(raw: dict[str, Any]) -> None:
    for given_as in (raw, json.dumps(raw)):
        graph = read_graph(given_as)
        text = write_graph(graph)
        text.encode()  # a file can hold it
        assert json.dumps(json.loads(text)) == json.dumps(raw)
        assert all(isinstance(each, str) for step in graph.steps for each in (step.label, step.next, *step.targets))
        assert same(scenario(graph), scenario(read_graph(text)))


def scenario(graph: Graph, **head: Any) -> Any:
    return read_scenario({"name": "a", "scenario_trigger": "a", "code": write_graph(graph), **head})


def changed(**fields: Any) -> Any:
    """The survey with its last step, or what is outside of its steps, said otherwise."""
    code = json.loads(EXPORTS[0]["code"])
    for name, value in fields.items():
        place = code if name in code else code["steps"][-1]
        if value is None:
            del place[name]
        else:
            place[name] = value
    return scenario(read_graph(code))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (changed(text="Bye."), [("steps/Thank you/text", "Thank you.", "Bye.")]),
        (changed(stringId=None), [("steps/Thank you/stringId", "stringId_e72d310dbb213f4c", None)]),
        (changed(markdown=True), [("steps/Thank you/markdown", None, True)]),
        (changed(breaking=True), [("breaking", False, True)]),
        (changed(breaking=None), []),  # an import may leave it out
        (changed(version=2), [("version", 3, 2)]),
        (changed(designer={"xLocation": 1, "yLocation": 2}), []),  # drawn elsewhere
        (changed(designer={"xLocation": 1, "next": "x"}), [("steps/Thank you/designer.next", None, "x")]),
    ],
)
def test_what_differs(other: Any, expected: list[tuple[str, Any, Any]]) -> None:
    survey = scenario(read_graph(EXPORTS[0]["code"]))
    found = [(each.field, each.before, each.after) for each in differences(survey, other)]
    assert found == expected
    assert same(survey, other) is (not expected)
    assert [(name, after, before) for name, before, after in expected] == [
        (each.field, each.before, each.after) for each in differences(other, survey)
    ]


def test_what_differs_outside_of_the_graph() -> None:
    graph = read_graph(EXPORTS[0]["code"])
    one = scenario(graph, description="a", active=True, updated="2021", userDisplayName="person-1")
    other = scenario(graph, description="b", active=False, updated="2022", id="x")
    assert [each.field for each in differences(one, other)] == ["description"]
    renamed = read_scenario({**one.raw, "name": "b", "scenario_trigger": "A", "code": write_graph(graph)})
    assert [(each.field, each.after) for each in differences(one, renamed)] == [("name", "b"), ("trigger", "A")]


def test_a_step_that_is_there_only_once_is_one_difference() -> None:
    code = json.loads(EXPORTS[0]["code"])
    less = scenario(read_graph({**code, "steps": code["steps"][:-1]}))
    whole = scenario(read_graph(code))
    (found,) = differences(less, whole)
    assert (found.field, found.before, found.after) == ("steps/Thank you", None, code["steps"][-1])
    (found,) = differences(whole, less)
    assert (found.before, found.after) == (code["steps"][-1], None)


def test_the_order_of_steps_says_where_a_scenario_begins_and_nothing_else() -> None:
    code = json.loads(EXPORTS[0]["code"])
    whole = scenario(read_graph(code))
    first, second, *rest = code["steps"]
    assert same(whole, scenario(read_graph({**code, "steps": [first, *reversed(rest), second]})))
    (found,) = differences(whole, scenario(read_graph({**code, "steps": [second, first, *rest]})))
    assert (found.field, found.before, found.after) == ("begins with", first["id"], second["id"])


def test_true_is_not_one() -> None:
    def one(value: Any) -> Any:
        return scenario(read_graph({"version": 3, "steps": [{"id": "a", "type": "b", "deep": [{"c": value}]}]}))

    assert not same(one(True), one(1))
    assert same(one(1), one(1.0))


NO_SCENARIO = [
    ([], "it is no JSON object"),
    ({"scenario_trigger": "a", "code": "{}"}, "it has no `name`"),
    ({"name": "a", "scenario_trigger": " ", "code": "{}"}, "it has no `scenario_trigger`"),
    ({"name": "a", "scenario_trigger": 1, "code": "{}"}, "it has no `scenario_trigger`"),
    ({"name": "a", "scenario_trigger": "a"}, "scenario 'a': it has no `code`"),
    ({"name": "a", "scenario_trigger": "a", "code": 1}, "scenario 'a': it has no `code`"),
    ({"name": "a", "scenario_trigger": "a", "code": "{}", "description": 1}, "its `description` is no text"),
    ({"name": "a", "scenario_trigger": "a", "code": "{}", "other": {1}}, "it is no JSON"),
]
NO_GRAPH = [
    ("", "it is no JSON"),
    ("[]", "no object with `version` and `steps`"),
    ('{"version": "3", "steps": []}', "`version` is no whole number"),
    ('{"version": true, "steps": []}', "`version` is no whole number"),
    ('{"version": 3, "steps": {}}', "no list of `steps`"),
    ('{"version": 3}', "no list of `steps`"),
    ('{"version": 3, "steps": [{"id": "a"}]}', "step 1 of the code has no `type`"),
    ('{"version": 3, "steps": [{"id": "a", "type": "b"}, {"id": 1, "type": "b"}]}', "step 2 of the code has no `id`"),
    ('{"version": 3, "steps": [7]}', "step 1 of the code has no `id`"),
    ('{"version": 3, "steps": [], "steps": []}', "the key 'steps' comes twice"),
    ('{"version": 3, "steps": [], "a": NaN}', "NaN is no JSON number"),
    ('{"version": 3, "steps": [], "a": 1e999}', "1e999 is too large a number"),
    ('{"version": 3, "steps": [], "a": ' + "9" * 5000 + "}", "it is no JSON"),
    ("[" * 100_000, "nested too deeply"),
    ('{"version": 3, "steps": [], "a": ' + "[" * 100 + "]" * 100 + "}", f"more than {DEEPEST} levels deep"),
    (" " * (LARGEST + 1), "characters, more than the"),
    ({"version": 3, "steps": [], "a": float("nan")}, "it is no JSON"),
    ({"version": 3, "steps": [], 1: 1}, "a key is no text"),
    ({"version": 3, "steps": [{"id": "a", "type": "b"}] * (MOST_STEPS + 1)}, "20,001 steps, more than the 20,000"),
]


@pytest.mark.parametrize(("value", "told"), NO_SCENARIO)
def test_what_is_no_scenario(value: Any, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_scenario(value, "scenarios.json")
    assert str(caught.value).startswith("scenarios.json: ")
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("value", "told"), NO_GRAPH, ids=range(len(NO_GRAPH)))
def test_what_is_no_graph(value: Any, told: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_graph(value, "a.json")
    assert told in caught.value.what
    assert caught.value.where == "a.json"


def test_json_is_read_up_to_a_limit_of_the_callers() -> None:
    assert parsed("[1, 2.5]", limit=8) == [1, 2.5]
    with pytest.raises(ScenarioError, match="it has 8 characters, more than the 7"):
        parsed("[1, 2.5]", limit=7)


def test_half_a_character_stays_an_escape() -> None:
    assert json_text({"a": "\ud83e \U0001f9d1"}) == '{"a":"\\ud83e \U0001f9d1"}'
