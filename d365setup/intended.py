"""What a playbook makes of an environment, as routing sees it: alone, or together with what is there already. Pure.

`of_playbook` needs no environment. `merged` is the environment as one plan's reads saw it and as its writes will leave
it; the rule sets in it are the very texts that will be sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from d365setup import ruleset
from d365setup.center import (
    AGENT_ROLE,
    Configuration,
    ContactCenter,
    HeldRole,
    Queue,
    RoutingStep,
    RuleSet,
    Staff,
    StepType,
    Unread,
    User,
    Variable,
    Workstream,
)
from d365setup.kinds import bot_user, context_variable, queue, queue_member, role_assignment, users, workstream
from d365setup.kinds.capacity import AT_LEAST, MAXIMUM
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.rule_sets import CLASSIFICATION, RouteRules, RuleText, rules_of
from d365setup.kinds.rule_writes import text_with
from d365setup.model import NOWHERE, Action, Desired, Environment, Live, LiveState, Named, ResourceId, Source, join_key
from d365setup.plan import Decision
from d365setup.playbook import Playbook
from d365setup.ruleset import RuleSetError
from d365setup.scope import Ids, Scope

_NOT_READ = (
    Unread(
        "queue", "msdyn_operatinghourid", "a plan does not read hours and overflow; `simulate --live` and `audit` do"
    ),
    Unread("msdyn_liveworkstream", "msdyn_bot_user", "a plan does not read a work stream's own bot; `audit` does"),
    Unread("systemuser", "systemuserroles_association", "a plan does not read the roles of people; `audit` does"),
)
_NOT_SAID = (
    Unread(
        "msdyn_liveworkstream",
        "msdyn_capacityrequired",
        "a playbook does not say what a conversation costs: taken as 0",
    ),
    Unread("systemuser", "msdyn_capacity", f"a playbook does not say people's: taken as {AT_LEAST} units each"),
    Unread("systemuser", "systemuserroles_association", f"a playbook does not say people's: taken as {AGENT_ROLE}"),
)


def of_playbook(playbook: Playbook) -> ContactCenter:
    """What the playbook declares and nothing else. Who is in a queue that it only refers to is not known."""
    nowhere = LiveState(Environment("", ""))
    ids = Ids("", playbook.name, nowhere)
    addresses = dict.fromkeys(
        link.name.casefold() for link in playbook.desired.of(queue_member.QueueMember) if link.is_person
    )
    people = [users.User(ids.made("person", each), each, each, True, "", "", AT_LEAST) for each in addresses]  # noqa: FBT003
    live = LiveState(Environment("", ""), facts=tuple(people))
    scope = Scope(playbook.desired, live, Ids("", playbook.name, live))
    resolved = Desired(tuple(_settled(spec, scope) for spec in playbook.desired.specs))
    return _Future(replace(scope, resolved=resolved), "playbook").center


def merged(decision: Decision) -> ContactCenter:
    """The environment as it will be once this is applied, as far as the plan's reads saw it."""
    texts = {write.path: str(write.body[_TEXT]) for write in decision.writes if write.body and _TEXT in write.body}
    gone = [change for change in decision.plan.changes if change.action is Action.DELETE]
    left = [change.desired for change in gone if isinstance(change.desired, queue_member.QueueMember)]
    links = frozenset((link.queue, link.user_id) for link in left)
    return _Future(decision.scope, "merged", texts, frozenset(change.id for change in gone), links).center


_TEXT = "msdyn_rulesetdefinition"
_AGENT = (HeldRole(AGENT_ROLE),)


def _settled(spec: Any, scope: Scope) -> Any:
    """What only an environment can settle, as well as it goes without one."""
    if isinstance(spec, queue_member.QueueMember):
        bot = scope.desired.find("bot_user", join_key(spec.name))
        known = ("bot_user", bot.identity) if bot else ("person", spec.name.casefold())
        return replace(spec, user_id=scope.ids.made(*known))
    if isinstance(spec, workstream.Workstream) and spec.fallback_queue:
        return replace(spec, fallback_id=scope.ids.of("queue", join_key(spec.fallback_queue)))
    if isinstance(spec, bot_user.BotUser):
        settled: Any = {"highest": MAXIMUM, "maximum": MAXIMUM}.get(str(spec.capacity), spec.capacity)
        return replace(spec, capacity=AT_LEAST if spec.existing and spec.capacity == "highest" else settled)
    return spec


