"""The routing engine: where a conversation goes, and why. Pure (routing facts, section 5)."""

from d365setup.routing.contexts import is_monotone, minimal_escalations
from d365setup.routing.deciding import catches, decide, undecidable
from d365setup.routing.engine import NotThere, UnknownBot, UnknownQueue, UnknownWorkstream, simulate
from d365setup.routing.hours import is_open, next_opening
from d365setup.routing.journey import (
    Candidate,
    Ended,
    Escalated,
    Event,
    Journey,
    Leg,
    Reading,
    RuleResult,
    Simulation,
    Start,
    Transferred,
    Value,
)
from d365setup.routing.occupancy import Occupancy

__all__ = [
    "Candidate",
    "Ended",
    "Escalated",
    "Event",
    "Journey",
    "Leg",
    "NotThere",
    "Occupancy",
    "Reading",
    "RuleResult",
    "Simulation",
    "Start",
    "Transferred",
    "UnknownBot",
    "UnknownQueue",
    "UnknownWorkstream",
    "Value",
    "catches",
    "decide",
    "is_monotone",
    "is_open",
    "minimal_escalations",
    "next_opening",
    "simulate",
    "undecidable",
]
