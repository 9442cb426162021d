"""New files on the disk. None that is there is ever touched, nor followed to where a link leads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from d365setup.errors import UsageError
from d365setup.starting.files import NewFile

_LARGEST = 1024 * 1024


@dataclass(frozen=True)
class Written:
    """What became of a file: written, or kept because there is one; ``lacks`` are lines that one should have."""

    file: NewFile
    is_new: bool
    lacks: tuple[str, ...] = ()


def written(folder: Path, wanted: Iterable[NewFile]) -> Iterator[Written]:
    """Write each that is not there yet. Raises UsageError where a folder or file cannot be made."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder, or one that is to be made")
    for each in wanted:
        path = folder / each.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = _create(path, each)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        yield Written(each, is_new, () if is_new else _lacking(path, each.needs))


def _create(path: Path, file: NewFile) -> bool:
    """False where something of this name is there, be it a link that leads nowhere."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(path, flags, 0o600 if file.is_secret else 0o666)  # the umask takes its part
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(file.text)
    return True


def _lacking(path: Path, needs: tuple[str, ...]) -> tuple[str, ...]:
    if not needs or not path.is_file():
        return needs
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            lines = {line.strip().strip("/") for line in stream.read(_LARGEST).splitlines()}
    except OSError:
        return needs
    return tuple(each for each in needs if each.strip("/") not in lines)
