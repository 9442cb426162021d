"""What the page of a simulated conversation shows: each step with what decided it, and the way drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from d365setup.report.conversation import chosen, ending, happened, is_good, verdict
from d365setup.report.diagram import Diagram, diagram
from d365setup.report.documents import Simulated
from d365setup.report.html.auditing import ORIGINS
from d365setup.routing import Leg


@dataclass(frozen=True)
class Step:
    """One event, what came of it, and how it ends under the other reading where that is different."""

    number: int
    happened: str
    leg: Leg
    by: str
    end: str
    level: str
    otherwise: str


@dataclass(frozen=True)
class SimulationView:
    """Everything the template needs."""

    title: str
    verdict: str
    level: str
    found: Simulated
    origin: str
    at: str
    steps: tuple[Step, ...]
    diagram: Diagram | None


def simulation_view(found: Simulated, show: Callable[[str], str]) -> SimulationView:
    """The steps in words, the work stream drawn with the way through it."""
    simulation = found.simulation
    pairs = zip(simulation.strict.legs, simulation.loose.legs, strict=False)
    steps = tuple(_step(number, strict, loose) for number, (strict, loose) in enumerate(pairs, start=1))
    known = found.center.workstream(simulation.workstream) is not None
    return SimulationView(
        f"A conversation in {simulation.workstream}",
        _sentence(verdict(found)),
        _level(found),
        found,
        ORIGINS[found.center.origin],
        f"{simulation.at:%A %Y-%m-%d %H:%M %Z}".strip(),
        steps,
        diagram(found.center, path=simulation, show=show) if known else None,
    )


def _step(number: int, strict: Leg, loose: Leg) -> Step:
    end, other = _sentence(ending(strict)), _sentence(ending(loose))
    said = happened(strict.event)
    begins_with_name = bool(getattr(strict.event, "bot", ""))
    level, otherwise = _leg_level(strict), other if other != end else ""
    return Step(number, said if begins_with_name else _sentence(said), strict, chosen(strict), end, level, otherwise)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _leg_level(leg: Leg) -> str:
    if is_good(leg):
        return "good"
    return "warning" if leg.answer == "unknown" else "error"


def _level(found: Simulated) -> str:
    if found.proof and found.proof.exit_code:
        return "error"
    return "good" if found.ends_well else _leg_level(found.simulation.strict.last).replace("good", "warning")
