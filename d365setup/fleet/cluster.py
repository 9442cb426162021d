"""Environments on a Dask cluster: one task each, results as they come, and an end when nobody is there to do them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any

from d365setup.fleet.carrying import kept
from d365setup.fleet.entries import Environment
from d365setup.fleet.errand import Carried, hold, stop
from d365setup.fleet.link import Ended, Later, Link, Lost
from d365setup.fleet.luggage import Luggage
from d365setup.fleet.results import Result
from d365setup.fleet.running import broken
from d365setup.fleet.working import home

_OFTEN = 0.5  # seconds between two looks whether somebody wants to stop
_SELDOM = 5.0  # seconds between two questions whether the scheduler and workers are there
_UNREACHED = 6
_CURE = "go on with --resume, on a cluster or, without --scheduler, from here; what is there already is left alone"
_CURES = {  # what a task fails with that is not the environment's fault
    "KilledWorker": "see the workers' logs, and whether they have memory enough; then go on with --resume",
    "ModuleNotFoundError": "run all workers from the image of the others (docs/fleet.md), then go on with --resume",
}


@dataclass(frozen=True)
class Watched:
    """What a run looks at, and whom it tells."""

    stopping: Callable[[], bool]  # somebody asked to
    held: Callable[[], str]  # why nothing more is to begin; "" while it may
    began: Callable[[str], None]
    said: Callable[[str], None]  # for somebody who watches


@dataclass
class _Wave:
    """Where a wave stands: who has no result yet, who of them is on the cluster, since when no worker was there."""

    left: dict[str, Environment]
    todo: deque[Environment]
    futures: dict[str, Any] = field(default_factory=dict)
    ended: Ended = field(default_factory=SimpleQueue)
    look: float = 0.0
    alone: float | None = None

    def over(self, name: str) -> Environment:
        """It has its result; what the cluster holds of it may go."""
        self.futures.pop(name, None)
        return self.left.pop(name)


@dataclass
class Cluster:
    """Does the work of environments on workers; ``lost`` says why it cannot any more.

    At most ``workers`` at a time, where that is said; ``patience`` are the seconds without a single worker.
    """

    link: Link
    luggage: Luggage
    watched: Watched
    patience: float
    workers: int | None = None
    lost: str = ""
    _packed: Any = None
    _told: set[str] = field(default_factory=set)
    _begun: set[str] = field(default_factory=set)

    def run(self, environments: Sequence[Environment]) -> Iterator[Result]:
        """Each result as it comes; every environment has exactly one."""
        wave = _Wave({each.name: each for each in environments}, deque(environments))
        try:
            self._prepare()
            while wave.left:
                yield from self._begin(wave)
                yield from self._next(wave)
        except Lost as error:
            self.lost = self.lost or str(error)
        yield from map(self._without, wave.left.values())

    def _prepare(self) -> None:
        if self.lost:
            raise Lost(self.lost)
        if self._packed is None:
            self._packed = self.link.pack(self.luggage)
            self.link.on_begun(self.luggage.run, self._began)

    def _began(self, name: str) -> None:
        self._begun.add(name)
        self.watched.began(name)

    def _begin(self, wave: _Wave) -> Iterator[Result]:
        """Begin as many as may; where nothing may begin any more, say so of those that are here still."""
        if why := self._why():
            while wave.todo:
                each = wave.over(wave.todo.popleft().name)
                yield Result(each.name, each.url, "not started", message=why)
        most = len(wave.todo) if self.workers is None else self.workers - len(wave.futures)
        some = [wave.todo.popleft() for _ in range(min(most, len(wave.todo)))]
        if some:
            wave.futures |= self.link.begin(some, self._packed, self.luggage.run, wave.ended)

    def _why(self) -> str:
        """Why nothing more begins; the workers are told once."""
        is_stopped = self.watched.stopping()
        why = "stopped before its turn" if is_stopped else self.watched.held()
        for event, is_so in ((stop, is_stopped), (hold, bool(why))):
            name = event(self.luggage.run)
            if is_so and name not in self._told:
                self.link.set(name)
                self._told.add(name)
        return why

    def _next(self, wave: _Wave) -> Iterator[Result]:
        """What ends within a moment, and now and then a look at the cluster."""
        with suppress(Empty, Later):
            name, future = wave.ended.get(timeout=_OFTEN if wave.left else 0)
            yield self._result(wave.left[name], self.link.result(name, future, wave.ended))
            wave.over(name)
        if time.monotonic() >= wave.look:
            self._look(wave)
            wave.look = time.monotonic() + _SELDOM

    def _result(self, environment: Environment, found: Carried | BaseException) -> Result:
        if isinstance(found, BaseException):
            return broken(environment, found, _CURES.get(type(found).__name__, ""))
        kept(home(self.luggage.order.state_dir, environment.name), found.journals)
        if found.result.state == "not started":  # the worker only knows that it was told so
            return replace(found.result, message=self._why() or found.result.message)
        return found.result

    def _look(self, wave: _Wave) -> None:
        """Raises Lost where the scheduler does not answer, or no worker has been there for too long."""
        if self.link.workers():
            wave.alone = None
            return
        now = time.monotonic()
        if wave.alone is None:
            wave.alone = now
            self.watched.said(f"the scheduler at {self.link.address} has no workers; waiting for one")
        waited = now - wave.alone
        if waited >= self.patience or self._told:
            raise Lost(f"the scheduler at {self.link.address} has had no worker for {waited:.0f} s (--max-wait)")

    def _without(self, environment: Environment) -> Result:
        name, url = environment.name, environment.url
        if name not in self._begun and self._told:
            return Result(name, url, "not started", message=f"stopped before its turn; {self.lost}")
        known = (
            "a worker had begun it, and its end is not known"
            if name in self._begun
            else "no worker was heard to begin it"
        )
        return Result(name, url, "failed", _UNREACHED, f"{self.lost}: {known}", _CURE)
