"""The writes that bring declared rules into a work stream's rule set, or make the whole chain where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from d365setup import ruleset
from d365setup.kinds.rule_sets import ROUTE_TO_QUEUE, OutputContract, RouteRules
from d365setup.model import ResourceId, Stage, Write, join_key
from d365setup.scope import Prune, Scope

if TYPE_CHECKING:
    from d365setup.kinds.routing_rule import RoutingRule

DECLARATIVE, DECISION_LIST = 192350000, 192350000  # msdyn_rulesettype, msdyn_authoringmode

Carried = tuple[tuple[ResourceId, ...], frozenset[ResourceId]]  # the changes a write carries out, and what it needs


def text_with(facts: RouteRules, rules: Sequence[RoutingRule], scope: Scope) -> str:
    """The rule set's text with these rules in it, in this order. Raises RuleSetError for what cannot be written."""
    wanted = [
        ruleset.Wanted(
            rule.name,
            scope.ids.made(rule.kind, rule.identity),
            rule.condition,
            scope.ids.of("queue", join_key(rule.queue)),
        )
        for rule in rules
    ]
    gone = {rule.id for rule in leaving(facts, scope)}
    return ruleset.edit(facts.text, wanted, gone) if facts.text else ruleset.new(wanted)


def leaving(facts: RouteRules, scope: Scope) -> tuple[ruleset.Rule, ...]:
    """The rules to be taken out: of this playbook's making by their ids, and no longer declared.

    One of two rules of a name is left alone: which of them is meant nobody could see in a plan.
    """
    if scope.prune is None or facts.managed or facts.problem:
        return ()
    names = Counter(rule.name for rule in facts.rules)
    return tuple(
        rule
        for rule in stray(facts, facts.rules, scope)
        if names[rule.name] == 1 and _is_going(rule_id(facts.workstream, rule.name), scope.prune)
    )


def stray(facts: RouteRules, rules: Iterable[ruleset.Rule], scope: Scope) -> Iterator[ruleset.Rule]:
    """Those of a work stream's rules that this playbook made and no longer declares."""
    for rule in rules:
        known = rule_id(facts.workstream, rule.name)
        if scope.desired.find(known.kind, known.key) is None and rule.id == scope.ids.made(known.kind, known.key):
            yield rule


def rule_id(workstream: str, name: str) -> ResourceId:
    """How a rule is called in plans."""
    return ResourceId("routing_rule", join_key(workstream, name))


def _is_going(rule: ResourceId, prune: Prune) -> bool:
    return prune.going is None or rule in prune.going


def rewritten(facts: RouteRules, text: str, carried: Carried) -> Write:
    """The whole text in one write, if the rule set still is the version that was read."""
    path = f"msdyn_decisionrulesets({facts.rule_set_id})"
    body = {"msdyn_rulesetdefinition": text}
    write = _write(path, body, {"If-Match": facts.etag or "*"}, facts, carried)
    return replace(write, before={"msdyn_rulesetdefinition": facts.text})


def founded(facts: RouteRules, text: str, scope: Scope, carried: Carried) -> Iterator[Write]:
    """Rule set, configuration and step of a work stream that has none, each before what refers to it.

    A work stream has one of each, whichever playbook comes first: two that apply at once must want the same rows.
    """
    rule_set = scope.ids.shared("rule_set", join_key(facts.workstream))
    configuration = facts.configuration_id or scope.ids.shared("routing_configuration", join_key(facts.workstream))
    step = scope.ids.shared("routing_step", join_key(facts.workstream))
    bodies = {f"msdyn_decisionrulesets({rule_set})": _rule_set(facts, rule_set, text, scope)}
    if not facts.configuration_id:
        bodies[f"msdyn_routingconfigurations({configuration})"] = _configuration(facts, configuration, scope)
    bodies[f"msdyn_routingconfigurationsteps({step})"] = _step(facts, step, configuration, rule_set)
    for path, body in bodies.items():
        yield _write(path, body, {"If-None-Match": "*"}, facts, carried)


def _write(path: str, body: dict[str, Any], condition: dict[str, str], facts: RouteRules, carried: Carried) -> Write:
    changes, needs = carried
    together = f"workstream:{join_key(facts.workstream)}"  # the fallback queue bears the same
    return Write(Stage.ROUTES, "PATCH", path, body, changes, condition, needs, together)


def _rule_set(facts: RouteRules, row_id: str, text: str, scope: Scope) -> dict[str, Any]:
    live = scope.live.find("workstream", join_key(facts.workstream))
    contract = live.spec.found.contract_id if live else ""
    output = scope.live.known(OutputContract)[0].row_id
    return {
        "msdyn_name": f"{facts.workstream} route to queue",
        "msdyn_uniquename": _unique(row_id),
        "msdyn_rulesettype": DECLARATIVE,
        "msdyn_authoringmode": DECISION_LIST,
        "msdyn_rulesetdefinition": text,
        "msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({contract})",
        "msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({output})",
    }


def _configuration(facts: RouteRules, row_id: str, scope: Scope) -> dict[str, Any]:
    stream = scope.ids.of("workstream", join_key(facts.workstream))
    return {
        "msdyn_name": f"RC {facts.workstream}"[:100],  # the column's limit
        "msdyn_uniquename": _unique(row_id),
        "msdyn_isactiveconfiguration": True,
        "msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({stream})",
    }


def _step(facts: RouteRules, row_id: str, configuration: str, rule_set: str) -> dict[str, Any]:
    return {
        "msdyn_name": "Route to queue",
        "msdyn_uniquename": _unique(row_id),
        "msdyn_type": ROUTE_TO_QUEUE,
        "msdyn_steporder": facts.next_step,
        "msdyn_routingconfigurationid@odata.bind": f"/msdyn_routingconfigurations({configuration})",
        "msdyn_rulesetid@odata.bind": f"/msdyn_decisionrulesets({rule_set})",
    }


def _unique(row_id: str) -> str:
    return f"new_{row_id.replace('-', '')}"
