"""Texts as JavaScript says them: encoded, never pasted, for what a playbook says becomes part of a bot's program."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

SAFE_INTEGER = 2**53 - 1  # the largest whole number that JavaScript keeps exactly
# `$name`, `@name` and `&name` are the Health Bot's old notation of variables, still honoured in scripts and in
# expressions (learn.microsoft.com/azure/health-bot/scenario-authoring/instance-variables); `<` could end a script
# element of a page that shows a script.
_ESCAPED = frozenset("<>&$@")
# Two names side by side are an error in every JavaScript program, whatever follows, unless one is among these.
_TWO_WORDS = re.compile(r"([^\W\d]\w*) +([^\W\d]\w*)")
_JAVASCRIPT = frozenset((
    "accessor", "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default",
    "delete", "do", "else", "enum", "export", "extends", "false", "finally", "for", "from", "function", "get", "if",
    "implements", "import", "in", "instanceof", "interface", "let", "new", "null", "of", "package", "private",
    "protected", "public", "return", "set", "static", "super", "switch", "this", "throw", "true", "try", "typeof",
    "using", "var", "void", "while", "with", "yield",
))  # fmt: skip


def literal(value: str | int) -> str:
    """The expression that is this value; what nobody can see in a text is an escape. Raises ValueError."""
    if isinstance(value, int):
        return str(value)
    return "".join(map(_character, json.dumps(_whole(value), ensure_ascii=False)))


def object_literal(values: Mapping[str, str | int]) -> str:
    """The expression of an object with these keys and values, in their order."""
    pairs = ", ".join(f"{_key(key)}: {literal(value)}" for key, value in values.items())
    return f"{{ {pairs} }}" if pairs else "{}"


def display_text(text: str) -> str:
    """What a `text` field must hold for the bot to say exactly this.

    The field takes plain text, a string literal or an expression (learn.microsoft.com/azure/health-bot/scenario-
    authoring/conversational). Text that surely is no expression stays as it is; any other becomes a string literal.
    """
    begins = _TWO_WORDS.match(text)
    if begins and not {begins[1], begins[2]} & _JAVASCRIPT and all(map(_is_plain, text)):
        return text
    return literal(text)


def _key(name: str) -> str:
    # `{"__proto__": …}` sets the object's prototype instead of a key (ECMA-262, B.3.1); a computed key does not
    return f"[{literal(name)}]" if name == "__proto__" else literal(name)


def _whole(text: str) -> str:
    """Raises ValueError for half a character, which no message can carry."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"character {error.start + 1} is half of one (a lone surrogate)") from None
    return text


def _character(char: str) -> str:
    if char not in _ESCAPED and char.isprintable():
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_plain(char: str) -> bool:
    return char == "\n" or (char not in _ESCAPED and char not in "{}`\\" and char.isprintable())
