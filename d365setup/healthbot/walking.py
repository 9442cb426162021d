"""The ways through a scenario's graph: what comes before a step, what behind it, and whether a word is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from d365setup.healthbot.graph import Graph, Step
from d365setup.healthbot.scenario import StoredScenario

SPEAKING = frozenset(("statement", "prompt", "yesnoprompt"))
CALLING = frozenset(("beginScenario", "replaceScenario"))
SILENT = frozenset(("action", "assignVariable", "branch", "switch", "datasource", "wait", "endwithresult"))
_SENDS = re.compile(r"\bsession\s*\.\s*(?:send|say)\s*\(")
_TRIGGER = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Walk:
    """All scenarios that are known, by trigger."""

    scenarios: Mapping[str, StoredScenario] = field(hash=False)

    def hears_before(self, graph: Graph, target: Step) -> bool | None:
        """Whether on every way from the beginning to this step the patient is told something; None: nobody can tell."""
        sure = _reached(graph, lambda step: self._speaks(step) is False)
        if target.id in sure:
            return False
        return None if target.id in _reached(graph, lambda step: not self._speaks(step)) else True

    def is_reached(self, graph: Graph, target: Step) -> bool:
        """Whether any way leads from the beginning to this step."""
        return target.id in _reached(graph, lambda _: True)

    def behind(self, graph: Graph, step: Step) -> Iterator[Step]:
        """The steps that follow one at once and do something; the end of a scenario is nothing."""
        for name in step.targets:
            found = graph.step(name)
            if found is not None and found.type != "endwithresult":
                yield found

    def _speaks(self, step: Step) -> bool | None:
        if step.type in SPEAKING:
            return True
        if step.type in CALLING:
            return self._begun_speaks(self.scenarios.get(called(step)))
        if step.type == "action":
            script = step.raw.get("onInit")
            return bool(isinstance(script, str) and _SENDS.search(script))
        return False if step.type in SILENT else None

    def _begun_speaks(self, scenario: StoredScenario | None) -> bool | None:
        """Whether a scenario that is begun says anything: no where none of its steps could; else who knows."""
        steps = scenario.graph.steps if scenario else ()
        is_silent = steps and all(each.type not in CALLING and self._speaks(each) is False for each in steps)
        return False if is_silent else None


def called(step: Step) -> str:
    """The trigger of the scenario that a step begins; "" where it begins none, or computes which."""
    named = step.raw.get("scenario") if step.type in CALLING else None
    return named if isinstance(named, str) and _TRIGGER.fullmatch(named) else ""


def _reached(graph: Graph, passes: Callable[[Step], bool]) -> frozenset[str]:
    """The steps that ways from the beginning come to, going on only behind steps that ``passes`` holds for."""
    steps = {step.id: step for step in reversed(graph.steps)}
    waiting = [graph.steps[0].id] if graph.steps else []
    found: set[str] = set()
    while waiting:
        step = steps.get(waiting.pop())
        if step is not None and step.id not in found:
            found.add(step.id)
            waiting += step.targets if passes(step) else ()
    return frozenset(found)
