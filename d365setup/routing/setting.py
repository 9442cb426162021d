"""What stays the same while a conversation is followed: the center, the work stream, the moment, the reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from d365setup.center import ContactCenter, Queue, RuleSet, Workstream
from d365setup.conditions import Condition
from d365setup.routing.deciding import Answer, Doubt, decide
from d365setup.routing.journey import Reading, Value
from d365setup.routing.occupancy import Occupancy

_QUEUE_TYPES = {192350000: "record", 192440000: "voice"}  # msdyn_streamsource; every other channel is messaging


@dataclass(frozen=True)
class Known:
    """A conversation's context variables, and which of them are in doubt."""

    context: Mapping[str, Value]
    doubt: Doubt


@dataclass(frozen=True)
class Setting:
    """Where and when a conversation happens, and how texts are compared."""

    center: ContactCenter
    stream: Workstream
    at: datetime
    occupancy: Occupancy
    reading: Reading

    def decide(self, condition: Condition, known: Known) -> Answer:
        """Whether a condition holds for a conversation."""
        return decide(condition, known.context, self.stream.variables, self.reading, known.doubt)

    def any_matches(self, rule_set: RuleSet, known: Known) -> Answer:
        """Whether any enabled rule of a set matches."""
        if rule_set.problem:
            return None
        rules = (rule for rule in rule_set.rules if not rule_set.is_disabled(rule))
        answers = {self.decide(rule.condition, known) for rule in rules}
        return True if True in answers else None if None in answers else False

    def wrong_type(self, queue: Queue) -> str:
        """Why the work stream's conversations do not belong into a queue; "" where they do or nobody can tell."""
        channel = self.stream.channel
        wanted = "" if channel is None else _QUEUE_TYPES.get(channel, "messaging")
        if not wanted or queue.type == wanted:
            return ""
        return f"{queue.name} is a {queue.type or 'different'} queue and the work stream needs a {wanted} one"
