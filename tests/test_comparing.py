"""`compare`: what differs is told by name, ids never count, and what was not read is not guessed."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings

from d365setup.center import (
    Configuration,
    ContactCenter,
    HeldRole,
    Hours,
    Overflow,
    Question,
    Queue,
    RoutingStep,
    RuleSet,
    Staff,
    Unread,
    User,
    Variable,
    Workstream,
)
from d365setup.cli import main
from d365setup.comparing import Comparison, compare
from d365setup.comparing.reading import things
from d365setup.conditions import All, AnyOf, Operator, Test
from d365setup.emulator import Organizations
from d365setup.ruleset import Rule
from d365setup.survey import dump, load
from tests.report.published import check
from tests.survey.test_snapshot import centers

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NURSES, BILLING, FIRST = (f"0a000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
NURSE = User("u1", "Nurse One", "Nurse.One@contoso.example", roles=(HeldRole("Omnichannel agent", "r1"),))
BOT = User(
    "u2",
    "Bot",
    "bot@contoso.example",
    bot_id="b",
    capacity=100,
    roles=(HeldRole("Omnichannel agent"),),
    team_roles=(),
    profiles=(),
)
PERSON, TOPIC = Test("Topic", Operator.EQUALS, "Person"), Test("Topic", Operator.HAS_A_VALUE)
RULES = (
    Rule("1", "To a nurse", AnyOf((PERSON, Test("Vip", Operator.EQUALS, "yes"))), NURSES),
    Rule("2", "Hello", All(), FIRST),
)


def routes(*rules: Rule, **more: Any) -> tuple[Configuration, ...]:
    found = RuleSet("s1", rules=rules, **more)
    classifies = RuleSet("s2", rules=(Rule("9", "Vip", PERSON, None, "set", sets=(("Vip", "yes"),)),))
    steps = (
        RoutingStep("p1", "route to queue", rule_set=found),
        RoutingStep("p2", "classification", rule_set=classifies),
    )
    return (Configuration("c1", steps=steps),)


STREAM = Workstream(
    "w1",
    "Patient chat",
    units=30,
    fallback_id=NURSES,
    bot_user_id="u2",
    bot_queue_id=FIRST,
    variables=(Variable("Topic", "text"), Variable("Vip", "text")),
    configurations=routes(*RULES),
    questions=(Question("Age"),),
    channel=192360000,
)
CLINIC = ContactCenter(
    workstreams=(STREAM,),
    queues=(
        Queue(
            NURSES,
            "Nurses",
            members=(NURSE,),
            staff=Staff(1, 1, 0),
            hours=Hours("h", "Office", "Europe/Berlin", ((0, 480, 1020),)),
        ),
        Queue(BILLING, "Billing", prequeue=(Overflow("work items", "transfer", 3, NURSES),)),
        Queue(FIRST, "Bot first", members=(BOT,)),
    ),
    users=(BOT,),
    url="https://contoso.crm.dynamics.com",
    organization="Contoso Health",
    origin="live",
)


def stream(**changed: Any) -> ContactCenter:
    return replace(CLINIC, workstreams=(replace(STREAM, **changed),))


def queue(place: int, **changed: Any) -> ContactCenter:
    queues = list(CLINIC.queues)
    queues[place] = replace(queues[place], **changed)
    return replace(CLINIC, queues=tuple(queues))


def bot(**changed: Any) -> ContactCenter:
    other = replace(BOT, **changed)
    return replace(queue(2, members=(other,)), users=(other,))


def told(found: Comparison) -> list[str]:
    return [
        f"{each.where} {each.id} {' '.join(field.field for field in each.fields)}".rstrip()
        for each in found.differences
    ]


# One change each, and all that may be told of it.
CHANGES: dict[str, tuple[ContactCenter, list[str]]] = {
    "a queue less": (replace(CLINIC, queues=CLINIC.queues[:1] + CLINIC.queues[2:]), ["first queue:Billing"]),
    "priority": (queue(1, priority=2), ["both queue:Billing priority"]),
    "assignment": (queue(1, assignment="least active"), ["both queue:Billing assignment"]),
    "type": (queue(1, type="voice"), ["both queue:Billing type"]),
    "inactive": (queue(1, active=False), ["both queue:Billing active"]),
    "not omnichannel": (queue(1, omnichannel=False), ["both queue:Billing omnichannel"]),
    "default": (queue(1, is_default=True), ["both queue:Billing default queue"]),
    "hours": (queue(0, hours=Hours("h", "Office", "Europe/Berlin", ((0, 480, 1080),))), ["both queue:Nurses hours"]),
    "a holiday": (
        queue(0, hours=replace(CLINIC.queues[0].hours or Hours("", ""), holidays=("2026-12-25",))),
        ["both queue:Nurses hours"],
    ),
    "overflow": (
        queue(1, prequeue=(Overflow("work items", "transfer", 3, FIRST),)),
        ["both queue:Billing overflow before queueing"],
    ),
    "overflow inside": (
        queue(1, inqueue=(Overflow("waited", "end conversation", 60),)),
        ["both queue:Billing overflow in the queue"],
    ),
    "a member more": (
        queue(0, members=(NURSE, replace(NURSE, row_id="u9", email="nurse.two@contoso.example"))),
        ["second queue_member:Nurses/nurse.two@contoso.example"],
    ),
    "another queue of the name": (
        replace(CLINIC, queues=(*CLINIC.queues, Queue("q9", "Nurses"))),
        ["second queue:Nurses (2)"],
    ),
    "the bot elsewhere": (queue(1, members=(BOT,)), ["second queue_member:Billing/Bot"]),
    "capacity": (bot(capacity=1), ["both bot_user:Bot capacity"]),
    "disabled": (bot(enabled=False), ["both bot_user:Bot enabled"]),
    "address": (bot(email="other@contoso.example"), ["both bot_user:Bot email"]),
    "role": (bot(roles=()), ["both bot_user:Bot roles"]),
    "team": (bot(team_roles=("Omnichannel agent",)), ["both bot_user:Bot roles through teams"]),
    "bot's profiles": (bot(profiles=("Chats",)), ["both bot_user:Bot capacity profiles"]),
    "no fallback": (stream(fallback_id=""), ["both workstream:Patient chat fallback_queue"]),
    "fallback": (stream(fallback_id=BILLING), ["both workstream:Patient chat fallback_queue"]),
    "no bot": (stream(bot_user_id=""), ["both workstream:Patient chat bot"]),
    "bot queue": (stream(bot_queue_id=""), ["both workstream:Patient chat bot queue"]),
    "units": (stream(units=31), ["both workstream:Patient chat units"]),
    "capacity by profiles": (stream(unit_based=False), ["both workstream:Patient chat capacity by units"]),
    "profiles": (stream(profiles=("Chats",)), ["both workstream:Patient chat capacity profiles"]),
    "pull": (stream(push=False), ["both workstream:Patient chat push"]),
    "legacy": (
        stream(unified=False, legacy_rules=("Old",)),
        ["both workstream:Patient chat unified routing legacy rules"],
    ),
    "stream inactive": (stream(active=False), ["both workstream:Patient chat active"]),
    "match": (stream(closest_match=True), ["both workstream:Patient chat closest match of skills"]),
    "channel": (stream(channel=1), ["both workstream:Patient chat channel"]),
    "question": (stream(questions=()), ["both workstream:Patient chat questions"]),
    "no classification": (
        stream(configurations=(replace(routes(*RULES)[0], steps=routes(*RULES)[0].steps[:1]),)),
        ["both workstream:Patient chat classification"],
    ),
    "variable": (
        stream(variables=(Variable("Topic", "number"), Variable("Vip", "text"))),
        ["both context_variable:Patient chat/Topic type"],
    ),
    "case of a variable": (
        stream(variables=(Variable("topic", "text"), Variable("Vip", "text"))),
        ["first context_variable:Patient chat/Topic", "second context_variable:Patient chat/topic"],
    ),
    "order": (stream(configurations=routes(*RULES[::-1])), ["both workstream:Patient chat order of rules"]),
    "a rule between": (
        stream(configurations=routes(RULES[0], Rule("3", "New", TOPIC, BILLING), RULES[1])),
        ["second routing_rule:Patient chat/New"],
    ),
    "condition": (
        stream(configurations=routes(replace(RULES[0], condition=TOPIC), RULES[1])),
        ["both routing_rule:Patient chat/To a nurse when"],
    ),
    "target": (
        stream(configurations=routes(replace(RULES[0], queue=BILLING), RULES[1])),
        ["both routing_rule:Patient chat/To a nurse queue"],
    ),
    "split": (
        stream(
            configurations=routes(replace(RULES[0], queue=None, shares=((NURSES, "50"), (BILLING, "50"))), RULES[1])
        ),
        ["both routing_rule:Patient chat/To a nurse queue"],
    ),
    "disabled rule": (
        stream(configurations=routes(*RULES, disabled=frozenset({"1"}))),
        ["both routing_rule:Patient chat/To a nurse enabled"],
    ),
    "overflow of a rule": (
        replace(stream(configurations=routes(replace(RULES[0], overflow="o"), RULES[1])), overflows={"o": ()}),
        ["both routing_rule:Patient chat/To a nurse overflow"],
    ),
    "the whole stream": (replace(CLINIC, workstreams=()), ["first workstream:Patient chat"]),
}


@pytest.mark.parametrize(("changed", "expected"), CHANGES.values(), ids=CHANGES)
def test_one_change_is_told_once_from_either_side(changed: ContactCenter, expected: list[str]) -> None:
    found = compare(CLINIC, changed)
    assert (told(found), found.exit_code) == (expected, 3)
    other = {"first": "second", "second": "first"}
    mirrored = [" ".join((other.get(each.split()[0], "both"), *each.split()[1:])) for each in expected]
    assert sorted(told(compare(changed, CLINIC))) == sorted(mirrored)


SAME = {
    "the order of alternatives": stream(
        configurations=routes(replace(RULES[0], condition=AnyOf(RULES[0].condition.parts[::-1])), RULES[1])
    ),
    "case of an address": queue(0, members=(replace(NURSE, email="NURSE.ONE@contoso.example"),)),
    "a person's name": queue(0, members=(replace(NURSE, name="One, Nurse"),)),
    "when it was changed": stream(modified_on="2026-01-01", managed=True),
    "the order it is listed in": replace(CLINIC, queues=CLINIC.queues[::-1]),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_what_makes_no_difference(other: ContactCenter) -> None:
    found = compare(CLINIC, other)
    assert (told(found), found.exit_code, found.same) == ([], 0, 11)


NOT_READ: dict[str, tuple[ContactCenter, str]] = {
    "members": (queue(0, members=None), "people of queue:Nurses"),
    "many people": (queue(0, members=(), left_out=6000, staff=Staff(6001)), "people of queue:Nurses"),
    "variables": (stream(variables=None), "variables of workstream:Patient chat"),
    "rules": (stream(configurations=None), "rules of workstream:Patient chat"),
    "a rule set": (stream(configurations=routes(problem="no XML")), "rules of workstream:Patient chat"),
    "hours": (queue(0, hours=None, hours_read=False), "hours of queue:Nurses"),
    "fallback": (stream(fallback_id="", fallback_read=False), "fallback_queue of workstream:Patient chat"),
    "roles": (bot(roles=None), "roles of bot_user:Bot"),
    "disabled rules": (
        stream(configurations=routes(*RULES, disabled=None)),
        "enabled of routing_rule:Patient chat/Hello",
    ),
    "all queues": (replace(CLINIC, queues=(), unread=(Unread("queue", "", "refused"),)), "queues"),
    "all bots": (replace(CLINIC, users=(), unread=(Unread("systemuser", "", "refused"),)), "bots"),
}


@pytest.mark.parametrize(("other", "gap"), NOT_READ.values(), ids=NOT_READ)
def test_what_was_not_read_is_no_difference_but_said(other: ContactCenter, gap: str) -> None:
    for found, where in ((compare(CLINIC, other), "second"), (compare(other, CLINIC), "first")):
        assert told(found) == []
        assert (gap, where) in [(each.what, each.where) for each in found.not_compared]


@settings(max_examples=40, deadline=None)
@given(centers())
def test_any_center_is_itself_whatever_its_ids(center: ContactCenter) -> None:
    ids: dict[str, str] = {}
    text = GUID.sub(lambda found: ids.setdefault(found[0], str(uuid.uuid4())), dump(center))
    found = compare(center, load(text).center)
    assert told(found) == []
    assert not any(GUID.search(str(each.fields) + str(each.id)) for each in things(center).by_id.values())


@settings(max_examples=40, deadline=None)
@given(centers(), centers())
def test_the_other_way_round_it_is_the_same(one: ContactCenter, other: ContactCenter) -> None:
    there, back = compare(one, other), compare(other, one)
    assert there.same == back.same
    assert (there.count("first"), there.count("second")) == (back.count("second"), back.count("first"))
    assert len(there.not_compared) == len(back.not_compared)


def test_every_field_of_a_value_is_compared_or_left_out_on_purpose() -> None:
    """A field that is added to a contact center must be thought of here."""
    left_out = {
        Queue: {"row_id", "private", "left_out", "staff", "managed", "modified_on", "source", "hours_read"},
        Workstream: {
            "row_id",
            "fallback_read",
            "bot_rule",
            "contract",
            "contract_problem",
            "managed",
            "modified_on",
            "source",
        },
        User: {"row_id", "application_id", "bot_id", "agent_type", "business_unit", "modified_on", "source"},
    }
    compared = {
        Queue: {
            "name",
            "type",
            "priority",
            "assignment",
            "active",
            "omnichannel",
            "members",
            "hours",
            "prequeue",
            "inqueue",
            "is_default",
        },
        Workstream: {
            "name",
            "unified",
            "push",
            "active",
            "unit_based",
            "units",
            "closest_match",
            "channel",
            "fallback_id",
            "bot_user_id",
            "bot_queue_id",
            "variables",
            "configurations",
            "legacy_rules",
            "questions",
            "profiles",
        },
        User: {"name", "email", "enabled", "capacity", "roles", "team_roles", "profiles"},
    }
    for kind, known in compared.items():
        assert {each.name for each in fields(kind)} == known | left_out[kind]


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Two environments, the second a little other than the first, and a snapshot of the first."""
    folder = tmp_path_factory.mktemp("two")
    found = Organizations(None, count=2).start()
    second = found.emulators[1]
    second.execute("UPDATE queue SET msdyn_priority = 7 WHERE name = 'Nurses'")
    (nurse,) = second.sql(
        "SELECT systemuserid FROM systemuser WHERE internalemailaddress = 'nurse.one@contoso.example'"
    )
    (nurses,) = second.sql("SELECT queueid FROM queue WHERE name = 'Nurses'")
    second.unlink("queue", nurses[0], "queuemembership_association", nurse[0])
    ended = call("audit", "--url", found.urls[0], "--save", str(folder / "one.json"))
    assert ended.exit_code in (0, 4), ended.stderr
    yield found.urls[0], found.urls[1], folder / "one.json"
    found.close()


