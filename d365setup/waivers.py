"""Waivers: findings that somebody answers for until a day.

    waivers: 1
    items:
      - {finding: R03, object: "queue:Nurses", reason: …, owner: ops@contoso.example, expires: 2027-03-31}

``object`` is what a finding prints, or the beginning of it with a ``*`` at the end. The file is read as strictly as a
playbook: mistakes are told with line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from d365setup.audit.findings import Audit, Finding, Waived, WaiverTrouble
from d365setup.errors import PlaybookError, UsageError, WaiversError
from d365setup.model import NOWHERE, Source, hidden
from d365setup.pages import codes, nearest, written
from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Fields, Node
from d365setup.playbook.reading import MAX_BYTES, Manner, read
from d365setup.playbook.sections import is_format, items_of
from d365setup.playbook.shapes import shape
from d365setup.playbook.wording import tell_empty, unknown

FORMAT = 1
START = f"a file of waivers starts with `waivers: {FORMAT}`"
EXAMPLE = "queue:Nurses"
DAY = "2027-03-31"
BOT_SIDE = ("scenario", "health_bot")  # kinds of objects that `healthbot check` looks at, and knows all findings of
_KEYS = ("waivers", "items")
_FINDING_PATTERN, _OBJECT_PATTERN, _DAY_PATTERN = (
    r"^[A-Z][0-9]{2}$",
    r"^[a-z_]+:[^*]*\*?$",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
)


def _finding(text: str) -> str:
    if text in findings():
        return text
    near = written(text) if written(text) in findings() else nearest(text)
    meant = f"; did you mean {near}?" if near in findings() else ""
    raise ValueError(f"is no finding{meant} (`d365setup explain` lists them)")


def _object(text: str) -> str:
    if not re.match(r"[a-z_]+:.", text, re.DOTALL):
        raise ValueError(f"names no object: write it as findings print it, kind:key, for example {EXAMPLE}")
    if "*" in text[:-1]:
        raise ValueError("has a * before its end: only the end can be left open, for example queue:North*")
    return text


def _day(text: str) -> str:
    try:
        date.fromisoformat(text if re.fullmatch(_DAY_PATTERN, text) else "")
    except ValueError:
        raise ValueError(f"is no date: write the last day it holds as year-month-day, for example {DAY}") from None
    return text


def _printable(text: str) -> str:
    if text != text.strip():
        raise ValueError("begins or ends with white space")
    return text


Said = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_printable)]


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One finding that is left as it is, of one object or several, until the end of a day."""

    finding: Annotated[
        str, AfterValidator(_finding), Field(json_schema_extra={"pattern": _FINDING_PATTERN, "examples": ["R03"]})
    ]
    object: Annotated[
        str,
        StringConstraints(max_length=500),
        AfterValidator(_object),
        Field(json_schema_extra={"pattern": _OBJECT_PATTERN, "examples": [EXAMPLE]}),
    ]
    reason: Said
    owner: Annotated[Said, Field(json_schema_extra={"examples": ["ops@contoso.example"]})]
    expires: Annotated[str, AfterValidator(_day), Field(json_schema_extra={"pattern": _DAY_PATTERN, "examples": [DAY]})]
    source: Source = hidden(NOWHERE)

    def covers(self, found: Finding) -> bool:
        """Whether this is about the finding, expired or not."""
        subject = str(found.subject)
        named = subject.startswith(self.object[:-1]) if self.object.endswith("*") else subject == self.object
        return self.finding == found.id and (named or subject == self.object)

    def is_expired(self, today: date) -> bool:
        """Whether its last day has passed."""
        return today > date.fromisoformat(self.expires)

    def __str__(self) -> str:
        return f"the waiver of {self.finding} for {self.object}"


@dataclass(frozen=True)
class Waivers:
    """The waivers of one file, in its order."""

    items: tuple[Waiver, ...] = ()


def findings() -> tuple[str, ...]:
    """The ids of all findings."""
    return tuple(code for code in codes() if not code.startswith("0x"))


