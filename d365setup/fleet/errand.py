"""What a worker of a cluster does: one environment's work, as `working.perform` does it, with luggage for a disk."""

from __future__ import annotations

import importlib
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from d365setup import __version__
from d365setup.errors import D365SetupError
from d365setup.fleet.carrying import Journals, brought, marked
from d365setup.fleet.entries import Environment
from d365setup.fleet.luggage import Luggage, unpacked
from d365setup.fleet.results import Result
from d365setup.fleet.working import home, perform
from d365setup.playbook import environment as surroundings

STATE_DIR = ".d365setup"  # as of any command here
_EVERY = 3.0  # seconds between two questions whether to stop
_UNHEARD = (OSError, TimeoutError, RuntimeError, ValueError, CancelledError)  # what asking may end in


@dataclass(frozen=True)
class Carried:
    """What comes back from a worker."""

    result: Result
    journals: Journals = ()


def hold(run: str) -> str:
    """The event that says: what has not begun does not begin."""
    return f"d365setup-{run}-hold"


def stop(run: str) -> str:
    """The event that says: finish what is under way."""
    return f"d365setup-{run}-stop"


def begun(run: str) -> str:
    """The topic in which workers name the environment that they begin."""
    return f"d365setup-{run}-begun"


def errand(environment: Environment, luggage: Luggage) -> Carried:
    """The task. It raises nothing that we know of: Dask writes the arguments of a task that does into its log."""
    try:
        if told := _unfit(luggage):
            cure = "run the workers, the scheduler and this command from one image (docs/fleet.md)"
            return Carried(Result(environment.name, environment.url, "failed", 2, told, cure))
        asked = Asked(luggage.run)
        if asked.is_set(hold):
            return Carried(Result(environment.name, environment.url, "not started", message="stopped before its turn"))
        _say(begun(luggage.run), environment.name)
        return _done(environment, luggage, asked.stopping)
    except (D365SetupError, OSError) as error:
        cure = "mend that on the worker, then go on with --resume"
        return Carried(Result(environment.name, environment.url, "failed", 1, f"on its worker: {error}"[:600], cure))


def _unfit(luggage: Luggage) -> str:
    same = luggage.version == __version__
    return "" if same else f"its worker has d365setup {__version__}, and this run is of {luggage.version}"


def _done(environment: Environment, luggage: Luggage, stopping: Callable[[], bool]) -> Carried:
    given = surroundings(Path.cwd()).get("D365_STATE_DIR") or STATE_DIR
    state_dir = (Path(given) / "fleet").absolute()
    folder = home(str(state_dir), environment.name)
    marked(folder, luggage.run)
    with tempfile.TemporaryDirectory(prefix="d365setup-") as place:  # for its user only
        here = unpacked(luggage, Path(place))
        result = perform(here.order(state_dir), here.environment(environment), stopping)
        return Carried(here.told(result), brought(folder))


@dataclass
class Asked:
    """Whether whoever ran this asked for something, by events of the cluster. No answer is no."""

    run: str
    _next: float = field(default=0.0, repr=False)
    _stopped: bool = field(default=False, repr=False)

    def is_set(self, event: Callable[[str], str]) -> bool:
        """Ask now."""
        with suppress(*_UNHEARD):
            return bool(_dask().Event(event(self.run)).is_set())
        return False

    def stopping(self) -> bool:
        """Ask every few seconds; once asked to, it stays."""
        now = time.monotonic()
        if not self._stopped and now >= self._next:
            self._stopped = self.is_set(stop)
            self._next = time.monotonic() + _EVERY
        return self._stopped


def _say(topic: str, text: str) -> None:
    with suppress(*_UNHEARD):
        _dask().get_worker().log_event(topic, text)


def _dask() -> Any:
    """Only a worker comes here, so it is installed."""
    return importlib.import_module("distributed")
