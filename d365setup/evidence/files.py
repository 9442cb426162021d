"""Evidence on the disk: where it goes, what it is written behind, and written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from d365setup.errors import D365SetupError, Refused, UsageError
from d365setup.evidence.chain import LARGEST, sha256
from d365setup.evidence.examination import NoEvidence, examined
from d365setup.evidence.records import Previous

SUFFIX = ".jsonl"
SIGNATURE = ".sig"
LARGEST_KEY = 64 * 1024  # bytes; keys and signatures have a few thousand
_NUMBERED = re.compile(r"([0-9]{6})-[\w-]{1,60}\.jsonl", re.ASCII)
_PATIENCE = 30.0  # seconds to wait for another command that is sealing into the same folder

Seal = Callable[[Previous | None], bytes]


class Unsealed(D365SetupError):
    """The evidence that was asked for could not be written."""


@dataclass(frozen=True)
class Place:
    """Where evidence goes: into a file of this name, or into a folder, behind the last one there."""

    path: Path
    after: Path | None = None

    @property
    def is_folder(self) -> bool:
        """A folder that is there, or a name without an ending."""
        return self.path.is_dir() or (not self.path.suffix and not self.path.exists())

    def check(self) -> None:
        """Before anything is done: raises UsageError where nothing can be written, Refused behind altered evidence."""
        folder = self.path if self.is_folder else self.path.parent
        try:
            if self.is_folder:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _try_out(folder)
        except OSError as error:
            raise UsageError(f"--evidence {self.path} cannot be written: {error.strerror}") from None
        self._check_new()
        before = self._before()
        if before is not None:
            previous(before)

    def seal(self, command: str, at: str, make: Seal, sign: Callable[[bytes], bytes] | None = None) -> Path:
        """Write the evidence, readable by its owner only, and its signature behind it. Raises Unsealed."""
        try:
            with self._alone():
                self._check_new()
                before = self._before()
                data = make(previous(before) if before else None)
                path = self._name(before, command, at)
                if sign is not None:
                    _write(path.with_name(path.name + SIGNATURE), sign(data))
                _write(path, data)
        except OSError as error:
            raise Unsealed(f"the evidence {self.path} could not be written: {error.strerror or error}") from None
        except (UsageError, Refused) as error:
            raise Unsealed(f"the evidence {self.path} could not be written: {error}") from None
        return path

    def _before(self) -> Path | None:
        if self.after is not None or not self.is_folder:
            return self.after
        return next(reversed(numbered(self.path)), None)

    def _name(self, before: Path | None, command: str, at: str) -> Path:
        if not self.is_folder:
            return self.path
        found = _NUMBERED.fullmatch(before.name) if before else None
        number = int(found[1]) + 1 if found else 1 + len(numbered(self.path))
        return self.path / f"{number:06}-{re.sub('[^0-9TZ]', '', at)}-{command}{SUFFIX}"

    def _check_new(self) -> None:
        if self.is_folder and self.after is not None:
            raise UsageError("--evidence-after goes with a file: in a folder the last one is followed by itself")
        if not self.is_folder and self.path.exists():
            raise UsageError(f"--evidence {self.path} is there already, and evidence is not written over: name another")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Of commands that seal into one folder, one after the other: each must follow the last."""
        if not self.is_folder:
            yield
            return
        from filelock import FileLock, Timeout  # noqa: PLC0415  # it loads asyncio, and seldom anybody asks for this

        try:
            with FileLock(self.path / ".lock", timeout=_PATIENCE, mode=0o600):
                yield
        except Timeout:
            raise UsageError(f"another command has been sealing there for {_PATIENCE:.0f} s") from None


def numbered(folder: Path) -> list[Path]:
    """The evidence in a folder, in its order."""
    try:
        return sorted(each for each in folder.iterdir() if _NUMBERED.fullmatch(each.name))
    except OSError:
        return []


def previous(path: Path) -> Previous:
    """What new evidence says of the file it follows. Raises UsageError for what is none, Refused for altered one."""
    data = read(path)
    try:
        found = examined(data)
    except NoEvidence as error:
        raise UsageError(f"{path} cannot be followed: {error}") from None
    if found.alteration is not None:
        cure = "find out who did that, and begin a new chain in another place"
        raise Refused(f"{path} was altered after it was sealed, and is not followed: {found.alteration}; {cure}")
    return Previous(path.name, sha256(data))


def read(path: Path, largest: int = LARGEST) -> bytes:
    """All bytes of a file. Raises UsageError where that cannot be, or it is larger than what we read."""
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > largest:
        raise UsageError(f"{path} is larger than {largest} bytes")
    return data


def _try_out(folder: Path) -> None:
    trial = folder / f".evidence-{os.getpid()}.new"
    os.close(os.open(trial, os.O_WRONLY | os.O_CREAT, 0o600))
    trial.unlink()


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: what has the name is on the disk."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
