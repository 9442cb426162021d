"""The address of the next page."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from .address import Segment
from .context import Work


def next_link(work: Work, given: Mapping[str, str], token: str) -> str:
    """Return the address of the next page."""
    kept = [f"{name}={_quoted(value)}" for name, value in given.items() if name != "$skiptoken"]
    path = "/".join(_written_segment(segment) for segment in work.address.segments)
    return f"{work.base}{path}?" + "&".join([*kept, f"$skiptoken={_quoted(token)}"])


def _quoted(value: str) -> str:
    return quote(value, safe="$,()'/:;=@")


def _written_segment(segment: Segment) -> str:
    return segment.name if segment.key is None else f"{segment.name}({segment.key})"
