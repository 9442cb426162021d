"""Each numbered point of the documented semantics (routing facts, section 5) by itself, and the trap at its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from d365setup.center import ContactCenter, Hours, Overflow, Queue, Staff, User, Variable
from d365setup.conditions import ALWAYS, All, Operator, Test
from d365setup.routing import (
    Ended,
    Escalated,
    Event,
    Leg,
    Occupancy,
    Start,
    Transferred,
    UnknownBot,
    UnknownQueue,
    UnknownWorkstream,
    simulate,
)
from d365setup.routing.wording import outcome

from .clinic import (
    ANN,
    BEN,
    BILLING,
    BOTS,
    EVE,
    HEALTH_BOT,
    MONDAY_NOON,
    NURSES,
    ODD,
    OFFICE,
    SUNDAY,
    USUAL,
    bot,
    center,
    foreign,
    last,
    person,
    queue,
    rule,
    rule_set,
    run,
    step,
    stream,
    topic,
)

HELLO, NURSE = Start(), Escalated({"Topic": "Nurse"})
SECOND = bot("Second Bot", 2000)
FULL = Overflow("work items", "end conversation", 3)
CLOSED_NURSES = replace(NURSES, hours=OFFICE)
BUSY = Occupancy(waiting={"Nurses": 3})


def told(leg: Leg) -> str:
    """A leg on one line: how, rule, queue, who."""
    end = "closed" if leg.closed else "waits for ever" if leg.waits else leg.answered_by or leg.answer
    return " > ".join(filter(None, (leg.chosen_by, leg.rule, leg.queue, end)))


def classification(*rules: tuple[str, object, tuple[tuple[str, str | None], ...]], policy: str = "first") -> object:
    made = [rule(name, None, condition, sets=sets) for name, condition, sets in rules]  # type: ignore[arg-type]
    return step("classification", rule_set("class", made, hit_policy=policy))


def classified(*steps: object) -> ContactCenter:
    return center(of=stream(steps=steps))  # type: ignore[arg-type]


SETS_NURSE = (("liveworkitemcontext.Topic", "Nurse"),)
BOT_FIRST = stream(bot_user_id="Health Bot", bot_queue_id="Bots")

CASES: dict[str, tuple[ContactCenter, tuple[Event, ...], str]] = {
    # 1: the work stream's own bot
    "the work stream's bot comes first": (center(of=BOT_FIRST), (HELLO,), "work stream bot > Bots > Health Bot"),
    "even where its queue is closed": (
        center(replace(BOTS, hours=replace(OFFICE, spans=())), of=BOT_FIRST),
        (HELLO,),
        "work stream bot > Bots > Health Bot",
    ),
    "only once": (center(of=BOT_FIRST), (HELLO, NURSE), "rule > Nurse > Nurses > Ann"),
    "and never again from a queue": (
        center(of=BOT_FIRST),
        (HELLO, Escalated()),
        "rule > Everyone > Bots > waits for ever",
    ),
    "a disabled one": (
        center(replace(BOTS, members=(replace(HEALTH_BOT, enabled=False),)), of=BOT_FIRST),
        (HELLO,),
        "work stream bot > Bots > unknown",
    ),
    "one nobody knows": (center(of=stream(bot_user_id="gone")), (HELLO,), "work stream bot > unknown"),
    # 2: classification
    "classification sets a variable": (
        classified(classification(("A", ALWAYS, SETS_NURSE))),
        (HELLO,),
        "rule > Nurse > Nurses > Ann",
    ),
    "its first true rule only": (
        classified(classification(("A", ALWAYS, ()), ("B", ALWAYS, SETS_NURSE))),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "all of them, where its hit policy says so": (
        classified(classification(("A", ALWAYS, ()), ("B", ALWAYS, SETS_NURSE), policy="all")),
        (HELLO,),
        "rule > Nurse > Nurses > Ann",
    ),
    "later sets see what earlier ones set": (
        classified(
            classification(("A", ALWAYS, (("liveworkitemcontext.Severity", "9"),))),
            classification(("B", Test("Severity", Operator.AT_LEAST, 7), SETS_NURSE)),
        ),
        (HELLO,),
        "rule > Nurse > Nurses > Ann",
    ),
    "an undecidable classification": (
        classified(classification(("A", ODD, SETS_NURSE))),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "an undecidable one before a true one ends there": (
        classified(classification(("A", ODD, ()), ("B", ALWAYS, ()), ("C", ALWAYS, SETS_NURSE))),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "an output that is no plain text": (
        classified(classification(("A", ALWAYS, (("liveworkitemcontext.Topic", None),)))),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "one that sets something else": (
        classified(classification(("A", ODD, (("msdyn_ocliveworkitem.msdyn_priorityscore", "20"),)))),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "a hit policy nobody knows": (
        classified(classification(("A", ALWAYS, SETS_NURSE), policy="last")),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "an unreadable classification": (
        classified(step("classification", rule_set("class", (), problem="it is not XML"))),
        (HELLO,),
        "cannot decide > unknown",
    ),
    # 3: route to queue
    "the first match": (center(), (HELLO, NURSE), "rule > Nurse > Nurses > Ann"),
    "a disabled rule is skipped": (
        center(of=stream(rule_set("routes", USUAL, disabled=frozenset({"Everyone"})))),
        (HELLO,),
        "fallback queue > Fallback > Eve",
    ),
    "no match": (center(of=stream(USUAL[:2])), (HELLO,), "fallback queue > Fallback > Eve"),
    "no rules at all": (center(of=stream(configurations=())), (HELLO,), "fallback queue > Fallback > Eve"),
    "no fallback queue": (center(of=stream((), fallback_id="")), (HELLO,), "nothing > waits for ever"),
    "the fallback queue was not read": (
        center(of=stream((), fallback_read=False)),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "the largest share of a split": (
        center(
            of=stream((rule("Split", None, action="percentage split", shares=(("Billing", "20"), ("Nurses", "80"))),))
        ),
        (HELLO,),
        "rule > Split > Nurses > Ann",
    ),
    "a split that cannot be read": (
        center(of=stream((rule("Split", None, action="percentage split", shares=(("Nurses", "most"),)),))),
        (HELLO,),
        "cannot decide > Split > unknown",
    ),
    "a queue that is gone": (center(of=stream((rule("A", "gone"),))), (HELLO,), "cannot decide > A > unknown"),
    "an inactive queue": (center(replace(BOTS, active=False)), (HELLO,), "cannot decide > Everyone > unknown"),
    "a queue of another type": (center(replace(BOTS, type="record")), (HELLO,), "cannot decide > Everyone > unknown"),
    "an action nobody understands": (
        center(of=stream((rule("A", None, action="several queues"),))),
        (HELLO,),
        "cannot decide > A > unknown",
    ),
    "an unreadable rule set": (
        center(of=stream(rule_set("routes", (), problem="it is not XML"))),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "a configuration that was not read": (center(of=stream(configurations=None)), (HELLO,), "cannot decide > unknown"),
    "an undecidable rule before the match": (
        center(of=stream((rule("Odd", "Nurses", ODD), *USUAL))),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "an undecidable rule behind the match": (
        center(of=stream((*USUAL, rule("Odd", "Nurses", ODD)))),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "a rule that is undecidable and cannot hold": (
        center(of=stream((rule("Odd", "Nurses", All((ODD, topic("Nurse")))), *USUAL))),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "an operator nobody knows": (
        center(of=stream((rule("Odd", "Nurses", foreign("begins-with", "Nu")), *USUAL))),
        (Start({"Topic": "Nurse"}),),
        "cannot decide > unknown",
    ),
    "a foreign operator whose meaning is certain": (
        center(of=stream((rule("Odd", "Billing", foreign("contains", "urs")), *USUAL))),
        (Start({"Topic": "Nurse"}),),
        "rule > Odd > Billing > Ben",
    ),
    # 4: overflow before queueing
    "a closed queue is passed over": (
        center(replace(BOTS, hours=OFFICE), of=stream((USUAL[2], rule("Also", "Billing")))),
        (HELLO,),
        "rule > Also > Billing > Ben",
    ),
    "all closed: the one that opens first": (
        center(
            replace(NURSES, hours=replace(OFFICE, spans=((2, 480, 1020),))),
            replace(BILLING, hours=OFFICE),
            of=stream((rule("A", "Nurses"), rule("B", "Billing"))),
        ),
        (HELLO,),
        "overflow > B > Billing > Ben",
    ),
    "all overflow: an open one, and its action": (
        center(
            replace(NURSES, hours=OFFICE),
            replace(BILLING, prequeue=(replace(FULL, limit=0, action="transfer", queue_id="Fallback"),)),
            of=stream((rule("A", "Nurses"), rule("B", "Billing"))),
        ),
        (HELLO,),
        "overflow > B > Fallback > Eve",
    ),
    "the action of the operating hours comes first": (
        center(
            replace(NURSES, hours=OFFICE, prequeue=(FULL, Overflow("out of hours", "transfer", queue_id="Billing")))
        ),
        (Start({"Topic": "Nurse"}), Ended()),
        "end > Bots > closed",
    ),
    "a rule's own overflow replaces the queue's": (
        center(
            replace(NURSES, prequeue=(replace(FULL, limit=0),)),
            of=stream((rule("A", "Nurses", overflow="own"),)),
            overflows={"own": ()},
        ),
        (HELLO,),
        "rule > A > Nurses > Ann",
    ),
    "a rule's own overflow that was not read": (
        center(of=stream((rule("A", "Nurses", overflow="own"),))),
        (HELLO,),
        "cannot decide > A > unknown",
    ),
    "own overflow that is silent on closed queues": (
        center(CLOSED_NURSES, of=stream((rule("A", "Nurses", overflow="own"),)), overflows={"own": (FULL,)}),
        (HELLO,),
        "cannot decide > A > unknown",
    ),
    "hours nobody understands": (
        center(replace(NURSES, hours=replace(OFFICE, problem="it is odd")), of=stream((rule("A", "Nurses"),))),
        (HELLO,),
        "cannot decide > A > unknown",
    ),
    "hours in a zone nobody knows": (
        center(replace(NURSES, hours=replace(OFFICE, zone="../etc")), of=stream((rule("A", "Nurses"),))),
        (HELLO,),
        "cannot decide > A > unknown",
    ),
    "overflow that was not read": (
        center(replace(NURSES, prequeue=None), of=stream((rule("A", "Nurses"), rule("B", "Billing")))),
        (HELLO,),
        "cannot decide > unknown",
    ),
    "the fallback queue's overflow does not count": (
        center(queue("Fallback", EVE, hours=OFFICE, prequeue=(replace(FULL, limit=0),)), of=stream(())),
        (HELLO,),
        "fallback queue > Fallback > Eve",
    ),
    "overflow is not looked at after the first escalation": (
        center(CLOSED_NURSES),
        (HELLO, Escalated({"Topic": "Billing"}), NURSE),
        "rule > Nurse > Nurses > Ann",
    ),
    "nor once an action was carried out": (
        center(replace(BOTS, hours=OFFICE), CLOSED_NURSES),
        (HELLO, NURSE),
        "rule > Nurse > Nurses > Ann",
    ),
    "a work stream bot's first escalation is the first look": (
        center(replace(NURSES, prequeue=(replace(FULL, limit=0),)), of=BOT_FIRST),
        (HELLO, NURSE),
        "rule > Everyone > Bots > waits for ever",
    ),
    # 5: waiting in a queue
    "a long wait ends the conversation": (
        center(replace(BOTS, inqueue=(Overflow("waited", "end conversation", 60),))),
        (HELLO, Escalated()),
        "overflow > Everyone > Bots > closed",
    ),
    "or sends it on": (
        center(replace(BOTS, inqueue=(Overflow("waited", "transfer", 60, "Billing"),))),
        (HELLO, Escalated()),
        "overflow > Everyone > Billing > Ben",
    ),
    "in circles": (
        center(
            replace(BOTS, inqueue=(Overflow("waited", "transfer", 60, "Nobody"),)),
            queue("Nobody", HEALTH_BOT, inqueue=(Overflow("waited", "transfer", 60, "Bots"),)),
        ),
        (HELLO, Escalated()),
        "overflow > Everyone > Nobody > waits for ever",
    ),
    "what happens after a wait was not read": (
        center(replace(BOTS, inqueue=None)),
        (HELLO, Escalated()),
        "rule > Everyone > Bots > unknown",
    ),
    "the fallback queue's wait does not count": (
        center(
            queue("Fallback", HEALTH_BOT, inqueue=(Overflow("waited", "end conversation", 60),)),
            of=stream((), bot_user_id="Health Bot"),
        ),
        (HELLO, Escalated()),
        "fallback queue > Fallback > waits for ever",
    ),
    # 7 and 8: assignment
    "the highest capacity": (
        center(queue("Bots", HEALTH_BOT, SECOND, ANN)),
        (HELLO,),
        "rule > Everyone > Bots > Second Bot",
    ),
    "a tie of bot and person": (
        center(queue("Bots", bot(capacity=60), ANN)),
        (HELLO,),
        "rule > Everyone > Bots > unknown",
    ),
    "a tie of people": (center(queue("Bots", ANN, BEN)), (HELLO,), "rule > Everyone > Bots > person"),
    "a tie of bots": (center(queue("Bots", bot("One"), bot("Two"))), (HELLO,), "rule > Everyone > Bots > bot"),
    "round robin with bot and person": (
        center(queue("Bots", HEALTH_BOT, ANN, assignment="advanced round robin")),
        (HELLO,),
        "rule > Everyone > Bots > unknown",
    ),
    "round robin of one": (
        center(replace(BOTS, assignment="advanced round robin")),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "no assignment: a person picks, never a bot": (
        center(queue("Bots", HEALTH_BOT, ANN, assignment="no assignment")),
        (HELLO,),
        "rule > Everyone > Bots > Ann",
    ),
    "pick mode: a person picks, never a bot": (
        center(queue("Bots", HEALTH_BOT, ANN), of=stream(push=False)),
        (HELLO,),
        "rule > Everyone > Bots > Ann",
    ),
    "closest match sorts by skill": (
        center(queue("Bots", HEALTH_BOT, ANN), of=stream(closest_match=True)),
        (HELLO,),
        "rule > Everyone > Bots > unknown",
    ),
    "skills are not simulated": (
        center(of=stream(steps=(step("skills", rule_set("skills", (rule("S", None),))),))),
        (HELLO,),
        "rule > Everyone > Bots > unknown",
    ),
    "skills that no rule asks for": (
        center(of=stream(steps=(step("skills", rule_set("skills", (rule("S", None, topic("X")),))),))),
        (HELLO,),
        "rule > Everyone > Bots > Health Bot",
    ),
    "too few units": (
        center(queue("Bots", person("Tim", 20), ANN)),
        (HELLO,),
        "rule > Everyone > Bots > Ann",
    ),
    "disabled, without role, another application": (
        center(
            queue(
                "Bots",
                replace(ANN, enabled=False, capacity=90),
                replace(BEN, roles=(), capacity=90),
                User("app", "App", application_id="app", capacity=90, roles=ANN.roles),
                EVE,
            )
        ),
        (HELLO,),
        "rule > Everyone > Bots > Eve",
    ),
    "a person whose roles were not read is taken to have them": (
        center(queue("Bots", replace(ANN, roles=None))),
        (HELLO,),
        "rule > Everyone > Bots > Ann",
    ),
    "a bot whose roles were not read cannot be judged": (
        center(queue("Bots", replace(HEALTH_BOT, roles=None))),
        (HELLO,),
        "rule > Everyone > Bots > unknown",
    ),
    "a person's capacity profile": (
        center(
            queue("Bots", replace(ANN, profiles=()), replace(BEN, profiles=("Chat",))),
            of=stream(unit_based=False, profiles=("Chat",)),
        ),
        (HELLO,),
        "rule > Everyone > Bots > Ben",
    ),
    "a bot's capacity profile": (
        center(queue("Bots", replace(HEALTH_BOT, profiles=())), of=stream(unit_based=False, profiles=("Chat",))),
        (HELLO,),
        "rule > Everyone > Bots > unknown",
    ),
    "members that were not read": (center(replace(BOTS, members=None)), (HELLO,), "rule > Everyone > Bots > unknown"),
    "people who are only counted": (
        center(queue("Bots", HEALTH_BOT, left_out=40, staff=Staff(40, 40, 0, ((30, 39), (5000, 1))))),
        (HELLO,),
        "rule > Everyone > Bots > person",
    ),
    # 10: escalation
    "values of a hand-over stay": (
        center(),
        (HELLO, NURSE, Escalated({"Severity": 3})),
        "rule > Nurse > Nurses > Ann",
    ),
    "another bot of the queue is next": (
        center(queue("Bots", HEALTH_BOT, SECOND)),
        (HELLO, Escalated()),
        "rule > Everyone > Bots > Health Bot",
    ),
    "until all had it": (
        center(queue("Bots", HEALTH_BOT, SECOND)),
        (HELLO, Escalated(), Escalated()),
        "rule > Everyone > Bots > waits for ever",
    ),
    "a queue without members": (center(queue("Bots")), (HELLO,), "rule > Everyone > Bots > closed"),
    "a record queue without members": (
        center(queue("Bots", type="record"), of=stream(channel=192350000)),
        (HELLO,),
        "rule > Everyone > Bots > waits for ever",
    ),
    "the bot that is named had it": (
        center(queue("Others", SECOND), of=stream((*USUAL[:2], rule("Everyone", "Others")))),
        (Start({"Topic": "Nurse"}), Escalated({"Topic": "?"}, "Second Bot")),
        "rule > Everyone > Others > waits for ever",
    ),
    "a bot in doubt that is named had it": (
        center(queue("Bots", bot(capacity=60), ANN)),
        (HELLO, Escalated({}, "Health Bot")),
        "rule > Everyone > Bots > Ann",
    ),
    "a bot in doubt that is not named may have had it": (
        center(queue("Bots", bot(capacity=90), SECOND, assignment="advanced round robin")),
        (HELLO, Escalated()),
        "rule > Everyone > Bots > unknown",
    ),
    # 11: transfer
    "a transfer": (center(), (HELLO, NURSE, Transferred("Billing")), "transfer > Billing > Ben"),
    "a transfer into a closed queue": (
        center(replace(BILLING, hours=replace(OFFICE, spans=()), prequeue=(replace(FULL, limit=0),))),
        (HELLO, NURSE, Transferred("Billing")),
        "transfer > Billing > Ben",
    ),
    "a transfer back to the bot": (center(), (HELLO, NURSE, Transferred("Bots")), "transfer > Bots > waits for ever"),
    "a transfer to another bot": (
        center(queue("Others", SECOND)),
        (HELLO, NURSE, Transferred("Others")),
        "transfer > Others > Second Bot",
    ),
    "a transfer to another channel": (
        center(queue("Cases", BEN, type="record")),
        (HELLO, NURSE, Transferred("Cases")),
        "nothing > Nurses > Ann",
    ),
    "a transfer to an inactive queue": (
        center(replace(BILLING, active=False)),
        (HELLO, NURSE, Transferred("Billing")),
        "transfer > Billing > unknown",
    ),
    # the end
    "the end": (center(), (HELLO, NURSE, Ended()), "end > Nurses > closed"),
    "nothing after the end": (center(), (HELLO, Ended(), NURSE), "nothing > Bots > closed"),
    "a new conversation after the end": (center(), (HELLO, Ended(), HELLO), "rule > Everyone > Bots > Health Bot"),
}
SUNDAYS = {
    "a closed queue is passed over",
    "all closed: the one that opens first",
    "all overflow: an open one, and its action",
    "the action of the operating hours comes first",
    "own overflow that is silent on closed queues",
    "overflow is not looked at after the first escalation",
    "nor once an action was carried out",
}


@pytest.mark.parametrize(("where", "events", "expected"), CASES.values(), ids=CASES)
def test_points(request: pytest.FixtureRequest, where: ContactCenter, events: tuple[Event, ...], expected: str) -> None:
    at = SUNDAY if request.node.callspec.id in SUNDAYS else MONDAY_NOON
    assert told(last(where, *events, at=at)) == expected


@pytest.mark.parametrize(
    ("nurses", "at", "occupancy", "why"),
    [
        (CLOSED_NURSES, SUNDAY, Occupancy(), "Nurses is closed"),
        (replace(NURSES, prequeue=(FULL,)), MONDAY_NOON, BUSY, "Nurses has 3 work items or more"),
    ],
    ids=["closed", "full"],
)
def test_the_trap(nurses: Queue, at: datetime, occupancy: Occupancy, why: str) -> None:
    """A catch-all bot rule becomes where conversations spill to, and its bot cannot take them again."""
    found = run(center(nurses), HELLO, NURSE, at=at, occupancy=occupancy).strict
    assert [told(leg) for leg in found.legs] == [
        "rule > Everyone > Bots > Health Bot",
        "rule > Everyone > Bots > waits for ever",
    ]
    leg = found.last
    assert [(each.name, each.result) for each in leg.rules] == [
        ("Nurse", "matched"),
        ("Billing", "not matched"),
        ("Everyone", "matched"),
    ]
    assert leg.notes[0] == f"Rule Nurse matches, but {why}, so the rules after it are looked at."
    assert [(each.name, each.eligible) for each in leg.candidates] == [("Health Bot", False)]
    assert "never given the same one again" in leg.candidates[0].why
    open_at_noon = run(center(nurses), HELLO, NURSE, at=MONDAY_NOON).strict
    assert told(open_at_noon.last) == "rule > Nurse > Nurses > Ann"


def test_the_trap_guarded_by_an_empty_variable() -> None:
    guarded = stream((*USUAL[:2], rule("Everyone", "Bots", foreign("null"))))
    found = last(center(CLOSED_NURSES, of=guarded), HELLO, NURSE, at=SUNDAY)
    assert told(found) == "overflow > Nurse > Nurses > Ann"


def test_what_may_happen_is_told_where_it_cannot_be_decided() -> None:
    found = last(center(of=stream((rule("Odd", "Nurses", ODD), *USUAL))), HELLO)
    assert found.notes == (
        "Rule Odd may send it to Nurses: Ann answers.",
        "Rule Everyone may send it to Bots: Health Bot answers.",
    )
    assert found.rules[0].result == "cannot decide"
    assert found.rules[0].why == "msdyn_ocliveworkitem.msdyn_channel is no context variable; only those are simulated."


def test_every_share_of_a_split_is_told() -> None:
    shares = (("Empty", "20"), ("Nurses", "60"), ("Bots", "10"), ("gone", "10"))
    split = rule("Split", None, action="percentage split", shares=shares)
    moves = replace(
        BOTS, members=(replace(ANN, enabled=False),), inqueue=(Overflow("waited", "transfer", 60, "Billing"),)
    )
    found = last(center(queue("Empty"), moves, of=stream((split,))), HELLO)
    assert found.rules[0].queue == "60 % Nurses, 20 % Empty, 10 % Bots, 10 % queue gone"
    assert found.notes == (
        "20 % of rule Split go to Empty: the conversation is closed.",
        "10 % of rule Split go to Bots and end in Billing: Ben answers.",
        "10 % of rule Split go to queue gone: what happens then cannot be decided.",
    )


def test_a_hit_policy_nobody_documents() -> None:
    rules = rule_set("routes", (rule("A", "Nurses"), rule("B", "Billing")), hit_policy="first")
    where = center(CLOSED_NURSES, of=stream(rules))
    assert told(last(where, HELLO)) == "rule > A > Nurses > Ann"
    assert told(last(where, HELLO, at=SUNDAY)) == "cannot decide > unknown"
    odd = center(of=stream(replace(rules, hit_policy="last")))
    assert told(last(odd, HELLO)) == "cannot decide > unknown"


def test_only_so_many_ways_are_told() -> None:
    found = last(center(of=stream([rule(f"Odd {number}", "Nurses", ODD) for number in range(20)])), HELLO)
    assert (len(found.notes), found.notes[-1]) == (13, "There are 9 more ways it may go.")
    nowhere = last(center(of=stream((rule("Odd", "Nurses", ODD),), fallback_id="")), HELLO)
    assert nowhere.notes[1] == "Perhaps no rule matches, and the work stream has no fallback queue."


def test_an_unreadable_rule_set_tells_why() -> None:
    found = last(center(of=stream(rule_set("routes", (), problem="it is not XML"))), HELLO)
    assert found.notes == (
        "The rule set routes cannot be read: it is not XML",
        "Perhaps no rule matches: then the fallback queue Fallback takes it: Eve answers.",
    )
    skills = step("skills", rule_set("skills", (), problem="it is not XML"))
    assert told(last(center(of=stream(steps=(skills,))), HELLO)) == "rule > Everyone > Bots > unknown"


OUTCOMES = {
    "the work stream's bot": (center(of=BOT_FIRST), (), "the work stream's bot takes it: Health Bot answers"),
    "a transfer": (center(), (Transferred("Nurses"),), "it is transferred to Nurses: Ann answers"),
    "a fallback queue": (center(of=stream(USUAL[:2])), (), "it goes to the fallback queue Fallback: Eve answers"),
    "no queue at all": (center(of=stream(USUAL[:2], fallback_id="")), (), "no queue is chosen: it waits for ever"),
    "nothing certain": (
        center(of=stream((*USUAL[:2], rule("Odd", "Bots", ODD)))),
        (),
        "where it goes cannot be decided",
    ),
    "an unknown answer": (
        center(replace(BOTS, members=None)),
        (),
        "rule Everyone sends it to Bots: who answers cannot be told",
    ),
    "overflow": (
        center(replace(BOTS, hours=replace(OFFICE, spans=()))),
        (),
        "overflow takes it to Bots (rule Everyone): Health Bot answers",
    ),
    "overflow after a transfer": (
        center(
            replace(NURSES, members=(bot("Health Bot"),), inqueue=(Overflow("waited", "transfer", 60, "Billing"),)),
        ),
        (Transferred("Nurses"),),
        "overflow takes it to Billing: Ben answers",
    ),
}


@pytest.mark.parametrize(("where", "events", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_outcomes_are_told(where: ContactCenter, events: tuple[Event, ...], expected: str) -> None:
    assert outcome(run(where, HELLO, *events).strict.last) == expected


def test_each_event_is_told_where_readings_differ() -> None:
    where = center(queue("Nurses", bot("Second Bot")), of=replace(BOT_FIRST, name="Patient chat"))
    events = (HELLO, Escalated({"Topic": "nurse"}, "Health Bot"), Transferred("Nurses"), Ended())
    assert [each.split(":")[0] for each in run(where, *events).differences] == [
        "Step 2, Health Bot escalates",
        "Step 3, a person transfers it to Nurses",
    ]
    begun = run(center(), Start({"Topic": "nurse"}), Ended()).differences
    assert [each.split(":")[0] for each in begun] == [
        "Step 1, the conversation begins",
        "Step 2, the conversation is ended",
    ]


def test_busy_people() -> None:
    where = center(replace(NURSES, members=(ANN, BEN), inqueue=()))
    events = (Start({"Topic": "Nurse"}),)
    one = last(where, *events, occupancy=Occupancy(taken={"Ann": 40}))
    assert (told(one), one.candidates[1].why) == (
        "rule > Nurse > Nurses > Ben",
        "has 20 of 60 units left; a conversation costs 30",
    )
    all_busy = last(where, *events, occupancy=Occupancy(taken={"Ann": 40}, away=frozenset({"Ben"})))
    assert (told(all_busy), all_busy.notes) == (
        "rule > Nurse > Nurses > person",
        ("Nobody in Nurses is free; it waits for one of them.",),
    )
    sent_on = center(replace(NURSES, inqueue=(Overflow("waited", "transfer", 60, "Billing"),)))
    moved = last(sent_on, *events, occupancy=Occupancy(away=frozenset({"Ann"})))
    assert told(moved) == "overflow > Nurse > Billing > Ben"


def test_readings_differ() -> None:
    found = run(center(), HELLO, Escalated({"Topic": " nurse"}))
    assert not found.agrees
    assert found.differences == (
        (
            "Step 2, the bot escalates: read strictly, rule Everyone sends it to Bots: it waits for ever;"
            " loosely, rule Nurse sends it to Nurses: Ann answers. They differ on rule Nurse."
        ),
    )
    assert found.loose.last.context == {"Topic": " nurse"}


def test_the_conversation_may_be_over_in_one_reading_only() -> None:
    found = run(center(replace(NURSES, members=())), Start({"Topic": "nurse"}), Escalated())
    assert [told(leg) for leg in found.loose.legs] == ["rule > Nurse > Nurses > closed", "nothing > Nurses > closed"]
    assert len(found.differences) == 2


def test_assumptions() -> None:
    plain = run(center(), HELLO).assumptions
    assert len(plain) == len(set(plain)) == 8
    unread = run(center(replace(NURSES, members=(replace(ANN, roles=None),))), HELLO, occupancy=BUSY).assumptions
    assert set(unread) - set(plain) == {
        "Queues are as full and people as busy as was told; whoever is not named is free.",
        "People whose roles were not read hold the agent role.",
    }


def test_odd_hand_overs_are_told() -> None:
    another = center(queue("Others", SECOND))
    assert last(another, HELLO, Escalated({}, "Second Bot")).notes[0] == (
        "Second Bot is said to escalate, but the conversation is with Health Bot."
    )
    assert last(center(), HELLO, NURSE, Escalated()).notes[0].startswith("No bot has the conversation")
    assert last(center(), HELLO, Transferred("Nurses")).notes[0].startswith("Only a person transfers")


def test_odd_work_streams_are_told() -> None:
    found = last(center(of=stream(unified=False, active=False)), HELLO)
    first = rule_set("routes", USUAL)
    several = last(center(of=stream(first, (step("route to queue", first, 1),))), HELLO)
    assert several.notes == ("There are several route-to-queue steps; only routes is followed.",)
    assert [note.split(";")[0] for note in found.notes] == [
        "The work stream is set to legacy routing, which no longer runs",
        "The work stream is inactive.",
    ]


UNKNOWN_NAMES = {
    "work stream": ("Chat", (HELLO,), UnknownWorkstream, "no work stream is called 'Chat'; there is Patient chat"),
    "bot": ("Patient chat", (Escalated({}, "X"),), UnknownBot, "no bot is called 'X'; there is Health Bot"),
    "queue": (
        "Patient chat",
        (Transferred("X"),),
        UnknownQueue,
        "no queue is called 'X'; there is Billing, Bots, Fallback, Nurses",
    ),
}


@pytest.mark.parametrize(("name", "events", "error", "message"), UNKNOWN_NAMES.values(), ids=UNKNOWN_NAMES)
def test_unknown_names(name: str, events: tuple[Event, ...], error: type[LookupError], message: str) -> None:
    with pytest.raises(error) as caught:
        simulate(center(), name, events, MONDAY_NOON)
    assert str(caught.value) == message


def test_it_needs_events_and_a_zone() -> None:
    with pytest.raises(ValueError, match="at least one event"):
        simulate(center(), "Patient chat", (), MONDAY_NOON)
    with pytest.raises(ValueError, match="with its zone"):
        simulate(center(), "Patient chat", (HELLO,), datetime(2026, 11, 16))  # noqa: DTZ001  # what is refused


def test_types_of_variables_that_were_not_read() -> None:
    severe = Test("Severity", Operator.AT_LEAST, 7)
    where = center(of=stream((rule("Severe", "Nurses", severe), *USUAL), variables=None))
    found = run(where, Start({"Severity": 9})).strict.last
    assert (told(found), found.rules[0].why) == (
        "cannot decide > unknown",
        "The types of the context variables were not read.",
    )
    typed = center(of=stream((rule("Severe", "Nurses", severe), *USUAL), variables=(Variable("Severity", "number"),)))
    assert told(last(typed, Start({"Severity": 9}))) == "rule > Severe > Nurses > Ann"


NIGHT = Hours("night", "Night", "Europe/Amsterdam", ((0, 22 * 60, 30 * 60),))  # Monday 22:00 to Tuesday 06:00


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 16, 20, 59, tzinfo=UTC), "overflow"),
        (datetime(2026, 11, 16, 21, 0, tzinfo=UTC), "rule"),
        (datetime(2026, 11, 17, 4, 59, tzinfo=UTC), "rule"),
        (datetime(2026, 11, 17, 5, 0, tzinfo=UTC), "overflow"),
    ],
)
def test_hours_beyond_midnight_in_the_queue_s_zone(at: datetime, expected: str) -> None:
    where = center(replace(NURSES, hours=NIGHT), of=stream((rule("A", "Nurses"),)))
    assert last(where, HELLO, at=at).chosen_by == expected
