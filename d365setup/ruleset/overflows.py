"""Overflow rule sets: when a queue has too much, and which stored action answers to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from d365setup.conditions import All, Comparison, Condition, Foreign, describe
from d365setup.ruleset.reading import Rule, read
from d365setup.ruleset.targets import guid

When = Literal["out of hours", "work items", "estimated wait", "waited", "unknown"]

_ACTION = "overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid"
# The hours' attribute is in no capture; two public tools that read live overflow rule sets both name it so.
_HOURS, _ITEMS = "queue_prequeue.iswithinoperatinghour", "queue_prequeue.currentqueuesize"
_ESTIMATED, _WAITED = "queue_prequeue.estimatedwaittimeinminutes", "queue_inqueue.lapsedwaittime"
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}  # only seconds were ever seen stored
_MOST_DIGITS = 9


@dataclass(frozen=True)
class OverflowRule:
    """One line of overflow settings; ``limit`` is a number of work items, or seconds for the waits.

    ``action_id`` is the row of `msdyn_overflowactionconfig` that says what is done, "" where none is named.
    ``text`` is the condition for people.
    """

    name: str
    when: When
    limit: int | None = None
    action_id: str = ""
    text: str = ""


def read_overflow(text: str) -> tuple[OverflowRule, ...]:
    """The lines of an overflow rule set, in order; raises RuleSetError for a text that is no rule set.

    A condition of another form than the stored ones is `unknown`, never a guess.
    """
    return tuple(_line(rule) for rule in read(text).rules)


def _line(rule: Rule) -> OverflowRule:
    when, limit = _meaning(rule.condition)
    actions = [guid(value or "") for attribute, value in rule.sets if attribute == _ACTION]
    action = actions[0] if len(actions) == 1 else None
    return OverflowRule(rule.name, when, limit, action or "", describe(rule.condition))


def _meaning(condition: Condition) -> tuple[When, int | None]:
    """One comparison, beside the guard the designer puts before it."""
    parts = tuple(_flat(condition))
    found = [part for part in parts if part is None or part.operator != "not-null"]
    if len(found) != 1 or found[0] is None:
        return "unknown", None
    if any(part is not None and part.subject != found[0].subject for part in parts):
        return "unknown", None
    return _compared(found[0])


def _flat(condition: Condition) -> Iterable[Comparison | None]:
    if isinstance(condition, All):
        return [inner for part in condition.parts for inner in _flat(part)]
    return [condition.comparison if isinstance(condition, Foreign) else None]


def _compared(one: Comparison) -> tuple[When, int | None]:
    value = (one.value or "").strip()
    if one.subject == _HOURS:
        return ("out of hours", None) if one.operator == "==" and value.lower() == "false" else ("unknown", None)
    limit = _limit(one.operator, value)
    if limit is None:
        return "unknown", None
    if one.subject == _ITEMS and not one.unit:
        return "work items", limit
    if one.subject == _ESTIMATED and not one.unit:
        return "estimated wait", limit * 60
    if one.subject == _WAITED and one.unit in _UNITS:
        return "waited", limit * _UNITS[one.unit]
    return "unknown", None


def _limit(operator: str, value: str) -> int | None:
    """The number from which on the comparison holds."""
    if not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS):
        return None
    return {">=": int(value), ">": int(value) + 1}.get(operator)
