"""Faults on request: by rule, as text or value, and by chance from a seed."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from .options import Fault, FaultPlace

CHANCE = (
    Fault(where="request", status=429, code="0x80072322", message="Throttled by chance.", retry_after=1),
    Fault(where="request", status=503, code="", message="Service Unavailable"),
    Fault(where="request", status=500, code="0x80044150", message="Sql Number: 1205, a deadlock by chance."),
    Fault(where="drop-before"),
    Fault(where="drop-after"),
)
"""What may happen to a request by chance."""
KINDS = {
    "429": Fault(where="request", status=429, code="0x80072322", message="Throttled on request.", retry_after=1),
    "503": Fault(where="request", status=503, code="", message="Service Unavailable"),
    "deadlock": Fault(status=500, code="0x80044150", message="Sql Number: 1205, a deadlock on request."),
    "500": Fault(),
    "slow": Fault(where="slow"),
    "drop-before": Fault(where="drop-before"),
    "drop-midway": Fault(where="drop-midway"),
    "drop-within": Fault(where="drop-within"),
    "drop-after": Fault(where="drop-after"),
    "torn": Fault(where="torn"),
    "stale": Fault(where="stale"),
}
"""The words a rule may begin with; any other status from 400 to 599 will do as well."""
_TIME = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s|)", re.ASCII)


class Cut(Exception):  # not an error: a fault asked for
    """The connection is to be cut here."""


@dataclass
class _Armed:
    fault: Fault
    skip: int
    left: int


class Faults:
    """The rules still waiting to strike; safe to use from many threads."""

    def __init__(self, rules: Iterable[Fault] = (), *, rate: float = 0.0, seed: int = 0) -> None:
        if not 0 <= rate <= 1:
            message = f"The rate of faults is a share from 0 to 1, not {rate}."
            raise ValueError(message)
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._rate = rate
        self._chance = random.Random(seed)  # noqa: S311  # repeatable on purpose, guards nothing
        self._parent: Faults | None = None
        for rule in rules:
            self.add(rule)

    @property
    def waiting(self) -> list[tuple[Fault, int, int]]:
        """Every rule with how many matches it still lets pass and how often it strikes then (0: always)."""
        with self._lock:
            return [(armed.fault, armed.skip, armed.left) for armed in self._armed]

    def add(self, fault: Fault) -> None:
        """Arm a rule; rules are tried in the order they were added. Raises ValueError for a broken pattern."""
        for pattern in (fault.method, fault.path):
            try:
                re.compile(pattern)
            except re.error as error:
                message = f"{pattern!r} is no regular expression: {error}"
                raise ValueError(message) from None
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Forget every rule; chance goes on."""
        with self._lock:
            self._armed.clear()

    def drawn(self) -> Faults:
        """Return the faults for one request: these, and what chance has in store for it alone."""
        own = Faults()
        own._parent = self  # its own class
        with self._lock:
            struck = self._rate > 0 and self._chance.random() < self._rate
            if struck:
                own.add(self._chance.choice(CHANCE))
        return own

    def take(self, where: FaultPlace, method: str, path: str) -> Fault | None:
        """Return the rule that strikes this one, and use it up once."""
        with self._lock:
            for armed in self._armed:
                if _matches(armed.fault, where, method, path) and self._strikes(armed):
                    return armed.fault
        return self._parent.take(where, method, path) if self._parent is not None else None

    def _strikes(self, armed: _Armed) -> bool:
        if armed.skip:
            armed.skip -= 1
            return False
        if armed.fault.times:
            armed.left -= 1
            if armed.left <= 0:
                self._armed.remove(armed)
        return True


def _matches(fault: Fault, where: FaultPlace, method: str, path: str) -> bool:
    return (
        fault.where == where and re.search(fault.method, method) is not None and re.search(fault.path, path) is not None
    )


def fault_of(text: str) -> Fault:
    """Return the rule a text like `429:path=queues:times=3` stands for; raises ValueError saying what is wrong."""
    kind, *settings = re.split(r":(?=[a-z-]+=)", text)
    fault = KINDS.get(kind)
    if fault is None:
        if not re.fullmatch(r"[45][0-9]{2}", kind):
            message = f"{text!r}: a rule begins with {', '.join(KINDS)}, or another status from 400 to 599"
            raise ValueError(message)
        fault = Fault(status=int(kind), message="Refused on request.")
    changed: dict[str, Any] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        changed.update(_setting(text, name, value))
    return _checked(text, replace(fault, **changed))


def _setting(text: str, name: str, value: str) -> dict[str, Any]:
    reads: dict[str, tuple[str, Callable[[str], Any]]] = {
        "method": ("method", str),
        "path": ("path", str),
        "code": ("code", str),
        "message": ("message", str),
        "where": ("where", _place),
        "times": ("times", lambda given: 0 if given == "always" else _count(given)),
        "skip": ("skip", _count),
        "reads": ("reads", _count),
        "retry-after": ("retry_after", _count),
        "time": ("seconds", seconds),
    }
    if name not in reads:
        message = f"{text!r}: {name!r} is no setting of a rule; there are {', '.join(reads)}"
        raise ValueError(message)
    field, read = reads[name]
    try:
        return {field: read(value)}
    except ValueError as error:
        message = f"{text!r}: {name}: {error}"
        raise ValueError(message) from None


def _checked(text: str, fault: Fault) -> Fault:
    if fault.where == "slow" and not fault.seconds:
        message = f"{text!r}: say how slow, for example slow:time=500ms"
        raise ValueError(message)
    if fault.where == "stale" and not (fault.seconds or fault.reads):
        message = f"{text!r}: say for how long, for example stale:reads=3 or stale:time=500ms"
        raise ValueError(message)
    Faults([fault])  # its patterns
    return fault


def _place(value: str) -> str:
    if value not in {"operation", "request"}:
        message = f"{value!r} is neither operation nor request"
        raise ValueError(message)
    return value


def _count(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 7):
        message = f"{value!r} is no number"
        raise ValueError(message)
    return int(value)


def seconds(value: str) -> float:
    """Return a time written as 80ms, 1.5s or 2; raises ValueError."""
    found = _TIME.fullmatch(value)
    if found is None:
        message = f"{value!r} is no time; write it like 80ms, 1.5s or 2"
        raise ValueError(message)
    return float(found[1]) * (0.001 if found[2] == "ms" else 1.0)
