"""Thirty rules of somebody else in the environment: ours are added, changed and moved, every other byte stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, Switches
from d365setup.outcome import Status
from tests.engine.driver import HAND_OFF, applied, put_rules

THIRTY = (Path(__file__).parent.parent / "ruleset" / "samples" / "thirty-rules.xml").read_text(encoding="utf-8")
OURS = ("Hand off to a nurse", "Any other hand-off", "Everyone meets the bot first")
RULE = re.compile(r"\s*<rule\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*(?:/>|>.*?</rule>)", re.DOTALL)
REORDERED = (
    HAND_OFF.replace("      - {name: Hand off to a nurse, when: {BotHandOffTopic: Nurse}, queue: Nurses}\n", "")
    .replace(
        "      - {name: Everyone",
        "      - {name: Hand off to a nurse, when: {BotHandOffTopic: Doctor}, queue: Billing}\n      - {name: Everyone",
    )
    .replace("  - name: Nurses\n", "  - name: Billing\n    existing: true\n  - name: Nurses\n")
)


@pytest.fixture(params=["\n", "\r\n"], ids=["LF", "CRLF"])
def text(request: pytest.FixtureRequest) -> str:
    return THIRTY.replace("\r\n", "\n").replace("\n", request.param)


def live(emulator: Emulator, rules: str) -> str:
    found = emulator.sql(
        "SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset WHERE msdyn_decisionrulesetid = ?", [rules]
    )
    return str(found[0][0])


def others(text: str) -> str:
    """The text without our rules and the white space before each: found by a regular expression, not by our reader."""
    return RULE.sub(lambda rule: "" if any(f'"{name}"' in rule.group() for name in OURS) else rule.group(), text)


def named(text: str) -> list[str]:
    return [name for name in re.findall(r"<rule\b[^>]*?\bname=\"([^\"]*)\"", text) if name in OURS]


def test_add_change_and_reorder(emulator: Emulator, text: str) -> None:
    rules = put_rules(emulator, text)
    first = applied(emulator, HAND_OFF)
    assert set(first.statuses.values()) == {Status.VERIFIED}
    added = live(emulator, rules)
    assert named(added) == list(OURS)
    assert others(added) == text

    second = applied(emulator, REORDERED)
    assert set(second.statuses.values()) == {Status.VERIFIED}
    moved = live(emulator, rules)
    assert named(moved) == ["Any other hand-off", "Hand off to a nurse", "Everyone meets the bot first"]
    assert others(moved) == text
    assert applied(emulator, REORDERED).writes == []


def test_line_ends_that_come_back_as_crlf_are_no_drift(served: Callable[..., Emulator]) -> None:
    emulator = served(switches=Switches(memo_line_ends="crlf"))
    put_rules(emulator, THIRTY.replace("\r\n", "\n"))
    applied(emulator, HAND_OFF)
    assert applied(emulator, HAND_OFF).decision.plan.changes == ()
