"""What the playbook's scenarios hand over: whether a rule waits for it, and whether Omnichannel can read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from d365setup.audit.checking import Result, Seen, check, finding
from d365setup.audit.destinations import live_rules
from d365setup.audit.findings import Subject, Unchecked
from d365setup.audit.payload import escalation, payload_mistakes
from d365setup.center import Workstream
from d365setup.conditions import All, AnyOf, Condition, Test, describe, variables
from d365setup.kinds.context_variable import is_reserved
from d365setup.kinds.workstream import Workstream as WorkstreamSpec
from d365setup.playbook import Playbook, Scenario
from d365setup.routing import Reading
from d365setup.routing.deciding import decide


@check("R24")
def values_have_rules(seen: Seen) -> Iterator[Result]:
    """A value that a scenario hands over is one that some rule asks for, in each work stream with such rules."""
    for scenario in _escalating(seen.playbook):
        for stream in _streams(seen, scenario):
            yield from _covered(scenario, stream)


@check("R29")
def payloads(seen: Seen) -> Iterator[Result]:
    """The activity a scenario becomes is one that Omnichannel reads."""
    for scenario in _escalating(seen.playbook):
        if scenario.escalate is None:
            continue
        activity = escalation(scenario.escalate.summary, scenario.escalate.context)
        for told in (*payload_mistakes(activity), *_taken_names(scenario)):
            yield finding("R29", about_scenario(scenario), told, trigger=scenario.trigger)


def about_scenario(scenario: Scenario) -> Subject:
    """A scenario as a subject."""
    return Subject("scenario", scenario.name, source=scenario.source)


def _escalating(playbook: Playbook | None) -> tuple[Scenario, ...]:
    return tuple(each for each in (playbook.scenarios if playbook else ()) if each.escalate)


def _taken_names(scenario: Scenario) -> Iterator[str]:
    for name in scenario.escalate.context if scenario.escalate else ():
        if is_reserved(name):
            yield f"{name!r} is a name the platform keeps for itself: what is handed over under it is lost or replaced"


def _streams(seen: Seen, scenario: Scenario) -> Iterator[Workstream]:
    """The playbook's work streams that have a variable the scenario sets, and route by any variable at all."""
    names = frozenset(scenario.escalate.context if scenario.escalate else ())
    declared = {spec.name for spec in seen.playbook.desired.of(WorkstreamSpec)} if seen.playbook else set()
    for stream in seen.workstreams:
        asks = any(variables(rule.condition) for rule in live_rules(stream))
        if stream.name in declared and asks and any(each.name in names for each in stream.variables or ()):
            yield stream


def _covered(scenario: Scenario, stream: Workstream) -> Iterator[Result]:
    context = scenario.escalate.context if scenario.escalate else {}
    parts = [concerned(rule.condition, frozenset(context)) for rule in live_rules(stream)]
    asked = [part for part in parts if part is not None]
    answers = [decide(part, context, stream.variables or (), Reading.STRICT) for part in asked]
    subject = about_scenario(scenario)
    if True in answers:
        return
    if None in answers:
        told = f"whether a rule of {stream.name} catches what it hands over cannot be decided"
        yield Unchecked("R24", told, subject)
        return
    handed = ", ".join(f"{name}={value}" for name, value in context.items())
    told = f"it hands over {handed}, and no rule of {stream.name} asks for that"
    rules = "; ".join(map(describe, asked[:5])) or "none of these variables"
    yield finding("R24", subject, told, handed_over=handed, workstream=stream.name, rules_ask_for=rules)


def concerned(condition: Condition, names: frozenset[str]) -> Condition | None:
    """The part of a condition that these variables decide; None where none does.

    A conversation may have other values from before: a comparison of another variable is taken to hold beside one of
    these, and is left out where either would do.
    """
    if isinstance(condition, Test):
        return condition if condition.variable in names else None
    if isinstance(condition, All | AnyOf):
        parts = tuple(part for each in condition.parts if (part := concerned(each, names)) is not None)
        return replace(condition, parts=parts) if parts else None
    compared = condition.comparison
    is_other = compared is not None and compared.variable and compared.variable not in names
    return None if is_other else condition
