"""What the page of a simulated conversation shows: each step with what decided it, and the way drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from d365setup.report.diagram import Diagram, diagram
from d365setup.report.documents import Simulated
from d365setup.report.html.auditing import ORIGINS
from d365setup.routing import Escalated, Event, Leg, Start, Transferred

_BY = {
    "fallback queue": "the fallback queue: no rule matched",
    "work stream bot": "the work stream's own bot comes first",
    "overflow": "where overflow leads",
    "transfer": "where it was transferred to",
    "nothing": "no rule matched, and there is no fallback queue",
    "cannot decide": "it cannot be decided which",
    "end": "the conversation is over",
}


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
        _verdict(found),
        _level(found),
        found,
        ORIGINS[found.center.origin],
        f"{simulation.at:%A %Y-%m-%d %H:%M %Z}".strip(),
        steps,
        diagram(found.center, path=simulation, show=show) if known else None,
    )


def _step(number: int, strict: Leg, loose: Leg) -> Step:
    end, other = ending(strict), ending(loose)
    by = f"chosen by the rule {strict.rule}" if strict.chosen_by == "rule" else _BY[strict.chosen_by]
    return Step(number, _happened(strict.event), strict, by, end, _leg_level(strict), other if other != end else "")


def _happened(event: Event) -> str:
    match event:
        case Start():
            return "A patient begins"
        case Escalated(bot=bot):
            return f"{bot or 'The bot'} hands over"
        case Transferred(queue=queue):
            return f"A person transfers it to the queue {queue}"
    return "Somebody closes the conversation"


def ending(leg: Leg) -> str:
    """How a step ends, in a few words."""
    if leg.chosen_by == "end":
        return "Closed, as asked"
    if leg.closed:
        return "Closed by the system: the patient is left without an answer"
    if leg.waits:
        return "Waits for ever: nobody in the queue can be given it"
    if leg.answer == "bot":
        return f"Answered by the bot {leg.answered_by}"
    if leg.answer == "person":
        return f"Answered by a person{f' ({leg.answered_by})' if leg.answered_by else ''}"
    return "Cannot be decided" if leg.answer == "unknown" else "Nobody answers"


def _leg_level(leg: Leg) -> str:
    if leg.answer in ("bot", "person") or leg.chosen_by == "end":
        return "good"
    return "warning" if leg.answer == "unknown" else "error"


def _verdict(found: Simulated) -> str:
    strict, loose = ending(found.simulation.strict.last), ending(found.simulation.loose.last)
    return strict if strict == loose else "It depends on how texts are compared; see where the readings differ"


def _level(found: Simulated) -> str:
    if found.proof and found.proof.exit_code:
        return "error"
    return "good" if found.ends_well else _leg_level(found.simulation.strict.last).replace("good", "warning")
