"""A folder of scenarios, one file each, as `pull` writes it for people to compare and `push` reads it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from d365setup.errors import UsageError
from d365setup.healthbot.graph import LARGEST, json_text, parsed
from d365setup.healthbot.scenario import StoredScenario, read_scenario

ENDING = ".scenario.json"
MOST = 5_000
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_FIRST = ("name", "scenario_trigger", "description")
_LEFT_OUT = ("userDisplayName", "updated")  # who saved it and when: a person's name, and noise in every comparison


def texts(scenarios: Iterable[StoredScenario]) -> dict[str, str]:
    """The file of each by its name, `code` as an object; the same scenarios give the same bytes."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for each in sorted(scenarios, key=lambda one: (one.trigger, one.name)):
        name = file_name(each)
        if name.casefold() in taken:  # some file systems do not tell case apart
            name = f"{name.removesuffix(ENDING)}-{_mark(each)}{ENDING}"
        taken.add(name.casefold())
        found[name] = f"{json_text(_shown(each), 2)}\n"
    return found


def file_name(scenario: StoredScenario) -> str:
    """`<trigger>.scenario.json`; a trigger that is no file name everywhere is spelt out and marked."""
    if _PLAIN.fullmatch(scenario.trigger):
        return scenario.trigger + ENDING
    spelt = re.sub(r"[^A-Za-z0-9_-]+", "_", scenario.trigger)[:60]
    return f"{spelt}-{_mark(scenario)}{ENDING}"


def read(folder: Path) -> tuple[StoredScenario, ...]:
    """Every scenario in a folder, by file name. Raises UsageError, and ScenarioError naming the file."""
    try:
        files = sorted(
            each for each in folder.iterdir() if each.name.endswith(ENDING) and not each.name.startswith(".")
        )
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from None
    if not files:
        raise UsageError(f"{folder} holds no scenario: `d365setup healthbot pull` writes files *{ENDING}")
    if len(files) > MOST:
        raise UsageError(f"{folder} holds {len(files):,} scenarios, more than the {MOST:,} that are read")
    return tuple(read_scenario(parsed(_text(each), str(each)), str(each)) for each in files)


def strangers(folder: Path, known: Mapping[str, str]) -> list[Path]:
    """The scenarios in a folder that are none of these files."""
    names = {name.casefold() for name in known}
    return sorted(each for each in folder.glob(f"*{ENDING}") if each.name.casefold() not in names)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(4 * LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no text in UTF-8") from None
    return text


def _shown(scenario: StoredScenario) -> dict[str, Any]:
    named = {"name": scenario.name, "scenario_trigger": scenario.trigger, "description": scenario.description}
    others = {key: value for key, value in scenario.raw.items() if key not in (*_FIRST, *_LEFT_OUT, "code")}
    return {**named, **others, "code": scenario.graph.raw}


def _mark(scenario: StoredScenario) -> str:
    return hashlib.sha256(f"{scenario.trigger}\n{scenario.name}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
