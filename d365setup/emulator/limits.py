"""Service protection: how much one user may ask within a window, and how long to stay away after too much.

Numbers, codes and texts are those of Microsoft's page on service protection limits: a sliding window for each user,
429 with `Retry-After` in whole seconds, longer for whoever comes back too early.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .errors import ServiceError
from .options import Limits

BURST = 0.1
"""Seconds in which refusals count as one: requests sent side by side have not disobeyed yet."""
MOST_STRIKES = 8
ROUNDING = 1e-6
"""Whoever waits as told must not be early by a rounding error."""


@dataclass
class _Use:
    """What one user has done within the window."""

    begun: deque[float] = field(default_factory=deque)
    spent: deque[tuple[float, float]] = field(default_factory=deque)
    active: int = 0
    refused: float | None = None
    until: float = 0.0
    strikes: int = 0
    told: int = 0
    reason: str = ""

    @property
    def execution(self) -> float:
        return sum(seconds for _, seconds in self.spent)


class Protection:
    """Counts by user; safe to use from many threads. `clock` counts seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._users: dict[str, _Use] = {}

    @contextmanager
    def admitted(self, user: str) -> Iterator[None]:
        """Count a request while it is carried out; raises the 429 instead when the user has had enough."""
        begun = self._begin(user)
        try:
            yield
        finally:
            with self._lock:
                use = self._users[user]
                use.active -= 1
                now = self._clock()
                use.spent.append((now, now - begun))

    def left(self, user: str) -> tuple[int, float]:
        """Return how many requests and how many seconds of execution the user has left."""
        with self._lock:
            use = self._users.get(user, _Use())
            self._forget(use, self._clock())
            requests = self.limits.requests - len(use.begun)
            return max(requests, 0), max(self.limits.execution - use.execution, 0.0)

    def reset(self) -> None:
        """Forget what was asked; requests under way stay counted."""
        with self._lock:
            for use in self._users.values():
                use.begun.clear()
                use.spent.clear()
                use.refused, use.until, use.strikes, use.told = None, 0.0, 0, 0

    def _begin(self, user: str) -> float:
        with self._lock:
            now = self._clock()
            use = self._users.setdefault(user, _Use())
            self._forget(use, now)
            self._refuse_too_much(use, now)
            use.refused, use.strikes, use.told = None, 0, 0
            use.begun.append(now)
            use.active += 1
            return now

    def _forget(self, use: _Use, now: float) -> None:
        since = now - self.limits.window + ROUNDING
        while use.begun and use.begun[0] <= since:
            use.begun.popleft()
        while use.spent and use.spent[0][0] <= since:
            use.spent.popleft()

    def _refuse_too_much(self, use: _Use, now: float) -> None:
        reasons: list[tuple[float, str]] = []
        if now + ROUNDING < use.until:  # told to stay away, and back already
            reasons.append((use.until - now, use.reason))
        if len(use.begun) >= self.limits.requests:
            reasons.append((self._requests_free(use, now), "requests"))
        if use.execution >= self.limits.execution:
            reasons.append((self._execution_frees(use, now), "execution"))
        if use.active >= self.limits.concurrent:
            reasons.append((0.0, "concurrent"))
        if reasons:
            frees, reason = max(reasons)
            self._refuse(use, now, reason, frees)

    def _requests_free(self, use: _Use, now: float) -> float:
        return use.begun[0] + self.limits.window - now if use.begun else self.limits.window

    def _execution_frees(self, use: _Use, now: float) -> float:
        left = use.execution
        for ended, seconds in use.spent:
            left -= seconds
            if left < self.limits.execution:
                return ended + self.limits.window - now
        return self.limits.window

    def _refuse(self, use: _Use, now: float, reason: str, frees: float) -> None:
        wait = max(math.ceil(frees), 1, use.told)
        if use.refused is not None and now - use.refused >= BURST:
            use.strikes = min(use.strikes + 1, MOST_STRIKES)
            wait += 2**use.strikes
        if use.refused is None or now - use.refused >= BURST:
            use.refused = now
        use.told = wait
        if reason != "concurrent":  # who comes back early is refused although the window has room again
            use.until, use.reason = max(use.until, now + wait), reason
        raise ServiceError(429, *self._told(reason), (("Retry-After", str(wait)),))

    def _told(self, reason: str) -> tuple[str, str]:
        milliseconds = f"{self.limits.execution * 1000:,.0f}"
        limits, window = self.limits, f"over time window of {self.limits.window:g} seconds."
        known = {
            "requests": ("0x80072322", f"Number of requests exceeded the limit of {limits.requests} {window}"),
            "execution": (
                "0x80072321",
                f"Combined execution time of incoming requests exceeded limit of {milliseconds} milliseconds {window}",
            ),
            "concurrent": ("0x80072326", f"Number of concurrent requests exceeded the limit of {limits.concurrent}."),
        }
        return known[reason]
