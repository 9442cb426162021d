"""Collecting mistakes: all of them in one run, each once, in the files' order; and the words that hint at a cure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from d365setup.errors import PlaybookError, PlaybookMistake
from d365setup.model import Source, fold

PATIENCE = 100_000  # names that are compared in search of the one that was meant; about two seconds
SHOWN = 80  # characters of a value that a message repeats at most
_OPEN, _CLOSE = "\ue000", "\ue001"  # private use: `repr` never lets them through
_MARKED = re.compile(f"{_OPEN}(.*?){_CLOSE}", re.DOTALL)


class Mistakes:
    """Gathers mistakes while loading goes on. Values in ``masked`` never reach a message: their label stands there."""

    def __init__(self) -> None:
        self._found: dict[tuple[Source, str], None] = {}
        self._patience = PATIENCE
        self.masked: dict[str, str] = {}

    @property
    def found(self) -> int:
        """How many there are by now."""
        return len(self._found)

    def add(self, source: Source, message: str) -> None:
        """Note one mistake; the same words about the same place count once."""
        self._found.setdefault((source, message))

    def meant(self, name: str, names: Iterable[str]) -> str:
        """As the function `meant`, for names a playbook declares: given up when there are too many to compare."""
        if self._patience <= 0:
            return ""
        known = list(names)
        self._patience -= len(known)
        return meant(name, known)

    def raise_any(self) -> None:
        """Raise PlaybookError when anything was found."""
        if self._found:
            raise PlaybookError(sorted(map(self._told, self._found), key=_order))

    def _told(self, found: tuple[Source, str]) -> PlaybookMistake:
        source, message = found
        return PlaybookMistake(source, _MARKED.sub(_cut, mask(message, self.masked)))


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
    """A value in quotes. A long one is marked, and cut once what must not be shown is gone from it."""
    return repr(text) if len(text) <= SHOWN else f"{_OPEN}{text!r}{_CLOSE}"


def _cut(found: re.Match[str]) -> str:
    text = found[1]
    return text if len(text) <= SHOWN + 2 else f"{text[: SHOWN - 20]}…{text[-1]} ({len(text) - 2:,} characters)"
