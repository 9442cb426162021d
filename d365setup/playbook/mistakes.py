"""Collecting mistakes: all of them in one run, each once, in the files' order; and the words that hint at a cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from d365setup.errors import PlaybookError, PlaybookMistake
from d365setup.model import Source, fold

SHOWN = 80  # characters of a value that a message repeats at most


class Mistakes:
    """Gathers mistakes while loading goes on. Values in ``masked`` never reach a message: their label stands there."""

    def __init__(self) -> None:
        self._found: dict[tuple[Source, str], None] = {}
        self.masked: dict[str, str] = {}

    def add(self, source: Source, message: str) -> None:
        """Note one mistake; the same words about the same place count once."""
        self._found.setdefault((source, message))

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise PlaybookError when anything was found."""
        if self._found:
            raise PlaybookError(sorted(map(self._told, self._found), key=_order))

    def _told(self, found: tuple[Source, str]) -> PlaybookMistake:
        source, message = found
        return PlaybookMistake(source, mask(message, self.masked))


def mask(message: str, masked: Mapping[str, str]) -> str:
    """Put labels in place of values that must not be shown, also where ``repr`` wrote them."""
    for value in sorted(masked, key=len, reverse=True):
        for written in {value, repr(value)[1:-1]}:
            message = message.replace(written, masked[value])
    return message


def _order(mistake: PlaybookMistake) -> tuple[str, int, int, str]:
    at = mistake.source
    return at.file, at.line, at.column, mistake.message


def meant(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'Nurses'?`` where one of the names is near, otherwise nothing."""
    known = list(dict.fromkeys(names))
    twin = next((each for each in known if fold(each) == fold(name)), None)
    if twin is not None:
        return f"; it is written {shown(twin)} (upper and lower case and spaces count)"
    near = difflib.get_close_matches(name[:SHOWN], known, 1)
    return f"; did you mean {shown(near[0])}?" if near else ""


def shown(text: str) -> str:
    """A value in quotes, cut where it is long."""
    return repr(text) if len(text) <= SHOWN else f"{text[: SHOWN - 20]!r}… ({len(text)} characters)"
