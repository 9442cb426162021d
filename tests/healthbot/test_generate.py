"""What is generated does what it says, whatever stands in the playbook: run by a JavaScript engine."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.audit.payload import payload_mistakes
from d365setup.errors import PlaybookError
from d365setup.healthbot import import_body, read_graph, read_scenario, same
from d365setup.healthbot.activity import ENDED, activity, said
from d365setup.healthbot.generate import files, generate, script
from d365setup.healthbot.graph import json_text
from d365setup.healthbot.literals import display_text, literal
from d365setup.healthbot.script import Literal, handoffs
from d365setup.playbook import End, Escalate, Scenario

from .hostile import playbook, scenarios, texts
from .node import Engine

NURSE = Scenario(
    name="Escalate to nurse",
    trigger="escalate_nurse",
    say="Connecting you with a nurse.",
    escalate=Escalate("Patient asked for a nurse", {"BotHandOffTopic": "Nurse", "Severity": 7}),
)
GOODBYE = Scenario(name="End conversation", trigger="end_conversation", say="Thank you all.", end=End())


def is_index(key: str) -> bool:
    """JavaScript puts keys that are whole numbers first."""
    return bool(re.fullmatch(r"0|[1-9][0-9]{0,9}", key))


@given(scenarios())
def test_the_script_sends_the_documented_activity(engine: Engine, scenario: Scenario) -> None:
    expected = activity(scenario)
    (sent,) = engine.sent(script(scenario))
    tags = sent["channelData"]["tags"]
    assert isinstance(tags, str)
    assert sent == {**expected, "channelData": {"tags": tags}}
    assert json.loads(tags) == json.loads(expected["channelData"]["tags"])
    if not any(map(is_index, scenario.escalate.context if scenario.escalate else ())):
        assert tags == expected["channelData"]["tags"]


@given(scenarios())
def test_the_script_is_read_as_what_it_does(scenario: Scenario) -> None:
    (found,) = handoffs(script(scenario))
    hand_over = scenario.escalate
    assert found.type == ("Escalate" if hand_over else "EndConversation")
    assert found.summary == (hand_over.summary if hand_over else ENDED)
    assert found.context == tuple(
        (key, Literal(each)) for key, each in (hand_over.context if hand_over else {}).items()
    )
    assert found.tags_is_string
    assert not found.problem


@given(texts)
def test_the_patient_reads_exactly_what_the_playbook_says(engine: Engine, text: str) -> None:
    shown = display_text(text)
    assert not set(shown) & set("$@&<>"), "the old notation of variables, or a tag"
    if shown == text:
        assert not engine.is_program(text)
    else:
        assert engine.value(shown) == text


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("Thank you. This chat is now closed.", True),
        ("Vielen Dank für Ihre Geduld.", True),
        ("Please wait.\nA nurse will come.", True),
        ("Hello", False),  # a name
        ("Hello, nurse", False),  # two names and the comma operator
        ("Thanks in advance", False),  # the operator `in`
        ("new Patient", False),
        ("1 + 1", False),
        ("您好", False),
        ("scenario.answer", False),
        ("Please call $name", False),  # the old notation of variables
        ("Please type {name}", False),
        ("Write to nurse.one@contoso.example", False),
    ],
)
def test_only_text_that_is_no_program_stays_as_it_is(engine: Engine, text: str, *, is_plain: bool) -> None:
    assert (display_text(text) == text) is is_plain
    assert is_plain or engine.value(display_text(text)) == text


def test_the_engine_would_tell_pasted_text(engine: Engine) -> None:
    with pytest.raises(AssertionError, match="SyntaxError"):
        engine.sent("session.sendChannelData('the patient's wish', {});")
    assert engine.is_program("Thanks in advance")


@given(texts)
def test_a_literal_shows_everything_it_holds(text: str) -> None:
    assert literal(text).isprintable()
    assert "<" not in literal(text)


@given(st.lists(scenarios(), max_size=3, unique_by=lambda each: each.name))
def test_generated_graphs_hold_together(found: list[Scenario]) -> None:
    stored = generate(playbook(*found))
    assert stored == generate(playbook(*found))
    ids = [step.id for each in stored for step in each.graph.steps]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[0-9a-f]{12}-[0-9a-f]{16}-[0-9a-f]{4}", each) for each in ids)
    for each in stored:
        first, last = each.graph.steps
        assert (first.type, first.targets, last.type, last.targets) == ("statement", (last.id,), "action", ())
        assert re.fullmatch("stringId_[0-9a-f]{16}", first.raw["stringId"])
        assert same(each, read_scenario(json.loads(json_text(import_body(each), 2))))


def test_bytes_are_for_ever() -> None:
    """Ids are in people's bots: another way of making them would look like a change of every scenario."""
    found = files(playbook(NURSE, GOODBYE))
    assert list(found) == ["escalate_nurse.scenario.json", "end_conversation.scenario.json"]
    body = json.loads(found["escalate_nurse.scenario.json"])
    assert list(body) == ["name", "scenario_trigger", "description", "code"]
    graph = read_graph(body["code"])
    assert list(graph.raw) == ["version", "steps", "interrupting", "breaking", "returningMessage"]
    assert [step.id for step in graph.steps] == [
        "a0ac430c0a29-dc54ec7ce7f0dbe0-14a5",
        "f98c9a568f96-16dece481373eb0d-4cec",
    ]
    assert graph.steps[0].raw["stringId"] == "stringId_31d93aac3a526552"
    assert graph.steps[1].raw["onInit"] == (
        'session.sendChannelData("Patient asked for a nurse", {\n'
        '    "tags": JSON.stringify({ "type": "Escalate", '
        '"context": { "BotHandOffTopic": "Nurse", "Severity": 7 } })\n'
        "});"
    )


