"""What pruning comes to as a whole: which rules, links and bots go together, and what holds some of them back. Pure.

Ownership: a row whose id is the one its present name would give was made by this playbook; a link, when a journal of
this playbook says so (`model.Prune`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from d365setup.kinds import users
from d365setup.kinds.rule_sets import RouteRules
from d365setup.kinds.rule_writes import leaving, rule_id, text_with
from d365setup.kinds.usage import bot_uses, known_usage, queue_uses, senders
from d365setup.model import Live, ResourceId, join_key
from d365setup.ruleset import RuleSetError
from d365setup.scope import Scope


@dataclass(frozen=True)
class Afterwards:
    """How things will be: texts by rule set, fallback queues by work stream, each where it changes; what is gone.

    ``links`` are memberships by address, ``bots`` the rows to be disabled. ``held`` says, by the queue's row, why our
    links to it and the bots in it stay: it is in use, and nobody else would be left there.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    fallbacks: Mapping[str, str] = field(default_factory=dict)
    links: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)


def is_ours(live: Live[Any], scope: Scope) -> bool:
    """Whether a row bears this playbook's mark."""
    return live.row_id == scope.ids.made(live.spec.kind, live.spec.identity)


def marked(kind: str, scope: Scope) -> Iterator[Live[Any]]:
    """Rows of a kind that this playbook made and no longer declares."""
    if scope.prune is None:
        return
    declared = {spec.identity for spec in scope.desired.specs if spec.kind == kind}
    for live in {each.row_id: each for each in scope.live.lives if each.spec.kind == kind}.values():
        if live.spec.identity not in declared and is_ours(live, scope):
            yield live


def membership(queue_id: str, user_id: str) -> str:
    """The address that ends a membership."""
    return f"queues({queue_id})/queuemembership_association({user_id})/$ref"


def assignment(user_id: str, role_id: str) -> str:
    """The address that takes a role away."""
    return f"systemusers({user_id})/systemuserroles_association({role_id})/$ref"


