"""New files on the disk. Nothing that is there is ever touched, nor followed to where a link leads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from d365setup.errors import UsageError
from d365setup.starting.files import NewFile

_LARGEST = 1024 * 1024


@dataclass(frozen=True)
class Written:
    """What became of a file: written, or left out because something is there; ``lacks`` are lines it should have."""

    file: NewFile
    there: Literal["file", "link", "folder"] | None = None
    lacks: tuple[str, ...] = ()

    @property
    def is_new(self) -> bool:
        """Whether it was written."""
        return self.there is None


def written(folder: Path, wanted: Iterable[NewFile]) -> Iterator[Written]:
    """Write each that is not there yet. Raises UsageError where a folder or file cannot be made.

    What would stop it half way, as far as one can see that, stops it before the first file.
    """
    files = tuple(wanted)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder, or one that is to be made")
    for each in files:
        _check_way(folder, Path(each.path))
    for each in files:
        path = folder / each.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = _create(path, each)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from None
        there, lacks = (None, ()) if is_new else (_there(path), _lacking(path, each.needs))
        yield Written(each, there, lacks)


def _check_way(folder: Path, inside: Path) -> None:
    """Raises UsageError where a folder on the way to a file is none, or leads out of this one."""
    for part in reversed(inside.parents):
        way = folder / part
        if os.path.lexists(way) and not way.is_dir():
            raise UsageError(f"{way} is no folder, so {inside} cannot be written; move it away. Nothing was written")
        if way.is_dir() and not way.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{way} leads out of {folder}, and {inside} belongs in it; nothing was written")


def _there(path: Path) -> Literal["file", "link", "folder"]:
    if path.is_symlink():
        return "link"
    return "folder" if path.is_dir() else "file"


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