def call(*args: str) -> Result:
    variables = {"D365_ACCESS_TOKEN": "any", "D365_URL": None}
    return CliRunner().invoke(main, args, prog_name="d365setup", env=variables)


def test_environments_and_snapshots_differ_alike(two: tuple[str, str, Path]) -> None:
    first, second, snapshot = two
    other = snapshot.with_name("two.json")
    assert call("audit", "--url", second, "--save", str(other)).exit_code in (0, 4)
    for one, two_ in itertools.product((first, str(snapshot)), (second, str(other))):
        ended = call("compare", one, two_)
        assert (ended.exit_code, ended.stderr) == (3, "")
        assert "~ queue:Nurses\n    priority: 1 → 7\n" in ended.stdout
        assert "- queue_member:Nurses/nurse.one@contoso.example  only the first has it\n" in ended.stdout
        assert "\n1 only in the first, 0 only in the second, 1 different; " in ended.stdout
        ended = call("compare", two_, one)
        assert (ended.exit_code, ended.stderr) == (3, "")
        assert "~ queue:Nurses\n    priority: 7 → 1\n" in ended.stdout
        assert "+ queue_member:Nurses/nurse.one@contoso.example  only the second has it\n" in ended.stdout
    assert call("compare", first, str(snapshot)).exit_code == 0
    assert call("compare", str(snapshot), first).exit_code == 0


