"""Text from outside, made safe to hold: JSON that is bounded in depth, messages that cannot drive a terminal."""

import json
from typing import Any, NoReturn


def parse_json(body: bytes) -> Any:
    """The JSON value of an answer, None when there is none; raises ValueError saying what is wrong with it."""
    text = body.decode("utf-8-sig")  # `$count` answers may start with a byte order mark
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def one_line(text: str, limit: int = 2000) -> str:
    """The text without control, direction or line characters, cut at the limit (in characters)."""
    clean = "".join(character if character.isprintable() else " " for character in text[: limit * 2])
    clean = " ".join(clean.split())
    return clean if len(clean) <= limit else f"{clean[:limit]}…"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
