"""The journal of a fleet's run: which environment began and how it ended, durable line by line, to go on from."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from d365setup.errors import Refused, Unrecorded, UsageError
from d365setup.fleet.results import Result

FORMAT = 1
LARGEST = 256 * 1024 * 1024
_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_FIELDS = frozenset(Result.__dataclass_fields__)


@dataclass(frozen=True)
class Past:
    """What a run had done: the last result of each environment, and a digest of what it was told to do there."""

    command: str
    done: Mapping[str, tuple[str, Result]] = field(default_factory=dict)


class Record:
    """The journal of a run that is under way. Nobody else writes it meanwhile."""

    def __init__(self, folder: Path, run: str = "") -> None:
        self.run = run or f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self._path = folder / "runs" / f"{self.run}.jsonl"
        if run and (not _RUN.fullmatch(run) or not self._path.is_file()):
            raise UsageError(f"--resume {run}: no such run of a fleet is recorded in {folder / 'runs'}{_there(folder)}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FileLock(f"{self._path}.lock")
            self._lock.acquire(timeout=0)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except Timeout:
            raise Refused(f"run {self.run} is still under way: wait until it ends") from None
        except OSError as error:
            raise Unrecorded(f"the run cannot be recorded in {folder}: {error.strerror}; nothing was sent") from None

    def past(self) -> Past:
        """What is recorded so far. Raises UsageError where that cannot be read."""
        if self._path.stat().st_size > LARGEST:
            raise UsageError(f"{self._path} is larger than {LARGEST >> 20} MiB: that is no journal of ours")
        command, done = "", {}
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            event = _event(line)
            command = str(event.get("command", command))
            if isinstance(event.get("result"), dict):
                result = _result(event["result"])
                done[result.environment] = (str(event.get("told", "")), result)
        return Past(command, done)

    def began(self, command: str, file: str) -> None:
        """The run begins, or goes on."""
        os.write(self._file, b"\n")  # ends a line that was cut when the process was killed
        self._write({"fleet": FORMAT, "command": command, "file": file})

    def ended(self, result: Result, told: str) -> None:
        """An environment has ended; ``told`` is a digest of what was to be done there."""
        self._write({"result": asdict(result), "told": told})

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
        self._lock.release()

    def _write(self, event: Mapping[str, Any]) -> None:
        text = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **event})
        try:
            os.write(self._file, text.encode() + b"\n")
            os.fsync(self._file)
        except OSError as error:
            raise Unrecorded(
                f"{self._path} cannot be written: {error.strerror}; no other environment is begun"
            ) from None


def _event(line: str) -> dict[str, Any]:
    """One line; a line that was cut says nothing."""
    try:
        found = json.loads(line) if line.strip() else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _result(value: Mapping[str, Any]) -> Result:
    try:
        known = {name: each for name, each in value.items() if name in _FIELDS}
        cells = tuple((str(thing), cell) for thing, cell in known.pop("cells", ()))
        return Result(**known, cells=cells)
    except (TypeError, ValueError):
        raise UsageError("the journal of that run was altered: start a run of its own, without --resume") from None


def _there(folder: Path) -> str:
    names = sorted(each.stem for each in (folder / "runs").glob("*.jsonl")) if (folder / "runs").is_dir() else []
    return f"; the last one is {names[-1]}" if names else ""
