"""Evidence as bytes: a record a line, each line with a digest of itself and that of the line before. Pure.

A line is a JSON object in ASCII. It begins with its number and the digest of the line before, and ends with the digest
of all its bytes up to there; so each line is found intact or not by itself, and its place by what it follows. The last
line is the seal, over every byte before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = "d365setup/evidence/1"
LARGEST = 256 * 1024 * 1024  # bytes of one file; a run of some thousand changes has a few megabytes
_TAIL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}\n\Z')
_MARK = re.compile(rb'"schema":"(d365setup/evidence/[0-9A-Za-z.]{1,20})"')

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """A line that is intact by itself: where it stands in the file, what number it has and which line it follows."""

    start: int
    end: int
    number: int
    before: str
    digest: str
    record: Record = field(compare=False)


@dataclass(frozen=True)
class Piece:
    """What stands between two line ends; ``line`` is None where it is not as it was sealed."""

    start: int
    end: int
    text: bytes = field(repr=False)
    line: Line | None = None


def sealed(records: Iterable[Record]) -> bytes:
    """The file's bytes: these records in their order, then the seal."""
    lines: list[bytes] = []
    whole, size, before = hashlib.sha256(), 0, ""
    for number, record in enumerate(records, 1):
        text, before = _line(number, before, record)
        whole.update(text)
        size += len(text)
        lines.append(text)
    seal = {"record": "seal", "lines": len(lines), "bytes": size, "sha256_of_all": whole.hexdigest()}
    return b"".join(lines) + _line(len(lines) + 1, before, seal)[0]


def pieces(data: bytes) -> Iterator[Piece]:
    """The file cut at its line ends; the last piece may lack one."""
    start = 0
    for text in _cut(data):
        end = start + len(text)
        yield Piece(start, end, text, _read(start, text))
        start = end


def schema_of(data: bytes) -> str:
    """The schema that the first line names; "" where nothing says that this is evidence."""
    found = _MARK.search(data[: data.find(b"\n") + 1 or len(data)])
    return found[1].decode("ascii") if found else ""


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _line(number: int, before: str, record: Record) -> tuple[bytes, str]:
    content = json.dumps({"n": number, "before": before, **record}, separators=(",", ":"), allow_nan=False)
    head = content[:-1].encode("ascii")
    digest = sha256(head)
    return head + f',"sha256":"{digest}"}}\n'.encode("ascii"), digest


def _cut(data: bytes) -> list[bytes]:
    """Cut at line feeds and nothing else: a carriage return is an alteration, no line end."""
    found = [each + b"\n" for each in data.split(b"\n")]
    found[-1] = found[-1][:-1]
    return [each for each in found if each]


def _read(start: int, text: bytes) -> Line | None:
    tail = _TAIL.search(text)
    if tail is None or sha256(text[: tail.start()]) != tail[1].decode("ascii"):
        return None
    try:
        record = json.loads(text)
        number, before = record.pop("n"), record.pop("before")
        digest = record.pop("sha256")
    except (ValueError, RecursionError, AttributeError, KeyError):
        return None
    if type(number) is not int or not isinstance(before, str) or not isinstance(record.get("record"), str):
        return None
    return Line(start, start + len(text), number, before, str(digest), record)
