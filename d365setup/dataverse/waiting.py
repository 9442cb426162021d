"""Waiting: what may be sent again and when, the gate all workers stop at, and the count of it all.

Policy: learn.microsoft.com, "Service protection API limits" (obey Retry-After, else grow by powers of two).
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from d365setup.dataverse.errors import (
    ConnectFailed,
    ConnectionLost,
    DataverseError,
    ServerFault,
    Throttled,
    Unavailable,
)

T = TypeVar("T")
LONGEST_BACKOFF = 60.0  # seconds, where the service names no time


@dataclass
class Stats:
    """What went over the wire so far; `operations` counts the requests inside batches one by one."""

    requests: int = 0
    operations: int = 0
    retries: int = 0
    waited_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, *, requests: int = 0, operations: int = 0, retries: int = 0, waited_seconds: float = 0.0) -> None:
        """Count on; safe from any thread. Seconds are summed over the workers that waited."""
        with self._lock:
            self.requests += requests
            self.operations += operations
            self.retries += retries
            self.waited_seconds += waited_seconds


class Gate:
    """Closed for everyone while the service told anyone of us to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._opens = float("-inf")

    def hold(self, seconds: float) -> None:
        """Keep closed for at least so long from now."""
        with self._lock:
            self._opens = max(self._opens, self._clock() + seconds)

    def opens(self) -> tuple[float, float]:
        """When it opens on the clock, and how many seconds that is from now (0 when open)."""
        with self._lock:
            return self._opens, max(0.0, self._opens - self._clock())


@dataclass(frozen=True)
class Policy:
    """How patient a client is; clock, sleep and jitter are handed in so that no test waits."""

    tries: int = 5
    max_wait: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    on_wait: Callable[[float, str], None] | None = None  # called by workers: seconds, reason
    jitter: Callable[[], float] = random.random  # 0 up to 1

    def backoff(self, attempt: int) -> float:
        """Seconds after the given try: 2, 4, 8, … each shortened by up to a half."""
        grown: float = min(2.0**attempt, LONGEST_BACKOFF)
        return grown * (1 - self.jitter() / 2)


def may_send_again(error: BaseException | None, *, safe: bool) -> bool:
    """Whether the transport repeats by itself: `safe` says that sending twice does no more than once.

    Always after 429 and after a connection that was never made: the service surely did not act.
    """
    if isinstance(error, Throttled):
        return True
    if isinstance(error, ConnectFailed):
        return error.may_repeat
    return safe and isinstance(error, Unavailable | ConnectionLost | ServerFault) and error.may_repeat


class Patience:
    """The tries of one request, capped in number and in seconds waited."""

    def __init__(self, gate: Gate, policy: Policy, stats: Stats, *, safe: bool) -> None:
        self._gate = gate
        self._policy = policy
        self._stats = stats
        self._safe = safe
        self._waited = 0.0
        self._served = float("-inf")  # the gate time this request has waited for already
        self._at_gate = False
        self._reason = ""

    def run(self, attempt: Callable[[], T]) -> T:
        """The first success; raises the last error when tries or seconds run out."""
        retrying = tenacity.Retrying(
            before=lambda _state: self._pass_gate(),
            retry=lambda state: may_send_again(_error(state), safe=self._safe),
            wait=self._delay,
            stop=self._enough,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(attempt)

    def _pass_gate(self) -> None:
        while True:
            opens, seconds = self._gate.opens()
            if seconds <= 0 or opens <= self._served:
                return
            if self._waited + seconds > self._policy.max_wait:
                raise _too_long(seconds, self._policy.max_wait)
            self._served = opens
            self._pause(seconds, "the service asked to wait (429)")

    def _delay(self, state: tenacity.RetryCallState) -> float:
        error = _error(state)
        asked = error.retry_after if isinstance(error, DataverseError) else None
        seconds = self._policy.backoff(state.attempt_number) if asked is None else asked
        self._at_gate = isinstance(error, Throttled)
        if self._at_gate:
            self._gate.hold(seconds)
        else:
            self._reason = _reason(error)
        return seconds

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        would_wait = self._waited + state.upcoming_sleep
        return state.attempt_number >= self._policy.tries or would_wait > self._policy.max_wait

    def _sleep(self, seconds: float) -> None:
        """Called between tries. After a 429 the gate does the waiting, for this request as for all others."""
        self._stats.add(retries=1)
        if not self._at_gate:
            self._pause(seconds, self._reason)

    def _pause(self, seconds: float, reason: str) -> None:
        self._waited += seconds
        self._stats.add(waited_seconds=seconds)
        if self._policy.on_wait is not None:
            self._policy.on_wait(seconds, reason)
        self._policy.sleep(seconds)


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _reason(error: BaseException | None) -> str:
    status = error.status if isinstance(error, DataverseError) else None
    return f"the service could not answer (HTTP {status})" if status else "no answer came"


def _too_long(seconds: float, allowed: float) -> Throttled:
    message = f"the service asks to wait {seconds:.0f} s; no request waits more than {allowed:.0f} s in all"
    return Throttled(message, status=429, retry_after=seconds)
