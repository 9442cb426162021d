"""The routing engine: where a conversation goes, and why. Pure (routing facts, section 5)."""

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
)

__all__ = [
    "Candidate",
    "Ended",
    "Escalated",
    "Event",
    "Journey",
    "Leg",
    "Reading",
    "RuleResult",
    "Simulation",
    "Start",
    "Transferred",
]
