"""What a bot sends to Omnichannel, looked at as the activity it is: mistakes that make a hand-off silently fail.

Two dialects are known (routing facts, 4.1): the classic one, where `channelData.tags` is a JSON text, and that of bots
made with the Agents SDK, where `channelData` is a JSON text with a `command`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

COMMANDS = ("Escalate", "EndConversation")
MOST_BYTES = 28 * 1024  # of a message with everything in it
MOST_NAME, MOST_VALUE, MOST_VARIABLES = 100, 4000, 100

Dialect = Literal["classic", "agents sdk", "plain"]


def dialect(activity: Mapping[str, Any]) -> Dialect:
    """Which form of hand-off an activity speaks; plain for a message to the patient."""
    found = activity.get("channelData")
    if isinstance(found, str):
        return "agents sdk"
    if isinstance(found, Mapping):
        return "agents sdk" if "command" in found else "classic" if "tags" in found else "plain"
    return "plain"


def payload_mistakes(activity: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with one activity, in sentences; nothing where Omnichannel would understand it."""
    size = len(json.dumps(activity, ensure_ascii=False, default=str).encode("utf-8", "replace"))
    if size > MOST_BYTES:
        yield f"the message has {size:,} bytes, and Omnichannel takes {MOST_BYTES:,} with everything in it"
    kind = dialect(activity)
    if kind == "classic":
        yield from _classic(activity)
    elif kind == "agents sdk":
        yield from _agents(activity["channelData"])
    else:
        yield from _plain(activity.get("channelData"))


def escalation(summary: str, context: Mapping[str, str | int]) -> Mapping[str, Any]:
    """The activity by which a bot hands over, as the classic dialect has it."""
    tags = json.dumps({"type": "Escalate", "context": dict(context)}, ensure_ascii=False)
    return {"type": "message", "text": summary, "channelData": {"tags": tags}}


def _classic(activity: Mapping[str, Any]) -> Iterator[str]:
    if activity.get("type") != "message":
        yield f"the activity's type is {_shown(activity.get('type'))}: a hand-off is a message"
    tags = activity["channelData"]["tags"]
    if not isinstance(tags, str):
        yield "channelData.tags is an object: it must be a JSON text (JSON.stringify), or nothing is handed over"
        command = tags
    else:
        command = _parsed(tags)
        if command is None:
            yield "channelData.tags is a text that is no JSON object"
    if isinstance(command, Mapping):
        yield from _command(command.get("type"), command.get("context", {}), "context")


def _agents(data: Any) -> Iterator[str]:
    if not isinstance(data, str):
        yield "channelData with a command is an object: in this dialect the whole of it is a JSON text"
    found = _parsed(data) if isinstance(data, str) else data
    if not isinstance(found, Mapping):
        yield "channelData is a text that is no JSON object"
        return
    command, tags = found.get("command"), found.get("tags")
    if command is not None and not isinstance(command, Mapping):
        yield "channelData.command is no object with a type and a value"
    elif command is not None:
        yield from _command(command.get("type"), command.get("value", {}), "value")
    if not isinstance(tags, Mapping) or tags.get("deliveryMode") != "bridged":
        yield from _not_bridged("channelData.tags.deliveryMode", tags)


def _plain(data: Any) -> Iterator[str]:
    if data is not None and not isinstance(data, Mapping):
        yield "channelData is no object"
    elif (data or {}).get("deliveryMode") != "bridged":
        yield from _not_bridged("channelData.deliveryMode", data)


def _not_bridged(where: str, holder: Any) -> Iterator[str]:
    found = holder.get("deliveryMode") if isinstance(holder, Mapping) else None
    how = "is missing" if found is None else f"is {_shown(found)}"
    yield f"{where} {how}: without 'bridged' the patient never sees this message"


def _command(name: Any, context: Any, holder: str) -> Iterator[str]:
    if name not in COMMANDS:
        yield f"the command's type is {_shown(name)}{_meant(name)}"
    if not isinstance(context, Mapping):
        yield f"the command's {holder} is no object of names and values"
        return
    if len(context) > MOST_VARIABLES:
        yield f"it hands over {len(context)} values, and Omnichannel takes {MOST_VARIABLES}"
    for key, value in context.items():
        yield from _value(str(key), value)


def _value(key: str, value: Any) -> Iterator[str]:
    if not 0 < len(key) <= MOST_NAME:
        yield f"the name {_shown(key)} has {len(key)} characters: 1 to {MOST_NAME} are allowed"
    if isinstance(value, bool) or not isinstance(value, str | int):
        yield f"{_shown(key)} is {_kind(value)}: a value is a text or a whole number"
    elif isinstance(value, str) and len(value) > MOST_VALUE:
        yield f"{_shown(key)} has {len(value):,} characters: a value has at most {MOST_VALUE:,}"


def _meant(name: Any) -> str:
    twin = next((each for each in COMMANDS if isinstance(name, str) and each.lower() == name.strip().lower()), "")
    return f": it is written {twin}, exactly so" if twin else f": it is one of {', '.join(COMMANDS)}"


def _kind(value: Any) -> str:
    if value is None:
        return "empty (null)"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float):
        return "a number with a fraction"
    return "a list" if isinstance(value, list) else "an object"


def _parsed(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:50]}…"
