"""Ctrl-C and SIGTERM while something is written: finish what is under way, then end and say where things stand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

_TOLD = "stopping: what is under way is finished and read back first; once more stops at once"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __call__(self) -> bool:
        """True once somebody did."""
        return self._asked.is_set()

    def heard(self, number: int, frame: FrameType | None) -> None:
        """A signal came. The second one raises KeyboardInterrupt."""
        del number, frame
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()
        click.echo(_TOLD, err=True)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Listen for the signals meanwhile; outside the main thread nothing can be heard, and nothing is changed."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: dict[int, Any] = {number: signal.signal(number, stop.heard) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
