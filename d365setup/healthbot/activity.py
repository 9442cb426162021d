"""Activities: what a bot sends to Omnichannel, in both dialects that its documentation knows.

The classic one is what the Health Bot's bridge speaks, and bots made with the Bot Framework; the one of 2026 is that of
bots made with the Agents SDK. Sources: `bot-escalate-end-conversation` (classic), `build-your-azure-agent` (2026).
"""

from __future__ import annotations

import json
from typing import Any, Literal

from d365setup.playbook import Scenario

Dialect = Literal["activity", "activity-2026"]
ENDED = "Conversation ended by bot"  # beside the command to end; never shown to anybody who chats


def activity(scenario: Scenario, dialect: Dialect = "activity") -> dict[str, Any]:
    """The message by which a scenario hands over, or ends."""
    name, context = command(scenario)
    if dialect == "activity":
        return _message(text(scenario), {"tags": _json({"type": name, "context": context})})
    bridged = {"deliveryMode": "bridged"}
    return _message(text(scenario), _json({"tags": bridged, "command": {"type": name, "value": context}}))


def said(scenario: Scenario, dialect: Dialect = "activity") -> dict[str, Any]:
    """The message to the patient that goes before it. A Health Bot's bridge adds `deliveryMode` by itself."""
    bridged = {"deliveryMode": "bridged"}
    return _message(scenario.say, bridged if dialect == "activity" else _json({"tags": bridged}))


def command(scenario: Scenario) -> tuple[Literal["Escalate", "EndConversation"], dict[str, str | int]]:
    """What Omnichannel is told to do, and the context it is given."""
    if scenario.escalate is None:
        return "EndConversation", {}
    return "Escalate", dict(scenario.escalate.context)


def text(scenario: Scenario) -> str:
    """The text of the command's message: what the person who takes over reads."""
    return scenario.escalate.summary if scenario.escalate else ENDED


def _message(text: str, data: Any) -> dict[str, Any]:
    return {"type": "message", "text": text, "channelData": data}


def _json(value: Any) -> str:
    """As JavaScript's `JSON.stringify` would write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
