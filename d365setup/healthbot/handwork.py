"""What only a person can do, as values that cost nothing to load: plans carry them, reports show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One thing to do. ``where`` is the way through a portal, ``values`` are what to paste or to look for, by name.

    ``check`` is the command that tells afterwards whether it is done; where it is empty, ``tells`` says why none can.
    """

    id: str
    title: str
    where: str
    does: tuple[str, ...]
    values: tuple[tuple[str, str], ...] = ()
    check: str = ""
    tells: str = ""


@dataclass(frozen=True)
class Checklist:
    """The tasks of a playbook, in the order they are done. ``file`` and ``url`` are what its commands name."""

    playbook: str
    sha256: str
    file: str
    portal: str = ""
    url: str = ""
    tasks: tuple[Task, ...] = ()

    @property
    def exit_code(self) -> int:
        """Always 0: it judges nothing."""
        return 0
