"""How an apply ended, as values: each change's outcome, and the run they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from d365setup.model import Change, Note, Plan


class Status(StrEnum):
    """How a change ended. *Written* and *verified* are different words."""

    VERIFIED = "verified"
    NOT_VERIFIED = "not verified"  # the write landed, the read-back shows something else
    FAILED = "failed"
    NOT_WRITTEN = "not written"  # rolled back with its change set, or never tried
    MANUAL = "manual step"


@dataclass(frozen=True)
class Failure:
    """What the service said, kept as a value: message, service code, HTTP status, request id; ``hint`` says what next.

    ``exit_code`` is the command's when nothing at all was written: 6 not reachable, 8 throttled, else 1.
    """

    message: str
    code: str = ""
    status: int | None = None
    request_id: str = ""
    exit_code: int = 1
    hint: str = ""


@dataclass(frozen=True)
class Outcome:
    """How one change ended, and why."""

    change: Change
    status: Status
    detail: str = ""
    failure: Failure | None = None


@dataclass(frozen=True)
class Traffic:
    """What went over the wire."""

    requests: int = 0
    operations: int = 0
    retries: int = 0
    waited_seconds: float = 0.0


INTERRUPTED = 130  # what a shell reports for a program ended by SIGINT


@dataclass(frozen=True)
class Run:
    """What an apply did: the plan, how each change ended, what it cost. ``id`` is its journal's name."""

    plan: Plan
    outcomes: tuple[Outcome, ...] = ()
    warnings: tuple[Note, ...] = ()
    traffic: Traffic = Traffic()
    id: str = ""
    command: str = "apply"
    undoes: str = ""  # the run that was taken back
    interrupted: bool = False
    after_failure: bool = False  # it takes back what had landed of a run that failed

    @property
    def landed(self) -> bool:
        """True when at least one write is in the environment."""
        return any(each.status in (Status.VERIFIED, Status.NOT_VERIFIED) for each in self.outcomes)

    @property
    def exit_code(self) -> int:
        """0 all verified; 7 some landed, some did not; 1 failed or not verified; 3 a manual step; 130 interrupted.

        Taking back a run that failed ends with 1 when all is as it was before.
        """
        statuses = {each.status for each in self.outcomes}
        if self.interrupted:
            return INTERRUPTED
        if self.after_failure:
            return 7 if self.plan.warnings or statuses - {Status.VERIFIED} else 1
        if statuses & {Status.FAILED, Status.NOT_WRITTEN}:
            return (
                7 if self.landed else max((each.failure.exit_code for each in self.outcomes if each.failure), default=1)
            )
        if Status.NOT_VERIFIED in statuses:
            return 1
        return 3 if Status.MANUAL in statuses else 0
