"""Cases of audits: an environment built through the Web API, broken in one way, judged, mended, judged again.

A case is data (`cases_*.py`); `test_cases.py` runs them all. It begins with a sound hand-off (`Handoff`): whatever is
found at warning or above is the case's doing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from d365setup.audit import Audit, Finding, Level, Seen, audit
from d365setup.playbook import Playbook, load
from tests.kinds.site import SPECS
from tests.survey.rule_text import has_value
from tests.survey.site import Site


@dataclass
class Handoff:
    """A sound hand-off: `Patient chat` meets `Health Bot` alone in `Bot only`, every topic leads to `Nurses`.

    The ids of its rows, and ``made``: whatever a case's breaking wants to tell its mending.
    """

    site: Site
    nurses: str = ""
    bots: str = ""
    nurse: str = ""
    bot: str = ""
    chat: str = ""
    topic: str = ""
    rules: str = ""
    made: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def built(cls, site: Site) -> Handoff:
        """Made in an empty environment."""
        found = cls(site, site.make_queue("Nurses"), site.make_queue("Bot only"))
        found.nurse = site.make_person("nurse.one@contoso.example", capacity=90, queue=found.nurses)
        found.bot = site.make_bot("Health Bot", queue=found.bots)
        found.chat = site.make_workstream("Patient chat", fallback=found.nurses)
        found.topic = site.make_variable(found.chat, "Topic")
        routes = [("Any hand-off", has_value("Topic"), found.nurses), ("Bot first", None, found.bots)]
        found.rules = site.make_rule_set(found.chat, routes)
        return found


Act = Callable[[Handoff], None]


@dataclass(frozen=True)
class Case:
    """One way to break an environment and to mend it, and what an audit must say in between.

    ``also`` are the ids of other findings at warning or above that this breaking cannot do without. ``told`` is a part
    of the message. ``playbook`` is the text below its head; without one the whole environment is audited.
    """

    id: str
    name: str
    subject: str
    breaks: Act
    repairs: Act
    level: Level = "error"
    told: str = ""
    also: frozenset[str] = frozenset()
    playbook: str = ""
    switches: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


def cases() -> Iterator[Case]:
    """Those of every `cases_*.py` beside this file."""
    folder = Path(__file__).parent
    for module in pkgutil.iter_modules([str(folder)]):
        if module.name.startswith("cases_"):
            yield from importlib.import_module(f"tests.audit.{module.name}").CASES


def judged(site: Site, text: str = "") -> Audit:
    """An audit of the environment as the survey reads it; ``text`` is a playbook below its head."""
    center = site.center()
    return audit(Seen(center, datetime.fromisoformat(center.taken_at), playbook(text)))


def playbook(text: str) -> Playbook | None:
    """A playbook of this text, or none."""
    return load(f"playbook: 1\nname: test\n{text}", SPECS, {}) if text else None


def serious(result: Audit) -> list[Finding]:
    """Findings at warning or above."""
    return [each for each in result.findings if each.level != "info"]


def shown(result: Audit) -> str:
    """For a failed assertion."""
    found = (f"{each.id} {each.level} {each.subject}: {each.message}" for each in result.findings)
    return "\n".join([*found, *(f"{each.id} unchecked {each.subject}: {each.reason}" for each in result.unchecked)])
