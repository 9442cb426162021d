"""Sending scenarios to a Health Bot: what differs from what it holds, and what became of each. Pure.

An import overwrites by name, can delete nothing, and knows no conditions: whoever saves in the portal between our
look and the import is overwritten. What was there is therefore kept before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from d365setup.errors import Unresolvable, UsageError
from d365setup.healthbot.scenario import StoredScenario, differences
from d365setup.model import FieldChange, Note, ResourceId, fold

State = Literal["to create", "to overwrite", "unchanged", "verified", "not verified", "not written"]
PENDING: tuple[State, ...] = ("to create", "to overwrite")
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
    """What a push would do, or did. ``kept`` is the folder with what was overwritten."""

    portal: str
    scenarios: tuple[Pushed, ...] = ()
    kept: str = ""
    sent: bool = False

    @property
    def exit_code(self) -> int:
        """0 all in line; 3 something is to be sent; 7 some landed and some did not; 1 none did, or not as sent."""
        states = {each.state for each in self.scenarios}
        if states & set(PENDING):
            return 3
        if "not written" in states and states & {"verified", "not verified"}:
            return 7
        return 1 if states & {"not written", "not verified"} else 0


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


def judged(push: Push, compared: Sequence[Compared], after: Sequence[StoredScenario], trouble: str = "") -> Push:
    """What became of what was sent, by what the bot holds afterwards. ``trouble`` is what sending it met."""
    by_name = {each.name: each for each in after}
    found = tuple(_judged(each, by_name.get(each.wanted.name), trouble) for each in compared)
    return replace(push, scenarios=found, sent=True)


def unread(push: Push, reason: str) -> Push:
    """Sent, and what the bot holds now could not be read."""
    told = f"sent, and it could not be read back: {reason}"
    found = (
        replace(each, state="not verified", detail=told) if each.state in PENDING else each for each in push.scenarios
    )
    return replace(push, scenarios=tuple(found), sent=True)


def _of(compared: Compared, state: State, detail: str = "") -> Pushed:
    fields = () if state == "unchanged" else compared.fields
    return Pushed(compared.wanted.name, compared.wanted.trigger, state, fields, detail)


def _judged(compared: Compared, now: StoredScenario | None, trouble: str) -> Pushed:
    if compared.state == "unchanged":
        return _of(compared, "unchanged")
    left = differences(now, compared.wanted) if now is not None else compared.fields
    if now is not None and not left:
        return _of(compared, "verified", INACTIVE if now.active is False else "")
    untouched = now is None or (compared.held is not None and not differences(compared.held, now))
    if untouched:
        return _of(compared, "not written", trouble or "the bot took the import, and holds what it held before")
    names = ", ".join(each.field for each in left[:5])
    return _of(compared, "not verified", f"read back, it is not as it was sent: {names}")


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
