"""What somebody sees of a fleet's run: on a terminal each end as it comes, in a pipeline's log a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import click

from d365setup.fleet.results import Result
from d365setup.report.visible import visible

_SHOWN = 6  # environments named as running
_SELDOM = 30.0  # seconds between two lines where nobody sits at a terminal


@dataclass
class Watch:
    """How far a run is, and what is running."""

    count: int
    now: Callable[[], float] = time.monotonic
    running: dict[str, None] = field(default_factory=dict)
    ended: int = 0
    broken: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    told: float = field(init=False)

    def __post_init__(self) -> None:
        self.told = self.now()

    def began(self, name: str) -> None:
        """Called by whichever thread hears of it."""
        with self.lock:
            self.running[name] = None

    def over(self, result: Result) -> None:
        """One more has ended."""
        with self.lock:
            self.running.pop(result.environment, None)
            self.ended += 1
            self.broken += result.is_broken
            now = list(self.running)
        more = f" and {len(now) - _SHOWN} more" if len(now) > _SHOWN else ""
        tail = f"; running: {', '.join(now[:_SHOWN])}{more}" if now else ""
        if sys.stderr.isatty():
            took = f"{result.seconds:.1f} s"
            _say(f"{self.ended}/{self.count}  {result.state}  {result.environment}  {took}{tail}")
        elif self.now() - self.told >= _SELDOM:
            self.told = self.now()
            broke = f", {self.broken} of them broke" if self.broken else ""
            _say(f"{self.ended} of {self.count} environments have ended{broke}{tail}")

    def said(self, text: str) -> None:
        """Why nothing comes for a while."""
        _say(text)


def _say(text: str) -> None:
    click.echo(visible(text), err=True)
