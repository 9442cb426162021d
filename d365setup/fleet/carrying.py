"""Journals from the worker, where they were written, to where the command ran: for `history` and `rollback` there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from d365setup.errors import Unrecorded

LARGEST = 16 * 1024 * 1024  # bytes from one environment; what is beyond stays on the worker
_JOURNAL = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}\.jsonl")
_MARK = "last-run"
Journals = tuple[tuple[str, bytes], ...]


def marked(home: Path, run: str) -> None:
    """Leave a mark where the run begins here; a second try, after a worker died, finds it and leaves it."""
    mark = home / _MARK
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not mark.is_file() or mark.read_text(encoding="utf-8", errors="replace") != run:
        mark.write_text(run, encoding="utf-8")


def brought(home: Path) -> Journals:
    """The journals written since the mark, also by a try whose worker died."""
    since, room, found = (home / _MARK).stat().st_mtime_ns, LARGEST, []
    for path in sorted((home / "runs").glob("*.jsonl")):
        status = path.stat()
        if status.st_mtime_ns >= since and status.st_size <= room:
            found.append((path.name, path.read_bytes().rstrip(b"\0")))
            room -= status.st_size
    return tuple(found)


def kept(home: Path, journals: Iterable[tuple[str, bytes]]) -> None:
    """Write them where the command runs, unless they are there. Raises Unrecorded."""
    folder = home / "runs"
    try:
        for name, content in journals:
            if _JOURNAL.fullmatch(name) and not (folder / name).exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _written(folder / name, content)
    except OSError as error:
        raise Unrecorded(f"what was done cannot be recorded in {folder}: {error.strerror}") from None


def _written(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
