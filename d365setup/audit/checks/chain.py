"""The chain from a work stream to its rules, and what is left of legacy routing."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_workstream, check, finding
from d365setup.audit.findings import Unchecked
from d365setup.center import Configuration, RoutingStep, RuleSet, Workstream

SHIPPED = "msdyn_demandqueueidentificationoutput"  # of every rule set that chooses queues (routing facts, section 0)
_TO_FALLBACK = (
    "Rules that cannot be evaluated are an error, and then every conversation goes to the fallback queue, whatever it "
    "is about."
)


@check("R15")
def one_chain(seen: Seen) -> Iterator[Result]:
    """One active configuration, one route step in it, with a rule set that can be read and answers with queues."""
    for stream in seen.workstreams:
        if not stream.unified:
            continue
        if stream.configurations is None:
            yield Unchecked("R15", "the routing configuration could not be read", about_workstream(stream))
            continue
        for told, happens, evidence in _breaks(stream.configurations):
            yield finding("R15", about_workstream(stream), told, consequence=happens, found=evidence)


def _breaks(configurations: tuple[Configuration, ...]) -> Iterator[tuple[str, str, str]]:
    """What is wrong, what that does (in the page's words where empty), and what was seen."""
    active = [each for each in configurations if each.active]
    if configurations and not active:
        found = _ids(each.row_id for each in configurations)
        yield "it has a routing configuration, and none is active: no rule is looked at", "", found
    if len(active) > 1:
        yield f"{len(active)} routing configurations are active at once", "", _ids(each.row_id for each in active)
    steps = [step for each in active for step in each.steps if step.active]
    for each in active:
        routing = [step for step in each.steps if step.active and step.type == "route to queue"]
        if len(routing) > 1:
            yield f"it has {len(routing)} route-to-queue steps", "", _ids(step.row_id for step in routing)
    for step in steps:
        if step.rule_set is None:
            yield f"its {step.type} step has no rule set", _TO_FALLBACK, step.row_id
    yield from _rule_sets(steps)


def _rule_sets(steps: list[RoutingStep]) -> Iterator[tuple[str, str, str]]:
    for step in steps:
        found = step.rule_set
        if found and found.problem:
            yield f"its rule set {_named(found)} cannot be read: {found.problem}", _TO_FALLBACK, found.row_id
        if found and step.type == "route to queue" and not found.output_contract.startswith(SHIPPED):
            answer = found.output_contract or "none"
            yield f"its rule set {_named(found)} answers with the contract {answer}, not {SHIPPED}", "", answer


def _named(rule_set: RuleSet) -> str:
    return rule_set.name or rule_set.row_id


def _ids(ids: Iterator[str]) -> str:
    return ", ".join(ids)


@check("R16")
def no_legacy(seen: Seen) -> Iterator[Result]:
    """Work streams are routed the unified way, and no legacy rule is left that nobody evaluates."""
    for stream in seen.workstreams:
        subject = about_workstream(stream)
        if not stream.unified:
            yield finding("R16", subject, "it is in legacy mode, whose routing service was shut down", mode="legacy")
        elif stream.legacy_rules is None:
            yield Unchecked("R16", "the rules of legacy routing could not be read", subject)
        elif stream.legacy_rules:
            yield from _left_over(stream, stream.legacy_rules)


def _left_over(stream: Workstream, names: tuple[str, ...]) -> Iterator[Result]:
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # a line
    told = f"it has {len(names)} rules of legacy routing ({shown}), and unified routing never looks at them"
    happens = "Nothing: these rules are dead. Who reads them believes in routing that does not take place."
    yield finding("R16", about_workstream(stream), told, consequence=happens, rules=shown)
