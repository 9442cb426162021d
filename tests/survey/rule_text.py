"""Rule set XML as the designer stores it, for environments that tests build (routing facts, section 1.3)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

WHEN = {  # what an overflow line looks at, how, and the flag it sets
    "out of hours": ("queue_prequeue.iswithinoperatinghour", "==", "outofoperatinghoursoverflow"),
    "work items": ("queue_prequeue.currentqueuesize", "&gt;=", "queuesizeoverflow"),
    "estimated wait": ("queue_prequeue.estimatedwaittimeinminutes", "&gt;=", "estimatedwaittimeoverflow"),
    "waited": ("queue_inqueue.lapsedwaittime", "&gt;=", "lapsedwaittimeoverflow"),
}


def compares(variable: str, operator: str, value: str | int) -> str:
    """One comparison of a context variable; `operator` is the stored token (`==`, `>`, `>=`)."""
    return _condition(f"liveworkitemcontext.{variable}", escape(operator), f"{_static(escape(str(value)))}")


def equals(variable: str, value: str | int) -> str:
    return compares(variable, "==", value)


def has_value(variable: str) -> str:
    return _condition(f"liveworkitemcontext.{variable}", "not-null", "")


def one_of(variable: str, *values: str) -> str:
    """A nested OR of comparisons."""
    return f'<logical operator="OR">{"".join(equals(variable, each) for each in values)}</logical>'


def rule(name: str, condition: str | None, action: str, rule_id: str = "") -> str:
    """A rule in the designer's layout: the conditions inside two AND groups. No condition: it always holds."""
    when = f'<logical operator="AND"><logical operator="AND">{condition}</logical></logical>' if condition else ""
    row_id = rule_id or str(uuid.uuid4())
    return f'<rule id="{row_id}" name={quoteattr(name)}>{when}<action>{action}</action></rule>'


def sends(queue: str) -> str:
    """The action that sends a conversation to one queue."""
    return sets("assign_to.queue", f"{{{queue}}}")


def splits(shares: Iterable[tuple[str, int]]) -> str:
    """The action that spreads conversations over queues by percentages."""
    records = "".join(
        f"<record>{sets('queuedetails.queueid', f'{{{queue}}}')}{sets('queuedetails.percentage', str(part))}</record>"
        for queue, part in shares
    )
    return f"<upsertrecords><target>percentagebaseddistribution</target><records>{records}</records></upsertrecords>"


def sets(attribute: str, value: str) -> str:
    subject = f'<lhs type="attribute">{escape(attribute)}</lhs>'
    return f"<setattribute>{subject}{_static(escape(value))}</setattribute>"


def text(rules: Iterable[str], hit_policy: str = "all") -> str:
    """The whole rule set."""
    return f'<decision hit-policy="{hit_policy}" version="1"><rules>{"".join(rules)}</rules></decision>'


def overflow_rule(name: str, when: str, limit: int | None, action_id: str) -> str:
    """One overflow line. ``limit`` is a number of items, minutes of an estimate, or seconds waited."""
    attribute, operator, flag = WHEN[when]
    value = "false" if limit is None else str(limit)
    unit = ' unit="seconds"' if when == "waited" else ""
    guard = _condition(attribute, "not-null", "")
    test = _condition(attribute, operator, f'<rhs type="staticvalue"{unit}>{value}</rhs>')
    config = "overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid"
    action = sets(f"overflow.{flag}", "true") + sets(config, f"{{{action_id}}}")
    when_text = guard + test if when == "waited" else f'<logical operator="AND">{guard}{test}</logical>'
    row_id = uuid.uuid4()
    return f'<rule id="{row_id}" name={quoteattr(name)}><action>{action}</action>{when_text}</rule>'


def _condition(attribute: str, operator: str, right: str) -> str:
    subject = f'<lhs type="attribute">{escape(attribute)}</lhs>'
    return f'<condition operator="{operator}">{subject}{right}</condition>'


def _static(value: str) -> str:
    return f'<rhs type="staticvalue">{value}</rhs>'
