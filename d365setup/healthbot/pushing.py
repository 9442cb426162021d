"""Sending scenarios to a Health Bot: what differs from what it holds, and what became of each. Pure.

An import overwrites by name, can delete nothing, and knows no conditions: whoever saves in the portal between our
look and the import is overwritten. What was there is therefore in the journal before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from d365setup.errors import Unresolvable, UsageError
from d365setup.healthbot.scenario import StoredScenario, differences
from d365setup.model import FieldChange, Note, ResourceId, fold
from d365setup.outcome import Outcome, Run, Status

State = Literal["to create", "to overwrite", "unchanged", "verified", "not verified", "not written"]
PENDING: tuple[State, ...] = ("to create", "to overwrite")
_STATES: dict[Status, State] = {
    Status.VERIFIED: "verified",
    Status.MANUAL: "verified",
    Status.NOT_VERIFIED: "not verified",
    Status.FAILED: "not written",
    Status.NOT_WRITTEN: "not written",
}
INACTIVE = "the import left it inactive: switch it on in the portal, on the page of scenarios"


@dataclass(frozen=True)
class Compared:
    """A scenario as it should be, beside the one of its name that the bot holds, if any."""

    wanted: StoredScenario
    held: StoredScenario | None = None

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """What an import would change, by meaning; of a new one what it is."""
        if self.held is not None:
            return differences(self.held, self.wanted)
        new = {"trigger": self.wanted.trigger, "description": self.wanted.description}
        steps = FieldChange("steps", None, len(self.wanted.graph.steps))
        return (*(FieldChange(name, None, value) for name, value in new.items()), steps)

    @property
    def state(self) -> State:
        """What is to be done about it."""
        if self.held is None:
            return "to create"
        return "to overwrite" if self.fields else "unchanged"


@dataclass(frozen=True)
class Pushed:
    """One scenario of a push: what is to be done, or what became of it."""

    name: str
    trigger: str
    state: State
    fields: tuple[FieldChange, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Push:
    """What a push would do, or did. ``run`` is its journal's name; ``failed_with`` counts where nothing landed."""

    portal: str
    scenarios: tuple[Pushed, ...] = ()
    run: str = ""
    sent: bool = False
    failed_with: int = 1
    hint: str = ""

    @property
    def exit_code(self) -> int:
        """0 all in line; 3 something is to be sent; 7 some landed and some did not; else what failed, or 1."""
        states = {each.state for each in self.scenarios}
        if states & set(PENDING):
            return 3
        if "not written" in states and states & {"verified", "not verified"}:
            return 7
        if "not written" in states:
            return self.failed_with
        return 1 if "not verified" in states else 0


def compare(wanted: Sequence[StoredScenario], held: Sequence[StoredScenario]) -> tuple[Compared, ...]:
    """Each beside what the bot holds, in their order.

    Raises UsageError where two of them want one name or trigger; Unresolvable where the bot holds two of one name, one
    whose name differs in case or white space only, or the trigger under another name.
    """
    _check_wanted(wanted)
    notes = [note for each in wanted for note in _notes(each, held)]
    if notes:
        raise Unresolvable(notes)
    by_name = {each.name: each for each in held}
    return tuple(Compared(each, by_name.get(each.name)) for each in wanted)


def pushed(compared: Sequence[Compared], portal: str) -> Push:
    """The push as it is to be asked about."""
    return Push(portal, tuple(_of(each, each.state) for each in compared))


def became(push: Push, run: Run) -> Push:
    """What became of what was sent."""
    found = {outcome.change.id.key: outcome for outcome in run.outcomes}
    failure = next((each.failure for each in run.outcomes if each.failure), None)
    return replace(
        push,
        scenarios=tuple(_became(each, found[each.name]) if each.name in found else each for each in push.scenarios),
        run=run.id,
        sent=True,
        failed_with=failure.exit_code if failure else 1,
        hint=failure.hint if failure else "",
    )


def _became(each: Pushed, outcome: Outcome) -> Pushed:
    detail = INACTIVE if outcome.status is Status.MANUAL else outcome.detail
    return replace(each, state=_STATES[outcome.status], detail=detail)


def _of(compared: Compared, state: State) -> Pushed:
    fields = () if state == "unchanged" else compared.fields
    return Pushed(compared.wanted.name, compared.wanted.trigger, state, fields)


def _check_wanted(wanted: Sequence[StoredScenario]) -> None:
    for what, said in (("name", [each.name for each in wanted]), ("trigger", [each.trigger for each in wanted])):
        twice = next((each for each in said if said.count(each) > 1), None)
        if twice is not None:
            raise UsageError(f"two scenarios have the {what} {twice!r}: a Health Bot tells them apart by it")


def _notes(wanted: StoredScenario, held: Sequence[StoredScenario]) -> Iterator[Note]:
    id_ = ResourceId("scenario", wanted.name)
    same = [each for each in held if each.name == wanted.name]
    if len(same) > 1:
        ids = ", ".join(each.id or "?" for each in same)
        yield Note("error", id_, f"the bot holds {len(same)} scenarios of this name ({ids}): rename all but one")
    for each in held:
        if each.name != wanted.name and fold(each.name) == fold(wanted.name):
            told = f"the bot holds {each.name!r}, which differs in case or white space only: give it the same name"
            yield Note("error", id_, told, refused=True)
        elif each.name != wanted.name and each.trigger == wanted.trigger:
            told = f"the bot has the trigger {each.trigger!r} on its scenario {each.name!r}: rename that one, or this"
            yield Note("error", id_, told, refused=True)
