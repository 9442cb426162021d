"""Which findings are marked on which thing of the drawing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from d365setup.audit.findings import LEVELS, Finding, Level

# What is part of something drawn; whatever else a finding can be about belongs to a work stream, if to anything.
_HOLDERS = {"queue_member": "queue", "role_assignment": "bot_user"}
_THEMSELVES = frozenset({"queue", "bot_user", "workstream", "routing_rule", "user"})
_SLASH = re.compile(r"(?<!\\)/")


@dataclass(frozen=True)
class Mark:
    """A finding on the drawing, and where on the page it is told."""

    id: str
    level: Level
    message: str
    anchor: str


class Marks:
    """The findings nobody waived, by the thing they are about."""

    def __init__(self, findings: Sequence[Finding] = (), anchors: Sequence[str] = ()) -> None:
        self._found: dict[tuple[str, str], dict[Mark, str]] = {}
        for finding, anchor in zip(findings, anchors, strict=True):
            if finding.waived is None:
                mark = Mark(finding.id, finding.level, finding.message, anchor)
                thing, row_id = _thing(finding)
                self._found.setdefault(thing, {})[mark] = row_id

    def on(self, kind: str, key: str, row_id: str = "") -> tuple[Mark, ...]:
        """The marks of one thing, the worst first. A row of that name with another id is another thing."""
        found = self._found.get((kind, key), {})
        return _sorted(mark for mark, row in found.items() if not row or not row_id or row == row_id)


def _thing(finding: Finding) -> tuple[tuple[str, str], str]:
    """What on the drawing it is about, and the row, where the finding is about that row itself."""
    subject = finding.subject
    if subject.kind == "routing_rule":
        return (subject.kind, subject.key), ""  # the row is the rule set's, which all its rules share
    if subject.kind in _THEMSELVES:
        return (subject.kind, subject.key.replace("\\/", "/")), subject.row_id
    holder = _SLASH.split(subject.key)[0].replace("\\/", "/")
    return (_HOLDERS.get(subject.kind, "workstream"), holder), ""


def _sorted(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: (LEVELS.index(mark.level), mark.id, mark.anchor)))
