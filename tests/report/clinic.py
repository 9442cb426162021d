"""A broken clinic with everything on it that a page can show, and a conversation through it. Names are made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from d365setup.audit.findings import Audit, Finding, Subject, Unchecked, Waived, WaiverTrouble
from d365setup.center import (
    Configuration,
    ContactCenter,
    HeldRole,
    Overflow,
    Queue,
    RoutingStep,
    RuleSet,
    Staff,
    Unread,
    User,
    Workstream,
)
from d365setup.conditions import ALWAYS, All, Condition, Operator, Test
from d365setup.model import Source
from d365setup.routing import Candidate, Escalated, Journey, Leg, Reading, RuleResult, Simulation, Start
from d365setup.ruleset import Rule

URL = "https://contoso.crm.dynamics.com"
AGENT = (HeldRole("Omnichannel agent"),)


def row(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def person(number: int, name: str, *, capacity: int = 100, enabled: bool = True) -> User:
    return User(
        row(number), name, f"{name.lower().replace(' ', '.')}@contoso.example", enabled, capacity=capacity, roles=AGENT
    )


BOT = User(
    row(1), "Contoso Health Bot", "bot@contoso.example", application_id=row(2), bot_id=row(3), capacity=101, roles=AGENT
)
OLD_BOT = User(
    row(4), "Retired Bot", "old@contoso.example", enabled=False, application_id=row(5), bot_id=row(6), roles=AGENT
)
NURSE = person(7, "Nurse One")

BOT_QUEUE = Queue(row(20), "Health bot", members=(BOT,))
NURSES = Queue(
    row(21),
    "Nurses",
    members=(BOT, NURSE),
    staff=Staff(12, 10, 2, ((100, 3),)),
    prequeue=(Overflow("work items", "transfer", 50, row(22)),),
)
BILLING = Queue(row(22), "Billing", assignment="round robin", staff=Staff(4, 4, 0, ((100, 4),)))
EMPTY = Queue(row(23), "Out of hours")


def rule(number: int, name: str, condition: Condition, queue: Queue | None, **more: object) -> Rule:
    return Rule(row(number), name, condition, queue.row_id if queue else None, **more)  # type: ignore[arg-type]


def equals(variable: str, value: str | int) -> Test:
    return Test(variable, Operator.EQUALS, value)


RULES = (
    rule(40, "Hand off to a nurse", equals("BotHandOffTopic", "Nurse"), NURSES),
    rule(41, "Urgent", All((Test("Severity", Operator.AT_LEAST, 7), equals("Vip", "yes"))), NURSES),
    rule(42, "Billing", equals("BotHandOffTopic", "Billing"), None, shares=((row(22), "70"), (row(23), "30"))),
    rule(43, "Old entrance", equals("Entrance", "west"), Queue(row(99), "gone")),
    rule(44, "Everyone meets the bot first", ALWAYS, BOT_QUEUE),
)
CHAT = Workstream(
    row(60),
    "Patient chat",
    units=50,
    fallback_id=BOT_QUEUE.row_id,
    configurations=(
        Configuration(
            row(61), steps=(RoutingStep(row(62), "route to queue", 1, rule_set=RuleSet(row(63), rules=RULES)),)
        ),
    ),
)
SMS = Workstream(
    row(70),
    "Appointment reminders",
    units=20,
    bot_user_id=OLD_BOT.row_id,
    bot_queue_id=BILLING.row_id,
    configurations=(Configuration(row(71)),),
)
CENTER = ContactCenter(
    (CHAT, SMS),
    (BOT_QUEUE, NURSES, BILLING, EMPTY),
    (BOT, OLD_BOT),
    "live",
    "2026-11-02T09:30:00Z",
    URL,
    row(90),
    "Contoso Health",
    unread=(Unread("msdyn_surveyquestion", reason="the environment has no such table"),),
)

CHAT_SUBJECT = Subject(
    "workstream", "Patient chat", CHAT.row_id, "msdyn_liveworkstream", Source("playbooks/bot.yaml", 51, 5)
)
FINDINGS = (
    Finding(
        "R01",
        "error",
        Subject("routing_rule", "Patient chat/Everyone meets the bot first", row(63), "msdyn_decisionruleset"),
        "a hand-off that no rule before it catches comes back to the bot's own queue",
        (
            ("queue", "Health bot"),
            ("members", "Contoso Health Bot"),
            ("caught before", "BotHandOffTopic equals Nurse, Billing"),
        ),
        "A patient whose topic nobody foresaw waits for ever: a bot is never given the same conversation twice.",
        "Add a rule `BotHandOffTopic has a value` before the last one, leading to a queue with people.",
        "https://learn.microsoft.com/dynamics365/customer-service/administer/bots-best-practices",
    ),
    Finding(
        "R12",
        "error",
        CHAT_SUBJECT,
        "its fallback queue Health bot has bots and no person",
        (("queue", "Health bot"),),
        "A conversation that no rule catches has nowhere to go where a person could see it.",
        "Give the work stream a fallback queue with people in it.",
        "Microsoft Learn, Customer Service: Create and manage queues",
    ),
    Finding(
        "R09",
        "error",
        Subject("routing_rule", "Patient chat/Old entrance", row(63), "msdyn_decisionruleset"),
        "it leads to a queue that is not there",
        (("queue id", row(99)),),
        "The conversation is closed.",
        "Choose another queue, or remove the rule.",
    ),
    Finding(
        "R31",
        "warning",
        Subject("queue", "Nurses", NURSES.row_id, "queue"),
        "3 of 12 people can be given a conversation that costs 50 units",
    ),
    Finding(
        "R31",
        "error",
        Subject("queue", "Out of hours", EMPTY.row_id, "queue"),
        "nobody is in it, and the rule Billing sends 30 % there",
    ),
    Finding("R18", "warning", Subject("bot_user", "Retired Bot", OLD_BOT.row_id, "systemuser"), "it is disabled"),
    Finding(
        "R22",
        "info",
        Subject("workstream", "Appointment reminders", SMS.row_id, "msdyn_liveworkstream"),
        "its own bot and a queue's bot are both first in line",
    ),
    Finding(
        "R26",
        "info",
        Subject("context_variable", "Patient chat/BotHandOffTopic"),
        "it was changed 4 minutes ago",
        (("changed at", "2026-11-02T09:26:11Z"),),
    ),
)
WAIVED = Finding(
    "R03",
    "warning",
    Subject("queue", "Billing", BILLING.row_id, "queue"),
    "it hands out work by round robin",
    waived=Waived("no bot will ever be in it", "ops@contoso.example", "2027-03-31"),
)
AUDIT = Audit(
    CENTER,
    (*FINDINGS, WAIVED),
    (
        Unchecked("R20", "it takes access to the directory, which no audit asks for"),
        Unchecked("R25", "msdyn_surveyquestion could not be read", CHAT_SUBJECT),
        Unchecked("R25", "msdyn_surveyquestion could not be read", Subject("workstream", "Appointment reminders")),
    ),
    ("R02", "R13", "R30"),
    (WaiverTrouble("error", "the waiver of R09 for queue:Old ended on 2026-10-01", Source("waivers.yaml", 12, 3)),),
)
CLEAN = Audit(replace(CENTER, workstreams=(), queues=(), users=(), unread=()), passed=("R01", "R12"))

_RULE_RESULTS = (
    RuleResult(
        RULES[0].id,
        RULES[0].name,
        "not matched",
        "BotHandOffTopic equals Nurse",
        "BotHandOffTopic is Pharmacy",
        "Nurses",
        NURSES.row_id,
    ),
    RuleResult(RULES[4].id, RULES[4].name, "matched", "always", "it has no condition", "Health bot", BOT_QUEUE.row_id),
)
_START = Leg(
    Start({"Entrance": "west"}),
    {"Entrance": "west"},
    (
        RuleResult(
            RULES[4].id, RULES[4].name, "matched", "always", "it has no condition", "Health bot", BOT_QUEUE.row_id
        ),
    ),
    "rule",
    RULES[4].name,
    "Health bot",
    BOT_QUEUE.row_id,
    (Candidate("Contoso Health Bot", BOT.row_id, True, True, "it has the highest capacity", 101),),
    "bot",
    "Contoso Health Bot",
)
_ESCALATED = Leg(
    Escalated({"BotHandOffTopic": "Pharmacy"}, "Contoso Health Bot"),
    {"Entrance": "west", "BotHandOffTopic": "Pharmacy"},
    _RULE_RESULTS,
    "rule",
    RULES[4].name,
    "Health bot",
    BOT_QUEUE.row_id,
    (
        Candidate(
            "Contoso Health Bot", BOT.row_id, True, False, "a bot is never given the same conversation again", 101
        ),
    ),
    "nobody",
    waits=True,
    notes=("Nobody else is in Health bot: the patient waits for ever.",),
)
SIMULATION = Simulation(
    "Patient chat",
    datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
    Journey(Reading.STRICT, (_START, _ESCALATED)),
    Journey(Reading.LOOSE, (_START, _ESCALATED)),
    ("Texts are compared with upper and lower case as written.",),
)
