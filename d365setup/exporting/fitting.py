"""Whether a text can stand in a playbook: judged by the very types that the loader reads it with."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from d365setup.kinds.fields import Email, Guid, Name100, Name200, Text2000, Value4000

# What the loader takes in no text: characters that cannot be shown.
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


class Unsayable(Exception):
    """Format 1 of a playbook cannot say this; ``str`` is the reason."""


def name_problem(text: str, longest: int = 200) -> str:
    """Why this cannot be a name; empty when it can."""
    return _problem(Name100 if longest == 100 else Name200, text)


def text_problem(text: str) -> str:
    """Why this cannot be a description."""
    return _problem(Text2000, text)


def value_problem(text: str) -> str:
    """Why a variable cannot be compared with this."""
    return _problem(Value4000, text)


def email_problem(text: str) -> str:
    """Why this cannot be an address."""
    return _problem(Email, text) or _problem(Name200, text)


def guid_problem(text: str) -> str:
    """Why this cannot be an id."""
    return _problem(Guid, text)


def _problem(kind: Any, text: str) -> str:
    if _UNSHOWN.search(text):
        return "holds a character that cannot be shown"
    try:
        _adapter(kind).validate_python(text)
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ").lower()
    return ""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
