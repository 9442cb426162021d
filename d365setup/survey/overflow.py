"""Overflow rule sets: XML to the lines of a queue's overflow settings. What is not plainly understood stays unknown.

Attributes and shape: three captured rule sets (routing facts, section 1.3) and one public tool that lists the
attributes of a live organization (medium).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from d365setup.center import Overflow, OverflowAction, OverflowWhen
from d365setup.ruleset import RuleSetError
from d365setup.ruleset.criteria import left
from d365setup.ruleset.markup import Element, parse
from d365setup.ruleset.targets import guid

Row = Mapping[str, Any]

_CONFIG = "overflowaction.msdyn_overflowactionconfig.msdyn_overflowactionconfigid"
_ACTIONS: Mapping[int, OverflowAction] = {  # msdyn_overflowactiontype; the others belong to voice
    192350001: "end conversation",
    192350005: "transfer",
    192350006: "assign anyway",  # "Remain In Queue"; that the page's "assign anyway" is this one is inference
}
_HOURS = "queue_prequeue.iswithinoperatinghour"
_LIMITS: Mapping[str, tuple[OverflowWhen, int]] = {  # attribute -> what it measures, seconds or items to one of it
    "queue_prequeue.currentqueuesize": ("work items", 1),
    "queue_prequeue.estimatedwaittimeinminutes": ("estimated wait", 60),
    "queue_inqueue.lapsedwaittime": ("waited", 1),
}
_LONGEST = 300


def overflow_of(text: str, actions: Mapping[str, Row] | None) -> tuple[Overflow, ...]:
    """The lines of a text; ``actions`` are the overflow actions by id, None where they could not be read."""
    if not text:
        return ()
    try:
        root = parse(text, "decision", "rule set").root
    except RuleSetError as error:
        return (Overflow("unknown", "unknown", text=str(error)[:_LONGEST]),)
    rules = (rule for each in root.named("rules") for rule in each.named("rule"))
    return tuple(_line(rule, actions) for rule in rules)


def _line(rule: Element, actions: Mapping[str, Row] | None) -> Overflow:
    when, limit = _when(rule)
    action, queue_id, shown = _action(rule, actions)
    odd = "; ".join(_texts(rule)) if when == "unknown" else shown if action == "unknown" else ""
    return Overflow(when, action, limit, queue_id, rule.attributes.get("name", ""), odd[:_LONGEST])


def _when(rule: Element) -> tuple[OverflowWhen, int | None]:
    """What the line waits for: the one comparison beside the designer's guards, in groups that all must hold."""
    found = list(_conditions(rule))
    tests = [each for each in found if each and each.attributes.get("operator") != "not-null"]
    if None in found or len(tests) != 1 or tests[0] is None:
        return "unknown", None
    test = tests[0]
    operator, sides = test.attributes.get("operator"), test.named("rhs")
    if len(sides) != 1:
        return "unknown", None
    value, unit = sides[0].text.strip().lower(), sides[0].attributes.get("unit", "")
    if left(test) == _HOURS:
        return ("out of hours", None) if (operator, value) == ("==", "false") else ("unknown", None)
    return _limited(left(test), operator or "", value, unit)


def _limited(attribute: str, operator: str, value: str, unit: str) -> tuple[OverflowWhen, int | None]:
    when, factor = _LIMITS.get(attribute, ("unknown", 1))
    factors = {"": factor, "seconds": 1, "minutes": 60}
    plain = value.isascii() and value.isdigit() and len(value) < 10  # far beyond any limit
    if when == "unknown" or operator not in {">=", ">"} or not plain or unit not in factors:
        return "unknown", None
    if operator == ">" and when != "work items":
        return when, int(value) * factors[unit] + 1
    return when, (int(value) + (operator == ">")) * factors[unit]


def _conditions(element: Element) -> Iterator[Element | None]:
    """Every condition of a rule; None for a part that need not hold."""
    for child in element.children:
        if child.name == "condition":
            yield child
        elif child.name == "logical" and child.attributes.get("operator", "").upper() == "AND":
            yield from _conditions(child)
        elif child.name != "action":
            yield None


def _action(rule: Element, actions: Mapping[str, Row] | None) -> tuple[OverflowAction, str, str]:
    """What happens, where a transfer goes, and what to show where it is not known."""
    items = (item for action in rule.named("action") for item in action.named("setattribute"))
    ids = [guid(side.text) for item in items if left(item) == _CONFIG for side in item.named("rhs")]
    if len(ids) != 1 or ids[0] is None:
        return "unknown", "", "it names no overflow action"
    if actions is None:
        return "unknown", "", "overflow actions could not be read"
    row = actions.get(ids[0])
    if row is None:
        return "unknown", "", f"its overflow action {ids[0]} is not there"
    kind = row.get("msdyn_overflowactiontype")
    action = _ACTIONS.get(kind or 0, "unknown")
    target = guid(str(row.get("msdyn_overflowactiondata") or "")) or ""
    if action == "transfer" and not target:
        return "unknown", "", "its transfer names no queue"
    shown = f"overflow action of the kind {kind}" if action == "unknown" else ""
    return action, target if action == "transfer" else "", shown


def _texts(element: Element) -> Iterator[str]:
    for child in element.children:
        if child.name == "condition":
            value = " ".join(side.text.strip() for side in child.named("rhs"))
            yield f"{left(child) or '?'} {child.attributes.get('operator', '?')} {value}".strip()
        elif child.name != "action":
            yield from _texts(child)
