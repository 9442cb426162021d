"""What an audit finds: the values its checks yield and its reports show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from d365setup.center import ContactCenter, record_link
from d365setup.model import NOWHERE, Source

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")  # the worst first


@dataclass(frozen=True)
class Subject:
    """What a finding is about: ``kind`` and ``key`` as in plans (`queue:Nurses`), its row, and the playbook's line."""

    kind: str
    key: str
    row_id: str = ""
    table: str = ""  # logical name, for a link
    source: Source = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"

    def link(self, url: str) -> str:
        """Where a browser shows it; "" where it has no row."""
        return record_link(url, self.table, self.row_id) if self.table else ""


@dataclass(frozen=True)
class Waived:
    """That somebody answers for leaving a finding as it is."""

    reason: str
    owner: str
    until: str  # ISO date, the last day it holds


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. Ids are for ever (`catalog`).

    ``evidence`` are the values seen, by name; ``consequence`` is what happens to a conversation because of it.
    """

    id: str
    level: Level
    subject: Subject
    message: str
    evidence: tuple[tuple[str, str], ...] = ()
    consequence: str = ""
    cure: str = ""
    source_page: str = ""
    waived: Waived | None = None

    @property
    def fingerprint(self) -> str:
        """What tells it from others from run to run: the id and what it is about, not the values seen."""
        return f"{self.id}|{self.subject}"


@dataclass(frozen=True)
class Unchecked:
    """A check that could not be made, wholly or for one subject, and why. Never counted as passed."""

    id: str
    reason: str
    subject: Subject | None = None


@dataclass(frozen=True)
class WaiverTrouble:
    """A waiver that is expired (an error) or that no finding needed (a warning); ``source`` is its line in its file."""

    level: Level
    message: str
    source: Source = NOWHERE


@dataclass(frozen=True)
class Audit:
    """What an audit came to. ``passed`` are the ids of checks that looked at everything and found nothing.

    Findings are ordered: worst first, then id, then subject; waived ones stay in the list and do not count.
    """

    center: ContactCenter
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    passed: tuple[str, ...] = ()
    waivers: tuple[WaiverTrouble, ...] = ()
    playbook: str = ""
    sha256: str = ""
    fail_on: Level = "error"
    against: str = ""  # what was held against the playbook instead of an environment: a bot's backup, its scenarios

    @property
    def open(self) -> tuple[Finding, ...]:
        """Findings nobody waived."""
        return tuple(each for each in self.findings if each.waived is None)

    @property
    def counts(self) -> Mapping[Level, int]:
        """How many open ones of each level."""
        return {level: sum(1 for each in self.open if each.level == level) for level in LEVELS}

    @property
    def exit_code(self) -> int:
        """4 with an open finding at or above ``fail_on``, or an expired waiver; else 0."""
        bad = LEVELS[: LEVELS.index(self.fail_on) + 1]
        found = any(each.level in bad for each in self.open)
        return 4 if found or any(each.level == "error" for each in self.waivers) else 0

    def failing_on(self, level: Level) -> Audit:
        """The same, failing at another level."""
        return replace(self, fail_on=level)
