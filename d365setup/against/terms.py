"""The filters that kinds write, understood: as choices of terms. Pure.

This is no OData: it is the handful of forms in `d365setup.kinds`. Any other form is `Unclear`, and then nobody answers;
what is guessed here would become a change that nobody needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal, TypeAlias

Value: TypeAlias = str | int | bool

LONGEST = 64 * 1024  # characters of a filter; kinds stop at 8000 as it travels
MOST_CHOICES = 4096
_DEEPEST = 20
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TOKENS = re.compile(
    rf"(?P<blank>\s+)|(?P<text>'(?:[^']|'')*')|(?P<guid>{_GUID}(?![\w-]))|(?P<number>-?[0-9]{{1,10}}(?!\w))"
    r"|(?P<word>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*)|(?P<mark>[():,])"
)


class Unclear(ValueError):
    """A filter of a form that is not known here."""


@dataclass(frozen=True)
class Term:
    """One comparison. ``path`` leads over lookups and collections to a column; in a collection one row is enough."""

    path: tuple[str, ...]
    test: Literal["eq", "has a value", "does not start with"]
    value: Value = ""

    def holds(self, found: object) -> bool:
        """Whether it holds for a column's value. The service ignores case and blanks at the end of a text."""
        if found is None:
            return False  # also of "not startswith": what nobody knows is neither
        if self.test == "has a value":
            return True
        if self.test == "eq":
            return folded(found) == folded(self.value)
        return not str(found).casefold().startswith(str(self.value).casefold())

    def implies(self, other: Term) -> bool:
        """Whether every row of which this holds is a row of which the other holds."""
        if self.path != other.path:
            return False
        if self == other or other.test == "has a value":
            return True
        is_blank_at_end = str(other.value).endswith(" ")  # of two texts that are equal one may have it
        return self.test == "eq" and other.holds(self.value) and (other.test == "eq" or not is_blank_at_end)


Choice: TypeAlias = tuple[Term, ...]  # all of them hold


@lru_cache(maxsize=4096)
def choices(text: str) -> tuple[Choice, ...]:
    """The filter as alternatives, of which at least one must hold; no filter is one without terms. Raises Unclear."""
    if not text:
        return ((),)
    if len(text) > LONGEST:
        raise Unclear(f"a filter of {len(text)} characters")
    reader = _Reader(text)
    found = reader.either((), "")
    reader.end()
    return found


def folded(value: object) -> object:
    """What two values the service calls equal have in common."""
    return value.rstrip(" ").casefold() if isinstance(value, str) else (type(value), value)


class _Reader:
    """One filter, token by token. ``path`` and ``variable`` are those of the collection that is being looked into."""

    def __init__(self, text: str) -> None:
        self._tokens, self._at, self._depth = list(_split(text)), 0, 0

    def either(self, path: tuple[str, ...], variable: str) -> tuple[Choice, ...]:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unclear("a filter that nests too deeply")
        found = self._all(path, variable)
        while self._take("word", "or"):
            found += self._all(path, variable)
            _check(len(found))
        self._depth -= 1
        return found

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise Unclear(f"{self._tokens[self._at][1]!r} where a filter should end")

    def _all(self, path: tuple[str, ...], variable: str) -> tuple[Choice, ...]:
        found = self._one(path, variable)
        while self._take("word", "and"):
            other = self._one(path, variable)
            _check(len(found) * len(other))
            found = tuple((*left, *right) for left, right in product(found, other))
        if path and any(len(each) > 1 for each in found):
            raise Unclear("several conditions on one row of a collection")
        return found

    def _one(self, path: tuple[str, ...], variable: str) -> tuple[Choice, ...]:
        if self._take("mark", "("):
            found = self.either(path, variable)
            self._need("mark", ")")
            return found
        word = self._need("word")
        if word == "not" and self._need("word") == "startswith":
            self._need("mark", "(")
            column = self._path(self._need("word"), path, variable)
            self._need("mark", ",")
            start = _unquoted(self._need("text"))
            self._need("mark", ")")
            return ((Term(column, "does not start with", start),),)
        if word.endswith("/any"):
            return self._any(self._path(word.removesuffix("/any"), path, variable))
        return ((self._compared(self._path(word, path, variable)),),)

    def _any(self, path: tuple[str, ...]) -> tuple[Choice, ...]:
        self._need("mark", "(")
        variable = self._need("word")
        self._need("mark", ":")
        found = self.either(path, variable)
        self._need("mark", ")")
        return found

    def _compared(self, path: tuple[str, ...]) -> Term:
        operator = self._need("word")
        if operator == "ne":
            self._need("word", "null")
            return Term(path, "has a value")
        if operator != "eq":
            raise Unclear(f"the operator {operator}")
        kind, text = self._next()
        if kind == "text":
            return Term(path, "eq", _unquoted(text))
        if kind == "guid":
            return Term(path, "eq", text)
        if kind == "number":
            return Term(path, "eq", int(text))
        if text in ("true", "false"):
            return Term(path, "eq", text == "true")
        raise Unclear(f"a comparison with {text}")

    def _path(self, word: str, path: tuple[str, ...], variable: str) -> tuple[str, ...]:
        names = tuple(word.split("/"))
        if not variable:
            return names
        if names[0] != variable or len(names) == 1:
            raise Unclear(f"{word} inside a collection")
        return (*path, *names[1:])

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise Unclear("a filter that ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str, text: str) -> bool:
        is_next = self._tokens[self._at : self._at + 1] == [(kind, text)]
        self._at += is_next
        return is_next

    def _need(self, kind: str, text: str = "") -> str:
        found = self._next()
        if found[0] != kind or (text and found[1] != text):
            raise Unclear(f"{found[1]!r} where something else should be")
        return found[1]


def _split(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            raise Unclear(f"{text[at : at + 20]!r}")
        at = found.end()
        if found.lastgroup != "blank":
            yield str(found.lastgroup), found[0]


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _check(count: int) -> None:
    if count > MOST_CHOICES:
        raise Unclear(f"{count} alternatives")
