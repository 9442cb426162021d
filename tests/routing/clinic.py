"""A small contact center to change one thing of: a bot's queue, nurses, billing, a fallback."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from d365setup.center import (
    AGENT_ROLE,
    Configuration,
    ContactCenter,
    HeldRole,
    Hours,
    Queue,
    RoutingStep,
    RuleSet,
    StepType,
    User,
    Variable,
    Workstream,
)
from d365setup.conditions import ALWAYS, Comparison, Condition, Foreign, Operator, Test
from d365setup.routing import Event, Leg, Occupancy, Simulation, simulate
from d365setup.ruleset import Rule

AGENT = (HeldRole(AGENT_ROLE),)
MONDAY_NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
OFFICE = Hours("office", "Office hours", "UTC", tuple((day, 480, 1020) for day in range(5)))


def bot(name: str = "Health Bot", capacity: int = 1000, **changed: Any) -> User:
    return User(name, name, application_id=name, bot_id=name, capacity=capacity, **{"roles": AGENT, **changed})


def person(name: str, capacity: int = 60, **changed: Any) -> User:
    return User(name, name, capacity=capacity, **{"roles": AGENT, **changed})


def queue(name: str, *members: User, **changed: Any) -> Queue:
    return Queue(name, name, members=members, **changed)


HEALTH_BOT, ANN, BEN, EVE = bot(), person("Ann"), person("Ben"), person("Eve")
BOTS, NURSES, BILLING, FALLBACK = (
    queue("Bots", HEALTH_BOT),
    queue("Nurses", ANN),
    queue("Billing", BEN),
    queue("Fallback", EVE),
)


def topic(value: str) -> Test:
    return Test("Topic", Operator.EQUALS, value)


def foreign(operator: str, value: str | None = None, variable: str = "Topic") -> Foreign:
    subject = f"liveworkitemcontext.{variable}"
    return Foreign(
        f"{subject} {operator} {value or ''}".strip(), Comparison(subject, operator, value, variable=variable)
    )


ODD = Foreign("msdyn_ocliveworkitem.msdyn_channel == 1", Comparison("msdyn_ocliveworkitem.msdyn_channel", "==", "1"))


def rule(name: str, queue_id: str | None, condition: Condition = ALWAYS, **changed: Any) -> Rule:
    return Rule(name, name, condition, queue_id, **changed)


USUAL = (
    rule("Nurse", "Nurses", topic("Nurse")),
    rule("Billing", "Billing", topic("Billing")),
    rule("Everyone", "Bots"),
)


def rule_set(name: str, rules: Sequence[Rule], **changed: Any) -> RuleSet:
    return RuleSet(name, name, tuple(rules), **changed)


def step(kind: StepType, rules: RuleSet, order: int = 0) -> RoutingStep:
    return RoutingStep(rules.row_id, kind, order, rule_set=rules)


def stream(rules: Sequence[Rule] | RuleSet = USUAL, steps: Sequence[RoutingStep] = (), **changed: Any) -> Workstream:
    routes = rules if isinstance(rules, RuleSet) else rule_set("routes", rules)
    given = {
        "units": 30,
        "channel": 192360000,
        "fallback_id": "Fallback",
        "variables": (Variable("Topic", "text"), Variable("Severity", "number")),
        "configurations": (Configuration("c", steps=(*steps, step("route to queue", routes, 9))),),
    }
    return Workstream("stream", "Patient chat", **{**given, **changed})


def center(*queues: Queue, of: Workstream | None = None, **changed: Any) -> ContactCenter:
    """The clinic with these queues in place of, or beside, those of the same names."""
    known = {each.name: each for each in (BOTS, NURSES, BILLING, FALLBACK, *queues)}
    users = tuple({user.row_id: user for each in known.values() for user in each.members or () if user.is_bot}.values())
    return ContactCenter((of or stream(),), tuple(known.values()), users, **changed)


def run(
    where: ContactCenter, *events: Event, at: datetime = MONDAY_NOON, occupancy: Occupancy | None = None
) -> Simulation:
    return simulate(where, "Patient chat", events, at, occupancy=occupancy or Occupancy())


def last(where: ContactCenter, *events: Event, at: datetime = MONDAY_NOON, occupancy: Occupancy | None = None) -> Leg:
    """How it stands in the end, where both readings agree."""
    found = run(where, *events, at=at, occupancy=occupancy)
    assert found.agrees, found.differences
    return found.strict.last
