"""Routing rules: route-to-queue rules inside the rule set of a work stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from d365setup import ruleset
from d365setup.conditions import ALWAYS, Condition, describe, same, variables
from d365setup.kinds import rule_checks
from d365setup.kinds.base import Kind, made, stays, taken_away
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.fields import Name200
from d365setup.kinds.queue import Queue
from d365setup.kinds.rule_sets import (
    RouteRules,
    RuleText,
    every_rule_set_queries,
    output_contract_query,
    route_rules,
    rule_set_queries,
    rules_of,
)
from d365setup.kinds.rule_writes import founded, leaving, rewritten, stray, text_with
from d365setup.kinds.when import WhenCondition
from d365setup.kinds.workstream import Contract, queue_and_members, workstream_queries
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
    Spec,
    Stage,
    Write,
    hidden,
    join_key,
)
from d365setup.scope import Scope


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
    trouble: str = hidden("")  # found while applying: why the rules cannot be written as planned

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
        """What a variable is compared with fits its type; what is too much for a work stream is told once."""
        first = next(rule for rule in desired.of(RoutingRule) if rule.workstream == self.workstream)
        for message in rule_checks.too_large(_declared(self.workstream, desired)) if first.name == self.name else ():
            yield Mistake((), message)
        for test in rule_checks.tests(self.condition):
            variable = desired.find(ContextVariable.kind, join_key(self.workstream, test.variable))
            kind = variable.type if isinstance(variable, ContextVariable) else None
            for message in rule_checks.misfits(test, kind):
                yield Mistake(("when", test.variable), message)


class RoutingRules(Kind[RoutingRule]):
    """Rules inside the one text of a work stream's rule set: every change reads, edits and writes that whole text."""

    kind = RoutingRule.kind
    spec = RoutingRule
    after = ("queue", "queue_member", "workstream", "context_variable")
    stage = Stage.ROUTES
    fate = "it is taken out of the rule set, every other byte of which stays"

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The rule sets of the work streams, also where only variables are declared: rules may use them.

        For pruning, every rule set.
        """
        rules = (rule.workstream for rule in wanted.of(RoutingRule))
        variables_of = (variable.workstream for variable in wanted.of(ContextVariable))
        streams = (*rules, *variables_of)
        yield from every_rule_set_queries() if self.widely else rule_set_queries(streams)
        if streams:
            yield output_contract_query()

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The rule sets of the changed rules."""
        return rule_set_queries(rule.workstream for rule in changed.of(RoutingRule))

    def gate(self, changes: Sequence[Change]) -> Iterable[Query]:
        """The work streams' contracts."""
        wanted = (_stream(change) for change in changes if change.action is not Action.DELETE)
        return workstream_queries(dict.fromkeys(wanted), "contracts")

    def settled(self, desired: RoutingRule, scope: Scope) -> RoutingRule:
        """Whether the rule still must move and can be written, judged by the rules as they now are."""
        facts, names = self._known(desired, scope.live, scope.resolved)
        twins = any(rule_checks.twins(name, facts) for name in names)
        trouble = facts.problem or ("two rules of one name" if twins else "")
        return replace(desired, moves=rule_checks.moves(facts, names).get(desired.name), trouble=trouble)

    def _known(self, rule: RoutingRule, live: LiveState, desired: Desired) -> tuple[RouteRules, list[str]]:
        """The live rules of the rule's work stream, and the names of the declared ones."""
        return rules_of(live, rule.workstream), [each.name for each in _declared(rule.workstream, desired)]

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """The rule sets as facts, and each rule in them as a live one."""
        named = (*rows.get("queues", ()), *rows.get("queue names", ()))
        queues = {row["queueid"]: row["name"] or "" for row in named}
        for fact in route_rules(rows):
            yield fact
            if isinstance(fact, RouteRules):
                lives = [_live(fact, rule, queues) for rule in fact.rules]
                yield from lives
                for live in {each.spec.name: each for each in lives}.values():  # twins: see `resolve`
                    yield Named(self.kind, live.spec.identity, live.spec.key, live.row_id)

    def resolve(self, desired: RoutingRule, scope: Scope) -> Iterator[RoutingRule | Note]:
        """The queue becomes its row; what the live rule set makes of the rule's place is found out."""
        facts, names = self._known(desired, scope.live, scope.desired)
        own = _declared(desired.workstream, scope.desired)
        if desired is own[0]:  # what is wrong with the work stream's rules is told once
            for problem in rule_checks.troubles(facts, own, scope):
                yield Note("error", desired.id, problem, desired.source)
        for problem in rule_checks.obstacles(desired, facts, scope):
            yield Note("error", desired.id, problem, desired.source)
        queue = scope.ids.of("queue", Queue(name=desired.queue).identity)
        settled = replace(desired, queue_id=queue, moves=rule_checks.moves(facts, names).get(desired.name))
        for message in rule_checks.doubts(settled, names, facts, scope):
            yield Note("warning", desired.id, message, desired.source)
        if facts.managed and self._would_write(settled, scope.live):
            told = f"the rule set ({facts.rule_set_id}) is managed by a solution: change its rules there"
            yield Note("error", desired.id, told, desired.source, refused=True)
        yield settled

    def strays(self, scope: Scope) -> Iterator[Live[RoutingRule] | Note]:
        """Rules of ours; where the rule set cannot be written they stay."""
        if scope.prune is None:
            return
        lives = {(live.spec.workstream, live.row_id): live for live in reversed(scope.live.of(RoutingRule))}
        for facts in {each.workstream: each for each in reversed(scope.live.known(RouteRules))}.values():
            going = {rule.id for rule in leaving(facts, scope)}
            for rule in stray(facts, facts.rules, scope):
                live = lives[facts.workstream, rule.id]
                yield live if rule.id in going else stays(live, [_why_not(facts, rule)])
            yield from _out_of_reach(facts, scope)

    def _would_write(self, settled: RoutingRule, live: LiveState) -> bool:
        change = self.diff(settled, live.find(self.kind, settled.identity))
        return change is not None and {each.field for each in change.fields} != {"enabled"}

    def diff(self, desired: RoutingRule | None, live: Live[RoutingRule] | None) -> Change | None:
        """Condition, queue and place; a rule that somebody disabled is told, but only a person can enable it."""
        if desired is None:
            return None if live is None else _taken_out(live)
        if live is None:
            change = made(desired, {"when": describe(desired.condition), "queue": desired.queue})
            return replace(change, fields=(*change.fields, *_trouble(desired)))
        differences = (*_differences(desired, live.spec), *_trouble(desired))
        if not differences:
            return None
        manual = "" if live.spec.enabled else f"enable the rule {desired.name!r} in the admin centre: {_WHERE}"
        return Change(Action.UPDATE, desired.id, desired, differences, "", live.row_id, live.etag, manual)

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """One write of the whole text for each work stream, or the whole chain where there is none."""
        for stream in dict.fromkeys(_stream(change) for change in changes):
            facts, rules = rules_of(scope.live, stream), _declared(stream, scope.resolved)
            text = text_with(facts, rules, scope)
            carried = (_carried(changes, stream), _needs(rules, scope))
            if not facts.rule_set_id:
                yield from founded(facts, text, scope, carried)
            elif text != facts.text:
                yield rewritten(facts, text, carried)

    def blocked(self, change: Change, scope: Scope) -> str:
        """A rule is written only once the platform shows each of its variables in the contract."""
        rule = change.desired
        if not isinstance(rule, RoutingRule) or change.action is Action.DELETE:
            return ""
        contracts = (each for each in scope.live.known(Contract) if each.workstream == rule.workstream)
        missing = sorted(variables(rule.condition) - {name for each in contracts for name in each.variables})
        if not missing:
            return ""
        return (
            f"the routing contract of {rule.workstream!r} does not show {', '.join(missing)}, which "
            f"{rule.name!r} looks at: it would never match. Wait (up to 15 minutes) and apply again, or remove and add "
            f"the variable by hand: {_VARIABLES}"
        )

    def afterwards(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """The same text once more where the platform did not note what it refers to (a documented defect)."""
        for stream in dict.fromkeys(_stream(change) for change in changes):
            facts, rules = rules_of(scope.live, stream), _declared(stream, scope.resolved)
            if facts.rule_set_id and any(rule_checks.unmapped(rule, facts, scope) for rule in rules):
                yield rewritten(facts, facts.text, (_carried(changes, stream), frozenset()))

    def doubts(self, change: Change, scope: Scope) -> Iterator[Note]:
        """References the platform still has no dependency mapping for, after the second write too."""
        rule = change.desired
        if isinstance(rule, RoutingRule) and change.action is not Action.DELETE:
            missing = rule_checks.unmapped(rule, rules_of(scope.live, rule.workstream), scope)
            if missing:
                yield Note("warning", rule.id, rule_checks.not_noted(missing), rule.source)


def _taken_out(live: Live[RoutingRule]) -> Change:
    """The queue by its id: its name is not always read again."""
    return taken_away(live, {"when": (describe(live.spec.condition), None), "queue": (live.spec.queue_id, None)})


def _why_not(facts: RouteRules, rule: ruleset.Rule) -> str:
    if facts.managed:
        return f"the rule set ({facts.rule_set_id}) is managed by a solution"
    return facts.problem or f"two rules are called {rule.name!r}; rename one in the admin centre"


def _out_of_reach(facts: RouteRules, scope: Scope) -> Iterator[Note]:
    """Rules of ours in a work stream whose rules cannot be worked with."""
    texts = (each for each in scope.live.known(RuleText) if each.workstream == facts.workstream)
    seen = {rule.id for rule in facts.rules}
    for text in texts if facts.problem else ():
        for rule in stray(facts, text.rules, scope):
            if rule.id not in seen:
                seen.add(rule.id)
                known = RoutingRule(workstream=facts.workstream, name=rule.name, queue=rule.queue or rule.action)
                yield stays(Live(known, rule.id), [facts.problem])


_WHERE = "Workstreams > the work stream > Route to queues > the rule's switch"
_VARIABLES = "Workstreams > the work stream > Advanced settings > Context variables"


def _live(facts: RouteRules, rule: ruleset.Rule, queues: dict[str, str]) -> Live[RoutingRule]:
    spec = RoutingRule(
        workstream=facts.workstream,
        name=rule.name,
        when=rule.condition,
        queue=queues.get(rule.queue or "", rule.queue or rule.action),
        queue_id=rule.queue or "",
        enabled=rule.id not in facts.disabled,
    )
    return Live(spec, rule.id, facts.etag)  # a managed rule set is noticed in `resolve`, under its own id


def _declared(stream: str, desired: Desired) -> list[RoutingRule]:
    return [rule for rule in desired.of(RoutingRule) if rule.workstream == stream]


def _stream(change: Change) -> str:
    return change.desired.workstream if isinstance(change.desired, RoutingRule) else ""


def _carried(changes: Sequence[Change], stream: str) -> tuple[ResourceId, ...]:
    return tuple(change.id for change in changes if _stream(change) == stream)


def _differences(desired: RoutingRule, live: RoutingRule) -> Iterator[FieldChange]:
    if not same(desired.condition, live.condition):
        yield FieldChange("when", describe(live.condition), describe(desired.condition))
    if desired.queue_id != live.queue_id:
        yield FieldChange("queue", live.queue, desired.queue)
    if desired.moves:
        yield FieldChange("position", *desired.moves)
    if not live.enabled:
        yield FieldChange("enabled", before=False, after=True)


def _trouble(desired: RoutingRule) -> Iterator[FieldChange]:
    """Something that came up since the plan was made: it is shown as a difference that nobody asked for."""
    if desired.trouble:
        yield FieldChange("rule set", desired.trouble, None)


def _needs(rules: Sequence[RoutingRule], scope: Scope) -> frozenset[ResourceId]:
    needs: set[ResourceId] = set()
    for rule in rules:
        needs |= queue_and_members(rule.queue, scope)
        names = variables(rule.condition)
        needs |= {ResourceId(ContextVariable.kind, join_key(rule.workstream, name)) for name in names}
    return frozenset(needs)
