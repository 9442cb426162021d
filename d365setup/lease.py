"""A lease, for teams that want strict order: a file in a shared place says who may apply now, and until when.

It is a courtesy among those who ask for it. What keeps two applies from harming each other are the conditions every
write carries; a lease only spares them the surprise.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from d365setup.errors import Refused, UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

LASTS = 600.0  # seconds; renewed before each stage, so that only a dead owner's runs out
_LARGEST = 4096  # bytes
_PATIENCE = 10.0  # seconds to wait for somebody who is writing the file at this moment


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: a name for people, a token for this very holder, and the Unix time it runs out."""

    owner: str
    token: str
    until: float


class Lease:
    """A lease that is held."""

    def __init__(self, path: Path, owner: str, clock: Callable[[], float]) -> None:
        self._path, self._clock = path, clock
        self._holder = Holder(owner, uuid.uuid4().hex, 0.0)

    def take(self) -> None:
        """Raises Refused while somebody else holds it, UsageError where the file cannot be used."""
        with self._locked():
            held = self._read()
            if held and held.token != self._holder.token and held.until > self._clock():
                left = held.until - self._clock()
                raise Refused(
                    f"{held.owner} holds the lease {self._path} for another {left:.0f} s; wait, or delete the file "
                    "when you know that nobody is applying"
                )
            self._write()

    def renew(self) -> bool:
        """Extend it; false when it is somebody else's by now, or cannot be extended."""
        try:
            self.take()
        except (Refused, UsageError):
            return False
        return True

    def give_back(self) -> None:
        """Others may take it now."""
        with suppress(UsageError, OSError), self._locked():
            held = self._read()
            if held and held.token == self._holder.token:
                self._path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout  # noqa: PLC0415  # only for those who ask for a lease

        lock: BaseFileLock = FileLock(f"{self._path}.lock", timeout=_PATIENCE)
        try:
            lock.acquire()
        except (Timeout, OSError) as error:
            raise UsageError(f"--lease {self._path} cannot be used: {error}") from None
        try:
            yield
        finally:
            lock.release()

    def _read(self) -> Holder | None:
        """Who holds it; None where nobody does, or where the file is no lease: then it protects nothing."""
        try:
            with self._path.open("rb") as file:
                data = json.loads(file.read(_LARGEST))
            return Holder(str(data["owner"])[:200], str(data["token"]), float(data["until"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"--lease {self._path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            told = "is no lease: name another file, or delete it"
            raise UsageError(f"--lease {self._path} {told}") from None

    def _write(self) -> None:
        self._holder = Holder(self._holder.owner, self._holder.token, self._clock() + LASTS)
        fresh = self._path.with_name(f"{self._path.name}.{self._holder.token[:8]}")
        try:
            fresh.write_text(json.dumps(vars(self._holder)), encoding="ascii")
            fresh.replace(self._path)
        except OSError as error:
            raise UsageError(f"--lease {self._path} cannot be written: {error.strerror}") from None


@contextmanager
def held(path: Path | None, owner: str = "", clock: Callable[[], float] = time.time) -> Iterator[Callable[[], bool]]:
    """Hold the lease meanwhile; what comes back renews it and says whether it still is ours. Without a path, nothing.

    Raises Refused while somebody else holds it.
    """
    if path is None:
        yield lambda: True
        return
    lease = Lease(path, owner or _me(), clock)
    lease.take()
    try:
        yield lease.renew
    finally:
        lease.give_back()


def _me() -> str:
    user = os.environ.get("USER") or os.environ.get("USERNAME") or "somebody"
    return f"{user} on {socket.gethostname()} (process {os.getpid()})"
