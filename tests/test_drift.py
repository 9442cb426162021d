"""Through the door a user comes in by: change one field by hand, `verify` says exactly that one, `apply` repairs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator import Emulator

PLAYBOOK = """\
playbook: 1
name: drift
bot_users:
  - name: Contoso Health Bot
    application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f
    bot_application_id: 9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01
    email: health-bot@contoso.example
queues:
  - {name: Health bot, description: First line., type: messaging, priority: 2, assignment: highest capacity,
     members: {mode: exact, users: [Contoso Health Bot]}}
  - {name: Mixed, members: [Contoso Health Bot, nurse.two@contoso.example]}
workstreams:
  - name: Patient chat
    fallback_queue: Mixed
    context_variables:
      - {name: Topic, type: text, display_name: The topic}
      - {name: Spare, type: number}
    routing_rules:
      - {name: First, when: {Topic: a}, queue: Mixed}
      - {name: Second, when: {variable: Topic, operator: has a value}, queue: Mixed}
      - {name: Third, queue: Health bot}
"""


@dataclass(frozen=True)
class Hand:
    """One field changed by hand: where, to what, and how the drift must read."""

    table: str
    where: str
    columns: dict[str, Any]
    key: str
    field: str
    before: Any
    after: Any


BOT, QUEUE = "applicationid = '5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f'", "name = 'Health bot'"
BOT_KEY, QUEUE_KEY = "bot_user:Contoso Health Bot", "queue:Health bot"
TOPIC, SPARE = "context_variable:Patient chat/Topic", "context_variable:Patient chat/Spare"
VARIABLES = "msdyn_ocliveworkstreamcontextvariable"
HANDS = [
    Hand("systemuser", BOT, {"lastname": "Robot", "fullname": "Robot"}, BOT_KEY, "name", "Robot", "Contoso Health Bot"),
    Hand(
        "systemuser", BOT, {"internalemailaddress": "x@y.example"}, BOT_KEY, "email", "x@y.example",
        "health-bot@contoso.example",
    ),
    Hand(
        "systemuser", BOT, {"msdyn_botapplicationid": None}, BOT_KEY, "bot_application_id", None,
        "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
    ),
    Hand("systemuser", BOT, {"msdyn_capacity": 7}, BOT_KEY, "capacity", 7, 101),
    Hand(
        "systemuser", BOT, {"msdyn_agentType": 192350000}, BOT_KEY, "agent_type", "application user",
        "bot application user",
    ),
    Hand("systemuser", BOT, {"msdyn_botprovider": 192350002}, BOT_KEY, "provider", "none", "other"),
    Hand("systemuser", BOT, {"accessmode": 0}, BOT_KEY, "access_mode", "read-write", "non-interactive"),
    Hand("systemuser", BOT, {"isdisabled": 1}, BOT_KEY, "enabled", False, True),
    Hand("queue", QUEUE, {"description": "By hand."}, QUEUE_KEY, "description", "By hand.", "First line."),
    Hand("queue", QUEUE, {"msdyn_priority": 9}, QUEUE_KEY, "priority", 9, 2),
    Hand(
        "queue", QUEUE, {"msdyn_assignmentstrategy": 192350001}, QUEUE_KEY, "assignment", "advanced round robin",
        "highest capacity",
    ),
    Hand(VARIABLES, "msdyn_name = 'Topic'", {"msdyn_displayname": "T"}, TOPIC, "display_name", "T", "The topic"),
    Hand(VARIABLES, "msdyn_name = 'Spare'", {"msdyn_datatype": 192350000}, SPARE, "type", "text", "number"),
    Hand(
        "msdyn_liveworkstream", "msdyn_name = 'Patient chat'", {"msdyn_defaultqueue": None},
        "workstream:Patient chat", "fallback_queue", None, "Mixed",
    ),
]  # fmt: skip


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run a command in an empty folder that holds the playbook; its exit code and JSON document."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drift.yaml").write_text(PLAYBOOK, encoding="utf-8")

    def run(command: str, *options: str) -> tuple[int, dict[str, Any]]:
        result = CliRunner().invoke(main, [command, "drift.yaml", "--emulator", "--format", "json", *options])
        return result.exit_code, json.loads(result.stdout)

    code, document = run("apply", "--yes")
    assert (code, {each["status"] for each in document["outcomes"]}) == (0, {"verified"})
    return run


def by_hand(act: Callable[[Emulator], Any]) -> Any:
    emulator = Emulator(Path(".d365setup/emulator.db"))
    try:
        return act(emulator)
    finally:
        emulator.close()


def row(emulator: Emulator, table: str, where: str) -> str:
    return str(emulator.sql(f"SELECT {table}id FROM {table} WHERE {where}")[0][0])  # noqa: S608  # literals of this file


def fields(document: dict[str, Any]) -> list[tuple[str, list[tuple[str, Any, Any]]]]:
    return [
        (f"{each['kind']}:{each['key']}", [(f["field"], f["before"], f["after"]) for f in each["fields"]])
        for each in document["drift"]
    ]


@pytest.mark.parametrize("hand", HANDS, ids=lambda hand: f"{hand.key} {hand.field}")
def test_one_field(told: Callable[..., tuple[int, dict[str, Any]]], hand: Hand) -> None:
    names = ", ".join(f'"{name}"' for name in hand.columns)
    sql = f"SELECT {names} FROM {hand.table} WHERE {hand.where}"  # noqa: S608  # literals of this file
    was = by_hand(lambda emulator: emulator.sql(sql))
    by_hand(lambda emulator: emulator.change(hand.table, row(emulator, hand.table, hand.where), **hand.columns))
    code, document = told("verify")
    assert (code, document["exit_code"]) == (3, 3)
    assert fields(document) == [(hand.key, [(hand.field, hand.before, hand.after)])]
    code, document = told("apply", "--yes")
    assert (code, [each["status"] for each in document["outcomes"]]) == (0, ["verified"])
    assert by_hand(lambda emulator: emulator.sql(sql)) == was
    assert told("verify")[0] == 0


def links(emulator: Emulator) -> tuple[str, str, str]:
    bot, queue = row(emulator, "systemuser", BOT), row(emulator, "queue", QUEUE)
    role = emulator.sql("SELECT roleid FROM systemuserroles WHERE systemuserid = ?", [bot])[0][0]
    return bot, queue, str(role)


def test_links(told: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    def part(emulator: Emulator) -> None:
        bot, queue, role = links(emulator)
        emulator.unlink("queue", queue, "queuemembership_association", bot)
        emulator.unlink("systemuser", bot, "systemuserroles_association", role)
        somebody = row(emulator, "systemuser", "internalemailaddress = 'nurse.one@contoso.example'")
        emulator.link("queue", queue, "queuemembership_association", somebody)

    before = by_hand(links)
    by_hand(part)
    code, document = told("verify")
    assert code == 3
    assert fields(document) == [
        ("role_assignment:Contoso Health Bot/Omnichannel agent", [("role", None, "Omnichannel agent")]),
        ("queue_member:Health bot/Contoso Health Bot", [("member", None, "Contoso Health Bot")]),
        ("queue_member:Health bot/nurse.one@contoso.example", [("member", "nurse.one@contoso.example", None)]),
    ]
    assert told("apply", "--yes")[0] == 0
    assert by_hand(links) == before
    members = "SELECT systemuserid FROM queuemembership WHERE queueid = ?"
    assert by_hand(lambda emulator: emulator.sql(members, [before[1]])) == [(before[0],)]


RULES = (
    "SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset "
    "WHERE msdyn_name LIKE 'Patient chat%'"
)


def swapped(text: str) -> str:
    start, first, second, end = _rules(text)
    return start + second + first + end


def _rules(text: str) -> tuple[str, str, str, str]:
    one, two, three = (text.index(f'name="{name}"') for name in ("First", "Second", "Third"))
    cuts = [text.rindex("<rule ", 0, place) for place in (one, two, three)]
    return text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] : cuts[2]], text[cuts[2] :]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            lambda text: text.replace(">a</rhs>", ">A</rhs>"),
            [("routing_rule:Patient chat/First", [("when", "Topic equals A", "Topic equals a")])],
        ),
        (swapped, [("routing_rule:Patient chat/Second", [("position", 1, 2)])]),
        (
            lambda text: "".join(_rules(text)[::2]) + _rules(text)[3],
            [("routing_rule:Patient chat/First", [("when", None, "Topic equals a"), ("queue", None, "Mixed")])],
        ),
    ],
    ids=["condition", "order", "gone"],
)
def test_rules(
    told: Callable[..., tuple[int, dict[str, Any]]], change: Callable[[str], str], expected: list[Any]
) -> None:
    rules, text = by_hand(lambda emulator: emulator.sql(RULES))[0]
    by_hand(lambda emulator: emulator.change("msdyn_decisionruleset", rules, msdyn_rulesetdefinition=change(text)))
    code, document = told("verify")
    assert (code, fields(document)) == (3, expected)
    assert told("apply", "--yes")[0] == 0
    assert by_hand(lambda emulator: emulator.sql(RULES)) == [(rules, text)]


def test_a_rule_disabled_by_hand_needs_a_person(told: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    def disable(emulator: Emulator) -> None:
        rules, text = emulator.sql(RULES)[0]
        first = text.split('name="First"')[0].rsplit('id="', 1)[1].split('"')[0]
        emulator.change("msdyn_decisionruleset", rules, msdyn_disabledrules=json.dumps([first]))

    by_hand(disable)
    code, document = told("verify")
    assert (code, fields(document)) == (3, [("routing_rule:Patient chat/First", [("enabled", False, True)])])
    code, document = told("apply", "--yes")
    assert (code, [each["status"] for each in document["outcomes"]]) == (3, ["manual step"])
    assert "admin centre" in document["outcomes"][0]["detail"]
