"""Scenario, activity, context, routing: what each shipped playbook's bot sends reaches the queue it is meant for.

A playbook without scenarios is walked with scenarios made of what its tests hand over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from d365setup.healthbot.activity import activity
from d365setup.healthbot.generate import generate
from d365setup.healthbot.scenario import import_body, read_scenario
from d365setup.healthbot.script import Literal, handoffs
from d365setup.intended import of_playbook
from d365setup.kinds import discover, specs
from d365setup.kinds.bot_user import BotUser
from d365setup.playbook import Playbook, Scenario, load_file
from d365setup.playbook.document import Escalate
from d365setup.proving import NOON, always_open
from d365setup.routing import Ended, Escalated, Simulation, Start, simulate
from tests.test_shipped import FOLDER, SHIPPED

from .node import Engine

Context = dict[str, str | int]


@cache
def shipped(name: str) -> Playbook:
    return load_file(FOLDER / Path(name), specs(discover()), {}, {}, examples=True)


def scenarios_of(playbook: Playbook) -> tuple[Scenario, ...]:
    return playbook.scenarios or tuple(_from_tests(playbook))


def _from_tests(playbook: Playbook) -> Iterator[Scenario]:
    handed = [test.given for test in playbook.tests if test.escalated_by and test.given is not None]
    handed += [step.escalate for test in playbook.tests for step in test.steps or () if step.escalate is not None]
    for number, context in enumerate(handed, 1):
        name = f"Hand-off {number}"
        yield Scenario(
            name=name, trigger=f"hand_off_{number}", say="One moment.", escalate=Escalate("As tested", context)
        )


WALKS = [(name, each.name) for name in SHIPPED for each in scenarios_of(shipped(name))]


def walked(name: str, scenario: str) -> tuple[Playbook, Scenario, str]:
    """The playbook, one scenario of it, and the script the bot runs for it, as an export shows it."""
    playbook = shipped(name)
    playbook = replace(playbook, scenarios=scenarios_of(playbook))
    wants = next(each for each in playbook.scenarios if each.name == scenario)
    stored = next(each for each in generate(playbook) if each.name == scenario)
    exported = read_scenario({**import_body(stored), "id": "1", "active": True})
    first = exported.graph.steps[0]
    last = exported.graph.step(first.next)
    assert last is not None
    assert (first.type, last.type, last.targets) == ("statement", "action", ())
    return playbook, wants, str(last.raw["onInit"])


def routed(playbook: Playbook, stream: str, kind: str, context: Context) -> Simulation:
    """The conversation from hello to what the bot sends."""
    (bot,) = playbook.desired.of(BotUser)
    event = Escalated(context, bot.name) if kind == "Escalate" else Ended()
    return simulate(always_open(of_playbook(playbook)), stream, [Start(_first(playbook)), event], NOON)


def _first(playbook: Playbook) -> Context:
    """What a conversation begins with, where the playbook's tests say: a clinic's name."""
    starts = (step.start for test in playbook.tests for step in test.steps or () if step.start)
    return next((dict(each) for each in starts), {})


def streams(playbook: Playbook) -> list[str]:
    return [spec.name for spec in playbook.desired.specs if spec.kind == "workstream"]


def test_every_playbook_is_walked() -> None:
    assert {name for name, _ in WALKS} == set(SHIPPED)


@pytest.mark.parametrize(("name", "scenario"), WALKS)
def test_what_the_script_hands_over_reaches_a_person(name: str, scenario: str) -> None:
    playbook, wants, script = walked(name, scenario)
    (found,) = handoffs(script)
    context: Context = {
        key: value.value
        for key, value in found.context
        if isinstance(value, Literal) and isinstance(value.value, str | int)
    }
    tags = json.loads(activity(wants)["channelData"]["tags"])
    assert (found.problem, tags) == ("", {"type": found.type, "context": context})

    for stream in streams(playbook):
        simulation = routed(playbook, stream, found.type, context)
        for journey in (simulation.strict, simulation.loose):
            start, end = journey.legs[0], journey.last
            assert start.answer == "bot"
            if found.type == "Escalate":
                assert end.queue != start.queue or name == "mixed-queue.yaml"
                assert end.answer in (("person",) if _is_staffed(playbook, end.queue) else ("person", "unknown"))
            else:
                assert end.chosen_by == "end"


def _is_staffed(playbook: Playbook, queue: str) -> bool:
    """Whether the playbook itself says who is in it; of a queue that it only refers to it does not."""
    spec: Any = playbook.desired.find("queue", queue)
    return not spec.only_refers


@pytest.mark.parametrize(("name", "scenario"), WALKS)
def test_an_engine_runs_it_to_the_same_context(name: str, scenario: str, engine: Engine) -> None:
    _, wants, script = walked(name, scenario)
    (sent,) = engine.sent(script)
    assert json.loads(sent["channelData"]["tags"]) == json.loads(activity(wants)["channelData"]["tags"])


def test_a_key_spelt_otherwise_strands_the_patient_and_that_is_seen() -> None:
    playbook, _, script = walked("health-bot.yaml", "Escalate to nurse")
    (found,) = handoffs(script.replace("BotHandOffTopic", "BotHandoffTopic"))
    context: Context = {key: str(value.value) for key, value in found.context if isinstance(value, Literal)}
    (stream,) = streams(playbook)
    right = routed(playbook, stream, "Escalate", {"BotHandOffTopic": "Nurse"}).strict.last
    wrong = routed(playbook, stream, "Escalate", context).strict.last
    assert (right.answer, right.queue) == ("person", "Nurses")
    assert wrong.answer != "person"
    assert wrong.queue == "Health bot"
