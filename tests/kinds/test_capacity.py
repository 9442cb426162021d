"""`highest` as the exact number, and the cases where there is none."""

# ruff: noqa: E501  # messages are compared whole

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from d365setup.emulator import fixtures as names
from d365setup.errors import PlaybookError
from d365setup.model import Mistake

from .site import APPLICATION, BOT, OTHER_APPLICATION, OTHER_BOT_ID, SPECS, Site, desired

MAXIMUM = 2147483647
IN_NURSES = BOT + "queues: [{name: Nurses, members: [Health Bot]}]"
SECOND = f"""
  - name: Second Bot
    application_id: {OTHER_APPLICATION}
    bot_application_id: {OTHER_BOT_ID}
    email: second@contoso.example
"""
SetUp = Callable[[Site], object]


def _nothing(_clinic: Site) -> None:
    """The fixture has people of 60 and 100 in Nurses, of 80 and 70 in Billing, and one of 90 who is disabled."""


def _capacity(email: str, units: int | None) -> SetUp:
    row = names.fixed_id("systemuser", email)
    return lambda clinic: clinic.emulator.change("systemuser", row, msdyn_capacity=units)


def _live(units: int | None, queue: str = "", **columns: object) -> SetUp:
    return lambda clinic: clinic.bot(msdyn_capacity=units, queue=queue, **columns)


def _live_queue(units: int) -> SetUp:
    """The bot sits, by hand, in a queue no playbook knows, beside a person of so many units."""

    def change(clinic: Site) -> None:
        queue = clinic.queue("By hand")
        clinic.bot(queue=queue)
        clinic.person("unit.head@contoso.example", units, queue)

    return change


def _stranger(units: int, **columns: object) -> SetUp:
    """Another bot, of nobody's playbook, in Nurses."""
    known = {"msdyn_botapplicationid": OTHER_BOT_ID, "lastname": "Stranger", **columns}
    return lambda clinic: clinic.bot(OTHER_APPLICATION, names.NURSES, msdyn_capacity=units, **known)


def _disabled_stranger(clinic: Site) -> None:
    row = _stranger(900)(clinic)
    clinic.emulator.change("systemuser", row, isdisabled=1)


@dataclass(frozen=True)
class Number:
    """What the bot's column must hold after the playbook is applied, and why, as the plan says it."""

    set_up: SetUp
    text: str
    units: int
    reason: str | None = None  # None: no change of capacity, so no reason


