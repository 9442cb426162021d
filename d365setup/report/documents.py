"""What a command can end with: a plan or a run (model), or one of these. Each knows its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from d365setup.journal import Recording
from d365setup.model import NOWHERE, Environment, Plan, ResourceId, Severity, Source
from d365setup.outcome import Run
from d365setup.proof import Proof

if TYPE_CHECKING:  # what few commands end with is loaded by those
    from d365setup.audit.findings import Audit
    from d365setup.audit.readiness import Readiness
    from d365setup.center import ContactCenter
    from d365setup.comparing.values import Comparison
    from d365setup.doctor import Diagnosis
    from d365setup.evidence.inspection import Inspection
    from d365setup.fleet.results import FleetRun
    from d365setup.healthbot.handwork import Checklist
    from d365setup.healthbot.pushing import Push
    from d365setup.pages import Page
    from d365setup.routing import Simulation


UNRESOLVED = "the environment cannot be brought to what the playbook says, so what differs cannot be told"


@dataclass(frozen=True)
class Verification:
    """A look at an environment: the changes of ``plan`` are its drift.

    ``unresolved`` is the exit code where the environment cannot be compared, for the reasons among the plan's warnings.
    ``readiness`` and ``audit`` are of the playbook's part; None where nobody looked.
    """

    plan: Plan
    readiness: Readiness | None = None
    audit: Audit | None = None
    unresolved: int = 0

    @property
    def exit_code(self) -> int:
        """0 in line and ready, 3 drift, 4 no drift, and errors or a hand-off that breaks; 1 or 5 not comparable."""
        if self.unresolved:
            return self.unresolved
        if self.plan.exit_code:
            return self.plan.exit_code
        found = self.audit.exit_code if self.audit else 0
        return 4 if found or (self.readiness and self.readiness.is_broken) else 0


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
    proof: Proof | None = None  # where failed tests of the playbook are why


@dataclass(frozen=True)
class Checked:
    """A playbook without a mistake, how many things of each kind it declares, and what its tests came to."""

    file: str
    name: str
    counts: Mapping[str, int] = field(default_factory=dict)
    proof: Proof | None = None


@dataclass(frozen=True)
class Validation:
    """Playbooks looked at without an environment: the good ones, and every mistake of the others."""

    playbooks: tuple[Checked, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all valid, 2 mistakes, 4 a test failed."""
        codes = [each.proof.exit_code for each in self.playbooks if each.proof]
        return 2 if self.problems else max(codes, default=0)


@dataclass(frozen=True)
class Simulated:
    """A conversation played on a contact center. ``draws`` prints it as a diagram; ``warnings`` are about the call."""

    simulation: Simulation
    center: ContactCenter
    playbook: str = ""
    sha256: str = ""
    warnings: tuple[str, ...] = ()
    proof: Proof | None = None  # what the playbook's own tests came to, where they were run
    draws: bool = False

    @property
    def ends_well(self) -> bool:
        """Whether, under both readings, somebody answers in the end, or somebody had closed it."""
        lasts = (self.simulation.strict.last, self.simulation.loose.last)
        return all(leg.chosen_by == "end" or leg.answer in ("bot", "person") for leg in lasts)

    @property
    def exit_code(self) -> int:
        """0 answered or ended; 4 it waits for ever, the system closes it, or it cannot be decided; 4 a test failed."""
        return 4 if not self.ends_well or (self.proof and self.proof.exit_code) else 0


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


@dataclass(frozen=True)
class Declared:
    """A thing of a playbook; ``only_refers``: it is named there, and never made or changed."""

    id: ResourceId
    only_refers: bool = False


@dataclass(frozen=True)
class Untouched:
    """What an environment has and its playbook does not say, and why: all of a thing, or a part of it."""

    id: ResourceId
    state: Literal["left out", "referred to", "in part"]
    message: str


@dataclass(frozen=True)
class Exported:
    """A playbook made of an environment, and proved: ``unchanged`` things were in line, and nothing was not.

    ``part`` is what was asked for, by kind; empty for everything. ``variables`` have these values there.
    ``not_declared`` is what an update saw in the environment beside what the playbook says.
    """

    environment: Environment
    taken_at: str
    playbook: str
    sha256: str
    result: Literal["printed", "written", "updated", "in line already"]
    file: str = ""
    part: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    things: tuple[Declared, ...] = ()
    unchanged: int = 0
    untouched: tuple[Untouched, ...] = ()
    unread: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    not_declared: tuple[ResourceId, ...] = ()

    @property
    def exit_code(self) -> int:
        """Always 0: what is not proved is not exported."""
        return 0


@dataclass(frozen=True)
class Explained:
    """What a code means; with ``of_all`` the codes there are."""

    pages: tuple[Page, ...]
    of_all: bool = False

    @property
    def exit_code(self) -> int:
        """Always 0: an unknown code is no result."""
        return 0


if TYPE_CHECKING:
    Document = (
        Explained
        | Plan
        | Run
        | Verification
        | Validation
        | Simulated
        | Audit
        | Diagnosis
        | ErrorReport
        | History
        | Recorded
        | Inspection
        | Push
        | Checklist
        | Comparison
        | Exported
        | FleetRun
    )
else:
    Document = Any
