"""A simulated conversation as a Mermaid flowchart: text that GitHub, Azure DevOps and editors draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from d365setup.routing import Leg, Simulation

_LONGEST = 80  # characters of a label
_PLAIN = " .,:-_+@'/"  # beside letters and digits: what means nothing to Mermaid


def diagram(simulation: Simulation, show: Callable[[Any], str]) -> Iterator[str]:
    """The strict reading, from the work stream to whoever answers; what is wrong is marked."""
    yield "flowchart LR"
    yield f"  stream([{_label(show(simulation.workstream))}])"
    before, bad = "stream", []
    for number, leg in enumerate(simulation.strict.legs, 1):
        yield from _leg(number, leg, before, show)
        before = f"result{number}"
        if leg.answer not in ("bot", "person") and leg.chosen_by != "end":
            bad.append(before)
    if bad:
        yield "  classDef bad stroke:#b00020,stroke-width:3px"
        yield f"  class {','.join(bad)} bad"
    if simulation.differences:
        yield f"  note[{_label('Under the other reading of texts it goes another way')}]"


def _leg(number: int, leg: Leg, before: str, show: Callable[[Any], str]) -> Iterator[str]:
    values = ", ".join(f"{key}: {value}" for key, value in getattr(leg.event, "context", {}).items())
    happens = f"{number}. {type(leg.event).__name__.lower()} {values}".rstrip()
    by = f"rule: {leg.rule}" if leg.rule else leg.chosen_by
    queue = f"{leg.queue or 'no queue'} - {by}"
    yield f"  {before} -->|{_label(show(happens))}| queue{number}[{_label(show(queue))}]"
    yield f"  queue{number} --> result{number}([{_label(show(_ending(leg)))}])"


def _ending(leg: Leg) -> str:
    if leg.chosen_by == "end":
        return "closed as asked"
    if leg.closed:
        return "closed by the system"
    if leg.waits:
        return "waits for ever"
    return leg.answered_by or {"person": "a person", "unknown": "cannot be decided"}.get(leg.answer, "nobody")


def _label(text: str) -> str:
    """In quotes, with every character that could end or steer it written as its number."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return '"' + "".join(char if char.isalnum() or char in _PLAIN else f"#{ord(char)};" for char in cut) + '"'
