"""What leaves the bot with a hand-off, and what is kept of conversations: the bot's half of the compliance findings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from d365setup.audit.checking import Result, finding
from d365setup.audit.checks.privacy import IDENTITY_KEYS, personal, telling
from d365setup.audit.findings import Level, Unchecked
from d365setup.healthbot.checking import Seen, about_bot, about_call, check, needs_backup, unreadable

_MOST_SHOWN = 10
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET = frozenset(("secret", "password", "pwd", "key", "apikey", "token", "credential", "credentials"))
_PAIRS = (("connection", "string"),)
_NO_SECRET = frozenset(("row", "partition", "public"))  # of keys that open nothing
_BLANK = re.compile(r"\s*(?:\{[^{}]*\}|<[^<>]*>|\*+|x+|null|none)?\s*", re.IGNORECASE)


@check("C01")
def constants_only(seen: Seen) -> Iterator[Result]:
    """What is handed over stands in the script as it is: what a script computes may hold what the patient said."""
    yield from unreadable("C01", seen)
    for each in seen.sent:
        for name, source in each.computed.items():
            told = f"what it hands over as {name} is computed from {_short(source)}, and may hold what the patient said"
            yield finding("C01", about_call(each), told, variable=name, expression=_short(source), where=each.where)
        for name, value in each.known.items():
            what = personal(str(value))
            if what:
                told = f"the value it hands over as {name} looks like {what}"
                yield finding("C01", about_call(each), told, variable=name, where=each.where)
            elif telling(name):
                told = f"it hands over {name}, a name for what tells who a patient is or what is wrong with them"
                yield finding("C01", about_call(each), told, level="warning", variable=name, where=each.where)


@check("C02")
def identity_keys(seen: Seen) -> Iterator[Result]:
    """Four names make Omnichannel link a record to the conversation."""
    yield from unreadable("C02", seen)
    for each in seen.sent:
        for name in dict.fromkeys(key for key, _ in each.call.context if key in IDENTITY_KEYS):
            told = f"it hands over {name}, by which Omnichannel links a customer or case to the conversation"
            yield finding("C02", about_call(each), told, variable=name, where=each.where)


@check("C03")
def constant_summary(seen: Seen) -> Iterator[Result]:
    """The text for the person who takes over stands in the script as it is, and gives nothing away."""
    for each in seen.sent:
        summary = each.call.summary
        if summary is None and each.call.problem:
            told = f"cannot decide: {each.step_name}: {each.call.problem}"
            yield Unchecked("C03", told, about_call(each))
        elif summary is None:
            told = "its summary is computed by the script, and may hold what the patient said"
            yield finding("C03", about_call(each), told, where=each.where)
        elif personal(summary):
            told = f"its summary holds {personal(summary)}"
            yield finding("C03", about_call(each), told, where=each.where)


@check("C05")
def retention(seen: Seen) -> Iterator[Result]:
    """The bot deletes its conversation logs after some days."""
    yield from needs_backup("C05", seen)
    if seen.bot.backup is None:
        return
    days = seen.bot.backup.setting("dataRetentionDays")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int)):
        yield Unchecked("C05", f"`dataRetentionDays` of the backup is no whole number: {_short(str(days))}")
    elif not days or days < 0:
        shown = "missing" if days is None else days
        told = "no automatic deletion of its conversation logs is to be seen"
        yield finding("C05", about_bot(seen), told, dataRetentionDays=shown)


@check("C06")
def telemetry(seen: Seen) -> Iterator[Result]:
    """What patients write does not go to Application Insights."""
    yield from needs_backup("C06", seen)
    backup = seen.bot.backup
    if backup is not None and backup.setting("customTelemetryPHI"):
        is_sent = bool(backup.setting("instrumentationKey"))
        level: Level = "error" if is_sent else "warning"
        told = "its telemetry holds message texts" + ("" if is_sent else ", though no Application Insights is set yet")
        yield finding("C06", about_bot(seen), told, level=level, customTelemetryPHI="on")


@check("C11")
def secrets_at_rest(seen: Seen) -> Iterator[Result]:
    """A backup that somebody keeps holds no secret. Their places are told, never the values."""
    yield from needs_backup("C11", seen)
    if seen.bot.backup is None:
        return
    places = list(secrets({key: each for key, each in seen.bot.backup.raw.items() if key not in _NO_PLACE}))
    if places:
        shown = ", ".join(places[:_MOST_SHOWN]) + (
            f" and {len(places) - _MOST_SHOWN} more" * (len(places) > _MOST_SHOWN)
        )
        is_file = seen.bot.origin == "backup"
        level: Level = "error" if is_file else "info"
        what = "this backup holds" if is_file else "a backup of this bot would hold"
        yield finding("C11", about_bot(seen), f"{what} secrets in clear text", level=level, places=shown)


_NO_PLACE = frozenset(("scenarios", "localization", "files", "skills"))


@check("C16")
def authors(seen: Seen) -> Iterator[Result]:
    """Exports that somebody keeps do not name who last changed a scenario."""
    if seen.bot.origin == "live":
        return
    named = [each.scenario.name for each in seen.bot.scenarios if each.scenario.raw.get("userDisplayName")]
    if named:
        count = "1 scenario names its" if len(named) == 1 else f"{len(named)} scenarios name their"
        told = f"{count} last author (`userDisplayName`) in {seen.bot.name}"
        yield finding("C16", about_bot(seen), told, scenarios=", ".join(named[:5]) + (", …" if len(named) > 5 else ""))


def secrets(value: Any, path: str = "") -> Iterator[str]:
    """The places of what looks like a secret by its name, and has a value. Backups are read to a bounded depth."""
    if isinstance(value, Mapping):
        named = value.get("name")
        if isinstance(named, str) and _is_secret(named) and _has_value(value.get("value")):
            yield f"{path}[{named}].value"
        for key, each in value.items():
            here = f"{path}.{key}" if path else str(key)
            if _is_secret(str(key)) and _has_value(each):
                yield here
            else:
                yield from secrets(each, here)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from secrets(each, f"{path}[{at}]")


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    pairs = set(pairwise(words))
    return bool((_SECRET & set(words) and not _NO_SECRET & set(words)) or pairs & set(_PAIRS))


def _has_value(value: Any) -> bool:
    """A text that is no placeholder."""
    return isinstance(value, str) and not _BLANK.fullmatch(value)


def _short(text: str) -> str:
    said = " ".join(text.split())
    return said if len(said) <= 80 else f"{said[:79]}…"
