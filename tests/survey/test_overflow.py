"""Overflow rule sets to lines: the three captured shapes, and everything else as unknown with its text."""

from __future__ import annotations

import pytest

from d365setup.center import Overflow
from d365setup.survey.overflow import overflow_of

from . import rule_text

QUEUE = "11111111-aaaa-4aaa-8aaa-000000000002"
END, MOVE, STAY, VOICE, LOST = (f"22222222-bbbb-4bbb-8bbb-00000000000{number}" for number in range(5))
ACTIONS = {
    END: {"msdyn_overflowactiontype": 192350001, "msdyn_overflowactiondata": None},
    MOVE: {"msdyn_overflowactiontype": 192350005, "msdyn_overflowactiondata": f"{{{QUEUE.upper()}}}"},
    STAY: {"msdyn_overflowactiontype": 192350006},
    VOICE: {"msdyn_overflowactiontype": 192350004},
}
WAIT, SIZE, OPEN, LAPSED = (
    rule_text.WHEN[each][0] for each in ("estimated wait", "work items", "out of hours", "waited")
)


def line(condition: str, action: str = END) -> Overflow:
    """What one rule comes to, its conditions as written."""
    config = "overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid"
    act = f"<action>{rule_text.sets(config, f'{{{action}}}')}</action>"
    (found,) = overflow_of(rule_text.text([f'<rule id="x" name="Rule1">{act}{condition}</rule>']), ACTIONS)
    return found


def compared(attribute: str = SIZE, operator: str = "&gt;=", value: str = "2", unit: str = "") -> str:
    told = f' unit="{unit}"' if unit else ""
    side = f'<rhs type="staticvalue"{told}>{value}</rhs>'
    return f'<condition operator="{operator}"><lhs type="attribute">{attribute}</lhs>{side}</condition>'


def guard(attribute: str) -> str:
    return f'<condition operator="not-null"><lhs type="attribute">{attribute}</lhs></condition>'


def group(inner: str, operator: str = "AND") -> str:
    return f'<logical operator="{operator}">{inner}</logical>'


KNOWN = [  # the first three as captured, the fourth as a public tool lists it
    (group(guard(WAIT) + compared(WAIT, value="1")), "estimated wait", 60),
    (group(guard(SIZE) + compared(SIZE)), "work items", 2),
    (guard(LAPSED) + compared(LAPSED, value="30", unit="seconds"), "waited", 30),
    (group(group(guard(OPEN) + compared(OPEN, "==", "false"))), "out of hours", None),
    (compared(LAPSED, value="2", unit="minutes"), "waited", 120),
    (compared(SIZE, "&gt;", "9"), "work items", 10),
    (compared(LAPSED, "&gt;", "30"), "waited", 31),
    (group(compared(OPEN, "==", "False")), "out of hours", None),
]


@pytest.mark.parametrize(("condition", "when", "limit"), KNOWN)
def test_what_a_line_waits_for(condition: str, when: str, limit: int | None) -> None:
    assert line(condition) == Overflow(when, "end conversation", limit, "", "Rule1")  # type: ignore[arg-type]  # from the table


UNKNOWN = [
    "",
    guard(SIZE),
    compared(OPEN, "==", "true"),
    compared(OPEN, "!=", "false"),
    compared(SIZE, "&lt;"),
    compared(SIZE, value="many"),
    compared(SIZE, value="²"),
    compared(SIZE, value="1" * 40),
    compared(LAPSED, unit="fortnights"),
    compared("queue_prequeue.somethingelse"),
    compared().replace('<rhs type="staticvalue">2</rhs>', ""),
    group(compared(SIZE) + compared(WAIT)),
    group(compared(SIZE), "OR"),
    group(compared(SIZE), "NAND"),
    compared(SIZE) + "<else/>",
]


@pytest.mark.parametrize("condition", UNKNOWN)
def test_what_nobody_understands_is_unknown(condition: str) -> None:
    found = line(condition)
    assert (found.when, found.limit, found.action) == ("unknown", None, "end conversation")


def test_an_unknown_line_shows_its_conditions() -> None:
    assert line(group(compared(SIZE, "&lt;"), "OR")).text == f"{SIZE} < 2"


@pytest.mark.parametrize(
    ("action", "found", "queue", "text"),
    [
        (MOVE, "transfer", QUEUE, ""),
        (STAY, "assign anyway", "", ""),
        (VOICE, "unknown", "", "overflow action of the kind 192350004"),
        (LOST, "unknown", "", f"its overflow action {LOST} is not there"),
        ("no id", "unknown", "", "it names no overflow action"),
    ],
)
def test_actions(action: str, found: str, queue: str, text: str) -> None:
    told = line(compared(), action)
    assert (told.when, told.action, told.queue_id, told.text) == ("work items", found, queue, text)


def test_a_transfer_to_nowhere_is_unknown() -> None:
    rows = {MOVE: {"msdyn_overflowactiontype": 192350005, "msdyn_overflowactiondata": "a queue"}}
    text = rule_text.text([rule_text.overflow_rule("Rule1", "work items", 5, MOVE)])
    assert [each.action for each in overflow_of(text, rows)] == ["unknown"]


@pytest.mark.parametrize("text", ["<decision", "<contract/>", "not XML"])
def test_a_text_that_is_none_is_one_unknown_line(text: str) -> None:
    (found,) = overflow_of(text, ACTIONS)
    assert (found.when, found.action) == ("unknown", "unknown")
    assert found.text


def test_no_text_is_no_line() -> None:
    assert overflow_of("", ACTIONS) == ()
