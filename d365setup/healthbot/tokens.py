"""JavaScript into tokens: enough to know what is text, what is a comment, and which brackets belong together.

Nothing is ever run. By ECMA-262, 12 (lexical grammar), its sloppy mode: scripts of bots are function bodies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "string", "number", "regex", "template", "mark"]

LONGEST = 200_000  # characters of one script; real ones have a few thousand
_DEEPEST = 40  # templates within templates
_SKIPPED = re.compile(r"[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?\*/", re.DOTALL)
_NAME = re.compile(r"[#\w$][\w$\u200c\u200d]*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F_]+n?|0[oO][0-7_]+n?|0[bB][01_]+n?|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?n?"
)
_MARK = re.compile(
    r"\?\.(?![0-9])|\.\.\.|=>|[=!]==?|[<>]=|(?:>>>|\*\*|<<|>>|&&|\|\||\?\?|[-+*/%&|^])=|\+\+|--|.", re.DOTALL
)
_REGEX = re.compile(r"/(?![*/])(?:\\[^\n\r]|\[(?:\\[^\n\r]|[^\]\\\n\r])*\]|[^/\\\[\n\r])+/\w*")
_STRING = re.compile(r"""'(?:\\(?:\r\n|.)|[^'\\\n\r])*'|"(?:\\(?:\r\n|.)|[^"\\\n\r])*\"""", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,8})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-3]?[0-7]{1,2})|(\r\n|.))", re.DOTALL
)
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v", "f": "\f"}
_LINE_ENDS = frozenset(("\r\n", "\n", "\r", "\u2028", "\u2029"))
# After these words a value begins, so that a slash begins a regular expression and divides nothing.
_BEFORE_VALUE = frozenset((
    "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof", "yield",
    "await",
))  # fmt: skip
_CONTROL = frozenset(("if", "while", "for", "with"))


class NotRead(ValueError):
    """A script that cannot be followed; ``str`` says why."""


@dataclass(frozen=True)
class Token:
    """One token. ``text`` is the value of a string, and of a template without substitutions; else its source."""

    kind: Kind
    text: str
    start: int
    end: int

    def is_mark(self, *marks: str) -> bool:
        """Whether it is one of these marks, and no text that looks like one."""
        return self.kind == "mark" and self.text in marks


def tokens(script: str) -> tuple[Token, ...]:
    """Every token but comments. Raises NotRead for what never ends, or is too long."""
    if len(script) > LONGEST:
        raise NotRead(f"it has {len(script):,} characters, more than the {LONGEST:,} that are read")
    return tuple(_scanned(script, 0, 0))


def _scanned(script: str, at: int, depth: int) -> Iterator[Token]:
    """The tokens from here on; within a template's substitution (``depth``) up to the bracket that ends it."""
    open_: list[bool] = []  # of each bracket, whether the `)` to come ends the head of an `if` or a loop
    last: Token | None = None
    ends_head = False
    while at < len(script):
        skipped = _SKIPPED.match(script, at)
        if skipped:
            at = skipped.end()
            continue
        token = _token(script, at, depth, is_value_next=ends_head or _awaits_value(last))
        ends_head = False
        if token.is_mark("(", "[", "{"):
            open_.append(token.text == "(" and last is not None and last.kind == "name" and last.text in _CONTROL)
        elif token.is_mark(")", "]", "}"):
            if not open_ and depth:
                yield token
                return
            ends_head = open_.pop() if open_ else False
        yield token
        last, at = token, token.end


def _token(script: str, at: int, depth: int, *, is_value_next: bool) -> Token:
    char = script[at]
    if char in "\"'":
        return _string(script, at)
    if char == "`":
        return _template(script, at, depth)
    if script.startswith("/*", at):
        raise NotRead(f"line {line_of(script, at)}: a comment never ends")
    kind, pattern = _pattern(script, at, is_value_next=is_value_next)
    found = pattern.match(script, at)
    if not found:
        raise NotRead(f"line {line_of(script, at)}: a regular expression never ends")
    return Token(kind, found[0], at, found.end())


def _pattern(script: str, at: int, *, is_value_next: bool) -> tuple[Kind, re.Pattern[str]]:
    if _NAME.match(script, at) and not script[at].isdecimal():
        return "name", _NAME
    if _NUMBER.match(script, at):
        return "number", _NUMBER
    return ("regex", _REGEX) if script[at] == "/" and is_value_next else ("mark", _MARK)


def _awaits_value(last: Token | None) -> bool:
    """Whether what comes next begins a value. A `}` mostly ends a block: nobody divides an object."""
    if last is None:
        return True
    if last.kind == "name":
        return last.text in _BEFORE_VALUE
    return last.kind == "mark" and last.text not in (")", "]", "++", "--")


def _string(script: str, at: int) -> Token:
    found = _STRING.match(script, at)
    if not found:
        raise NotRead(f"line {line_of(script, at)}: a text never ends")
    return Token("string", unescaped(found[0][1:-1]), at, found.end())


def _template(script: str, at: int, depth: int) -> Token:
    """A template whole. One without substitutions is a string like any other."""
    if depth > _DEEPEST:
        raise NotRead("templates are nested too deeply")
    place, is_plain = at + 1, True
    while place < len(script):
        char = script[place]
        if char == "`":
            kind: Kind = "string" if is_plain else "template"
            text = script[at + 1 : place].replace("\r\n", "\n").replace("\r", "\n")  # ECMA-262, 12.9.6
            return Token(kind, unescaped(text) if is_plain else script[at : place + 1], at, place + 1)
        if script.startswith("${", place):
            is_plain = False
            place = _substitution(script, place + 2, depth)
        else:
            place += 2 if char == "\\" else 1
    raise NotRead(f"line {line_of(script, at)}: a template never ends")


def _substitution(script: str, at: int, depth: int) -> int:
    end = 0
    for token in _scanned(script, at, depth + 1):
        end = token.end
    if not end or script[end - 1] != "}":
        raise NotRead(f"line {line_of(script, at)}: a template's substitution never ends")
    return end


def unescaped(text: str) -> str:
    """What the inside of a string literal means."""
    found = _ESCAPE.sub(_meant, text)
    return found.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # halves that meet are one


def _meant(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code:
        return chr(min(int(code, 16), 0x10FFFF))
    if found[4]:
        return chr(int(found[4], 8))
    return "" if found[5] in _LINE_ENDS else _SHORT.get(found[5], found[5])


def line_of(script: str, at: int) -> int:
    """The line that a place is on, from 1."""
    return script.count("\n", 0, at) + 1
