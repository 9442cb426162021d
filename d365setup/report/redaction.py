"""Masking people: names and addresses become ``person-1``, ``person-2``, …, the same one wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_ADDRESS = r"[\w.!#$%&'*+=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+"


class Mask:
    """Replaces people in texts. ``people`` holds the names and addresses of each person, ``kept`` what stays (bots).

    Addresses nobody told of are masked as well. One mask serves all documents of a command, so that they agree.
    """

    def __init__(self, people: Iterable[Iterable[str]] = (), kept: Iterable[str] = ()) -> None:
        self._kept = {each.casefold() for each in kept}
        self._masks: dict[str, str] = {}
        self._count = 0
        known = sorted(tuple(sorted(filter(None, each))) for each in people)
        for person in known:
            self._learn(person)
        self._pattern = _pattern(name for person in known for name in person)

    def text(self, text: str) -> str:
        """The text without people."""
        return self._pattern.sub(lambda found: self._masked(found[0]), text)

    def data(self, value: Any) -> Any:
        """The same JSON-like value with every text in it masked; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.data(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        return value

    def _learn(self, person: Iterable[str]) -> None:
        aliases = [each.casefold() for each in person if each.casefold() not in self._kept]
        known = next((self._masks[each] for each in aliases if each in self._masks), None)
        if aliases and known is None:
            self._count += 1
            known = f"person-{self._count}"
        for alias in aliases:
            self._masks.setdefault(alias, known or "")

    def _masked(self, found: str) -> str:
        if found.casefold() in self._kept:
            return found
        self._learn([found])
        return self._masks[found.casefold()]


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Addresses and these names, the longest first, each as whole words."""
    words = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(set(names), key=lambda each: (-len(each), each))]
    return re.compile("|".join([_ADDRESS, *words]), re.IGNORECASE)
