"""Expressions of a script, as far as they can be known without running it: literals, objects, names bound once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from d365setup.healthbot.tokens import Token, tokens

Value = Sequence[Token]

_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
_WORDS = {"true": True, "false": False, "null": None}
_DECLARING = ("const", "let", "var")
_LONGEST = 20_000  # tokens between two brackets; a hostile script must not be read over and over
_ENDLESS = 10**30  # no whole number of a script counts beyond


@dataclass(frozen=True)
class Literal:
    """A value that stands in the script as it is."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Expression:
    """A value that only running the script would tell; ``source`` is how it is written."""

    source: str


@dataclass(frozen=True)
class Property:
    """One of an object's. ``key`` is None where it is unknown, and ``problem`` says what stands there."""

    key: str | None
    value: Value
    problem: str = ""


@dataclass(frozen=True)
class Text:
    """A script, and its tokens. Raises `tokens.NotRead` when they are asked for."""

    script: str

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """All of them."""
        return tokens(self.script)

    @cached_property
    def _mentions(self) -> dict[str, list[int]]:
        """Where each name stands, other than as the name of a property."""
        found: dict[str, list[int]] = {}
        for at, token in enumerate(self.tokens):
            before, after = self.tokens[at - 1 : at], self.tokens[at + 1 : at + 2]
            is_property = any(each.is_mark(".", "?.") for each in before) or any(each.is_mark(":") for each in after)
            if token.kind == "name" and not is_property:
                found.setdefault(token.text, []).append(at)
        return found

    def source(self, value: Value) -> str:
        """How it is written."""
        return self.script[value[0].start : value[-1].end] if value else ""

    def closing(self, at: int) -> int | None:
        """Where the bracket that opens here is closed."""
        return closing(self.tokens, at)

    def known(self, value: Value) -> Value:
        """The same without brackets around it; of a name that is bound once and used once, what it is bound to."""
        for _ in range(10):
            if len(value) > 2 and value[0].is_mark("(") and closing(value, 0) == len(value) - 1:
                value = value[1:-1]
            elif len(value) == 1 and value[0].kind == "name":
                bound = self._bound(value[0])
                if bound is None:
                    return value
                value = bound
            else:
                return value
        return value

    def read(self, value: Value) -> Literal | Expression:
        """The value itself, or how it is written."""
        return literal(self.known(value)) or Expression(self.source(value))

    def _bound(self, name: Token) -> Value | None:
        """What `const`, `let` or `var` gives the name: nothing else may mention it, for that could change it."""
        where = self._mentions.get(name.text, [])
        if len(where) != 2 or self.tokens[where[1]].start != name.start or where[0] == 0:
            return None
        before, after = self.tokens[where[0] - 1], self.tokens[where[0] + 1]
        if before.kind != "name" or before.text not in _DECLARING or not after.is_mark("="):
            return None
        return self._initial(where[0] + 2)

    def _initial(self, at: int) -> Value | None:
        """The value that begins here, where its end is plain to see: at a `;`, a `,` or the end of a line."""
        end = at
        while end < len(self.tokens):
            token = self.tokens[end]
            if token.is_mark(";", ",", *_CLOSE) or (end > at and self._is_new_statement(end)):
                break
            closes = self.closing(end) if token.is_mark(*_OPEN) else end
            if closes is None:
                return None
            end = closes + 1
        return self.tokens[at:end] or None

    def _is_new_statement(self, at: int) -> bool:
        """Two values side by side on different lines: the line end stands for the `;` (ECMA-262, 12.10)."""
        one, two = self.tokens[at - 1 : at + 1]
        ends = one.kind != "mark" or one.text in _CLOSE
        return ends and two.kind != "mark" and "\n" in self.script[one.end : two.start]


def closing(value: Value, at: int) -> int | None:
    """Where the bracket that opens at this place is closed, None where it never is, or too far away."""
    depth = 0
    for place in range(at, min(len(value), at + _LONGEST)):
        if value[place].is_mark(*_OPEN):
            depth += 1
        elif value[place].is_mark(*_CLOSE):
            depth -= 1
            if depth <= 0:
                return place
    return None


def listed(value: Value) -> Iterator[Value]:
    """What stands between the commas; nothing behind the last."""
    start = depth = 0
    for place, token in enumerate(value):
        depth += token.is_mark(*_OPEN) - token.is_mark(*_CLOSE)
        if token.is_mark(",") and depth == 0:
            yield value[start:place]
            start = place + 1
    if start < len(value):
        yield value[start:]


def properties(value: Value) -> tuple[Property, ...] | None:
    """Those of an object literal, each key once (the last wins, as in JavaScript); None where it is none."""
    if not value or not value[0].is_mark("{") or closing(value, 0) != len(value) - 1:
        return None
    found = [_property(each) for each in listed(value[1:-1])]
    named = {each.key: each for each in found if each.key is not None}
    return (*named.values(), *(each for each in found if each.key is None))


def literal(value: Value) -> Literal | None:
    """The value of a literal: a text (also in pieces, joined by +), a number, true, false or null."""
    if len(value) == 1 and value[0].kind == "name" and value[0].text in _WORDS:
        return Literal(_WORDS[value[0].text])
    negative = len(value) == 2 and value[0].is_mark("-")
    if value and len(value) == 1 + negative and value[-1].kind == "number":
        number = _number(value[-1].text)
        return None if number is None else Literal(-number if negative else number)
    is_text = len(value) % 2 and all(
        each.is_mark("+") if place % 2 else each.kind == "string" for place, each in enumerate(value)
    )
    return Literal("".join(each.text for each in value[::2])) if is_text else None


def _property(value: Value) -> Property:
    key, rest = _key(value)
    if key is not None and rest and rest[0].is_mark(":"):
        if key == "__proto__" and not value[0].is_mark("["):
            return Property(None, rest[1:], "`__proto__` sets no key: JavaScript takes it for the object's prototype")
        return Property(key, rest[1:])
    if len(value) == 1 and value[0].kind == "name":
        return Property(value[0].text, value)
    if value and value[0].is_mark("..."):
        return Property(None, value[1:], "an object is spread into it, whose keys only running the script would tell")
    return Property(None, value, "it has a key that only running the script would tell")


def _key(value: Value) -> tuple[str | None, Value]:
    """The key that a property begins with, and what follows it."""
    if value and value[0].kind in ("name", "string", "number"):
        return value[0].text, value[1:]
    end = closing(value, 0) if value and value[0].is_mark("[") else None
    computed = literal(value[1:end]) if end else None
    if end and computed and isinstance(computed.value, str):
        return computed.value, value[end + 1 :]
    return None, value


def _number(text: str) -> int | float | None:
    """As JavaScript counts: whole numbers beyond 2^53 are rounded."""
    plain = text.replace("_", "").lower()
    if plain.endswith("n") or (len(plain) > 1 and plain[0] == "0" and plain[1].isdecimal()):
        return None  # a BigInt, which JSON cannot say; an old octal number
    is_based = plain[:2] in ("0x", "0o", "0b")
    number = float(int(plain, 0)) if is_based and len(plain) < 200 else float(plain) if not is_based else float("inf")
    return int(number) if number.is_integer() and abs(number) < _ENDLESS else number
