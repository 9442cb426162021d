"""The bot's side as somebody has it: a backup, a folder of exports, or the bot itself, with the place of each step."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from d365setup.healthbot.backup import Backup
from d365setup.healthbot.graph import Step
from d365setup.healthbot.scenario import StoredScenario
from d365setup.model import NOWHERE, Source

Origin = Literal["backup", "scenarios", "live"]
# `"id": "…"`, whether the graph is JSON here or a JSON text inside JSON
_NAMED = re.compile(r'\\*"(id|scenario_trigger)\\*"\s*:\s*\\*"([^"\\]{1,200})')


@dataclass(frozen=True)
class Text:
    """A file that was read, and where in it steps and scenarios stand."""

    file: str
    text: str = field(repr=False)

    def place(self, name: str, *, is_step: bool) -> Source | None:
        """Where the only step of this id is defined, or the only scenario of this trigger."""
        found = self._named.get(("id" if is_step else "scenario_trigger", name), ())
        return self._source(found[0]) if len(found) == 1 else None

    @property
    def beginning(self) -> Source:
        """Its first line."""
        return self._source(0)

    def _source(self, at: int) -> Source:
        line = bisect_right(self._lines, at)
        return Source(self.file, line, at - self._lines[line - 1] + 1)

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    @cached_property
    def _named(self) -> Mapping[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for each in _NAMED.finditer(self.text):
            found.setdefault((each[1], each[2]), []).append(each.start())
        return found


@dataclass(frozen=True)
class Found:
    """One scenario, and what it was read from; None where there is nothing to open."""

    scenario: StoredScenario
    text: Text | None = field(default=None, repr=False, compare=False)

    def place(self, step: Step | None = None) -> Source:
        """Where a step stands in its file, else the scenario; NOWHERE where there is no file.

        Copies of a scenario share the ids of their steps: those are looked for at their scenario.
        """
        if self.text is None:
            return NOWHERE
        at_step = self.text.place(step.id, is_step=True) if step else None
        return at_step or self.text.place(self.scenario.trigger, is_step=False) or self.text.beginning


@dataclass(frozen=True)
class Collected:
    """Everything known of the bot. ``backup`` is None where only scenarios are known."""

    name: str
    origin: Origin
    scenarios: tuple[Found, ...]
    backup: Backup | None = None

    @cached_property
    def triggers(self) -> frozenset[str]:
        """The triggers of all scenarios."""
        return frozenset(each.scenario.trigger for each in self.scenarios)

    @property
    def is_whole(self) -> bool:
        """Whether every scenario of the bot is here: a folder may hold some of them."""
        return self.backup is not None
