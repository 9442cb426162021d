"""What became of a fleet, as values: each environment's end, the matrix of things and environments, one exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Command = Literal["plan", "apply", "verify", "audit"]
Cell = Literal["same", "changed", "missing", "waived", "failed", ""]  # "": not in this environment's playbook
State = Literal[
    "verified", "in line", "clean", "changes", "drift", "by hand", "test failed", "not ready", "findings",
    "failed", "timed out", "stopped", "frozen", "not started",
]  # fmt: skip

_ENDS: dict[Command, dict[int, State]] = {
    "plan": {0: "in line", 3: "changes", 4: "test failed"},
    "apply": {0: "verified", 3: "by hand"},
    "verify": {0: "in line", 3: "drift", 4: "not ready"},
    "audit": {0: "clean", 4: "findings"},
}
GOOD: tuple[State, ...] = ("verified", "in line", "clean")
BROKEN: tuple[State, ...] = ("failed", "timed out", "stopped")
LEFT_OUT: tuple[State, ...] = ("frozen", "not started")
INTERRUPTED = 130
PARTLY, FAILED, PENDING, FOUND, REFUSED = 7, 1, 3, 4, 5


def state_of(command: Command, exit_code: int) -> State:
    """What the exit code of one environment's process means."""
    return _ENDS[command].get(exit_code, "failed")


@dataclass(frozen=True)
class Result:
    """How one environment ended. ``cells`` has the things that are not the same there; ``message`` and ``cure`` say
    why and what to do; ``earlier`` that the run that was resumed had done it.
    """

    environment: str
    url: str
    state: State
    exit_code: int | None = None
    message: str = ""
    cure: str = ""
    cells: tuple[tuple[str, Cell], ...] = ()
    seconds: float = 0.0
    landed: bool = False
    wave: str = ""
    earlier: bool = False

    @property
    def is_broken(self) -> bool:
        """Whether it has no result, or not the one that was wanted."""
        return self.state in BROKEN


@dataclass(frozen=True)
class FleetRun:
    """A command on a fleet. ``declared`` has the things of each environment's playbook, ``stopped`` why it ended early,
    ``options`` what a call that goes on says again.

    The exit code comes from one table (docs/fleet.md): the first line of it that holds.
    """

    command: Command
    file: str
    results: tuple[Result, ...] = ()
    declared: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    run: str = ""
    stopped: str = ""
    interrupted: bool = False
    options: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """130 interrupted; 7 apply: some landed, others broke; the code all broken ones share, else 1; 3; 4; 5; 0."""
        broken = [each for each in self.results if each.is_broken]
        states = {each.state for each in self.results}
        if self.interrupted:
            return INTERRUPTED
        if broken:
            is_partly = self.command == "apply" and any(each.landed for each in self.results)
            return PARTLY if is_partly else _shared(broken)
        if states & {"changes", "drift", "by hand"}:
            return PENDING
        if states & {"test failed", "not ready", "findings"}:
            return FOUND
        return REFUSED if self.stopped or states & set(LEFT_OUT) else 0

    @property
    def counts(self) -> dict[State, int]:
        """How many environments ended how, in the order they did."""
        return dict(Counter(each.state for each in self.results))

    @property
    def matrix(self) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
        """Each thing with its cell in each environment, in the order of ``results``."""
        known = [frozenset(each) for each in self.declared] or [frozenset[str]() for _ in self.results]
        cells = [dict(each.cells) for each in self.results]
        things = dict.fromkeys(thing for each in dict.fromkeys(self.declared) for thing in each)
        things |= dict.fromkeys(thing for each in cells for thing in each)
        columns = list(zip(self.results, known, cells, strict=True))
        return tuple((thing, tuple(self._cell(thing, *column) for column in columns)) for thing in things)

    def _cell(self, thing: str, result: Result, known: frozenset[str], cells: dict[str, Cell]) -> Cell:
        if thing in cells:
            return cells[thing]
        if result.state in LEFT_OUT or (thing not in known and not _is_finding(thing)):
            return ""
        if result.is_broken:
            return "failed" if thing in known else ""
        return "same"


def _is_finding(thing: str) -> bool:
    """``R12 queue:Nurses`` is one, and a hand-off that breaks; where it was not found, all is the same."""
    kind = thing.partition(":")[0]
    return " " in kind or kind == "hand-off"


def _shared(broken: list[Result]) -> int:
    codes = {each.exit_code for each in broken}
    only = codes.pop() if len(codes) == 1 else None
    return only or FAILED
