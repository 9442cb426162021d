"""How a patient comes to a bot: whether a work stream leads there at all, and with which values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from d365setup.audit.destinations import destinations, live_rules, targets
from d365setup.center import ContactCenter, User, Workstream
from d365setup.conditions import All, AnyOf, Condition, Operator, Test
from d365setup.routing import Value


def leads_to(center: ContactCenter, stream: Workstream, bot: User) -> bool:
    """Whether a work stream has this bot as its own, or a queue with the bot as a destination."""
    queues = (each.queue for each in destinations(center, stream))
    return stream.bot_user_id == bot.row_id or any(bot.row_id == each.row_id for queue in queues for each in queue.bots)


def start(center: ContactCenter, stream: Workstream, bot: User) -> Mapping[str, Value]:
    """The values with which a patient comes to the bot: those that the first rule which leads to it asks for."""
    if stream.bot_user_id == bot.row_id:
        return {}
    for rule in live_rules(stream):
        queues = (center.queue(row_id) for row_id in targets(rule))
        if any(bot.row_id == each.row_id for queue in queues if queue for each in queue.bots):
            return _meeting(rule.condition)
    return {}


def _meeting(condition: Condition) -> dict[str, Value]:
    """Values that meet a condition, as far as that can be told without trying."""
    match condition:
        case Test(variable, operator):
            return {variable: _value(operator, condition.texts)}
        case All(parts):
            return {name: value for part in parts for name, value in _meeting(part).items()}
        case AnyOf(parts) if parts:
            return _meeting(parts[0])
    return {}


def _value(operator: Operator, texts: Sequence[str]) -> Value:
    if operator is Operator.HAS_A_VALUE:
        return "anything"
    text = texts[0] if texts else ""
    is_number = text.lstrip("-").isascii() and text.lstrip("-").isdigit()
    if operator is Operator.MORE_THAN and is_number:
        return int(text) + 1
    return int(text) if operator is Operator.AT_LEAST and is_number else text
