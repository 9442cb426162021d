"""A fleet's run: environments side by side, waves one after another, and when to stop between them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Protocol

from d365setup.fleet.choosing import Batch
from d365setup.fleet.entries import Environment
from d365setup.fleet.results import Result

Job = Callable[[Environment], Result]


def run_fleet(environments: Iterable[Environment], job: Job, executor: Executor) -> Iterator[Result]:
    """The job in each environment, each result as it comes. Whatever happens to one is a result like any other."""
    futures = {executor.submit(job, each): each for each in environments}
    for future in as_completed(futures):
        error = future.exception()
        environment = futures[future]
        yield future.result() if error is None else broken(environment, error)


@dataclass
class Threads:
    """Does the work of environments here, some at a time; ``held`` says why nothing more is to begin."""

    job: Job
    workers: int
    held: Callable[[], str]
    began: Callable[[str], None]
    lost: str = ""  # a cluster may be lost, we cannot

    def run(self, environments: Sequence[Environment]) -> Iterator[Result]:
        """Each result as it comes; every environment has exactly one."""
        with ThreadPoolExecutor(self.workers, "fleet") as executor:
            yield from run_fleet(environments, self._done, executor)

    def _done(self, environment: Environment) -> Result:
        if why := self.held():
            return Result(environment.name, environment.url, "not started", message=why)
        self.began(environment.name)
        return self.job(environment)


class Place(Protocol):
    """Where the work is done: threads here, or a cluster. ``lost`` says why it cannot do any more."""

    lost: str

    def run(self, environments: Sequence[Environment]) -> Iterator[Result]:
        """Each result as it comes; every environment has exactly one."""


def broken(environment: Environment, error: BaseException, cure: str = "") -> Result:
    """The result of work that failed in a way that is not the environment's."""
    told = f"its worker failed ({type(error).__name__}: {error})"[:600]
    return Result(environment.name, environment.url, "failed", 1, told, cure or "run again, or go on with --resume")


@dataclass
class Rollout:
    """Waves one after another. ``between`` is asked behind each: "" to go on, else why not.

    ``max_failed`` is a share in percent: behind a wave with more broken ones no other begins. Stated (not None), it
    also ends the wave itself as soon as it is exceeded for certain: the job then looks at ``stopped`` before it begins.
    """

    waves: Sequence[Batch]
    run: Callable[[Sequence[Environment]], Iterator[Result]]
    between: Callable[[Batch, Batch], str]
    max_failed: int | None = None
    stopped: str = ""

    def results(self) -> Iterator[Result]:
        """Each result as it comes; those that were not begun at the end."""
        for number, batch in enumerate(self.waves):
            if self.stopped:
                yield from _left(batch, self.stopped)
                continue
            broken = yield from self._wave(batch)
            if not self.stopped and number + 1 < len(self.waves):
                is_bad = self._is_too_many(broken, len(batch.environments))
                self.stopped = _why(batch, broken) if is_bad else self.between(batch, self.waves[number + 1])

    def _wave(self, batch: Batch) -> Generator[Result, None, int]:
        """One wave; how many of it broke."""
        broken, count = 0, len(batch.environments)
        for result in self.run(batch.environments):
            broken += result.is_broken
            if self.max_failed is not None and self._is_too_many(broken, count) and not self.stopped:
                self.stopped = _why(batch, broken)
            yield replace(result, wave=result.wave or batch.wave.of)
        return broken

    def _is_too_many(self, broken: int, count: int) -> bool:
        return 100 * broken > (self.max_failed or 0) * count


def _why(batch: Batch, broken: int) -> str:
    return f"stopped in wave {batch.wave.of}: {broken} of {len(batch.environments)} broke"


def _left(batch: Batch, why: str) -> Iterator[Result]:
    for each in batch.environments:
        yield Result(each.name, each.url, "not started", message=why, wave=batch.wave.of)
