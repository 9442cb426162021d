"""Faults on request: which rule, if any, the next operation or request falls under."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from .options import Fault, FaultPlace


@dataclass
class _Armed:
    fault: Fault
    skip: int
    left: int


class Faults:
    """The rules still waiting to strike; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []

    def add(self, fault: Fault) -> None:
        """Arm a rule; rules are tried in the order they were added."""
        with self._lock:
            self._armed.append(_Armed(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Forget every rule."""
        with self._lock:
            self._armed.clear()

    def take(self, where: FaultPlace, method: str, path: str) -> Fault | None:
        """Return the rule that strikes this one, and use it up once."""
        with self._lock:
            for armed in self._armed:
                if _matches(armed.fault, where, method, path) and self._strikes(armed):
                    return armed.fault
        return None

    def _strikes(self, armed: _Armed) -> bool:
        if armed.skip:
            armed.skip -= 1
            return False
        armed.left -= 1
        if armed.left <= 0:
            self._armed.remove(armed)
        return True


def _matches(fault: Fault, where: FaultPlace, method: str, path: str) -> bool:
    return (
        fault.where == where and re.search(fault.method, method) is not None and re.search(fault.path, path) is not None
    )
