"""How the service compares text: without case, without trailing blanks, with SQL Server's wildcards."""

from __future__ import annotations

import re
from functools import lru_cache


def sort_key(value: str | float | bytes | None) -> str | float | bytes | None:
    """Return what two texts the service calls equal have in common; other values pass unchanged."""
    return value.rstrip(" ").casefold() if isinstance(value, str) else value


def like(where: str, value: object, pattern: str) -> bool | None:
    """Return whether a text holds, starts with, ends with or is (`like`) a pattern with wildcards `%`, `_`, `[]`."""
    if value is None:
        return None
    return _compiled(where, pattern).search(str(value)) is not None


@lru_cache(maxsize=512)
def _compiled(where: str, pattern: str) -> re.Pattern[str]:
    body = "".join(_translated(part) for part in re.findall(r"\[[^\]]*\]|.", pattern, re.DOTALL))
    before = r"\A" if where in {"startswith", "like"} else ""
    after = r"\Z" if where in {"endswith", "like"} else ""
    try:
        return re.compile(before + body + after, re.IGNORECASE | re.DOTALL)
    except re.error:  # a set such as [z-a] finds nothing
        return re.compile(r"(?!)")


def _translated(part: str) -> str:
    if part == "%":
        return ".*"
    if part == "_":
        return "."
    if len(part) > 2 and part.startswith("["):
        inner = part[1:-1].replace("\\", r"\\").replace("[", r"\[")
        return f"[{inner}]" if inner != "^" else r"\^"
    return re.escape(part)
