"""The other side of a playbook: a service beside Dataverse that is brought in line behind it, in the same run.

Dataverse comes first, and whole: a bot that hands over what no work stream knows fails silently. Taking back goes the
other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from d365setup.apply import Settings, failure_of
from d365setup.dataverse.errors import DataverseError
from d365setup.journal import Recording
from d365setup.model import Change, Cost, Errand, LiveState, Note, Spec
from d365setup.outcome import Outcome, Status, Traffic
from d365setup.plan import Differ

_FINE = frozenset({Status.VERIFIED, Status.MANUAL})


class OtherSide(Protocol):
    """What a session needs of it. Reading and sending raise DataverseError."""

    @property
    def kinds(self) -> Mapping[str, Differ]:
        """Its kinds, in their order."""

    @property
    def specs(self) -> Sequence[Spec]:
        """What the playbook says should be there."""

    @property
    def traffic(self) -> Traffic:
        """What went over its wire so far."""

    def look(self, live: LiveState, /) -> LiveState:
        """The live state, with what is there as well."""

    def price(self, errand: Errand, /) -> Cost:
        """What looking and then running this errand takes."""

    def carry_out(self, errand: Errand, settings: Settings, /) -> Iterator[Outcome]:
        """Send, read back, compare: an outcome for each change, unless nobody knows; DataverseError is raised then."""

    def take_back(self, recording: Recording, /) -> Errand:
        """What takes back what a run did there, as things stand now."""

    def settled(self, recording: Recording, /) -> dict[int, bool | None]:
        """Of each change set without an answer that went there: whether it landed; None where nobody knows."""


def followed(
    here: Iterable[Outcome | Note], errand: Errand, other: OtherSide | None, settings: Settings
) -> Iterator[Outcome | Note]:
    """What comes of Dataverse's side, then of the other; nothing is sent there after anything went wrong here."""
    trouble = ""
    try:
        for event in here:
            if isinstance(event, Outcome) and event.status not in _FINE:
                trouble = trouble or f"{event.change.id} is {event.status.value}"
            yield event
    except (Exception, KeyboardInterrupt):
        yield from _not_tried(errand.changes, "not tried: the apply ended before")
        raise
    if other is None or trouble:
        yield from _not_tried(errand.changes, f"not tried: Dataverse comes first, and {trouble}")
    else:
        yield from other.carry_out(errand, settings)


def preceded(
    errand: Errand, here: Iterable[Outcome], changes: Sequence[Change], other: OtherSide | None, settings: Settings
) -> Iterator[Outcome]:
    """As `followed`, for taking back: the other side first. ``changes`` are those of Dataverse's side."""
    trouble, told = "", set()
    try:
        for outcome in other.carry_out(errand, settings) if other and errand.changes else ():
            if outcome.status not in _FINE:
                trouble = trouble or str(outcome.change.id)
            told.add(outcome.change.id)
            yield outcome
    except DataverseError as error:
        trouble = "the Health Bot's side"
        left = (change for change in errand.changes if change.id not in told)
        yield from (Outcome(each, Status.FAILED, str(error), failure_of(error)) for each in left)
    if trouble:
        yield from _not_tried(changes, f"not tried: {trouble} comes before it in the rollback, and did not work")
    else:
        yield from here


def summed(one: Traffic, other: OtherSide | None) -> Traffic:
    """What went over both wires."""
    if other is None:
        return one
    two = other.traffic
    return Traffic(
        one.requests + two.requests,
        one.operations + two.operations,
        one.retries + two.retries,
        one.waited_seconds + two.waited_seconds,
    )


def _not_tried(changes: Iterable[Change], why: str) -> Iterator[Outcome]:
    return (Outcome(change, Status.NOT_WRITTEN, why) for change in changes)
