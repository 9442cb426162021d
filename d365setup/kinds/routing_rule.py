"""Routing rules: route-to-queue rules inside the rule set of a work stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from d365setup import ruleset
from d365setup.conditions import All, AnyOf, Condition, Operator, Test, describe, same, variables
from d365setup.kinds.base import Kind, made
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.fields import Name200
from d365setup.kinds.queue import Queue
from d365setup.kinds.rule_sets import ROUTE_TO_QUEUE, OutputContract, RouteRules, route_rules, rule_set_queries
from d365setup.kinds.when import WhenCondition
from d365setup.kinds.workstream import Contract, queue_and_members, workstream_query
from d365setup.model import (
    Action,
    Change,
    Desired,
    FieldChange,
    Live,
    LiveState,
    Mistake,
    Named,
    Note,
    Place,
    Query,
    Reference,
    ResourceId,
    Rows,
    Scope,
    Spec,
    Stage,
    Write,
    hidden,
    join_key,
)

ALWAYS = All(())


@dataclass(frozen=True, kw_only=True)
class RoutingRule(Spec):
    """One rule: when the condition holds, the queue is a candidate. Rules are tried in the playbook's order."""

    kind: ClassVar[str] = "routing_rule"
    place: ClassVar[Place] = Place("workstreams", "routing_rules", parent="workstream")

    workstream: str
    name: Name200
    when: WhenCondition | None = None
    queue: Name200
    queue_id: str = hidden("")
    moves: tuple[int, int] | None = hidden(None)  # places among the declared rules, where it must change its place
    enabled: bool = hidden(True)  # noqa: FBT003

    @property
    def key(self) -> str:
        """Names are unique within one work stream only."""
        return join_key(self.workstream, self.name)

    @property
    def condition(self) -> Condition:
        """A rule without ``when`` always holds."""
        return ALWAYS if self.when is None else self.when

    def references(self) -> Iterator[Reference]:
        """The queue and every variable it looks at are declared."""
        yield Reference("queue", join_key(self.queue), ("queue",), "queue", self.queue)
        for name in sorted(variables(self.condition)):
            key = join_key(self.workstream, name)
            within = join_key(self.workstream) + "/"
            yield Reference("context_variable", key, ("when", name), "context variable", name, within)

    def check(self, desired: Desired) -> Iterator[Mistake]:
        """What a variable is compared with fits its type."""
        for test in _tests(self.condition):
            variable = desired.find(ContextVariable.kind, join_key(self.workstream, test.variable))
            kind = variable.type if isinstance(variable, ContextVariable) else None
            yield from _misfits(test, kind)


def _tests(condition: Condition) -> Iterator[Test]:
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, All | AnyOf):
        for part in condition.parts:
            yield from _tests(part)


def _misfits(test: Test, kind: str | None) -> Iterator[Mistake]:
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    path = ("when", test.variable)
    if kind == "text" and test.operator in (Operator.MORE_THAN, Operator.AT_LEAST):
        yield Mistake(path, f"{test.operator.value!r} compares numbers, and {test.variable} is declared as text")
        return
    for value in values:
        if kind == "number" and isinstance(value, str):
            yield Mistake(path, f"{test.variable} is declared as a number and can never equal {value!r}")
        if kind == "text" and isinstance(value, int):
            yield Mistake(path, f"{test.variable} is declared as text: write the value in quotes, '{value}'")


DECLARATIVE, DECISION_LIST = 192350000, 192350000  # msdyn_rulesettype, msdyn_authoringmode


