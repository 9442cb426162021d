"""R01 and R11 against the routing engine: what they say comes back to the bot does, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.audit import Seen, audit
from d365setup.center import (
    AGENT_ROLE,
    Configuration,
    ContactCenter,
    HeldRole,
    Hours,
    Queue,
    RoutingStep,
    RuleSet,
    Staff,
    User,
    Workstream,
)
from d365setup.conditions import ALWAYS, Condition, Operator, Test
from d365setup.routing import Escalated, simulate
from d365setup.routing.contexts import minimal_escalations
from d365setup.ruleset import Rule
from tests.audit.test_overlap import CONDITIONS, VARIABLES

NOON, NIGHT = datetime(2026, 3, 4, 12, tzinfo=UTC), datetime(2026, 3, 4, 23, tzinfo=UTC)
OFFICE = Hours("hours", "Office", spans=tuple((day, 8 * 60, 17 * 60) for day in range(7)))
ROLES = (HeldRole(AGENT_ROLE),)
BOT = User("bot", "Bot", application_id="a", bot_id="b", agent_type=192350001, capacity=100, roles=ROLES)
NURSE = User("nurse", "Nurse One", email="nurse.one@contoso.example", capacity=100, roles=ROLES)
STAFF = Staff(people=1, enabled=1, able=((100, 1),))
QUEUES = (
    Queue("nurses", "Nurses", members=(NURSE,), staff=STAFF),
    Queue("office", "Office", members=(NURSE,), staff=STAFF, hours=OFFICE),
    Queue("bots", "Bots", members=(BOT,)),
)
ROUTES = st.lists(st.tuples(CONDITIONS, st.sampled_from(["nurses", "office", "bots"])), max_size=4)


def center(routes: Sequence[tuple[Condition, str]]) -> ContactCenter:
    """These rules, and behind them everybody to the bot."""
    rules = tuple(Rule(f"r{at}", f"Rule {at}", when, to) for at, (when, to) in enumerate((*routes, (ALWAYS, "bots"))))
    step = RoutingStep("step", "route to queue", rule_set=RuleSet("set", "Rules", rules, output_contract="x"))
    stream = Workstream(
        "chat",
        "Chat",
        units=10,
        fallback_id="nurses",
        variables=tuple(replace(each, row_id=each.name) for each in VARIABLES),
        configurations=(Configuration("configuration", steps=(step,)),),
    )
    return ContactCenter((stream,), QUEUES, (BOT,))


def variables_that_strand(found: ContactCenter, at: datetime) -> set[str]:
    """Which variable, set alone by the bot that hands over, makes the conversation wait for ever."""
    stranded = set()
    for context in minimal_escalations(found.workstreams[0]):
        played = simulate(found, "Chat", (Escalated(context, bot="Bot"),), at)
        if played.strict.last.waits and played.loose.last.waits:
            stranded |= set(context)
    return stranded


def told(found: ContactCenter, finding_id: str) -> list[str]:
    result = audit(Seen(found, NOON), only=[finding_id])
    return [each.level for each in result.findings]


@settings(max_examples=120, deadline=None)
@given(ROUTES)
def test_r01_is_what_the_engine_does_while_all_is_open(routes: Sequence[tuple[Condition, str]]) -> None:
    found = center(routes)
    stranded = variables_that_strand(found, NOON)
    if len(stranded) == len(VARIABLES):
        assert "error" in told(found, "R01")
    elif stranded:
        assert told(found, "R01")


@settings(max_examples=120, deadline=None)
@given(ROUTES)
def test_r11_is_what_the_engine_does_at_night_and_not_by_day(routes: Sequence[tuple[Condition, str]]) -> None:
    found = center(routes)
    if variables_that_strand(found, NIGHT) - variables_that_strand(found, NOON):
        assert told(found, "R11") == ["error"] * len(told(found, "R11")) != []


@settings(max_examples=120, deadline=None)
@given(ROUTES.map(lambda routes: [(when, to) for when, to in routes if to != "bots"]))
def test_nothing_is_told_where_nothing_is_stranded(routes: Sequence[tuple[Condition, str]]) -> None:
    found = center(routes)
    if not variables_that_strand(found, NIGHT):
        assert (told(found, "R01"), told(found, "R11")) == ([], [])


def test_the_trap() -> None:
    """A topic rule to a queue with hours, then everybody to the bot (routing facts, section 5)."""
    found = center([(Test("Topic", Operator.HAS_A_VALUE), "office")])
    assert variables_that_strand(found, NOON) == {"Severity"}
    assert variables_that_strand(found, NIGHT) == {"Severity", "Topic"}
    (trap,) = audit(Seen(found, NOON), only=["R11"]).findings
    assert str(trap.subject) == "routing_rule:Chat/Rule 1"
    assert "Topic = " in trap.message
    assert dict(trap.evidence)["overflow"] == "Office has operating hours"