def test_a_snapshot_of_the_first_version_is_still_compared(two: tuple[str, str, Path]) -> None:
    document = json.loads(two[2].read_text(encoding="utf-8"))
    del document["kept"]
    earlier = two[2].with_name("earlier.json")
    earlier.write_text(json.dumps(document | {"schema": "d365setup/snapshot/1"}), encoding="utf-8")
    assert call("compare", str(earlier), two[0]).exit_code == 0
    assert call("audit", "--snapshot", str(earlier)).stdout == call("audit", "--snapshot", str(two[2])).stdout


def test_snapshots_need_no_sign_in_and_people_can_be_masked(two: tuple[str, str, Path]) -> None:
    snapshot = str(two[2])
    ended = CliRunner().invoke(main, ["compare", snapshot, snapshot], env={"D365_ACCESS_TOKEN": None})
    assert ended.exit_code == 0
    assert "\nno difference: " in ended.stdout
    masked = call("compare", snapshot, two[1], "--redact", "--format", "json")
    document = json.loads(masked.stdout)
    check(document)
    names = [f"{each['where']} {each['kind']}:{each['key']}" for each in document["differences"]]
    assert names[0] == "both queue:Nurses"
    assert re.fullmatch(r"first queue_member:Nurses/person-[0-9]+", names[1])
    assert len(names) == 2
    assert "nurse.one" not in masked.stdout


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            "contoso.crm.dynamics.com",
            "there is no snapshot 'contoso.crm.dynamics.com'; an address begins with https://",
        ),
        ("--emulator", "No such option"),
        (str(Path(__file__).parents[1] / "playbooks" / "health-bot.yaml"), "looks like a playbook: `d365setup plan"),
        ("no.json", "there is no snapshot 'no.json'"),
        (".", "cannot be read"),
        ("http://contoso.example", "http:// would send the token unprotected"),
    ],
)
def test_bad_calls(wrong: str, told: str, two: tuple[str, str, Path]) -> None:
    for given_ in ((wrong, str(two[2])), (str(two[2]), wrong)):
        ended = call("compare", *given_)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert told in ended.stderr