class RoutingRules(Kind[RoutingRule]):
    """Rules inside the one text of a work stream's rule set: every change reads, edits and writes that whole text."""

    kind = RoutingRule.kind
    spec = RoutingRule
    after = ("queue", "queue_member", "workstream", "context_variable")
    stage = Stage.ROUTES

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The rule sets of the work streams; the contracts come with the work streams."""
        streams = list(dict.fromkeys(rule.workstream for rule in wanted.of(RoutingRule)))
        if streams:
            yield from rule_set_queries(streams)

    def gate(self, changes: Sequence[Change]) -> Iterable[Query]:
        """The work streams' contracts."""
        streams = dict.fromkeys(_stream(change) for change in changes)
        if streams:
            yield workstream_query(streams, "contracts")

    def settled(self, desired: RoutingRule, scope: Scope) -> RoutingRule:
        """Whether the rule still must move, judged by the rules as they now are."""
        names = [rule.name for rule in _declared(desired.workstream, scope)]
        moves = ruleset.moved(rules_of(scope.live, desired.workstream).rules, names).get(desired.name)
        return replace(desired, moves=moves)

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """The rule sets as facts, and each rule in them as a live one."""
        named = [*rows.get("queues", ()), *rows.get("queue names", ())]
        queues = {row["queueid"]: row["name"] for row in named}
        for fact in route_rules(rows):
            yield fact
            if isinstance(fact, RouteRules):
                for rule in fact.rules:
                    live = _live(fact, rule, queues)
                    yield live
                    yield Named(self.kind, live.spec.identity, live.spec.key, live.row_id)

    def resolve(self, desired: RoutingRule, scope: Scope) -> Iterator[RoutingRule | Note]:
        """The queue becomes its row; what the live rule set makes of the rule's place is found out."""
        facts = rules_of(scope.live, desired.workstream)
        own = [rule for rule in scope.desired.of(RoutingRule) if rule.workstream == desired.workstream]
        if desired is own[0]:  # what is wrong with the work stream's rules is told once
            yield from _troubles(facts, desired, scope)
        live = scope.live.find(self.kind, desired.identity)
        if live is not None:
            yield from _standing(desired, facts, scope)
        names = [rule.name for rule in own]
        moves = ruleset.moved(facts.rules, names).get(desired.name)
        if desired.name in ruleset.behind_unconditional(facts.rules, names):
            message = "stands behind an undeclared rule without a condition, whose queue is always tried first"
            yield Note("warning", desired.id, message, desired.source)
        queue = scope.ids.of("queue", Queue(name=desired.queue).identity)
        yield replace(desired, queue_id=queue, moves=moves)

    def diff(self, desired: RoutingRule | None, live: Live[RoutingRule] | None) -> Change | None:
        """Condition, queue and place; a rule that somebody disabled is told, but only a person can enable it."""
        if desired is None:
            return None
        if live is None:
            return made(desired, {"when": describe(desired.condition), "queue": desired.queue})
        fields = tuple(_differences(desired, live.spec))
        if not fields:
            return None
        manual = "" if live.spec.enabled else f"enable the rule {desired.name!r} in the admin centre: {_WHERE}"
        return Change(Action.UPDATE, desired.id, desired, fields, "", live.row_id, live.etag, manual)

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """One write of the whole text for each work stream, or the whole chain where there is none."""
        for stream in dict.fromkeys(_stream(change) for change in changes):
            ours = [change for change in changes if _stream(change) == stream]
            facts = rules_of(scope.live, stream)
            if facts.rule_set_id:
                yield from _edited(facts, ours, scope)
            else:
                yield from _founded(facts, ours, scope)

    def blocked(self, change: Change, scope: Scope) -> str:
        """A rule set is written only once the platform shows every variable of our rules in the contract."""
        stream = _stream(change)
        shown: set[str] = set()
        for contract in scope.live.known(Contract):
            if contract.workstream == stream:
                shown.update(contract.variables)
        used = {name for rule in _declared(stream, scope) for name in variables(rule.condition)}
        missing = sorted(used - shown)
        if not missing:
            return ""
        return (
            f"the routing contract of {stream!r} does not show {', '.join(missing)}; rules that use it would never "
            f"match. Wait (up to 15 minutes) and apply again, or remove and add it by hand: {_VARIABLES}"
        )

    def afterwards(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """The same text once more where the platform did not note what it refers to (a documented defect)."""
        for stream in dict.fromkeys(_stream(change) for change in changes):
            facts = rules_of(scope.live, stream)
            ours = tuple(change.id for change in changes if _stream(change) == stream)
            if facts.rule_set_id and _unmapped(stream, facts, scope):
                yield _write(facts, facts.text, ours, frozenset())

    def doubts(self, change: Change, scope: Scope) -> Iterator[Note]:
        """References the platform still has no dependency mapping for, after the second write too."""
        rule = change.desired
        if isinstance(rule, RoutingRule):
            missing = _unmapped_of(rule, rules_of(scope.live, rule.workstream), scope)
            if missing:
                message = f"the platform noted no dependency mapping for {', '.join(missing)}; {_RESAVE}"
                yield Note("warning", rule.id, message, rule.source)


_RESAVE = "if it does not route, open and save the rule in the admin centre"
_WHERE = "Workstreams > the work stream > Route to queues > the rule's switch"
_VARIABLES = "Workstreams > the work stream > Advanced settings > Context variables"


def rules_of(live: LiveState, workstream: str) -> RouteRules:
    """The rules of a work stream; empty facts where it has no routing configuration."""
    found = (each for each in live.known(RouteRules) if each.workstream == workstream)
    return next(found, RouteRules(workstream))


def _live(facts: RouteRules, rule: ruleset.Rule, queues: dict[str, str]) -> Live[RoutingRule]:
    spec = RoutingRule(
        workstream=facts.workstream,
        name=rule.name,
        when=rule.condition,
        queue=queues.get(rule.queue or "", rule.queue or rule.action),
        queue_id=rule.queue or "",
        enabled=rule.id not in facts.disabled,
    )
    return Live(spec, rule.id, facts.etag, facts.managed)


def _troubles(facts: RouteRules, first: RoutingRule, scope: Scope) -> Iterator[Note]:
    if facts.problem:
        yield Note("error", first.id, facts.problem, first.source)
    for contract in scope.live.known(Contract):
        if contract.workstream == first.workstream and contract.problem:
            yield Note("error", first.id, f"the work stream cannot have rules: {contract.problem}", first.source)
    if not facts.rule_set_id and not scope.live.known(OutputContract):
        message = "the environment lacks the shipped contract for route to queue; is unified routing installed?"
        yield Note("error", first.id, message, first.source)


def _standing(desired: RoutingRule, facts: RouteRules, scope: Scope) -> Iterator[Note]:
    queue = scope.ids.of("queue", Queue(name=desired.queue).identity)
    live = next(rule for rule in facts.rules if rule.name == desired.name)
    if live.queue == queue and queue not in facts.mapped:
        message = f"the platform has no dependency mapping for it; {_RESAVE}"
        yield Note("warning", desired.id, message, desired.source)


def _differences(desired: RoutingRule, live: RoutingRule) -> Iterator[FieldChange]:
    if not same(desired.condition, live.condition):
        yield FieldChange("when", describe(live.condition), describe(desired.condition))
    if desired.queue_id != live.queue_id:
        yield FieldChange("queue", live.queue, desired.queue)
    if desired.moves:
        yield FieldChange("position", *desired.moves)
    if not live.enabled:
        yield FieldChange("enabled", before=False, after=True)


def _stream(change: Change) -> str:
    return change.desired.workstream if isinstance(change.desired, RoutingRule) else ""


def _declared(stream: str, scope: Scope) -> list[RoutingRule]:
    return [rule for rule in scope.resolved.of(RoutingRule) if rule.workstream == stream]


def _wanted(stream: str, scope: Scope) -> list[ruleset.Wanted]:
    return [
        ruleset.Wanted(rule.name, scope.ids.made(RoutingRule.kind, rule.identity), rule.condition, rule.queue_id)
        for rule in _declared(stream, scope)
    ]


def _needs(stream: str, scope: Scope) -> frozenset[ResourceId]:
    needs: set[ResourceId] = set()
    for rule in _declared(stream, scope):
        needs |= queue_and_members(rule.queue, scope)
        needs |= {ResourceId(ContextVariable.kind, join_key(stream, name)) for name in variables(rule.condition)}
    return frozenset(needs)


def _edited(facts: RouteRules, ours: Sequence[Change], scope: Scope) -> Iterator[Write]:
    wanted = _wanted(facts.workstream, scope)
    text = ruleset.edit(facts.text, wanted) if facts.text else ruleset.new(wanted)
    if text != facts.text:
        yield _write(facts, text, tuple(change.id for change in ours), _needs(facts.workstream, scope))


def _write(facts: RouteRules, text: str, ids: tuple[ResourceId, ...], needs: frozenset[ResourceId]) -> Write:
    path = f"msdyn_decisionrulesets({facts.rule_set_id})"
    body = {"msdyn_rulesetdefinition": text}
    condition = {"If-Match": facts.etag or "*"}
    return Write(Stage.ROUTES, "PATCH", path, body, ids, condition, needs, f"rules:{facts.workstream}")


def _founded(facts: RouteRules, ours: Sequence[Change], scope: Scope) -> Iterator[Write]:
    """Rule set, configuration and step of a work stream that has none, each before what refers to it."""
    stream, ids = facts.workstream, scope.ids
    live = scope.live.find("workstream", join_key(stream))
    contract = live.spec.found.contract_id if live else ""
    output = next(iter(scope.live.known(OutputContract))).row_id
    rule_set = ids.made("rule_set", join_key(stream))
    configuration = facts.configuration_id or ids.made("routing_configuration", join_key(stream))
    step = ids.made("routing_step", join_key(stream))
    common = {
        "changes": tuple(change.id for change in ours),
        "needs": _needs(stream, scope),
        "group": f"rules:{stream}",
    }
    bodies = {
        f"msdyn_decisionrulesets({rule_set})": {
            "msdyn_name": f"{stream} route to queue",
            "msdyn_uniquename": f"new_{rule_set.replace('-', '')}",
            "msdyn_rulesettype": DECLARATIVE,
            "msdyn_authoringmode": DECISION_LIST,
            "msdyn_rulesetdefinition": ruleset.new(_wanted(stream, scope)),
            "msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({contract})",
            "msdyn_outputcontractid@odata.bind": f"/msdyn_decisioncontracts({output})",
        },
        f"msdyn_routingconfigurations({configuration})": {
            "msdyn_name": f"RC {stream}"[:100],
            "msdyn_uniquename": f"new_{configuration.replace('-', '')}",
            "msdyn_isactiveconfiguration": True,
            "msdyn_liveworkstreamid@odata.bind": f"/msdyn_liveworkstreams({live.row_id if live else ''})",
        },
        f"msdyn_routingconfigurationsteps({step})": {
            "msdyn_name": "Route to queue",
            "msdyn_uniquename": f"new_{step.replace('-', '')}",
            "msdyn_type": ROUTE_TO_QUEUE,
            "msdyn_steporder": facts.next_step,
            "msdyn_routingconfigurationid@odata.bind": f"/msdyn_routingconfigurations({configuration})",
            "msdyn_rulesetid@odata.bind": f"/msdyn_decisionrulesets({rule_set})",
        },
    }
    for path, body in bodies.items():
        if facts.configuration_id and path.startswith("msdyn_routingconfigurations("):
            continue
        yield Write(Stage.ROUTES, "PATCH", path, body, condition={"If-None-Match": "*"}, **common)  # type: ignore[arg-type]


def _unmapped(stream: str, facts: RouteRules, scope: Scope) -> bool:
    return any(_unmapped_of(rule, facts, scope) for rule in _declared(stream, scope))


def _unmapped_of(rule: RoutingRule, facts: RouteRules, scope: Scope) -> list[str]:
    found = [] if rule.queue_id in facts.mapped else [rule.queue]
    for name in sorted(variables(rule.condition)):
        if scope.ids.of(ContextVariable.kind, join_key(rule.workstream, name)) not in facts.mapped:
            found.append(name)
    return found