def test_a_key_that_javascript_takes_for_something_else(engine: Engine) -> None:
    odd = Scenario(name="a", trigger="a", say="a", escalate=Escalate("s", {"__proto__": "Nurse", "toString": 1}))
    (sent,) = engine.sent(script(odd))
    assert json.loads(sent["channelData"]["tags"])["context"] == {"__proto__": "Nurse", "toString": 1}


def escalated(context: dict[str, Any] | None = None, *, summary: str = "s", say: str = "Please wait") -> Scenario:
    return Scenario(name="a", trigger="a", say=say, escalate=Escalate(summary, context or {}))


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        (escalated(summary="\ud83e"), "summary: character 1 is half of one"),
        (escalated(say="so \udd14"), "say: character 4 is half of one"),
        (escalated({"Topic": "\ud83e"}), "the value of 'Topic': character 1 is half of one"),
        (escalated({"Number": 2**53}), "9007199254740992 of 'Number' is more than JavaScript keeps exactly"),
        (escalated({"Number": -(2**60)}), "of 'Number' is more than JavaScript keeps exactly"),
        (escalated({"Topic": "x" * 4001}), "4,001 characters: a value has at most 4,000"),
        (escalated({"x" * 101: 1}), "has 101 characters: 1 to 100 are allowed"),
        (escalated({f"v{number}": "x" * 3000 for number in range(10)}), "Omnichannel takes 28,672"),
        (escalated(say="\U0001f9d1" * 8000), "what is said to the patient: the message has"),
        (escalated({f"v{number}": 1 for number in range(101)}), "hands over 101 values, and Omnichannel takes 100"),
    ],
)
def test_what_no_message_could_carry(scenario: Scenario, told: str) -> None:
    with pytest.raises(PlaybookError, match=re.escape(told)) as caught:
        generate(playbook(NURSE, scenario))
    assert len(caught.value.mistakes) == 1
    assert str(caught.value.mistakes[0]).count("the scenario 'a' cannot be sent") == 1


@given(scenarios(), st.sampled_from(["activity", "activity-2026"]))
def test_activities_of_both_dialects_are_understood(scenario: Scenario, dialect: Any) -> None:
    sent, told = activity(scenario, dialect), said(scenario, dialect)
    assert [*payload_mistakes(sent), *payload_mistakes(told)] == []
    data = sent["channelData"]
    found = json.loads(data)["command"] if isinstance(data, str) else json.loads(data["tags"])
    assert found["type"] == ("Escalate" if scenario.escalate else "EndConversation")
    context = found["value" if isinstance(data, str) else "context"]
    assert list(context.items()) == list((scenario.escalate.context if scenario.escalate else {}).items())
    assert told["text"] == scenario.say
