"""The command's process, killed at every request of a green-field apply and in between; then the command again.

Killed *before* a request does its work (the connection is cut there), *after* it (the work goes on, its answer reaches
nobody), and *between* an answer and the next request, at a moment that a seed chooses: while something is decided,
written to the journal, or told. The second apply must converge, tell that a process died, and leave no journal open.

Most processes are forked from one that has imported everything (`nursery.py`); some are started from nothing.

Left out: a process killed while others like it apply (`test_concurrency.py` has them live), and a machine that loses
power, where what is not synced is gone.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator.faults import Cut
from d365setup.journal import Recording, Runs
from tests.matrix.ground import ARRIVING, VALUES, Ground, patient
from tests.matrix.nursery import Ended, Nursery
from tests.matrix.plain import Plain, Plainly, landed_in
from tests.test_shipped import FOLDER, SHIPPED

pytestmark = [
    pytest.mark.no_cover,  # other tests measure what this repeats; tracing would double the time
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL and no fork on Windows"),
]

RUNS = 40  # of each playbook
OVER = ("over", 0)  # it had ended by itself
LONGEST = 0.015  # seconds after an answer within which one is killed


@dataclass(frozen=True)
class Moment:
    """When to kill: at the request of that number (from 0), or so many seconds after so many answers."""

    kind: str  # before, after, between
    number: int
    seconds: float = 0.0


@dataclass
class Killer:
    """Sees each request of one process come in, and kills the process when its moment has come."""

    ground: Ground
    moment: Moment
    pid: int = 0
    came: int = 0
    _known: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, seconds: float) -> None:
        """In the emulator, as a request comes in."""
        assert seconds == ARRIVING
        with self._lock:
            number = self.came
            self.came += 1
        if self.moment.kind != "between" and number == self.moment.number:
            self._known.wait(60)
            os.kill(self.pid, signal.SIGKILL)
            if self.moment.kind == "before":
                raise Cut

    def watch(self, pid: int) -> None:
        """The process has started; wait for the moment, where it is one between requests."""
        self.pid = pid
        self._known.set()
        if self.moment.kind != "between":
            return
        patient(lambda: len(self.ground.emulator.requests) >= self.moment.number, pause=0.0002)
        time.sleep(self.moment.seconds)
        os.kill(pid, signal.SIGKILL)

    def hit(self) -> tuple[str, int]:
        """Where it was in the end: between two requests only when nothing more was sent."""
        self.ground.drain()
        if self.moment.kind != "between" or self.came == self.moment.number:
            return self.moment.kind, self.moment.number
        return "after", self.came - 1


Start = Callable[..., tuple[int, Callable[[], Ended]]]  # folder -> process id, and what waits for it


def moments(plain: Plain, seed: str) -> Iterator[Moment]:
    """Each request before and after its work, then without end between: behind the look, and behind each write."""
    draw = random.Random(seed)  # noqa: S311  # guards nothing
    for kind in ("before", "after"):
        yield from (Moment(kind, number) for number in range(len(plain.requests)))
    yield from (Moment("between", number) for number in gaps(plain))
    while True:
        yield from (Moment("between", number, draw.uniform(0, LONGEST)) for number in gaps(plain))


def gaps(plain: Plain) -> list[int]:
    return [plain.writing[0], *(number + 1 for number in plain.writing)]


@pytest.mark.parametrize("name", SHIPPED)
def test_killed_anywhere_then_applied_again(name: str, ground: Ground, plainly: Plainly, tmp_path: Path) -> None:
    plain = plainly(name)
    hits: Counter[tuple[str, int]] = Counter()
    settled = 0
    with Nursery() as nursery:
        for number, moment in enumerate(itertools.islice(moments(plain, name), 3 * RUNS)):
            start = forked(nursery, name, ground)
            hit, recording = killed_and_again(start, moment, plain, ground, tmp_path / str(number))
            hits[hit] += 1
            settled += recording is not None and bool(recording.settled_by)
            if hits.total() - hits[OVER] == RUNS:
                break
    print(f"{name}: {RUNS} kills, {settled} settled, {sorted(hits.items())}")  # noqa: T201  # for -rP
    assert hits.total() - hits[OVER] == RUNS
    every = {(kind, number) for kind in ("before", "after") for number in range(len(plain.requests))}
    assert {*hits} - {OVER} == every | {("between", number) for number in gaps(plain)}
    assert settled >= 2 * len(plain.writing)
    assert RUNS * len(SHIPPED) == 200


def forked(nursery: Nursery, name: str, ground: Ground) -> Start:
    def start(folder: Path) -> tuple[int, Callable[[], Ended]]:
        pid = nursery.start(*call(name, ground, folder), folder=folder, variables=VALUES)
        return pid, partial(nursery.ended, pid, folder)

    return start


def test_killed_at_each_write_of_the_journal(ground: Ground, plainly: Plainly, tmp_path: Path) -> None:
    """Before it, in the middle of its bytes, and right behind it; until there is no such write."""
    name = "health-bot.yaml"
    plain = plainly(name)
    done: Counter[float] = Counter()
    with Nursery() as nursery:
        for share in (0, 0.5, 1):
            for number in itertools.count():
                folder = tmp_path / f"{share}-{number}"
                folder.mkdir()
                ground.put_back()
                pid = nursery.start(*call(name, ground, folder), folder=folder, variables=VALUES, dies=(number, share))
                first = nursery.ended(pid, folder)
                if first.code == 0:
                    break
                assert first.code == -signal.SIGKILL, first
                done[share] += 1
                check_again(forked(nursery, name, ground), plain, ground, folder, f"write {number}, {share} of it")
    print(f"{done.total()} runs, killed at {done[1]} writes of the journal")  # noqa: T201  # for -rP
    assert len(set(done.values())) == 1
    assert done[1] >= 2 * len(plain.writing) + len(plain.changes)


def call(name: str, ground: Ground, folder: Path) -> list[str]:
    where = ["--url", ground.emulator.url, "--state-dir", str(folder / "state")]
    return ["apply", str(FOLDER / name), *where, "--yes", "--format", "json", "--max-wait", "60"]


def killed_and_again(
    start: Start, moment: Moment, plain: Plain, ground: Ground, folder: Path
) -> tuple[tuple[str, int], Recording | None]:
    """Kill an apply, then apply again. Where it was hit, and its journal in the end, if it had come to have one."""
    folder.mkdir()
    ground.put_back()
    killer = Killer(ground, moment)
    ground.on_sleep = killer
    pid, ended = start(folder)
    killer.watch(pid)
    first = ended()
    hit = killer.hit()
    about = f"{moment}, {hit}: {first.err}"
    if first.code == 0 and moment.kind == "between" and killer.came == len(plain.requests):
        hit = OVER  # on a busy machine it may send the rest and end before the signal comes
    else:
        assert first.code == -signal.SIGKILL, about
    return hit, check_again(start, plain, ground, folder, about)


def check_again(start: Start, plain: Plain, ground: Ground, folder: Path, about: str) -> Recording | None:
    """What a killed apply left is whole; the same once more converges, tells of it, and settles its journal."""
    ground.drain()
    found = ground.traces(plain.changes)
    there = {key for key in found if found[key] == plain.present[key]}
    assert there | {key for key in found if found[key] == plain.absent[key]} == set(found), about
    assert ground.touched() <= plain.touched, about
    runs = Runs(folder / "state")
    left = [each for each in runs.all() if isinstance(each, Recording)]
    was_open = [each.run for each in left if each.is_open]
    ground.on_sleep = ground.clock.sleep
    _, ended = start(folder)
    second = ended()
    assert (second.code, second.err) == (0, ""), about
    check_told(json.loads(second.out), was_open, about)
    assert ground.rows() == plain.after, about
    assert ground.touched() == plain.touched, about
    check_history(folder, was_open, about)
    if not left:
        return None
    recording = runs.read(left[0].run)
    assert recording.unknown == (), about
    assert landed_in(recording) == there, about
    return recording


def check_told(run: dict[str, Any], was_open: list[str], about: str) -> None:
    """One warning for each journal left open, and no other but that the Health Bot's secret is not known here."""
    kept = (each for each in run["warnings"] if not each["id"].startswith("health_bot:"))
    warned = [(each["id"], each["message"]) for each in kept]
    assert [name for name, _ in warned] == [f"run:{each}" for each in was_open], (about, warned)
    assert all("its process died" in message and "settled now" in message for _, message in warned), (about, warned)


def check_history(folder: Path, was_open: list[str], about: str) -> None:
    """The list a user sees: nothing open, and nothing that cannot be read."""
    shown = CliRunner().invoke(main, ["history", "--state-dir", str(folder / "state"), "--format", "json"])
    history = json.loads(shown.stdout)
    assert (shown.exit_code, history["problems"]) == (0, []), (about, history)
    states = {each["run"]: each["state"] for each in history["runs"]}
    assert states == {run: "settled" if run in was_open else "ended" for run in states}, about
    assert set(was_open) <= set(states), about
