"""Text that was made visible, cut to a length that a table, a summary or a test's name can bear."""

from __future__ import annotations

NAME = 120  # longest name shown where space is short; Dataverse allows 100 to 200
SENTENCE = 600


def shortened(text: str, most: int = SENTENCE) -> str:
    """The text, or as much of its beginning as fits, with how much was left out."""
    if len(text) <= most:
        return text
    left_out = f"… ({len(text)} characters)"
    return text[: max(0, most - len(left_out))] + left_out
