"""Environments from a CSV file: a header with the columns' names, then a line for each.

``name`` and ``url`` must be there; ``labels`` are separated by blanks, ``variables.NAME`` is a variable's value and
``sign_in.secret`` a part of the sign-in. A place in messages counts columns as fields.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from d365setup.model import Source
from d365setup.playbook.mistakes import Mistakes, meant, shown
from d365setup.playbook.nodes import Entry, Fields, Items, Node, Scalar

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 100_000
_PLAIN = ("name", "url", "organization", "group", "labels", "playbook")
_SIGN_IN = (
    "tenant_id", "client_id", "secret", "token", "certificate", "certificate_password", "federated_token_file",
    "federated", "service_connection", "managed_identity", "healthbot_secret",
    "healthbot_resource",
)  # fmt: skip
_SEPARATORS = {";": "semicolons", "\t": "tabs"}
COLUMNS = (*_PLAIN, *(f"sign_in.{each}" for each in _SIGN_IN))


def read(path: Path, at: Source, mistakes: Mistakes) -> Iterator[Fields]:
    """The rows, as the maps they would be in the fleet file. What is wrong is told; ``at`` is who named the file."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        mistakes.add(at, f"the file {path} cannot be read: {error.strerror}")
        return
    start = Source(str(path), 1, 1)
    if len(content) > MAX_BYTES:
        mistakes.add(start, "the file is larger than 16 MiB")
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        mistakes.add(start, "the file is not UTF-8 text: save it as CSV UTF-8")
        return
    yield from _rows(text, start, mistakes)


def _rows(text: str, start: Source, mistakes: Mistakes) -> Iterator[Fields]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, None)
        if header is None or not _is_header(header, start, mistakes):
            return
        for number, line in enumerate(lines):
            at = Source(start.file, lines.line_num, 1)
            if number >= MAX_ROWS:
                mistakes.add(at, f"the file has more than {MAX_ROWS:,} lines")
                return
            if any(map(str.strip, line)):
                yield from _row(header, line, at, mistakes)
    except csv.Error as error:
        mistakes.add(Source(start.file, lines.line_num, 1), f"this is no CSV: {error}")


def _is_header(header: Sequence[str], start: Source, mistakes: Mistakes) -> bool:
    separators = [told for mark, told in _SEPARATORS.items() if len(header) == 1 and mark in header[0]]
    if separators:
        mistakes.add(start, f"the columns are separated by {separators[0]}: save it with commas")
        return False
    wrong = [each for each in header if each not in COLUMNS and not each.removeprefix("variables.").isidentifier()]
    wrong += [each for each in header if each not in COLUMNS and "." not in each and each not in wrong]
    for each in wrong:
        hint = meant(each, COLUMNS) or "; a variable's column is called variables.NAME"
        mistakes.add(start, f"there is no column {shown(each)}{hint}")
    missing = [each for each in ("name", "url") if each not in header]
    for each in missing:
        mistakes.add(start, f"the column {shown(each)} is missing: the first line names the columns")
    twice = [each for each in dict.fromkeys(header) if list(header).count(each) > 1]
    for each in twice:
        mistakes.add(start, f"the column {shown(each)} is there twice")
    return not (wrong or missing or twice)


def _row(header: Sequence[str], line: Sequence[str], at: Source, mistakes: Mistakes) -> Iterator[Fields]:
    if len(line) != len(header):
        fields = "1 field" if len(line) == 1 else f"{len(line)} fields"
        mistakes.add(
            at,
            f"this line has {fields}, and the first line names {len(header)} columns",
        )
        return
    own: list[Entry] = []
    inner: dict[str, list[Entry]] = {"variables": [], "sign_in": []}
    for place, (column, text) in enumerate(zip(header, line, strict=True), 1):
        source = Source(at.file, at.line, place)
        if text.strip():
            outer, _, name = column.partition(".")
            target = inner[outer] if name else own
            target.append(_entry(name or column, text.strip(), source))
    own += [_map(name, entries, at) for name, entries in inner.items() if entries]
    yield Fields(tuple(own), at)


def _entry(name: str, text: str, at: Source) -> Entry:
    value: Node = Scalar(text, at, text)
    if name == "labels":
        value = Items(tuple(Scalar(each, at, each) for each in text.split()), at)
    return Entry(Scalar(name, at, name), value)


def _map(name: str, entries: Sequence[Entry], at: Source) -> Entry:
    return Entry(Scalar(name, at, name), Fields(tuple(entries), at))
