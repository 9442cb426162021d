"""What happens to a conversation, and what became of it: the values the routing engine speaks in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

Value: TypeAlias = str | int


@dataclass(frozen=True)
class Start:
    """A patient begins, with these context variables."""

    context: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Escalated:
    """The bot hands over, with these context variables. ``bot`` names it; "" is whoever has the conversation."""

    context: Mapping[str, Value] = field(default_factory=dict)
    bot: str = ""


@dataclass(frozen=True)
class Transferred:
    """A person hands the conversation to a queue, by its name."""

    queue: str


@dataclass(frozen=True)
class Ended:
    """Somebody closes the conversation."""


Event: TypeAlias = Start | Escalated | Transferred | Ended


class Reading(StrEnum):
    """How texts are compared, which no page says for certain: a verdict is safe where both readings agree."""

    STRICT = "strict"  # exact, upper and lower case included
    LOOSE = "loose"  # case and surrounding blanks do not count, text that is a number compares as one


Matched = Literal["matched", "not matched", "disabled", "cannot decide"]


@dataclass(frozen=True)
class RuleResult:
    """What one rule said. ``queue`` is where it leads: a queue's name, or what it does instead."""

    rule_id: str
    name: str
    result: Matched
    condition: str = ""  # for people
    why: str = ""
    queue: str = ""
    queue_id: str = ""


@dataclass(frozen=True)
class Candidate:
    """One member of the chosen queue: whether the conversation can go there, and why (not)."""

    name: str
    row_id: str
    is_bot: bool
    eligible: bool
    why: str
    units: int = 0


ChosenBy = Literal[
    "rule", "fallback queue", "work stream bot", "overflow", "transfer", "nothing", "cannot decide", "end"
]
Answer = Literal["bot", "person", "nobody", "unknown"]


@dataclass(frozen=True)
class Leg:
    """One event and what came of it.

    ``answer`` says who gets the conversation, ``answered_by`` names them ("" for nobody or unknown). ``closed``: it is
    over. ``waits``: it waits for ever, nobody in the queue will ever be given it. ``notes`` are sentences for people.
    """

    event: Event
    context: Mapping[str, Value] = field(default_factory=dict)  # after the event
    rules: tuple[RuleResult, ...] = ()
    chosen_by: ChosenBy = "nothing"
    rule: str = ""
    queue: str = ""
    queue_id: str = ""
    candidates: tuple[Candidate, ...] = ()
    answer: Answer = "nobody"
    answered_by: str = ""
    closed: bool = False
    waits: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Journey:
    """A whole conversation under one reading."""

    reading: Reading
    legs: tuple[Leg, ...] = ()

    @property
    def last(self) -> Leg:
        """How it stands in the end."""
        return self.legs[-1]


@dataclass(frozen=True)
class Simulation:
    """The same conversation under both readings, and what was assumed. ``differences`` are sentences for people."""

    workstream: str
    at: datetime
    strict: Journey
    loose: Journey
    assumptions: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether both readings come to the same end at every step."""
        return not self.differences
