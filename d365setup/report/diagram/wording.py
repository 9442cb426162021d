"""Names that fit: texts measured and shortened without a font at hand, and counts in words."""

from __future__ import annotations

import unicodedata

_NARROW, _WIDE = frozenset("iIjlt.,:;'|!()[]/ f"), frozenset("mwMW@%—")


def width(text: str, size: float) -> float:
    """About how wide a text of this font size is; by the widest of the usual system fonts, so that it fits in all."""
    return sum(_share(character) for character in text) * size


def shortened(text: str, size: float, room: float) -> str:
    """The text, cut at its end where it does not fit into the room."""
    if len(text) * 0.3 * size <= room and width(text, size) <= room:
        return text
    left = room - width("…", size)
    for place, character in enumerate(text):
        left -= _share(character) * size
        if left < 0:
            return text[:place].rstrip() + "…"
    return text


def counted(count: int, what: str, many: str = "") -> str:
    """`1 rule`, `2 rules`."""
    return f"1 {what}" if count == 1 else f"{count:,} {many or what + 's'}"


def _share(character: str) -> float:
    if character in _NARROW:
        return 0.38
    if character in _WIDE:
        return 0.97
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if unicodedata.combining(character):
        return 0.0
    return 0.71 if character.isupper() else 0.61
