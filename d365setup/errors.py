"""What can go wrong, as a tree; each leaf knows its exit code (`docs/cli.md`).

D365SetupError
 ├─ PlaybookError      2  the playbook says something it must not; carries every mistake at once
 │   ├─ WaiversError   2  the same of a file of waivers
 │   └─ FleetError     2  the same of a fleet file
 ├─ UsageError         2  the call itself is wrong: an option, a URL, an empty secret
 ├─ TestsFailed        4  a test of the playbook failed: routing would not do what it expects
 ├─ Unresolvable       1  only the environment could tell: no such user, two such queues
 ├─ Refused            5  we could, but will not: safety limit, managed row, another organization
 │   └─ Stale          5  a saved plan, and the environment has changed since it was made
 ├─ Unrecorded         1  the journal cannot be written: nothing is sent without it
 └─ NotReachable       6  network, sign-in or permission, before anything was written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from d365setup.model import Note, Source


class D365SetupError(Exception):
    """Root of our own errors. ``str`` is the whole message a person reads."""

    exit_code = 1


@dataclass(frozen=True)
class PlaybookMistake:
    """One mistake: where, what, and (in the message) the nearest right name or the cure."""

    source: Source
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


class PlaybookError(D365SetupError):
    """The playbook cannot be used. ``mistakes`` holds all of them, in file order."""

    exit_code = 2
    file = "playbook"  # what the mistakes are in

    def __init__(self, mistakes: Sequence[PlaybookMistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


class WaiversError(PlaybookError):
    """The file of waivers cannot be used; its mistakes are told like a playbook's."""

    file = "file of waivers"


class FleetError(PlaybookError):
    """The fleet file cannot be used, or a playbook of one of its environments."""

    file = "fleet file"


class UsageError(D365SetupError):
    """The command was called in a way that cannot work."""

    exit_code = 2


class Unresolvable(D365SetupError):
    """The environment cannot be brought to what the playbook says; ``notes`` holds every reason."""

    summary = "the environment cannot be brought to what the playbook says; nothing was written"

    def __init__(self, notes: Sequence[Note]) -> None:
        self.notes = tuple(notes)
        self.exit_code = 5 if all(note.refused for note in self.notes) else 1
        super().__init__("\n".join(_told(note) for note in self.notes))


class NothingThere(Unresolvable):
    """What was asked for by name is not in the environment, or is there more than once."""

    summary = "what was asked for is not there, and nothing was exported"


class TestsFailed(D365SetupError):
    """A playbook's tests, run on what an apply would leave behind; ``proof`` is what they came to (`proof.Proof`)."""

    __test__: ClassVar[bool] = False  # pytest would otherwise collect whatever is called Test…
    exit_code = 4

    def __init__(self, proof: Any) -> None:
        self.proof = proof
        super().__init__(f"not applied: {proof.summary}, and nothing was written")


class Refused(D365SetupError):
    """A guard said no. The message names the exact option that would allow it."""

    exit_code = 5


@dataclass(frozen=True)
class StaleRow:
    """One thing of a saved plan that is no longer so: what was planned, how it stood then, how it stands now."""

    id: str
    planned: str
    then: str
    now: str


class Stale(Refused):
    """A saved plan that the environment has moved away from; ``rows`` holds every difference."""

    def __init__(self, rows: Sequence[StaleRow]) -> None:
        self.rows = tuple(rows)
        count = "1 thing has" if len(self.rows) == 1 else f"{len(self.rows)} things have"
        super().__init__(
            f"the saved plan is not applied: {count} changed since it was made, and nothing was written; plan again"
        )


class Unrecorded(D365SetupError):
    """The journal cannot be written, so nothing more is sent."""


class NotReachable(D365SetupError):
    """The environment could not be reached, or did not let us in."""

    exit_code = 6


def _told(note: Note) -> str:
    where = f"{note.source}: " if note.source.line else ""
    return f"{where}{note.id}: {note.message}"
