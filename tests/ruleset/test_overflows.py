"""Overflow settings out of the rule sets that hold them."""

from __future__ import annotations

import pytest

from d365setup.ruleset import OverflowRule, RuleSetError, read_overflow

from .documents import sample

ACTION = "7d2e1f30-1b2c-4d4e-9f50-0000000000{}".format


def test_stored_ones() -> None:
    before = read_overflow(sample("overflow-prequeue.xml"))
    assert [(each.name, each.when, each.limit, each.action_id) for each in before] == [
        ("Long wait", "estimated wait", 300, ACTION(91)),
        ("Long queue", "work items", 20, ACTION(92)),
    ]
    assert before[1].text == "queue_prequeue.currentqueuesize not-null and queue_prequeue.currentqueuesize >= 20"
    (inside,) = read_overflow(sample("overflow-inqueue.xml").replace("\n", "\r\n"))
    assert (inside.when, inside.limit, inside.action_id) == ("waited", 90, ACTION(93))
    assert read_overflow("<decision><rules/></decision>") == ()


def condition(subject: str, operator: str, value: str = "", extra: str = "") -> str:
    side = f'<rhs type="staticvalue"{extra}>{value}</rhs>' if value else ""
    return f'<condition operator="{operator}"><lhs type="attribute">{subject}</lhs>{side}</condition>'


def overflow(conditions: str, action: str = "") -> OverflowRule:
    text = f'<decision><rules><rule id="1" name="R">{conditions}<action>{action}</action></rule></rules></decision>'
    (found,) = read_overflow(text)
    return found


HOURS, ITEMS = "queue_prequeue.iswithinoperatinghour", "queue_prequeue.currentqueuesize"
WAIT, WAITED = "queue_prequeue.estimatedwaittimeinminutes", "queue_inqueue.lapsedwaittime"
MEANINGS = {
    "out of hours": (condition(HOURS, "not-null") + condition(HOURS, "==", "False"), "out of hours", None),
    "in hours": (condition(HOURS, "==", "true"), "unknown", None),
    "hours compared oddly": (condition(HOURS, "!=", "false"), "unknown", None),
    "more than": (condition(ITEMS, ">", "3"), "work items", 4),
    "less than": (condition(ITEMS, "&lt;", "3"), "unknown", None),
    "no number": (condition(ITEMS, ">=", "many"), "unknown", None),
    "a huge number": (condition(ITEMS, ">=", "9" * 5000), "unknown", None),
    "items with a unit": (condition(ITEMS, ">=", "3", ' unit="seconds"'), "unknown", None),
    "minutes": (condition(WAIT, ">=", "2"), "estimated wait", 120),
    "a wait in minutes": (condition(WAITED, ">=", "2", ' unit="minutes"'), "waited", 120),
    "a wait in moons": (condition(WAITED, ">=", "2", ' unit="moons"'), "unknown", None),
    "a wait without unit": (condition(WAITED, ">=", "2"), "unknown", None),
    "a guard of something else": (condition(HOURS, "not-null") + condition(ITEMS, ">=", "3"), "unknown", None),
    "two comparisons": (condition(ITEMS, ">=", "3") + condition(ITEMS, ">=", "4"), "unknown", None),
    "a guard alone": (condition(ITEMS, "not-null"), "unknown", None),
    "alternatives": (
        f'<logical operator="OR">{condition(ITEMS, ">=", "3")}{condition(HOURS, "==", "false")}</logical>',
        "unknown",
        None,
    ),
    "always": ("", "unknown", None),
    "another subject": (condition("agent.x", ">=", "3"), "unknown", None),
    "a context variable": (condition("liveworkitemcontext.X", "==", "3"), "unknown", None),
}


@pytest.mark.parametrize(("xml", "when", "limit"), MEANINGS.values(), ids=MEANINGS)
def test_meanings(xml: str, when: str, limit: int | None) -> None:
    found = overflow(xml)
    assert (found.when, found.limit, found.action_id) == (when, limit, "")


def test_an_action_that_is_no_single_id_is_none() -> None:
    def sets(value: str) -> str:
        name = "overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid"
        lhs = f'<lhs type="attribute">{name}</lhs>'
        return f'<setattribute>{lhs}<rhs type="staticvalue">{value}</rhs></setattribute>'

    one = "{7D2E1F30-1B2C-4D4E-9F50-000000000091}"
    assert overflow("", sets(one)).action_id == ACTION(91)
    assert overflow("", sets("nothing")).action_id == ""
    assert overflow("", sets(one) + sets(one)).action_id == ""


def test_a_text_that_is_no_rule_set() -> None:
    with pytest.raises(RuleSetError, match="not well-formed"):
        read_overflow("<decision>")
