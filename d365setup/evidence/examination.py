"""Looking at evidence: is it as it was sealed, and if not, which bytes are the first that are not. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from d365setup.evidence.chain import SCHEMA, Line, Piece, Record, pieces, schema_of, sha256
from d365setup.evidence.records import Previous, label


class NoEvidence(ValueError):
    """The bytes are no evidence, or of a version unknown here."""


@dataclass(frozen=True)
class Alteration:
    """The first bytes that are not as they were sealed: from ``start`` up to and without ``end``.

    Where bytes are missing, both say where they stood. ``line`` counts from 1.
    """

    start: int
    end: int
    line: int
    what: str

    def __str__(self) -> str:
        where = f"bytes {self.start}..{self.end - 1}" if self.end > self.start else f"at byte {self.start}"
        return f"{where} (line {self.line}): {self.what}"


@dataclass(frozen=True)
class Examined:
    """One file's evidence. With an ``alteration`` the rest is what the file says, and may be as false."""

    sha256: str
    lines: int
    alteration: Alteration | None = None
    previous: Previous | None = None
    signed_by: str = ""
    call: Mapping[str, Any] | None = None
    exit_code: int | None = None


def examined(data: bytes) -> Examined:
    """Look at a whole file. Raises NoEvidence where it is none."""
    found = tuple(pieces(data))
    schema = schema_of(data)
    if not schema and not any(each.line for each in found):
        raise NoEvidence("it is no evidence: no line in it was sealed by `--evidence`")
    if schema not in ("", SCHEMA) and found[0].line:
        raise NoEvidence(f"it is a {schema}, of another d365setup, and this one reads {SCHEMA}")
    records = [each.line.record for each in found if each.line]
    start, call, end = (_first(records, name) for name in ("start", "call", "end"))
    return Examined(
        sha256(data),
        len(found),
        alteration(data, found),
        Previous.read(start.get("previous")),
        str(start.get("signed_by") or ""),
        call or None,
        end["exit_code"] if type(end.get("exit_code")) is int else None,
    )


def alteration(data: bytes, found: Sequence[Piece]) -> Alteration | None:
    """The first one; None where every byte is as it was sealed."""
    places = {each.line.digest: index for index, each in enumerate(found) if each.line}
    before = ""
    for index, piece in enumerate(found):
        if index and _is_seal(found[index - 1]):
            return Alteration(piece.start, len(data), index + 1, "this stands behind the seal, and was put there later")
        if piece.line is None:
            return _damaged(piece, index, is_last=index == len(found) - 1)
        if piece.line.before != before or piece.line.number != index + 1:
            return _out_of_place(piece.line, index, found, places)
        before = piece.line.digest
    return _seal_broken(data, found)


def _damaged(piece: Piece, index: int, *, is_last: bool) -> Alteration:
    what = f"{_told(piece.text)} was altered"
    if is_last and not piece.text.endswith(b"\n"):
        what = "the file is cut off here, and its end is missing"
    return Alteration(piece.start, piece.end, index + 1, what)


def _out_of_place(line: Line, index: int, found: Sequence[Piece], places: Mapping[str, int]) -> Alteration:
    """A line intact by itself that does not follow the line it stands behind."""
    follows = places.get(line.before) if line.before else -1
    name = label(line.record)
    if follows is not None and follows > index:
        what = f"{name} was moved here: it follows line {follows + 1}"
        return Alteration(line.start, line.end, index + 1, what)
    if follows is not None and follows < index - 1:
        start = found[follows + 1].start
        return Alteration(start, line.start, follows + 2, "this was inserted: nothing behind it belongs to it")
    if follows is None and line.number > index + 1:
        missing = f"line {index + 1} is" if line.number == index + 2 else f"lines {index + 1} to {line.number - 1} are"
        return Alteration(line.start, line.start, index + 1, f"{missing} missing here, before {name}")
    if follows is None and index > 0 and line.number == index + 1:
        last = found[index - 1]
        what = "this was replaced: the line behind it was sealed behind another one"
        return Alteration(last.start, last.end, index, what)
    return Alteration(line.start, line.end, index + 1, f"{name} was put here from elsewhere")


def _seal_broken(data: bytes, found: Sequence[Piece]) -> Alteration | None:
    """All lines follow each other: is the last one the seal, and of these bytes?"""
    last = found[-1].line
    if last is None or last.record["record"] != "seal":
        missing = "the seal is missing: the file was cut off here, or never finished"
        return Alteration(len(data), len(data), len(found) + 1, missing)
    told = tuple(last.record.get(name) for name in ("lines", "bytes", "sha256_of_all"))
    if told == (len(found) - 1, last.start, sha256(data[: last.start])):
        return None
    return Alteration(last.start, last.end, len(found), "the seal is of another text")


def _is_seal(piece: Piece) -> bool:
    return piece.line is not None and piece.line.record["record"] == "seal"


def _first(records: Sequence[Record], name: str) -> Record:
    return next((each for each in records if each["record"] == name), {})


def _told(text: bytes) -> str:
    """What a damaged line was about, as far as it can be read."""
    try:
        record = json.loads(text)
        return label(record)
    except (ValueError, RecursionError, TypeError, AttributeError, KeyError):
        return "this line"
