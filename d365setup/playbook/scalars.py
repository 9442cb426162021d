"""What an unquoted YAML scalar is: text, a whole number, true, false, nothing; or something nobody should guess at.

YAML 1.1 takes `no` for false, `1_0` for 10 and `1:30` for 90; YAML 1.2 does not, but takes `0o17` for 15. Whatever
either of them (https://yaml.org/type/, https://yaml.org/spec/1.2.2/#103-core-schema) turns into something else than
the text it looks like is refused here, with the cure.
"""

from __future__ import annotations

import re

from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DIGITS = re.compile(r"-?[0-9]+")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None, "<<": "<<"}  # << matters as a key only
_ONE_POINT_TWO = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ONE_LETTER = frozenset("yYnN")  # YAML 1.1 says they are booleans; PyYAML leaves them text
_PREFIX = "tag:yaml.org,2002:"
_READ_AS = {"bool": "true or false", "int": "a number", "float": "a number", "null": "nothing", "timestamp": "a date"}
_RESOLVER = Resolver()


class Ambiguous(ValueError):
    """An unquoted scalar that some readers take for something else; ``str`` says what to do."""


def plain_value(text: str) -> str | int | bool | None:
    """The value of an unquoted scalar. Raises Ambiguous instead of guessing."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    taken_for = _taken_for(text)
    if taken_for:
        raise Ambiguous(_told(text, taken_for))
    return text


def _taken_for(text: str) -> str:
    if text in _ONE_LETTER:
        return _READ_AS["bool"]
    if _ONE_POINT_TWO.fullmatch(text):
        return _READ_AS["int"]
    tag = str(_RESOLVER.resolve(ScalarNode, text, (True, False))).removeprefix(_PREFIX)  # type: ignore[no-untyped-call]
    return "" if tag == "str" else _READ_AS.get(tag, "something else than text")


def _told(text: str, taken_for: str) -> str:
    shown = text if len(text) <= 40 else f"{text[:30]}…"
    told = f"{shown} without quotes can be read as {taken_for}: if it is text, write '{shown}' in quotes"
    if taken_for == _READ_AS["bool"]:
        return f"{told}; if it is a yes or no, write true or false"
    if taken_for == _READ_AS["int"]:
        cure = "it has too many digits for one" if _too_long(text) else "write plain digits, such as 7"
        return f"{told}; if it is a number, {cure}"
    return told


def _too_long(text: str) -> bool:
    return bool(_DIGITS.fullmatch(text)) and len(text) > 18