def load(path: Path) -> Waivers:
    """The waivers of a file. Raises UsageError where it cannot be read, WaiversError with every mistake in it."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"--waivers {path} cannot be read: {error.strerror}") from None
    return loaded(content, str(path))


def loaded(content: bytes, file: str) -> Waivers:
    """The waivers of a text. Raises WaiversError with every mistake in it."""
    mistakes = Mistakes()
    root = read(content, file, mistakes, Manner(f"the file is empty: {START}", dates=True))
    items = tuple(_items(root, mistakes)) if root is not None else ()
    try:
        mistakes.raise_any()
    except PlaybookError as error:
        raise WaiversError(error.mistakes) from None
    return Waivers(items)


def apply(audit: Audit, waivers: Waivers, today: date) -> Audit:
    """The audit with what is waived, and what is wrong with the waivers themselves."""
    held = [each for each in waivers.items if not each.is_expired(today)]
    found = tuple(_waived(each, held) for each in audit.findings)
    judged = [each for each in waivers.items if _is_judged(audit, each)]
    return replace(audit, findings=found, waivers=tuple(_troubles(audit, judged, today)))


def expired(waivers: Waivers, today: date) -> Iterator[tuple[Waiver, WaiverTrouble]]:
    """The waivers whose last day has passed, where no findings are looked for."""
    for each in waivers.items:
        if each.is_expired(today):
            told = f"{each} expired on {each.expires} ({each.owner}): cure the finding or renew the waiver"
            yield each, WaiverTrouble("error", told, each.source)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a file of waivers, for editors."""
    item = shape(Waiver, "waiver").schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"waivers-{FORMAT}.schema.json",
        "title": "d365setup waivers",
        "description": "Findings that somebody answers for until a day.",
        "type": "object",
        "additionalProperties": False,
        "required": list(_KEYS),
        "properties": {
            "waivers": {"description": "The format of this file.", "const": FORMAT},
            "items": {"type": "array", "items": item},
        },
    }


def _items(root: Node, mistakes: Mistakes) -> Iterator[Waiver]:
    if not isinstance(root, Fields):
        mistakes.add(root.source, f"this file is no map: {START}")
    elif is_format(root, "waivers", FORMAT, START, mistakes):
        _check_keys(root, mistakes)
        known: dict[tuple[str, str], Waiver] = {}
        for node in items_of(root, "items", "waiver", mistakes):
            found = shape(Waiver, "waiver").read(node, mistakes, {"source": node.source})
            if found is not None:
                _tell_twin(found, known.setdefault((found.finding, found.object), found), mistakes)
                yield found


def _check_keys(root: Fields, mistakes: Mistakes) -> None:
    for entry in root.entries:
        if entry.name not in _KEYS:
            mistakes.add(entry.key.source, unknown(entry.name, _KEYS, "a file of waivers"))
    if "items" not in root.by_name:
        mistakes.add(root.source, "'items' is missing: the list of waivers (`items: []` for none)")
    for source, message in tell_empty(root):
        mistakes.add(source, message)


def _tell_twin(found: Waiver, first: Waiver, mistakes: Mistakes) -> None:
    if first is not found:
        told = f"{found.finding} is waived twice for {shown(found.object)} (first on line {first.source.line})"
        mistakes.add(found.source, told)


def _waived(found: Finding, held: list[Waiver]) -> Finding:
    waiver = next((each for each in held if each.covers(found)), None)
    return replace(found, waived=Waived(waiver.reason, waiver.owner, waiver.expires)) if waiver else found


def _is_judged(audit: Audit, waiver: Waiver) -> bool:
    """Whether this audit can tell if the waiver is needed: for the bot's side only one that looked at a bot can."""
    is_of_bot = waiver.object.partition(":")[0] in BOT_SIDE
    return is_of_bot == bool(audit.against) or any(waiver.covers(found) for found in audit.findings)


def _troubles(audit: Audit, waivers: Sequence[Waiver], today: date) -> Iterator[WaiverTrouble]:
    for each in waivers:
        needed = any(each.covers(found) for found in audit.findings)
        if each.is_expired(today):
            again = "what it covered counts again" if needed else "no finding needs it any more"
            cure = "cure the finding or renew the waiver" if needed else "take it out"
            told = f"{each} expired on {each.expires} ({each.owner}): {again}; {cure}"
            yield WaiverTrouble("error", told, each.source)
        elif not needed and _was_looked_for(audit, each):
            told = f"{each} ({each.owner}) was not needed: nothing was found that it covers; take it out"
            yield WaiverTrouble("warning", told, each.source)


def _was_looked_for(audit: Audit, waiver: Waiver) -> bool:
    """Whether its finding was looked for and could be seen: only then can it be said that it is not there."""
    if any(each.id == waiver.finding for each in audit.unchecked):
        return False
    return waiver.finding in audit.passed or any(each.id == waiver.finding for each in audit.findings)
