"""Undisturbed runs, and what disturbed ones are held against."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from d365setup.emulator import Fault, Request
from d365setup.journal import Recording
from d365setup.model import Change
from d365setup.outcome import Run, Status
from tests.engine.driver import operations
from tests.matrix.ground import Applied, Fragment, Ground, Rows

WRITTEN = {Status.VERIFIED, Status.NOT_VERIFIED}
UNWRITTEN = {Status.FAILED, Status.NOT_WRITTEN}


@dataclass(frozen=True)
class Plain:
    """An undisturbed run: what it found, what it left, what it sent."""

    before: Rows
    after: Rows
    touched: frozenset[tuple[str, Fragment]]
    changes: tuple[Change, ...]
    absent: dict[str, tuple[Fragment, ...]]
    present: dict[str, tuple[Fragment, ...]]
    requests: tuple[Request, ...]

    @property
    def operations(self) -> list[tuple[str, str, int]]:
        """All of them, in the order they came."""
        return [each for request in self.requests for each in operations(request)]

    @property
    def writing(self) -> list[int]:
        """Which requests write."""
        return [n for n, each in enumerate(self.requests) if any(op[0] != "GET" for op in operations(each))]

    def places(self, sort: str) -> list[Fault]:
        """What strikes each place of a sort and no other: method, path, and how many matches to let by."""
        every = self.operations
        match sort:
            case "requests":
                return [Fault(skip=number) for number in range(len(self.requests))]
            case "answers":
                return [self.answer(number) for number in range(len(self.requests))]
            case "beginnings":
                return [self.beginning(number) for number in range(len(self.requests))]
            case "change sets":
                return [self.beginning(number) for number in self.writing]
        return [_nth(every, n) for n, each in enumerate(every) if sort == "operations" or each[0] != "GET"]

    def beginning(self, number: int) -> Fault:
        """The first operation of a request."""
        every = self.operations
        return _nth(every, every.index(self.requests[number].operations[0]))

    def answer(self, number: int) -> Fault:
        """A request by what it asked first: after the work, the addresses stand below each other."""
        return Fault(path=rf"\n{re.escape(self.requests[number].operations[0][1])}(?:\n|\Z)")


def _nth(every: list[tuple[str, str, int]], number: int) -> Fault:
    """The operation of that number, by its address and how often it was asked before."""
    method, url, _ = every[number]
    before = sum(each[:2] == (method, url) for each in every[:number])
    return Fault(method=rf"\A{method}\Z", path=rf"\A{re.escape(url)}\Z", skip=before)


def rule(fault: Fault, place: Fault) -> Fault:
    """The fault at that place."""
    return replace(fault, method=place.method, path=place.path, skip=place.skip)


Plainly = Callable[[str], Plain]


def statuses_of(run: Run) -> dict[str, Status]:
    return {str(each.change.id): each.status for each in run.outcomes}


def check_first(first: Applied | None, plain: Plain, ground: Ground, about: str) -> None:
    """What the struck apply says is so."""
    if first is None:
        assert (ground.rows(), ground.touched()) == (plain.before, frozenset()), about
        return
    statuses = statuses_of(first.run)
    assert list(statuses) == list(plain.present), about
    assert set(statuses.values()) <= WRITTEN | UNWRITTEN, about
    is_good = set(statuses.values()) == {Status.VERIFIED}
    assert (first.run.exit_code == 0) == is_good, about
    assert ground.touched() <= plain.touched, about
    if is_good:
        assert ground.rows() == plain.after, about
    else:
        found = ground.traces(plain.changes)
        expected = {key: (plain.present if s in WRITTEN else plain.absent)[key] for key, s in statuses.items()}
        assert found == expected, about
    check_journal(first, statuses, about)


def check_journal(first: Applied, statuses: dict[str, Status], about: str) -> None:
    """It says the same as the outcomes, and what landed is what they say was written."""
    recording = first.recording
    assert recording is not None
    assert {key: status for key, (status, _) in recording.outcomes.items()} == statuses, about
    assert (recording.exit_code, recording.unknown) == (first.run.exit_code, ()), about
    assert landed_in(recording) == {key for key, status in statuses.items() if status in WRITTEN}, about


def landed_in(recording: Recording) -> set[str]:
    """The changes a journal says are in the environment."""
    return {str(change) for sent in recording.landed for write in sent.writes for change in write.changes}


def check_second(second: Applied, plain: Plain, ground: Ground, about: str) -> None:
    """Whatever was left is done, and everything is as after an undisturbed run."""
    assert set(statuses_of(second.run).values()) <= {Status.VERIFIED}, (about, second.run.outcomes)
    assert second.run.exit_code == 0, about
    assert ground.rows() == plain.after, about
    assert ground.touched() == plain.touched, about
