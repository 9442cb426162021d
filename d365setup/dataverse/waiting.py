"""Waiting: what may be sent again and when, the gate all workers stop at, and the count of it all.

Policy: learn.microsoft.com, "Service protection API limits" (obey Retry-After, else grow by powers of two).
"""

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

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
TOLD = "the service asked to wait (429)"
SHORTEST_TOLD = 1.0  # seconds: with less, asking again is a try like any other
_ROUNDED = 0.01  # seconds: what we wrote ourselves comes back rounded up to milliseconds
OTHERS_TOLD = "the service asked another process of the same user to wait (429)"


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


class Shared(Protocol):
    """The gate of other processes beside ours, on the same clock; see shared_gate.py. Raises nothing."""

    def opens(self) -> float:
        """The moment when it opens, in the past when it is open."""
        ...

    def hold(self, until: float) -> None:
        """Keep it closed until that moment at least."""
        ...


class Opening(NamedTuple):
    """When a gate opens on the clock, how many seconds that is from now (0 when open), and why it is closed."""

    moment: float
    seconds: float
    reason: str


class Gate:
    """Closed for everyone while the service told anyone of us to wait."""

    def __init__(self, clock: Callable[[], float], shared: Shared | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._opens = float("-inf")
        self._shared = shared

    @property
    def is_shared(self) -> bool:
        """Whether other processes stop at it too."""
        return self._shared is not None

    def share(self, shared: Shared) -> None:
        """From now on, close and open together with other processes; who comes first decides with which."""
        with self._lock:
            self._shared = self._shared or shared

    def hold(self, seconds: float) -> None:
        """Keep closed for at least so long from now."""
        until = self._clock() + seconds
        with self._lock:
            self._opens = max(self._opens, until)
        if self._shared is not None:  # after our own workers, who need not wait for a file
            self._shared.hold(until)

    def opens(self) -> Opening:
        """When it opens, for us and all it is shared with."""
        others = float("-inf") if self._shared is None else self._shared.opens()
        with self._lock:
            moment = max(self._opens, others)
            reason = TOLD if self._opens + _ROUNDED >= others else OTHERS_TOLD
        return Opening(moment, max(0.0, moment - self._clock()), reason)


@dataclass(frozen=True)
class Policy:
    """How patient a client is; clock, sleep and jitter are handed in so that no test waits.

    `tries` does not count those the service put off to a time it named: for them `max_wait` is the limit.
    `first_tries` is for connections to an address that never answered: it is more often wrong than out of reach.
    """

    tries: int = 5
    first_tries: int = 3
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
    """The tries of one request, capped in number and in seconds waited.

    `is_known` says that the address answered before.
    """

    def __init__(self, gate: Gate, policy: Policy, stats: Stats, *, safe: bool, is_known: bool = True) -> None:
        self._gate = gate
        self._policy = policy
        self._stats = stats
        self._safe = safe
        self._is_known = is_known
        self._waited = 0.0
        self._served = float("-inf")  # the gate time this request has waited for already
        self._put_off = 0  # tries the service answered with a time to come back
        self._at_gate = False
        self._gave_up = False
        self._reason = ""

    def run(self, attempt: Callable[[], T]) -> T:
        """The first success; raises the last error when tries or seconds run out.

        The attempt calls `pass_gate` right before it sends.
        """
        retrying = tenacity.Retrying(
            retry=lambda state: not self._gave_up and may_send_again(_error(state), safe=self._safe),
            wait=self._delay,
            stop=self._enough,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(attempt)

    def pass_gate(self) -> bool:
        """Wait until the gate is open; True when it was not. Raises Throttled rather than wait beyond the cap."""
        has_waited = False
        while True:
            moment, seconds, reason = self._gate.opens()
            if seconds <= 0 or moment <= self._served:
                return has_waited
            if self._waited + seconds > self._policy.max_wait:
                self._gave_up = True
                raise _too_long(reason, seconds, self._policy.max_wait)
            self._served = moment
            self._pause(seconds, reason)
            has_waited = True

    def _delay(self, state: tenacity.RetryCallState) -> float:
        error = _error(state)
        asked = error.retry_after if isinstance(error, DataverseError) else None
        seconds = self._policy.backoff(state.attempt_number) if asked is None else asked
        self._at_gate = isinstance(error, Throttled)
        if self._at_gate:
            self._put_off += asked is not None and asked >= SHORTEST_TOLD
            self._gate.hold(seconds)
        else:
            self._reason = _reason(error)
        return seconds

    def _enough(self, state: tenacity.RetryCallState) -> bool:
        would_wait = self._waited + state.upcoming_sleep
        tries = state.attempt_number - self._put_off
        return tries >= self._most(_error(state)) or would_wait > self._policy.max_wait

    def _most(self, error: BaseException | None) -> int:
        is_stranger = isinstance(error, ConnectFailed) and not self._is_known
        return min(self._policy.first_tries, self._policy.tries) if is_stranger else self._policy.tries

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


def _too_long(reason: str, seconds: float, allowed: float) -> Throttled:
    message = f"{reason}, for {math.ceil(seconds)} s more; no request waits more than {allowed:.0f} s in all"
    return Throttled(message, status=429, retry_after=seconds)
