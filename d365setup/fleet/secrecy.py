"""Values that look like secrets: no fleet file may hold one, and no message may repeat it."""

from __future__ import annotations

import re

_SHAPES = (
    re.compile(r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,37}"),  # a client secret as Entra ID makes them
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),  # a JSON Web Token
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"(AccountKey|SharedAccessKey|ClientSecret|Password|pwd)=[^;]{8,}", re.IGNORECASE),
)
_NAMED = re.compile(r"secret|password|passwd|token", re.IGNORECASE)
_LONG = 20  # characters from which letters and digits without a word in them are taken for a secret


def is_secret(text: str) -> bool:
    """Whether a text has the shape of a secret."""
    return any(shape.search(text) for shape in _SHAPES)


def is_named_secret(name: str) -> bool:
    """Whether a variable is called like one that holds a secret."""
    return bool(_NAMED.search(name))


def is_opaque(text: str) -> bool:
    """Whether a text that should name a variable or a way may be a secret put in its place."""
    return is_secret(text) or (len(text) >= _LONG and any(map(str.isdigit, text)) and "/" not in text)
