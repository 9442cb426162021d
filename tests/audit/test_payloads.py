"""R29: what a bot sends, message by message (`payloads/`), and what a playbook's scenarios become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.audit.payload import dialect, escalation, payload_mistakes
from d365setup.center import ContactCenter
from tests.audit.judging import audited

MESSAGES = json.loads((Path(__file__).parent / "payloads" / "messages.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: str(message["name"]))
def test_each_message(message: dict[str, Any]) -> None:
    told = list(payload_mistakes(message["activity"]))
    assert dialect(message["activity"]) == message["dialect"]
    assert len(told) == len(message["mistakes"]), told
    for each, part in zip(told, message["mistakes"], strict=True):
        assert part in each


@settings(deadline=None)
@given(
    st.text(max_size=200),
    st.dictionaries(st.text(min_size=1, max_size=100), st.text(max_size=99) | st.integers(), max_size=9),
)
def test_what_is_written_as_it_should_be_has_no_mistake(summary: str, context: dict[str, str | int]) -> None:
    activity = escalation(summary, context)
    assert list(payload_mistakes(activity)) == []
    assert json.loads(activity["channelData"]["tags"])["context"] == context


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
KEYS = st.sampled_from(["type", "text", "channelData", "tags", "command", "context", "value", "deliveryMode"])


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(KEYS, JSON_VALUES | st.dictionaries(KEYS, JSON_VALUES | st.dictionaries(KEYS, JSON_VALUES))))
def test_no_message_is_too_strange(activity: dict[str, Any]) -> None:
    assert all(isinstance(each, str) and each for each in payload_mistakes(activity))


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ({"x" * 101: "v"}, "101 characters: 1 to 100"),
        ({"": "v"}, "0 characters"),
        ({"Topic": "v" * 4001}, "4,001 characters"),
        ({f"v{number}": number for number in range(101)}, "101 values"),
        ({f"v{number}": "€" * 3000 for number in range(4)}, "bytes"),
    ],
)
def test_limits(context: dict[str, str | int], told: str) -> None:
    (mistake,) = payload_mistakes(escalation("short", context))
    assert told in mistake


def test_a_surrogate_alone_is_counted_and_not_tripped_over() -> None:
    assert list(payload_mistakes(escalation("\ud800", {}))) == []


SCENARIO = """
workstreams:
  - name: Patient chat
    context_variables:
{variables}
scenarios:
  - name: Escalate
    trigger: escalate
    say: One moment.
    escalate:
      summary: A patient asks for a nurse
      context: {{{context}}}
"""


def scenario(count: int) -> str:
    names = [f"Note{number}" for number in range(count)]
    variables = "\n".join(f"      - {{name: {name}, type: text}}" for name in names)
    return SCENARIO.format(variables=variables, context=", ".join(f"{name}: {'v' * 3900}" for name in names))


def test_a_scenario_that_becomes_too_large() -> None:
    (found,) = audited(ContactCenter(), scenario(8), "R29").findings
    assert (found.id, found.level, str(found.subject)) == ("R29", "error", "scenario:Escalate")
    assert "28,672" in found.message
    assert found.subject.source.line > 1
    mended = audited(ContactCenter(), scenario(3), "R29")
    assert (mended.findings, mended.passed) == ((), ("R29",))
