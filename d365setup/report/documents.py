"""What a command can end with: a plan or a run (model), or one of these. Each knows its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from d365setup.doctor import Diagnosis
from d365setup.journal import Recording
from d365setup.model import NOWHERE, Plan, Run, Severity, Source


@dataclass(frozen=True)
class Verification:
    """A look at an environment: the changes of ``plan`` are its drift."""

    plan: Plan

    @property
    def exit_code(self) -> int:
        """0 in line, 3 drift."""
        return self.plan.exit_code


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: ``id`` is ``kind:key`` where it is about a thing of the playbook."""

    message: str
    id: str = ""
    source: Source = NOWHERE
    severity: Severity = "error"


@dataclass(frozen=True)
class ErrorReport:
    """Why a command ended without a result. ``hint`` says what to do next; the rest is what the service said."""

    message: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    hint: str = ""
    code: str = ""
    status: int | None = None
    request_id: str = ""


@dataclass(frozen=True)
class Checked:
    """A playbook without a mistake, and how many things of each kind it declares."""

    file: str
    name: str
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """Playbooks looked at without an environment: the good ones, and every mistake of the others."""

    playbooks: tuple[Checked, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all valid, 2 mistakes."""
        return 2 if self.problems else 0


@dataclass(frozen=True)
class Recorded:
    """A run as its journal tells it. ``state``: ended, running, open (its process died), settled (since then)."""

    recording: Recording
    state: Literal["ended", "running", "open", "settled"]
    exit_code: int = 0


@dataclass(frozen=True)
class History:
    """The runs recorded in a state directory, and why some of their journals cannot be read."""

    folder: str
    runs: tuple[Recorded, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where a journal cannot be read."""
        return 1 if self.problems else 0


Document = Plan | Run | Verification | Validation | Diagnosis | ErrorReport | History | Recorded
