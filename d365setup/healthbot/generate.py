"""Scenarios made from a playbook: what the patient reads, then the call that hands over or ends."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from d365setup.audit.payload import payload_mistakes
from d365setup.errors import PlaybookError, PlaybookMistake
from d365setup.healthbot.activity import activity, command, said, text
from d365setup.healthbot.graph import Graph, json_text
from d365setup.healthbot.literals import SAFE_INTEGER, display_text, literal, object_literal
from d365setup.healthbot.scenario import StoredScenario, import_body
from d365setup.playbook import Playbook, Scenario

_LABELS = {"Escalate": "Escalate", "EndConversation": "End conversation"}
_DOES = {"Escalate": "Hands the conversation over", "EndConversation": "Ends the conversation"}


def generate(playbook: Playbook) -> tuple[StoredScenario, ...]:
    """One for each entry of `scenarios`, in their order; the same playbook gives the same bytes.

    Raises PlaybookError with everything that no message could carry.
    """
    mistakes = [
        PlaybookMistake(each.source, f"the scenario {each.name!r} cannot be sent: {told}")
        for each in playbook.scenarios
        for told in dict.fromkeys(_mistakes(each))
    ]
    if mistakes:
        raise PlaybookError(mistakes)
    return tuple(_stored(playbook.name, each) for each in playbook.scenarios)


def first_step(playbook: str, scenario: str) -> str:
    """The id of the step a scenario begins with: made from both names, so it tells which playbook made it."""
    return _step_id(playbook, scenario, "say")


def files(playbook: Playbook) -> dict[str, str]:
    """The file of each, by name: the portal imports one scenario from one file."""
    return {f"{each.trigger}.scenario.json": f"{json_text(import_body(each), 2)}\n" for each in generate(playbook)}


def script(scenario: Scenario) -> str:
    """The `onInit` of the step that hands over: run by the bot, it sends exactly `activity(scenario)`."""
    name, context = command(scenario)
    tags = f'{{ "type": {literal(name)}, "context": {object_literal(context)} }}'
    return f'session.sendChannelData({literal(text(scenario))}, {{\n    "tags": JSON.stringify({tags})\n}});'


def _stored(playbook: str, scenario: Scenario) -> StoredScenario:
    name, _ = command(scenario)
    described = f"{_DOES[name]}. Made from the playbook {playbook}: change it there."
    head = {"name": scenario.name, "scenario_trigger": scenario.trigger, "description": described}
    return StoredScenario(scenario.name, scenario.trigger, described, _graph(playbook, scenario), raw=head)


def _graph(playbook: str, scenario: Scenario) -> Graph:
    """Two steps. Nothing follows the second: from then on Omnichannel says where the conversation goes."""
    name, _ = command(scenario)
    key = (playbook, scenario.name)
    say, act = first_step(*key), _step_id(*key, "act")
    spoken = {"text": display_text(scenario.say), "stringId": f"stringId_{_digest(*key, 'text')[:16]}"}
    steps = [
        _step(say, "statement", "Tell the patient", {"xLocation": 300, "yLocation": 100, "next": act}, spoken),
        _step(act, "action", _LABELS[name], {"xLocation": 300, "yLocation": 220}, {"onInit": script(scenario)}),
    ]
    return Graph({"version": 3, "steps": steps, "interrupting": False, "breaking": False, "returningMessage": ""})


def _step(name: str, type_: str, label: str, designer: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name, "type": type_, "label": label, "designer": dict(designer), **own}


def _step_id(*names: str) -> str:
    """In the form that exports have: 12, 16 and 4 hexadecimal digits."""
    found = _digest(*names)
    return f"{found[:12]}-{found[12:28]}-{found[28:32]}"


def _digest(*names: str) -> str:
    """Of a JSON text, in which no two lists of names look the same."""
    told = json.dumps([unicodedata.normalize("NFC", each) for each in names])
    return hashlib.sha256(told.encode()).hexdigest()


def _mistakes(scenario: Scenario) -> Iterator[str]:
    """What no message could carry. The names and texts first: the rest measures what they make."""
    name, context = command(scenario)
    found = [*_halved({"name": scenario.name, "say": scenario.say, "summary": text(scenario)})]
    for key, value in context.items():
        found += _halved({f"the name {key!r} in its context": key, f"the value of {key!r}": value})
        if isinstance(value, int) and abs(value) > SAFE_INTEGER:
            found.append(f"{value} of {key!r} is more than JavaScript keeps exactly (at most {SAFE_INTEGER})")
    yield from found
    if not found:
        yield from (f"what is said to the patient: {told}" for told in payload_mistakes(said(scenario)))
        yield from (f"{name}: {told}" for told in payload_mistakes(activity(scenario)))


def _halved(texts: Mapping[str, str | int]) -> Iterator[str]:
    for where, value in texts.items():
        try:
            literal(value)
        except ValueError as error:
            yield f"{where}: {error}"
