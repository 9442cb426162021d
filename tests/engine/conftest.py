from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from d365setup.emulator import Emulator, Options, Switches


@pytest.fixture
def served() -> Iterator[Callable[..., Emulator]]:
    """Make emulators with the options given; all of them end with the test."""
    started: list[Emulator] = []

    def serve(*, switches: Switches | None = None, **options: object) -> Emulator:
        emulator = Emulator(None, Options(switches=switches or Switches(), **options))  # type: ignore[arg-type]
        started.append(emulator)
        return emulator.start()

    yield serve
    for emulator in started:
        emulator.close()


@pytest.fixture
def emulator(served: Callable[..., Emulator]) -> Emulator:
    return served()


@pytest.fixture
def slow(served: Callable[..., Emulator]) -> Emulator:
    """One with latency, so that requests sent side by side overlap and those in a row do not."""
    return served(rtt=0.15)
