"""Which environments are meant, in which waves, and which of them are frozen. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from d365setup.errors import UsageError
from d365setup.fleet.entries import Environment, Fleet, Wave
from d365setup.playbook.mistakes import meant, shown

REST = "rest"


@dataclass(frozen=True)
class Batch:
    """The environments of one wave; ``wave`` says what comes behind it."""

    wave: Wave
    environments: tuple[Environment, ...]


def chosen(fleet: Fleet, only: Sequence[str]) -> tuple[Environment, ...]:
    """The environments that a selector names: ``group=…``, ``label=…`` or a name. Raises UsageError for an idle one."""
    found: set[str] = set()
    for selector in only:
        named = {each.name for each in fleet.environments if _is_meant(each, selector)}
        if not named:
            raise UsageError(f"--only {selector}: the fleet has no such environment{_hint(fleet, selector)}")
        found |= named
    return tuple(each for each in fleet.environments if not only or each.name in found)


def _is_meant(environment: Environment, selector: str) -> bool:
    key, equals, word = selector.partition("=")
    if not equals:
        return environment.name == selector
    if key == "group":
        return environment.group == word
    return key == "label" and word in environment.labels


def _hint(fleet: Fleet, selector: str) -> str:
    key, equals, word = selector.partition("=")
    if equals and key not in ("group", "label"):
        return "; it takes group=…, label=… or a name"
    words = {
        "group": {each.group for each in fleet.environments if each.group},
        "label": {label for each in fleet.environments for label in each.labels},
    }
    known = sorted(words[key]) if equals else [each.name for each in fleet.environments]
    hint = meant(word if equals else selector, known)
    return hint or (f"; there is {', '.join(map(shown, known[:10]))}" if known else "; none has one")


def waves(given: Sequence[Wave], environments: Sequence[Environment]) -> tuple[Batch, ...]:
    """The environments wave by wave, each once, in the file's order; whoever is in none comes last."""
    left, found = list(environments), []
    for wave in (*given, Wave(of=REST)):
        taken = _taken(wave, left, len(environments))
        left = [each for each in left if each not in taken]
        if taken:
            found.append(Batch(wave, tuple(taken)))
    return tuple(found)


def _taken(wave: Wave, left: Sequence[Environment], count: int) -> Sequence[Environment]:
    if wave.of == REST:
        return list(left)
    if wave.of.endswith("%"):
        return left[: math.ceil(count * int(wave.of[:-1]) / 100)]
    return [each for each in left if each.is_called(wave.of)]


def frozen(fleet: Fleet, environment: Environment, now: datetime) -> str:
    """Why nothing may be applied to it now; "" where it may."""
    held = next((each for each in fleet.freeze if each.holds(environment, now)), None)
    return f"frozen until {held.ends}: {held.reason}" if held else ""
