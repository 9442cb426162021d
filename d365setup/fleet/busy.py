"""That only one process at a time works on an environment, also when the one that started it was killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from d365setup.errors import Refused

_OFTEN = 0.2  # seconds between two tries
_BUSY = "another run is at work on this environment; wait until it ends"


@contextmanager
def alone(file: Path, until: float) -> Iterator[tuple[int, ...]]:
    """Hold a lock; what is yielded is to be passed on to the process, which then holds it as long as it lives.

    Raises Refused where somebody else still holds it at ``until`` (`time.monotonic`).
    """
    if sys.platform == "win32":  # no lock can be handed down there: the child of a killed run may overlap with the next
        with by_us(file, until):
            yield ()
        return
    import fcntl  # noqa: PLC0415  # not on Windows

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _taken(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)):
            if time.monotonic() > until:
                raise Refused(_BUSY)
            time.sleep(_OFTEN)
        yield (descriptor,)
    finally:
        os.close(descriptor)


@contextmanager
def by_us(file: Path, until: float) -> Iterator[None]:
    """Hold it ourselves, where no process can be given it: two runs that both live never work on one environment."""
    lock = FileLock(file)
    try:
        lock.acquire(timeout=max(0.0, until - time.monotonic()), poll_interval=_OFTEN)
    except Timeout:
        raise Refused(_BUSY) from None
    try:
        yield
    finally:
        lock.release()


def _taken(lock: Callable[[], None]) -> bool:
    try:
        lock()
    except BlockingIOError:
        return False
    return True
