"""What a call says of a conversation to be simulated: time, work stream, bot, values. Raises UsageError."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from d365setup.center import ContactCenter, Workstream
from d365setup.errors import UsageError
from d365setup.kinds.nearest import did_you_mean
from d365setup.playbook import Playbook
from d365setup.routing.journey import Value

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_LONGEST = 4000  # characters of a value that a bot can hand over


def moment(text: str | None) -> datetime:
    """An ISO 8601 time; without a zone UTC, and without any text now."""
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text!r} is no time; write it like 2026-03-01T22:30+01:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def chosen_stream(name: str | None, center: ContactCenter, playbook: Playbook) -> Workstream:
    """The work stream of this name, or the only one that the playbook declares."""
    declared = [spec.name for spec in playbook.desired.specs if spec.kind == "workstream"]
    if name is None and len(declared) != 1:
        told = f"say which --workstream, one of {', '.join(declared)}" if declared else "it declares no work stream"
        raise UsageError(f"the playbook {playbook.name}: {told}")
    wanted = name or declared[0]
    found = center.workstream(wanted)
    if found is None:
        where = "playbook declares" if center.origin == "playbook" else "environment has"
        hint = did_you_mean(wanted, [*declared, *(each.name for each in center.workstreams)])
        raise UsageError(f"the {where} no work stream {wanted!r}{hint}")
    return found


def known_bot(name: str, center: ContactCenter) -> str:
    """The name, which is a bot's."""
    bots = [bot.name for bot in center.bots]
    if name not in bots:
        raise UsageError(f"--escalated-by: there is no bot {name!r}{did_you_mean(name, bots)}")
    return name


def values_of(given: Sequence[str], stream: Workstream, *, is_live: bool) -> tuple[Mapping[str, Value], list[str]]:
    """Values by variable, each of its variable's type, and what is to be warned of."""
    found: dict[str, Value] = {}
    warnings: list[str] = []
    for each in given:
        name, equals, text = each.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"--set {each!r}: it takes NAME=VALUE, for example --set BotHandOffTopic=Nurse")
        if name in found:
            raise UsageError(f"--set {name} is given twice")
        if len(text) > _LONGEST:
            raise UsageError(f"--set {name}: {len(text)} characters, and a value has at most {_LONGEST}")
        found[name] = _value(name, text, stream)
        warnings += _undeclared(name, stream, is_live=is_live)
    return found, warnings


def _value(name: str, text: str, stream: Workstream) -> Value:
    variable = stream.variable(name)
    if variable is None or variable.type != "number":
        return text
    if not _INTEGER.fullmatch(text):
        raise UsageError(f"--set {name}: it is a number, and {text!r} is no whole number")
    return int(text)


def _undeclared(name: str, stream: Workstream, *, is_live: bool) -> list[str]:
    """A variable nobody declared is a mistake in a playbook; an environment takes it without a word."""
    if stream.variable(name) is not None:
        return []
    hint = did_you_mean(name, [each.name for each in stream.variables or ()])
    if not is_live:
        cure = hint or "; declare it under `context_variables`"
        raise UsageError(f"--set {name}: the work stream {stream.name!r} declares no such context variable{cure}")
    return [f"nobody declared the context variable {name!r}{hint}: the platform stores it as String, without an error"]