TOP = "must beat Nurse Two (100) in Nurses"
NUMBERS = {
    "no queue": Number(_nothing, BOT, 100, "no person to beat in its queues"),
    "an empty queue": Number(
        _nothing, BOT + "queues: [{name: New, members: [Health Bot]}]", 100, "no person to beat in its queues"
    ),
    "live people": Number(_nothing, IN_NURSES, 101, TOP),
    "people who are weaker than a hundred": Number(
        _nothing,
        BOT + "queues: [{name: Billing, members: [Health Bot]}]",
        100,
        "must beat Billing One (80) in Billing",
    ),
    "a person about to be added": Number(
        _capacity("billing.one@contoso.example", 300),
        BOT + "queues: [{name: Nurses, members: [Health Bot, Billing.One@contoso.example]}]",
        301,
        "must beat Billing One (300) in Nurses",
    ),
    "a person about to be added to a new queue": Number(
        _capacity("billing.one@contoso.example", 300),
        BOT + "queues: [{name: New, members: [Health Bot, billing.one@contoso.example]}]",
        301,
        "must beat Billing One (300) in New",
    ),
    "the strongest of several queues": Number(
        _capacity("billing.two@contoso.example", 150),
        BOT + "queues: [{name: Nurses, members: [Health Bot]}, {name: Billing, members: [Health Bot]}]",
        151,
        "must beat Billing Two (150) in Billing",
    ),
    "a queue by hand": Number(_live_queue(700), BOT, 701, "must beat Per unit.head (700) in By hand"),
    "a queue by hand beside a declared one": Number(
        _live_queue(99), IN_NURSES, 101, "must beat Nurse Two (100) in Nurses"
    ),
    "a queue by hand that the playbook will empty": Number(
        _live(None, names.BILLING),
        BOT + "queues: [{name: Billing, members: {mode: exact, users: []}}]",
        100,
        "no person to beat in its queues",
    ),
    "people whom exact removes": Number(
        _nothing,
        BOT + "queues: [{name: Nurses, members: {mode: exact, users: [Health Bot, nurse.one@contoso.example]}}]",
        100,
        "must beat Nurse One (60) in Nurses",
    ),
    "a disabled person": Number(_capacity("former.nurse@contoso.example", 5000), IN_NURSES, 101, TOP),
    "a person without a number": Number(
        _capacity("nurse.two@contoso.example", None), IN_NURSES, 100, "must beat Nurse One (60) in Nurses"
    ),
    "an application that is no bot": Number(
        _stranger(900, msdyn_botapplicationid=None, msdyn_agentType=None), IN_NURSES, 101, TOP
    ),
    "a disabled bot": Number(_disabled_stranger, IN_NURSES, 101, TOP),
    "a weaker bot": Number(_stranger(100), IN_NURSES, 101, TOP),
    "a bot whom exact removes": Number(
        _stranger(900),
        BOT + "queues: [{name: Nurses, members: {mode: exact, users: [Health Bot]}}]",
        100,
        "no person to beat in its queues",
    ),
    "equal is not enough": Number(_live(100, names.NURSES), IN_NURSES, 101, TOP),
    "already higher": Number(_live(102, names.NURSES), IN_NURSES, 102),
    "already higher, and below a hundred": Number(
        _live(81, names.BILLING), BOT + "queues: [{name: Billing, members: [Health Bot]}]", 81
    ),
    "already something, with nobody to beat": Number(_live(7), BOT, 7),
    "nothing yet, with nobody to beat": Number(_live(None), BOT, 100, "no person to beat in its queues"),
    "no units, with nobody to beat": Number(_live(0), BOT, 100, "no person to beat in its queues"),
    "maximum": Number(_nothing, IN_NURSES + "", MAXIMUM, "maximum"),
    "a number": Number(_nothing, IN_NURSES, 5, ""),
    "one below the largest": Number(
        _capacity("nurse.two@contoso.example", MAXIMUM - 1),
        IN_NURSES,
        MAXIMUM,
        f"must beat Nurse Two ({MAXIMUM - 1}) in Nurses",
    ),
    "a stronger declared bot in a queue of its own": Number(
        _nothing,
        BOT + SECOND + "    capacity: 9000\nqueues: [{name: Nurses, members: [Health Bot]}]",
        101,
        TOP,
    ),
    "a weaker declared bot in the same queue": Number(
        _nothing,
        BOT + SECOND + "    capacity: 50\nqueues: [{name: Nurses, members: [Health Bot, Second Bot]}]",
        101,
        TOP,
    ),
}
STATED = {"maximum": "    capacity: maximum\nqueues", "a number": "    capacity: 5\nqueues"}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_exact_number(clinic: Site, name: str) -> None:
    number = NUMBERS[name]
    text = number.text.replace("queues", STATED.get(name, "queues"))
    number.set_up(clinic)
    change = clinic.changes(text).get("bot_user:Health Bot")
    fields = {field.field: field.after for field in change.fields} if change else {}
    if number.reason is None:
        assert "capacity" not in fields
        assert change is None or change.reason == ""
    else:
        assert fields["capacity"] == number.units
        assert change is not None
        assert change.reason == number.reason
    clinic.apply(text)
    found = clinic.one("SELECT msdyn_capacity FROM systemuser WHERE applicationid = ?", APPLICATION)
    assert found == number.units


def _both_by_hand(clinic: Site) -> None:
    clinic.bot(queue=names.NURSES)
    clinic.bot(OTHER_APPLICATION, names.NURSES)


def _second_by_hand(clinic: Site) -> None:
    clinic.bot(OTHER_APPLICATION, names.NURSES)


def _existing_second(units: int | None) -> SetUp:
    return lambda clinic: clinic.bot(OTHER_APPLICATION, msdyn_capacity=units)


EXISTING = f"""
  - {{name: Second Bot, application_id: {OTHER_APPLICATION}, existing: true}}
"""
BOTH = "queues: [{name: Nurses, members: [Health Bot, Second Bot]}]"
REFUSED = {
    "a person who has all there is": (
        _capacity("nurse.two@contoso.example", MAXIMUM),
        IN_NURSES,
        [
            f"bot_user:Health Bot: nobody can have more capacity than Nurse Two ({MAXIMUM}) in Nurses; lower it, or take that person out of the queue"
        ],
    ),
    "a live bot above it": (
        _stranger(500),
        IN_NURSES,
        ["bot_user:Health Bot: the bot Stranger (500) in Nurses has as much or more; use a number instead of highest"],
    ),
    "a live bot just as strong": (
        _stranger(101),
        IN_NURSES,
        ["bot_user:Health Bot: the bot Stranger (101) in Nurses has as much or more; use a number instead of highest"],
    ),
    "a declared bot above it": (
        _nothing,
        BOT + SECOND + "    capacity: 500\n" + BOTH,
        [
            "bot_user:Health Bot: the bot Second Bot (500) in Nurses has as much or more; use a number instead of highest"
        ],
    ),
    "a declared bot with the maximum": (
        _nothing,
        BOT
        + SECOND
        + "    capacity: maximum\n"
        + BOTH.replace("[Health", "{mode: exact, users: [Health").replace("Bot]", "Bot]}"),
        [
            f"bot_user:Health Bot: the bot Second Bot ({MAXIMUM}) in Nurses has as much or more; use a number instead of highest"
        ],
    ),
    "a declared bot that sits there by hand": (
        _second_by_hand,
        BOT + SECOND + "    capacity: 500\nqueues: [{name: Nurses, members: [Health Bot]}]",
        [
            "bot_user:Health Bot: the bot Second Bot (500) in Nurses has as much or more; use a number instead of highest"
        ],
    ),
    "two that say highest and meet by hand": (
        _both_by_hand,
        BOT + SECOND,
        [
            "bot_user:Health Bot: Second Bot is in the queue Nurses too, and also says highest; give one of them a number",
            "bot_user:Second Bot: Health Bot is in the queue Nurses too, and also says highest; give one of them a number",
        ],
    ),
    "an existing bot above it": (
        _existing_second(400),
        BOT + EXISTING + BOTH,
        [
            "bot_user:Health Bot: the bot Second Bot (400) in Nurses has as much or more; use a number instead of highest"
        ],
    ),
}


