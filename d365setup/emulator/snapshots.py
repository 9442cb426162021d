"""Stale reads: for a while after a write, reads see the rows as they were before it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from .store import Rows, Store


@dataclass
class _Held:
    stack: ExitStack
    rows: Rows
    until: float | None
    left: int | None


class Snapshots:
    """Hands out transactions to read in: the present, or the past while one is held. Safe to use from many threads."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def hold(self, seconds: float, reads: int) -> None:
        """Keep the present for `reads` reads (0: any number) within `seconds` (0: without end)."""
        until = self._clock() + seconds if seconds else None
        with self._lock:
            self._drop_if_over()
            if self._held is None:
                stack = ExitStack()
                rows = stack.enter_context(self._store.reading())
                rows.select("SELECT value FROM _counter")  # a snapshot begins with its first read
                self._held = _Held(stack, rows, until, None)
            self._held.until, self._held.left = until, reads or None

    def release(self) -> None:
        """Let go of what is held."""
        with self._lock:
            self._drop()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Give the rows to read from."""
        with self._lock:
            self._drop_if_over()
            held = self._held
            if held is not None:  # one connection: its readers take turns
                if held.left is not None:
                    held.left -= 1
                yield held.rows
                return
        with self._store.reading() as rows:
            yield rows

    def _drop_if_over(self) -> None:
        held = self._held
        if held is not None and (held.left == 0 or (held.until is not None and self._clock() >= held.until)):
            self._drop()

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.stack.close()
