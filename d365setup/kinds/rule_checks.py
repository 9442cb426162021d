"""What keeps declared rules from being written, and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from d365setup import ruleset
from d365setup.conditions import Condition, Operator, Test, same, variables
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.rule_sets import OutputContract, RouteRules
from d365setup.kinds.rule_writes import leaving, text_with
from d365setup.kinds.workstream import Contract
from d365setup.model import join_key
from d365setup.scope import Scope

if TYPE_CHECKING:
    from d365setup.kinds.routing_rule import RoutingRule

MOST_RULES = 200  # of a work stream (Omnichannel's page on service quotas)
_BARE = '<decision hit-policy="all" version="1"><rules></rules></decision>'  # the shortest layout there is


def tests(condition: Condition) -> Iterator[Test]:
    """Every comparison of a condition."""
    if isinstance(condition, Test):
        yield condition
    for part in getattr(condition, "parts", ()):
        yield from tests(part)


def misfits(test: Test, kind: str | None) -> Iterator[str]:
    """Why a comparison can never hold for a variable of this type."""
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    if kind == "text" and test.operator in (Operator.MORE_THAN, Operator.AT_LEAST):
        yield f"{test.operator.value!r} compares numbers, and {test.variable} is a text"
        return
    for value in values:
        if kind == "number" and isinstance(value, str):
            yield f"{test.variable} is a number and can never equal {value!r}: write digits without quotes"
        if kind == "text" and isinstance(value, int):
            yield f"{test.variable} is a text: write the value in quotes, '{value}'"


def troubles(facts: RouteRules, own: Sequence[RoutingRule], scope: Scope) -> Iterator[str]:
    """What is wrong with the work stream's rules as a whole; the edit is tried, so that nothing fails later."""
    found = [*_broken_chain(facts, own[0].workstream, scope), *_too_many(facts, own, scope)]
    yield from found
    if not found and not any(twins(rule.name, facts) for rule in own):
        try:
            text_with(facts, own, scope)
        except ruleset.RuleSetError as error:
            yield f"the rules cannot be written: {error}"


def _broken_chain(facts: RouteRules, stream: str, scope: Scope) -> Iterator[str]:
    if facts.problem:
        yield facts.problem
    for contract in scope.live.known(Contract):
        if contract.workstream == stream and contract.problem:
            yield f"the work stream cannot have rules: {contract.problem}; make it anew in the admin centre"
    if not facts.rule_set_id and not scope.live.known(OutputContract):
        yield "the environment lacks the shipped contract for route to queue; install unified routing first"


def _too_many(facts: RouteRules, own: Sequence[RoutingRule], scope: Scope) -> Iterator[str]:
    there = len(facts.rules) - len(leaving(facts, scope))
    new = len({rule.name for rule in own} - {rule.name for rule in facts.rules})
    if new and there + new > MOST_RULES:
        yield (
            f"the rule set would have {there + new} rules ({there} that are there, {new} new), and the platform takes "
            f"{MOST_RULES}; declare fewer, or take some out in the admin centre"
        )


def too_large(own: Sequence[RoutingRule]) -> Iterator[str]:
    """Why these rules cannot be a work stream's, whatever the environment holds."""
    if len(own) > MOST_RULES:
        yield f"{len(own)} rules for one work stream, and the platform takes {MOST_RULES}"
    made_up = [f"00000000-0000-4000-8000-{number:012d}" for number in range(len(own))]
    wanted = [ruleset.Wanted(rule.name, row, rule.condition, row) for rule, row in zip(own, made_up, strict=True)]
    with suppress(ruleset.RuleSetError):  # anything else is told when the environment's own rules are known
        try:
            ruleset.edit(_BARE, wanted)
        except ruleset.TooLong as error:
            yield f"the rules of this work stream are too long: {error}"


def obstacles(desired: RoutingRule, facts: RouteRules, scope: Scope) -> Iterator[str]:
    """Why this rule cannot be written: twins, and comparisons that do not fit the variable as it is or will be."""
    ids = twins(desired.name, facts)
    if ids:
        yield f"{len(ids)} rules bear this name ({' and '.join(ids)}); rename all but one in the admin centre"
    for test in tests(desired.condition):
        key = join_key(desired.workstream, test.variable)
        live = scope.live.find(ContextVariable.kind, key)
        if getattr(scope.desired.find(ContextVariable.kind, key), "type", None) is None:
            yield from misfits(test, live.spec.type if live else "text")  # a stated type was checked at loading


def doubts(settled: RoutingRule, names: Sequence[str], facts: RouteRules, scope: Scope) -> Iterator[str]:
    """What may keep the rule from working though it is as declared."""
    if settled.name in _behind(facts, names, scope):
        yield (
            "it stands behind an undeclared rule without a condition, whose queue is always tried first; give that one "
            "a condition, or move it to the end, in the admin centre"
        )
    live = scope.live.find(settled.kind, settled.identity)
    if live and live.spec.queue_id == settled.queue_id and same(live.spec.condition, settled.condition):
        missing = unmapped(settled, facts, scope)
        if missing:
            yield not_noted(missing)


def twins(name: str, facts: RouteRules) -> list[str]:
    """The ids of the live rules of this name, where there is more than one."""
    ids = [each.id for each in facts.rules if each.name == name]
    return ids if len(ids) > 1 else []


def moves(facts: RouteRules, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Which rules must change their place; none while rules share a name, which is told elsewhere."""
    try:
        return dict(ruleset.moved(facts.rules, names))
    except ruleset.RuleSetError:
        return {}


def _behind(facts: RouteRules, names: Sequence[str], scope: Scope) -> tuple[str, ...]:
    going = {rule.id for rule in leaving(facts, scope)}
    try:
        return ruleset.behind_unconditional([rule for rule in facts.rules if rule.id not in going], names)
    except ruleset.RuleSetError:  # rules that share a name, as above
        return ()


def unmapped(rule: RoutingRule, facts: RouteRules, scope: Scope) -> list[str]:
    """What a rule refers to without the platform having noted it, by name."""
    rule_id = next((each.id for each in facts.rules if each.name == rule.name), "")
    referred = {rule.queue: rule.queue_id}
    for name in sorted(variables(rule.condition)):
        referred[name] = scope.ids.of(ContextVariable.kind, join_key(rule.workstream, name))
    return [name for name, row_id in referred.items() if not facts.is_mapped(rule_id, row_id)]


def not_noted(names: Sequence[str]) -> str:
    """What to do about references that the platform has no dependency mapping for."""
    return (
        f"the platform noted no dependency mapping for {', '.join(names)}; if the rule does not route, open and save "
        "it in the admin centre"
    )
