"""Files of scenarios on the disk: one that is there and says something else is not written over unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from d365setup.errors import Refused, UsageError


@dataclass(frozen=True)
class Kept:
    """One file, and whether it was written or said the same already."""

    path: Path
    what: Literal["wrote", "unchanged"]


def keep(folder: Path, texts: Mapping[str, str], *, force: bool = False) -> Iterator[Kept]:
    """Write these files into a folder, each whole or not at all, and tell what became of each.

    Raises Refused, before anything is written, where a file is there that says something else, unless ``force``;
    UsageError where the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = {name: _text(folder / name) for name in texts}
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}") from None
    others = [name for name, text in before.items() if text not in (None, texts[name].encode())]
    if others and not force:
        raise Refused(_told(folder, others))
    for name, text in texts.items():
        if before[name] == text.encode():
            yield Kept(folder / name, "unchanged")
        else:
            _write(folder / name, text)
            yield Kept(folder / name, "wrote")


def _told(folder: Path, names: list[str]) -> str:
    is_are = "is there already and says" if len(names) == 1 else "are there already and say"
    shown = ", ".join(str(folder / name) for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"{shown}{more} {is_are} something else; nothing was written: look at what differs, then use --force to write "
        "over it, or another --out"
    )


def _text(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        with fresh.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
