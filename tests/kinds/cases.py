"""The shape of a hard case: an environment, a playbook, and what must be said about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .site import Site

SetUp = Callable[[Site], Mapping[str, str]]


def nothing(_clinic: Site) -> dict[str, str]:
    """An environment as the fixture has it."""
    return {}


@dataclass(frozen=True)
class Case:
    """What somebody made by hand, what the playbook says, and the line that refuses it.

    ``set_up`` gives the row ids that the line names in braces. It is ``kind:key: message``; the place in the
    playbook stands before it.
    """

    set_up: SetUp
    text: str
    line: str
    exit_code: int = 1


def check(clinic: Site, case: Case) -> None:
    """The refusal says exactly this, and nothing was written."""
    ids = case.set_up(clinic)
    before = clinic.emulator.sql("SELECT value FROM _counter")
    refusal = clinic.refusal(case.text)
    assert [f"{note.id}: {note.message}" for note in refusal.notes] == [case.line.format(**ids)]
    assert refusal.exit_code == case.exit_code
    assert all(note.source.line > 0 for note in refusal.notes)
    assert clinic.emulator.sql("SELECT value FROM _counter") == before