class _Same:
    """A scope as itself: what is made of one is made once, though nothing in it need be hashable."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.scope is self.scope

    def __hash__(self) -> int:
        return id(self.scope)


def afterwards(scope: Scope) -> Afterwards:
    """What will be once the plan is carried out, as far as pruning must know it."""
    return Afterwards() if scope.prune is None else _afterwards(_Same(scope))


@lru_cache(maxsize=2)  # each kind asks, of each thing
def _afterwards(same: _Same) -> Afterwards:
    scope = same.scope
    texts, fallbacks = dict(_texts(scope)), dict(_fallbacks(scope))
    links = dict(_links(scope))
    bots = {live.row_id for live in marked("bot_user", scope) if live.spec.enabled}
    bots = {row_id for row_id in bots if not bot_uses(row_id, known_usage(scope.live))}
    held = dict(_held(scope, texts, fallbacks, links, bots))
    staying = {member.user.row_id for member in memberships(scope) if member.queue_id in held}
    ending = frozenset(address for address, member in links.items() if member.queue_id not in held)
    return Afterwards(texts, fallbacks, ending, frozenset(bots - staying), held)


def memberships(scope: Scope) -> Iterable[users.Membership]:
    """Every live membership, each once."""
    return {(each.queue_id, each.user.row_id): each for each in reversed(scope.live.known(users.Membership))}.values()


def strangers(queue_id: str, scope: Scope) -> Iterator[users.User]:
    """Who is in a queue without this playbook having put them there; its own bots are no strangers."""
    links = scope.prune.links if scope.prune else frozenset()
    for member in _members(_Same(scope)).get(queue_id, ()):
        if membership(queue_id, member.user.row_id) not in links:
            made = scope.ids.made("bot_user", member.user.application_id)
            if member.user.row_id != made:
                yield member.user


def routes_to(queue_id: str, scope: Scope) -> frozenset[ResourceId]:
    """The changes that end, or may end, what sends conversations to a queue: without them it must not lose anything."""
    return _routes(_Same(scope)).get(queue_id, frozenset())


def routes_of(user_id: str, scope: Scope) -> frozenset[ResourceId]:
    """As `routes_to`, of every queue a user is in."""
    queues = {each.queue_id for each in memberships(scope) if each.user.row_id == user_id}
    return frozenset(each for queue in queues for each in routes_to(queue, scope))


def rules_of_stream(workstream: str, scope: Scope) -> frozenset[ResourceId]:
    """Every rule of a work stream that a plan can name: they are written together."""
    return _rules(_Same(scope)).get(workstream, frozenset())


@lru_cache(maxsize=2)
def _members(same: _Same) -> Mapping[str, list[users.Membership]]:
    found: dict[str, list[users.Membership]] = {}
    for member in memberships(same.scope):
        found.setdefault(member.queue_id, []).append(member)
    return found


@lru_cache(maxsize=2)
def _rules(same: _Same) -> Mapping[str, frozenset[ResourceId]]:
    found: dict[str, set[ResourceId]] = {}
    for facts in _route_rules(same.scope):
        found.setdefault(facts.workstream, set()).update(rule_id(facts.workstream, rule.name) for rule in facts.rules)
    for spec in _declared("routing_rule", same.scope):
        found.setdefault(spec.workstream, set()).add(spec.id)
    going = [each for each in _going(same.scope) if each.kind == "routing_rule"]
    for name, rules in found.items():
        rules |= {each for each in going if each.key.startswith(join_key(name) + "/")}
    return {name: frozenset(rules) for name, rules in found.items()}


@lru_cache(maxsize=2)
def _routes(same: _Same) -> Mapping[str, frozenset[ResourceId]]:
    found: dict[str, frozenset[ResourceId]] = {}
    for facts in _route_rules(same.scope):
        rules = rules_of_stream(facts.workstream, same.scope)
        found.update({queue: found.get(queue, frozenset()) | rules for queue in senders(facts.text)})
    for live in same.scope.live.lives:
        if live.spec.kind == "workstream" and live.spec.fallback_id:
            found[live.spec.fallback_id] = found.get(live.spec.fallback_id, frozenset()) | {live.spec.id}
    return found


def _going(scope: Scope) -> frozenset[ResourceId]:
    return (scope.prune.going if scope.prune else None) or frozenset()


def _declared(kind: str, scope: Scope) -> list[Any]:
    return [spec for spec in scope.resolved.specs if spec.kind == kind]


def _route_rules(scope: Scope) -> Iterable[RouteRules]:
    return {each.workstream: each for each in reversed(scope.live.known(RouteRules))}.values()


def _texts(scope: Scope) -> Iterator[tuple[str, str]]:
    rules = _declared("routing_rule", scope)
    for facts in _route_rules(scope):
        own = [rule for rule in rules if rule.workstream == facts.workstream]
        if not facts.rule_set_id or facts.problem or not (own or leaving(facts, scope)):
            continue
        try:
            text = text_with(facts, own, scope)
        except RuleSetError:  # told of the declared rules; nothing is written
            continue
        if text != facts.text:
            yield facts.rule_set_id, text


def _fallbacks(scope: Scope) -> Iterator[tuple[str, str]]:
    for spec in _declared("workstream", scope):
        live = scope.live.find(spec.kind, spec.identity)
        if live and spec.fallback_id:
            yield live.row_id, spec.fallback_id


def _links(scope: Scope) -> Iterator[tuple[str, users.Membership]]:
    links = scope.prune.links if scope.prune else frozenset()
    declared = {spec.identity for spec in _declared("queue_member", scope)}
    for member in memberships(scope):
        address = membership(member.queue_id, member.user.row_id)
        if address in links and join_key(member.queue, member.user.row_id) not in declared:
            yield address, member


def _held(
    scope: Scope,
    texts: Mapping[str, str],
    fallbacks: Mapping[str, str],
    links: Mapping[str, users.Membership],
    bots: set[str],
) -> Iterator[tuple[str, str]]:
    """Queues that are in use, and would be left to nobody. What a playbook says of a queue it declares holds anyway."""
    everything = scope.prune is not None and scope.prune.everything
    for queue_id, members in _members(_Same(scope)).items():
        able = [each for each in members if each.user.enabled]
        left = [each for each in able if membership(queue_id, each.user.row_id) not in links]
        if not able or any(each.user.row_id not in bots for each in left):
            continue
        if everything or scope.desired.find("queue", join_key(members[0].queue)) is None:
            reasons = queue_uses(queue_id, known_usage(scope.live), texts=texts, fallbacks=fallbacks)
            if reasons:
                yield queue_id, f"nobody else would be left in the queue {members[0].queue!r}: {reasons[0]}"