@dataclass(frozen=True)
class _Future:
    """One scope, and what its plan writes: rule set texts by path, things that go, links (queue, user) that end."""

    scope: Scope
    origin: Literal["playbook", "merged"]
    texts: Mapping[str, str] | None = None
    gone: frozenset[ResourceId] = frozenset()
    left: frozenset[tuple[str, str]] = frozenset()

    @property
    def center(self) -> ContactCenter:
        """Everything together."""
        streams, queues = tuple(self._workstreams()), tuple(self._queues())
        where = self.scope.live.environment
        is_playbook = self.origin == "playbook"
        return ContactCenter(
            workstreams=streams,
            queues=(*queues, *self._unread(streams, queues)),
            users=tuple(user for user in self._users.values() if user.is_bot),
            origin=self.origin,
            url=where.url,
            organization_id=where.organization_id,
            organization=where.name,
            root_business_unit=where.root_business_unit,
            unread=_NOT_SAID if is_playbook else _NOT_READ,
        )

    # -- who

    @cached_property
    def _users(self) -> Mapping[str, User]:
        """Everybody who was read or is declared, by row."""
        found = {each.row_id: self._person(each) for each in self._seen()}
        for live in self.scope.live.of(bot_user.BotUser):
            found[live.row_id] = self._bot(live.spec, live)
        for spec in self.scope.resolved.of(bot_user.BotUser):
            row_id = self.scope.ids.of(spec.kind, spec.identity)
            found[row_id] = self._bot(spec, self.scope.live.find(spec.kind, spec.identity))
        return found

    def _seen(self) -> Iterator[users.User]:
        yield from self.scope.live.known(users.User)
        yield from (each.user for each in self.scope.live.known(users.Membership))

    def _person(self, seen: users.User) -> User:
        """A person, or a bot that nobody declares; roles are not read with a plan."""
        return User(
            seen.row_id,
            seen.full_name if self.origin == "merged" and seen.full_name else seen.email,
            seen.email,
            seen.enabled,
            seen.application_id,
            seen.bot_application_id,
            capacity=seen.capacity,
            roles=_AGENT if self.origin == "playbook" else None,
        )

    def _bot(self, spec: bot_user.BotUser, live: Live[bot_user.BotUser] | None) -> User:
        have = live.spec if live else spec
        capacity = have.capacity if spec.existing else spec.capacity
        enabled = have.enabled if spec.existing else spec.enabled
        return User(
            live.row_id if live else self.scope.ids.made(spec.kind, spec.identity),
            spec.name,
            spec.email or have.email or "",
            enabled and spec.id not in self.gone,
            spec.application_id,
            spec.bot_application_id or have.bot_application_id or ("" if live else spec.application_id),
            bot_user.AGENT_TYPES.get(spec.agent_type or ""),
            capacity if isinstance(capacity, int) else 0,
            (have.found.business_unit if have.found else "") or self.scope.live.environment.root_business_unit,
            self._roles(spec, live),
            source=spec.source,
        )

    def _roles(self, spec: bot_user.BotUser, live: Live[bot_user.BotUser] | None) -> tuple[HeldRole, ...] | None:
        if live is None and spec.existing:
            return None
        held = [each.spec for each in self.scope.live.of(role_assignment.RoleAssignment)]
        links = [*held, *self.scope.resolved.of(role_assignment.RoleAssignment)]
        own = {link.name: link for link in links if link.application_id == spec.application_id}
        return tuple(HeldRole(name, link.role_id) for name, link in own.items() if link.id not in self.gone)

    # -- queues

    def _queues(self) -> Iterator[Queue]:
        """Those read in full, as they will be, and those to be made."""
        declared = {spec.identity: spec for spec in self.scope.resolved.of(queue.Queue)}
        for live in {each.row_id: each for each in self.scope.live.of(queue.Queue)}.values():
            yield self._queue(declared.pop(live.spec.identity, live.spec), live)
        for spec in declared.values():
            yield self._queue(spec, None)

    def _queue(self, spec: queue.Queue, live: Live[queue.Queue] | None) -> Queue:
        have = live.spec if live else spec
        row_id = live.row_id if live else self.scope.ids.made(spec.kind, spec.identity)
        kind, method = spec.type or have.type or "messaging", spec.assignment or have.assignment or "highest capacity"
        is_known = live is not None or not spec.existing
        members = tuple(self._members(spec.name, row_id)) if is_known else None
        return Queue(
            row_id,
            spec.name,
            kind if kind in queue.TYPES else "",
            spec.priority or have.priority or 1,
            method if method in queue.METHODS else "",
            active=spec.id not in self.gone and (have.active if spec is have or spec.existing else True),
            private=have.private,
            omnichannel=have.omnichannel,
            members=members,
            staff=_staff(members or ()),
            managed=bool(live and live.managed),
            source=spec.source,
        )

    def _members(self, name: str, row_id: str) -> Iterator[User]:
        """Who is in it and stays, and who is to come."""
        there = (each.user.row_id for each in self.scope.live.known(users.Membership) if each.queue_id == row_id)
        coming = (each.user_id for each in self.scope.resolved.of(queue_member.QueueMember) if each.queue == name)
        for user_id in dict.fromkeys((*there, *coming)):
            if (name, user_id) not in self.left and user_id in self._users:
                yield self._users[user_id]

    def _unread(self, streams: Iterable[Workstream], queues: Iterable[Queue]) -> Iterator[Queue]:
        """Queues that rules or fallbacks lead to and that were not read: only their names are known, if at all."""
        known = {each.row_id for each in queues}
        names = {each.row_id: each.shown for each in self.scope.live.known(Named) if each.kind == "queue"}
        for row_id in dict.fromkeys(each for stream in streams for each in _leads_to(stream)):
            if row_id not in known:
                yield Queue(row_id, names.get(row_id, ""), members=None, hours_read=False, prequeue=None, inqueue=None)

    # -- work streams

    def _workstreams(self) -> Iterator[Workstream]:
        declared = {spec.identity: spec for spec in self.scope.resolved.of(workstream.Workstream)}
        for live in {each.row_id: each for each in self.scope.live.of(workstream.Workstream)}.values():
            yield self._workstream(declared.pop(live.spec.identity, live.spec), live)
        for spec in declared.values():
            yield self._workstream(spec, None)

    def _workstream(self, spec: workstream.Workstream, live: Live[workstream.Workstream] | None) -> Workstream:
        found = live.spec.found if live else None
        contracts = (each for each in self.scope.live.known(workstream.Contract) if each.workstream == spec.name)
        contract = next(contracts, None)
        return Workstream(
            live.row_id if live else self.scope.ids.made(spec.kind, spec.identity),
            spec.name,
            unified=found.unified if found else True,
            push=found.push if found else True,
            active=found.active if found else True,
            unit_based=found.unit_based if found else True,
            units=found.units if found else 0,
            fallback_id=spec.fallback_id or (live.spec.fallback_id if live else ""),
            fallback_read=bool(live or spec.fallback_id),
            variables=tuple(self._variables(spec.name)),
            contract=contract.variables if contract else None,
            contract_problem=contract.problem if contract else "",
            configurations=self._configurations(spec.name),
            managed=bool(live and live.managed),
            source=spec.source,
        )

    def _variables(self, stream: str) -> Iterator[Variable]:
        found: dict[str, Variable] = {}
        for live in self.scope.live.of(context_variable.ContextVariable):
            if live.spec.workstream == stream and live.spec.active and live.spec.id not in self.gone:
                found[live.spec.name] = Variable(live.spec.name, live.spec.type or "", live.row_id)
        for spec in self.scope.resolved.of(context_variable.ContextVariable):
            if spec.workstream == stream:
                row_id = self.scope.ids.of(spec.kind, spec.identity)
                known = found.get(spec.name)
                kind = spec.type or (known.type if known else "" if spec.existing else "text")
                found[spec.name] = Variable(spec.name, kind, row_id, spec.source)
        yield from found.values()

    def _configurations(self, stream: str) -> tuple[Configuration, ...]:
        facts = rules_of(self.scope.live, stream)
        steps = [*self._other_steps(stream, facts), *self._route(stream, facts)]
        row_id = facts.configuration_id or self.scope.ids.shared("routing_configuration", join_key(stream))
        return (Configuration(row_id, steps=tuple(steps)),) if steps else ()

    def _other_steps(self, stream: str, facts: RouteRules) -> Iterator[RoutingStep]:
        """Work classification, which may set what the rules look at."""
        for each in self.scope.live.known(RuleText):
            if each.workstream == stream and each.step_type == CLASSIFICATION and each.row_id != facts.rule_set_id:
                kind: StepType = "classification"
                yield RoutingStep(each.row_id, kind, each.step_order, rule_set=_rule_set(each.row_id, each.text, {}))

    def _route(self, stream: str, facts: RouteRules) -> Iterator[RoutingStep]:
        """The rules as they will stand, in the text that is sent."""
        row_id = facts.rule_set_id or self.scope.ids.shared("rule_set", join_key(stream))
        rules = [rule for rule in self.scope.resolved.of(RoutingRule) if rule.workstream == stream]
        sources = {rule.name: rule.source for rule in rules}
        if self.texts is not None:
            text = self.texts.get(f"msdyn_decisionrulesets({row_id})", facts.text)
        else:
            text = text_with(facts, rules, self.scope) if rules else ""
        if text or facts.problem:
            found = replace(_rule_set(row_id, text, sources), disabled=facts.disabled, managed=facts.managed)
            problem = facts.problem or found.problem
            yield RoutingStep(row_id, "route to queue", facts.next_step, rule_set=replace(found, problem=problem))


def _rule_set(row_id: str, text: str, sources: Mapping[str, Source]) -> RuleSet:
    """A rule set from its text; ``sources`` are the playbook's lines by the names of rules."""
    try:
        found = ruleset.read(text)
    except RuleSetError as error:
        return RuleSet(row_id, problem=str(error), text=text)
    lines = {rule.id: sources[rule.name] for rule in found.rules if sources.get(rule.name, NOWHERE).line}
    return RuleSet(row_id, rules=found.rules, hit_policy=found.hit_policy, text=text, sources=lines)


def _staff(members: Iterable[User]) -> Staff:
    people = [each for each in members if each.is_person]
    enabled = [each for each in people if each.enabled]
    unknown = any(each.roles is None for each in people)
    able = Counter(each.capacity for each in enabled if each.has_agent_role is not False)
    without = None if unknown else sum(1 for each in people if not each.has_agent_role)
    return Staff(len(people), len(enabled), without, tuple(sorted(able.items())))


def _leads_to(stream: Workstream) -> Iterator[str]:
    if stream.fallback_id:
        yield stream.fallback_id
    for rule in stream.routes.rules if stream.routes else ():
        if rule.queue:
            yield rule.queue
        yield from (row_id for row_id, _ in rule.shares)
