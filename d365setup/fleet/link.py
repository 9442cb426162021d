"""A connection to a Dask scheduler, and the few things we ask of it. The one place that knows Dask's client."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from d365setup.errors import NotReachable
from d365setup.fleet.entries import Environment
from d365setup.fleet.errand import Carried, begun, errand
from d365setup.fleet.luggage import Luggage

_SILENCE = 30.0  # seconds in which a scheduler must answer anything
_RESULT = 10.0  # seconds for a result to come; a worker that died with it has to do it again
_BROKE = "the connection broke"
_BROKEN = (OSError, TimeoutError, CancelledError, RuntimeError)


Ended = SimpleQueue[tuple[str, Any]]  # environments whose tasks ended, with what Dask knows of them


class Lost(NotReachable):
    """The scheduler is gone, or knows nothing of this run any more."""


class Later(Exception):
    """The result was there and is being made again: whoever gets this asks again."""


class Link:
    """What a run needs of a cluster. Every method raises Lost where the scheduler is gone."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self.address = client, address

    def workers(self) -> int:
        """How many workers there are now."""
        with self._heard():
            identity = self._client.scheduler.identity
            return int(self._client.sync(identity, n_workers=0, callback_timeout=_SILENCE)["n_workers"])

    def pack(self, luggage: Luggage) -> Any:
        """Put the luggage on the cluster: as a task, so that it is made again when the worker that has it dies."""
        with self._heard():
            return self._client.submit(_same, luggage, key=f"luggage-{luggage.run}", pure=False)

    def begin(self, environments: Sequence[Environment], luggage: Any, run: str, ended: Ended) -> dict[str, Any]:
        """One task for each environment, by its name; it comes in the queue when it has ended."""
        names = [each.name for each in environments]
        with self._heard():
            keys = [f"environment-{run}-{name}" for name in names]
            futures = self._client.map(errand, environments, key=keys, pure=False, luggage=luggage)
            for name, each in zip(names, futures, strict=True):
                each.add_done_callback(lambda future, name=name: ended.put((name, future)))
            return dict(zip(names, futures, strict=True))

    def result(self, name: str, future: Any, ended: Ended) -> Carried | BaseException:
        """What came of a task that ended, or why it failed.

        Raises Later where the worker died with the result: it is made again, and comes in the queue again.
        """
        if future.status == "cancelled":
            raise Lost(self._gone("it was restarted, or somebody cancelled this run there"))
        try:
            error: BaseException | None = future.exception(timeout=_RESULT)
            found: Carried | BaseException = future.result(timeout=_RESULT) if error is None else error
        except TimeoutError:
            ended.put((name, future))
            raise Later from None
        except CancelledError:
            raise Lost(self._gone(_BROKE)) from None
        return found

    def on_begun(self, run: str, told: Callable[[str], None]) -> None:
        """Have it told which environment a worker begins."""
        with self._heard():
            self._client.subscribe_topic(begun(run), lambda event: told(str(event[1])))

    def set(self, event: str) -> None:
        """Tell all workers, those to come as well."""
        dask: Any = importlib.import_module("distributed")
        with self._heard():
            dask.Event(event, client=self._client).set()

    @contextmanager
    def _heard(self) -> Iterator[None]:
        if self._client.status != "running":
            raise Lost(self._gone(_BROKE))
        try:
            yield
        except _BROKEN as error:
            raise Lost(self._gone("it does not answer" if isinstance(error, TimeoutError) else _BROKE)) from None

    def _gone(self, why: str) -> str:
        return f"the scheduler at {self.address} was lost ({why})"


def _same(luggage: Luggage) -> Luggage:
    return luggage