@pytest.mark.parametrize(("set_up", "text", "lines"), REFUSED.values(), ids=REFUSED.keys())
def test_no_such_number(clinic: Site, set_up: SetUp, text: str, lines: list[str]) -> None:
    set_up(clinic)
    found = clinic.refusal(text)
    assert [f"{note.id}: {note.message}" for note in found.notes] == lines
    assert found.exit_code == 1


@pytest.mark.parametrize("units", [None, 30])
def test_an_existing_weaker_bot_is_no_rival(clinic: Site, units: int | None) -> None:
    clinic.bot(OTHER_APPLICATION, msdyn_capacity=units)
    clinic.apply(BOT + EXISTING + BOTH)
    assert clinic.one("SELECT msdyn_capacity FROM systemuser WHERE applicationid = ?", APPLICATION) == 101


def test_an_existing_disabled_bot_is_no_rival(clinic: Site) -> None:
    row = clinic.bot(OTHER_APPLICATION, msdyn_capacity=4000)
    clinic.emulator.change("systemuser", row, isdisabled=1)
    clinic.apply(BOT + EXISTING + BOTH)
    assert clinic.one("SELECT msdyn_capacity FROM systemuser WHERE applicationid = ?", APPLICATION) == 101


def test_one_highest_beside_a_number_is_no_mistake(clinic: Site) -> None:
    clinic.apply(BOT + "    capacity: 60\n" + SECOND + BOTH)
    found = "SELECT msdyn_capacity FROM systemuser WHERE applicationid = ?"
    assert (clinic.one(found, APPLICATION), clinic.one(found, OTHER_APPLICATION)) == (60, 101)


def test_two_that_say_highest_in_one_queue_are_a_mistake_of_the_playbook() -> None:
    with pytest.raises(PlaybookError) as caught:
        desired(BOT + SECOND + BOTH)
    (mistake,) = caught.value.mistakes
    assert mistake.message == "Health Bot is in the queue Nurses too, and also says highest; give one of them a number"


@pytest.mark.parametrize("method", ["least active", "advanced round robin", "no assignment"])
def test_a_number_that_decides_nothing_is_a_warning(clinic: Site, method: str) -> None:
    text = BOT + f"queues: [{{name: New, assignment: {method}, members: [Health Bot]}}]"
    assert clinic.warnings(text) == [
        f"bot_user:Health Bot: the queue New hands out work by {method!r}: the bot's capacity decides nothing there"
    ]


@pytest.mark.parametrize(("code", "shown"), [(192350002, "custom"), (192350009, "option 192350009")])
def test_a_live_method_that_decides_otherwise_is_a_warning(clinic: Site, code: int, shown: str) -> None:
    clinic.emulator.change("queue", names.NURSES, msdyn_assignmentstrategy=code)
    assert clinic.warnings(IN_NURSES + "") == [
        f"bot_user:Health Bot: the queue Nurses hands out work by {shown!r}: the bot's capacity decides nothing there"
    ]


def _mistakes(text: str) -> list[Mistake]:
    wanted = desired(text)
    return [mistake for bot in wanted.of(SPECS["bot_user"]) for mistake in bot.check(wanted)]


def test_what_a_bot_to_be_made_needs() -> None:
    bare = f"bot_users: [{{name: Health Bot, application_id: {APPLICATION}}}]"
    with pytest.raises(PlaybookError) as caught:
        desired(bare)
    assert [mistake.message for mistake in caught.value.mistakes] == [
        "bot_application_id is missing: the bot ID shown when the Omnichannel channel is enabled",
        "email is missing: the platform requires an address, a made-up one will do",
    ]
    assert _mistakes(bare.replace("}]", ", existing: true}]")) == []


def test_what_two_bots_of_a_playbook_cannot_share() -> None:
    with pytest.raises(PlaybookError) as caught:
        desired(BOT + SECOND.replace(OTHER_BOT_ID, "9B1E6C2D-4A7F-4C1B-9E0D-3F5A7B8C9D01"))
    (mistake,) = caught.value.mistakes
    assert mistake.message == "Health Bot has this bot ID too, and Omnichannel cannot tell two such users apart"


def test_a_bot_is_not_called_like_an_address() -> None:
    with pytest.raises(PlaybookError, match="a bot's name cannot hold '@'"):
        desired(BOT.replace("name: Health Bot", "name: bot@home"))
