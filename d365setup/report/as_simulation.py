"""A simulated conversation as text and JSON: step by step, each rule with its result, who gets it, why, who not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from d365setup.report.as_diagram import diagram
from d365setup.report.as_tests import proof_data, proof_lines
from d365setup.report.conversation import DEPENDS, chosen, ending, happened, is_good, named, verdict
from d365setup.report.documents import Simulated

if TYPE_CHECKING:
    from d365setup.routing import Candidate, Event, Journey, Leg, RuleResult, Simulation

Show = Callable[[Any], str]
Paint = Callable[[str, str], str]
Data = dict[str, Any]

_GOOD, _BAD, _DIM = "32", "31", "2"
_PICTURES = {
    "playbook": "on what the playbook says",
    "merged": "on the environment as it will be",
    "live": "on the environment's own rules",
    "snapshot": "on a saved picture of an environment",
}


def simulation_lines(found: Simulated, show: Show, paint: Paint) -> Iterator[str]:
    """The conversation for people; or only its diagram, where that was asked for."""
    if found.draws:
        yield from diagram(found.simulation, show)
        return
    simulation = found.simulation
    yield f"Work stream {show(simulation.workstream)}, {_PICTURES[found.center.origin]}{_where(found, show)}"
    yield f"at {simulation.at:%A %Y-%m-%d %H:%M %Z}".rstrip()
    yield from (f"warning: {show(each)}" for each in found.warnings)
    for number, (strict, loose) in enumerate(zip(simulation.strict.legs, simulation.loose.legs, strict=True), 1):
        yield ""
        yield from _leg(number, strict, show, paint)
        if ending(strict) != ending(loose):
            yield f"   if upper and lower case do not count: {show(ending(loose))}"
    yield ""
    yield from _listed("The two readings differ", simulation.differences, show)
    yield from _listed("Assumed", simulation.assumptions, show)
    yield from _listed("Not known", [str(each) for each in found.center.unread], show)
    yield from proof_lines(found.proof, show, paint)
    yield _verdict(found, show, paint)


def _where(found: Simulated, show: Show) -> str:
    organization = found.center.organization or found.center.url
    told = [f"playbook {found.playbook}"] if found.playbook and found.center.origin != "live" else []
    told += [f"{organization}"] if organization else []
    return f" ({show(', '.join(told))})" if told else ""


def _leg(number: int, leg: Leg, show: Show, paint: Paint) -> Iterator[str]:
    yield f"{number}. {show(_happened(leg.event))}"
    if leg.rules:
        yield "   rules"
        yield from _rules(leg.rules, show, paint)
    yield f"   queue    {show(leg.queue) or '(none)'}, {show(chosen(leg))}"
    yield from _candidates(leg.candidates, show, paint)
    yield from (f"   note     {show(each)}" for each in leg.notes)
    yield f"   result   {paint(show(ending(leg)), _GOOD if is_good(leg) else _BAD)}"


def _happened(event: Event) -> str:
    if named(event) not in ("start", "escalate"):
        return happened(event)
    values = _event(event)[1]["context"]
    told = ", ".join(f"{key} = {value}" for key, value in values.items()) or "no context variables"
    return f"{happened(event)}, with {told}"


def _rules(rules: Sequence[RuleResult], show: Show, paint: Paint) -> Iterator[str]:
    width = min(48, max(len(show(rule.name)) for rule in rules))
    for rule in rules:
        result = f"{rule.result:<13}"
        shown = paint(result, _GOOD if rule.result == "matched" else _DIM)
        yield f"     {shown}  {show(rule.name):<{width}}  {show(rule.condition)}  → {show(rule.queue)}"
        if rule.why:
            yield f"                    {show(rule.why)}"


def _candidates(candidates: Sequence[Candidate], show: Show, paint: Paint) -> Iterator[str]:
    for place, each in enumerate(candidates):
        head = "   who      " if place == 0 else "            "
        word = paint("can ", _GOOD) if each.eligible else paint("not ", _DIM)
        kind = "bot, " if each.is_bot else ""
        yield f"{head}{word} {show(each.name)} ({kind}{each.units} units): {show(each.why)}"


def _listed(heading: str, texts: Sequence[str], show: Show) -> Iterator[str]:
    if texts:
        yield heading
        yield from (f"  - {show(each)}" for each in texts)


def _verdict(found: Simulated, show: Show, paint: Paint) -> str:
    told = verdict(found)
    is_well = found.ends_well and told != DEPENDS
    return f"in the end: {paint(show(told), _GOOD if is_well else _BAD)}"


# -- JSON


def simulation_data(found: Simulated) -> Data:
    """The simulation as JSON-ready values."""
    simulation, center = found.simulation, found.center
    return {
        "schema": "d365setup/simulation/1",
        "playbook": {"name": found.playbook, "sha256": found.sha256},
        "on": center.origin,
        "environment": _environment(found),
        "workstream": simulation.workstream,
        "at": simulation.at.isoformat(),
        "strict": _journey(simulation.strict),
        "loose": _journey(simulation.loose),
        "agrees": simulation.agrees,
        "differences": list(simulation.differences),
        "assumptions": list(simulation.assumptions),
        "not_known": [str(each) for each in center.unread],
        "warnings": list(found.warnings),
        "tests": proof_data(found.proof),
        "diagram": _diagram_text(simulation),
        "exit_code": found.exit_code,
    }


def _diagram_text(simulation: Simulation) -> str:
    return "\n".join(diagram(simulation, str)) + "\n"


def _environment(found: Simulated) -> Data | None:
    center = found.center
    if not center.url:
        return None
    return {"url": center.url, "organization_id": center.organization_id, "name": center.organization}


def _journey(journey: Journey) -> list[Data]:
    return [_leg_data(each) for each in journey.legs]


def _leg_data(leg: Leg) -> Data:
    name, details = _event(leg.event)
    return {
        "event": name,
        **details,
        "known": dict(leg.context),
        "rules": [_rule_data(each) for each in leg.rules],
        "chosen_by": leg.chosen_by,
        "rule": leg.rule,
        "queue": leg.queue,
        "queue_id": leg.queue_id,
        "candidates": [_candidate_data(each) for each in leg.candidates],
        "answer": leg.answer,
        "answered_by": leg.answered_by,
        "closed": leg.closed,
        "waits": leg.waits,
        "notes": list(leg.notes),
    }


def _event(event: Event) -> tuple[str, Data]:
    """What happened: its word in a playbook's steps, and the values it came with."""
    context: Mapping[str, str | int] = getattr(event, "context", {})
    to = getattr(event, "queue", "")
    return named(event), {"context": dict(context), "bot": getattr(event, "bot", ""), "to": to}


def _rule_data(rule: RuleResult) -> Data:
    return {
        "id": rule.rule_id,
        "name": rule.name,
        "result": rule.result,
        "condition": rule.condition,
        "why": rule.why,
        "queue": rule.queue,
    }


def _candidate_data(candidate: Candidate) -> Data:
    return {
        "name": candidate.name,
        "is_bot": candidate.is_bot,
        "eligible": candidate.eligible,
        "units": candidate.units,
        "why": candidate.why,
    }
