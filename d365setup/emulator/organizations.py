"""Many organizations in one process, each on a port of its own: paths of the Web API stay as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from .core import Emulator
from .options import Options

_POLL = 0.25  # seconds; a thread for each organization looks so often whether it shall end
_REST = 2.0  # seconds without a request after which an organization lets go of its memory


class Organizations:
    """Organizations 1 to ``count``. Each has rows of its own: ``data`` is the first's file, ``data-2`` the second's.

    Ids and names of organizations differ and are the same on every machine (`Options.organization`).
    """

    def __init__(self, data: Path | None, options: Options | None = None, count: int = 1) -> None:
        self.emulators: list[Emulator] = []
        try:
            for number in range(1, count + 1):
                chosen = replace(options or Options(), organization=number)
                self.emulators.append(Emulator(data_file(data, number), chosen))
                if count > 1:
                    self.emulators[-1].rest()
        except BaseException:
            self.close()
            raise
        self._ended = threading.Event()

    @property
    def urls(self) -> tuple[str, ...]:
        """Where they listen, the first one first."""
        return tuple(each.url for each in self.emulators)

    def start(self, port: int = 0) -> Organizations:
        """Listen on ``port`` and the ones behind it (0: ports the system chooses). Raises OSError for one in use."""
        poll = _POLL if len(self.emulators) > 1 else 0.02
        try:
            for place, each in enumerate(self.emulators):
                each.start(port + place if port else 0, poll=poll)
        except BaseException:
            self._all(Emulator.stop)
            raise
        return self

    def serve_forever(self, port: int, ready: Callable[[Sequence[str]], None]) -> None:
        """Listen until interrupted; ``ready`` gets the URLs once requests are accepted."""
        try:
            self.start(port)
            ready(self.urls)
            asked = [0] * len(self.emulators)
            while not self._ended.wait(_REST):
                asked = self._rested(asked)
        finally:
            self.close()

    def close(self) -> None:
        """Stop them all, and let go of their files."""
        self._all(Emulator.close)

    def _rested(self, before: Sequence[int]) -> list[int]:
        """Let those rest that nobody asked since; how many requests each had."""
        now = [len(each.requests) for each in self.emulators]
        for each, was, count in zip(self.emulators, before, now, strict=True):
            if len(self.emulators) > 1 and was == count:
                each.rest()
        return now

    def _all(self, act: Callable[[Emulator], None]) -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(act, self.emulators))


def data_file(data: Path | None, number: int) -> Path | None:
    """The file of an organization: the second one's has -2 before its ending."""
    if data is None or number == 1:
        return data
    return data.with_name(f"{data.stem}-{number}{data.suffix}")
