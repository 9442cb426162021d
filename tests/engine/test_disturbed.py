"""The hand-off under the emulator's other disturbances: torn and cut answers, the past, chance, protection limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from d365setup.apply import Settings, apply_plan
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import DataverseError
from d365setup.emulator import Emulator, Limits, Options, fault_of
from d365setup.outcome import Outcome, Status
from tests.engine.driver import HAND_OFF, KINDS, Applied, applied, decided
from tests.engine.rows import rows

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

RULES = (
    "drop-within",
    "torn",
    "drop-midway:path=queues",
    "drop-midway:method=PATCH",
    "stale:reads=6",
    "stale:reads=30",
)


@pytest.fixture(scope="module")
def undisturbed() -> Iterator[tuple[dict[str, list[Any]], int]]:
    """The rows of an undisturbed run, and how many requests it took."""
    emulator = Emulator(None)
    with closing(emulator), emulator.serve():
        first = applied(emulator, HAND_OFF)
        yield rows(emulator), len(first.requests)


def attempt(emulator: Emulator) -> Applied | None:
    try:
        return applied(emulator, HAND_OFF)
    except DataverseError:  # while reading, before anything was written
        return None


@pytest.mark.parametrize("rule", RULES)
def test_each_at_each_place(
    served: Callable[..., Emulator], undisturbed: tuple[dict[str, list[Any]], int], rule: str
) -> None:
    expected, requests = undisturbed
    for place in range(requests):
        emulator = served(faults=(fault_of(f"{rule}:skip={place}"),))
        attempt(emulator)
        emulator.faults.clear()
        emulator.gateway.snapshots.release()
        second = applied(emulator, HAND_OFF)
        assert set(second.statuses.values()) <= {Status.VERIFIED}, (place, second.outcomes)
        assert rows(emulator) == expected, place
        assert applied(emulator, HAND_OFF).writes == []
        emulator.close()


@pytest.mark.parametrize("seed", range(8))
def test_by_chance(served: Callable[..., Emulator], undisturbed: tuple[dict[str, list[Any]], int], seed: int) -> None:
    """A fifth of all requests fails. However many runs it takes, each leaves less to do or as much."""
    emulator = served(fault_rate=0.2, fault_seed=seed)
    for _ in range(20):
        run = attempt(emulator)
        if run is not None and set(run.statuses.values()) <= {Status.VERIFIED}:
            break
    assert rows(emulator) == undisturbed[0]


class Clock:
    """The emulator's seconds: real ones, and those the client says it slept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.slept: list[float] = []

    def __call__(self) -> float:
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)


@pytest.mark.parametrize(
    "limits", [Limits(requests=2, window=5), Limits(requests=4, window=60), Limits(execution=1, window=20)]
)
def test_throttled(undisturbed: tuple[dict[str, list[Any]], int], limits: Limits) -> None:
    """It waits as told, and gets there."""
    clock = Clock()
    emulator = Emulator(None, Options(limits=limits, op_time=0.1), sleep=clock.sleep, clock=clock)
    with closing(emulator), emulator.serve():
        with Client(emulator.url, StaticToken("anything"), sleep=clock.sleep, clock=clock) as client:
            decision = decided(emulator, HAND_OFF, client=client)
            told = list(apply_plan(decision, client, KINDS, Settings(sleep=clock.sleep)))
        assert {each.status for each in told if isinstance(each, Outcome)} == {Status.VERIFIED}
        assert rows(emulator) == undisturbed[0]
        assert any(each.status == 429 for each in emulator.requests)
