"""A rule's action: where it sends a conversation, read and written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from d365setup.ruleset.criteria import left, own_attributes
from d365setup.ruleset.markup import Element, RuleSetError
from d365setup.ruleset.writing import Tag

_QUEUE = "assign_to.queue"
_OVERFLOW = "prequeue_overflow_ruleset.msdyn_decisionruleset.msdyn_decisionrulesetid"
_SPLIT_QUEUE, _SPLIT_PERCENTAGE = "queuedetails.queueid", "queuedetails.percentage"
_SPLIT = "percentagebaseddistribution"

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """What a rule does with a conversation; see Rule for the fields."""

    queue: str | None
    action: str
    overflow: str | None
    shares: tuple[tuple[str, str], ...]
    sets: tuple[tuple[str, str | None], ...] = ()


def read_target(rule: Element) -> Target:
    """What the rule's action does, described in a few words where it is not one queue."""
    actions = rule.named("action")
    value = queue_value(rule)
    overflows = [guid(text) for action in actions for text in _assigned_texts(action, _OVERFLOW)]
    return Target(
        queue=guid(value.text) if value else None,
        action="queue" if value else _described(actions),
        overflow=overflows[0] if overflows else None,
        shares=tuple(share for action in actions for share in _shares(action)),
        sets=tuple(each for action in actions for each in _sets(action)),
    )


def queue_value(rule: Element) -> Element | None:
    """The right-hand side that holds the queue, when the rule's action assigns exactly one."""
    actions = rule.named("action")
    if len(actions) != 1 or any(child.name != "setattribute" for child in actions[0].children):
        return None
    values = _assigned(actions[0], _QUEUE)
    plain = len(values) == 1 and not values[0].children and guid(values[0].text)
    return values[0] if plain else None


def queue_references(element: Element) -> list[str]:
    """Every queue id in an element as it is written there, with or without braces."""
    texts = _assigned_texts(element, _QUEUE) + _assigned_texts(element, _SPLIT_QUEUE)
    return [text for text in texts if guid(text)]


def action_tag(queue: str, *, braces: bool) -> Tag:
    """The action that assigns one queue."""
    value = f"{{{queue}}}" if braces else queue
    subject = Tag("lhs", {"type": "attribute"}, _QUEUE)
    return Tag("action", {}, (Tag("setattribute", {}, (subject, Tag("rhs", {"type": "staticvalue"}, value))),))


def guid(text: str) -> str | None:
    """The id in a text that is nothing but one, braces or not, in lower case without them."""
    bare = text.strip()
    if bare.startswith("{") and bare.endswith("}"):
        bare = bare[1:-1]
    return bare.lower() if _GUID.fullmatch(bare) else None


def find_guid(text: str) -> re.Match[str] | None:
    """The first id in a text, without the braces around it."""
    return _GUID.search(text)


def wanted_guid(text: str, what: str) -> str:
    """As `guid`; raises RuleSetError when there is none."""
    found = guid(text)
    if found is None:
        raise RuleSetError(f"{text!r} is no id for {what}; an id has 32 hexadecimal digits and four hyphens.")
    return found


def _described(actions: list[Element]) -> str:
    if len(actions) != 1:
        return "several actions" if actions else "no action"
    action = actions[0]
    if any(target.text.strip() == _SPLIT for target in _within(action, "target")):
        return "percentage split"
    if len(_assigned(action, _QUEUE)) > 1:
        return "several queues"
    names = [left(item) or "?" for item in _within(action, "setattribute")]
    return f"sets {', '.join(names)}" if names else "no queue"


def _shares(action: Element) -> Iterator[tuple[str, str]]:
    for record in _within(action, "record"):
        queue = "".join(_assigned_texts(record, _SPLIT_QUEUE))
        yield guid(queue) or queue, "".join(_assigned_texts(record, _SPLIT_PERCENTAGE))


def _sets(action: Element) -> Iterator[tuple[str, str | None]]:
    """Each attribute the action sets by itself, with its value; None for one that is not a plain text."""
    for item in action.named("setattribute"):
        sides = item.named("rhs")
        plain = len(sides) == 1 and own_attributes(sides[0]) == {"type": "staticvalue"} and not sides[0].children
        yield left(item), sides[0].text if plain else None


def _assigned(element: Element, attribute: str) -> list[Element]:
    """The right-hand sides of what is assigned to this attribute anywhere inside."""
    items = (item for item in _within(element, "setattribute") if left(item) == attribute)
    return [side for item in items for side in item.named("rhs")]


def _assigned_texts(element: Element, attribute: str) -> list[str]:
    return [side.text.strip() for side in _assigned(element, attribute)]


def _within(element: Element, name: str) -> Iterator[Element]:
    for child in element.children:
        if child.name == name:
            yield child
        yield from _within(child, name)
