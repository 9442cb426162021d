"""What the page of a plan, a run or a verification shows: changes by kind, each with what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from d365setup.model import Action, Change, FieldChange, Note, Plan
from d365setup.outcome import Failure, Outcome, Run, Status
from d365setup.report.as_json import plain, warnings
from d365setup.report.diagram.wording import counted
from d365setup.report.documents import UNRESOLVED, Verification
from d365setup.report.html.auditing import AuditView, audit_view

if TYPE_CHECKING:
    from d365setup.audit.readiness import Readiness

_WORDS = {Action.CREATE: "create", Action.UPDATE: "update", Action.DELETE: "remove"}
_SYMBOLS = {"create": "+", "update": "~", "remove": "−", "by hand": "!"}
_STATUS_LEVELS = {
    Status.VERIFIED: "good",
    Status.NOT_VERIFIED: "error",
    Status.FAILED: "error",
    Status.NOT_WRITTEN: "warning",
    Status.MANUAL: "warning",
}


@dataclass(frozen=True)
class Field:
    """A field before and after; ``was`` is None where there was no thing before."""

    name: str
    was: str | None
    now: str | None


@dataclass(frozen=True)
class Row:
    """A change. ``status`` is empty where nothing was tried."""

    change: Change
    action: str
    symbol: str
    fields: tuple[Field, ...]
    status: str
    level: str
    detail: str
    failure: Failure | None

    @property
    def place(self) -> str:
        """The playbook's line."""
        source = self.change.source
        return f"{source.file}:{source.line}" if source.line else ""


@dataclass(frozen=True)
class Group:
    """The changes of one kind."""

    kind: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class ChangesView:
    """Everything the template needs."""

    title: str
    verdict: str
    level: str
    plan: Plan
    run: Run | None
    warnings: tuple[Note, ...]
    groups: tuple[Group, ...]
    actions: tuple[tuple[str, str, int], ...]  # action, symbol, how many
    statuses: tuple[tuple[str, str, int], ...]  # status, level, how many
    count: int
    exit_code: int
    readiness: Readiness | None = None
    audit: AuditView | None = None


def changes_view(document: Plan | Run | Verification, show: Callable[[str], str]) -> ChangesView:
    """The rows in the plan's order, grouped, counted."""
    run = document if isinstance(document, Run) else None
    verified = document if isinstance(document, Verification) else None
    plan = document if isinstance(document, Plan) else document.plan
    rows = tuple(_outcome_row(each) for each in run.outcomes) if run else tuple(_row(each) for each in plan.changes)
    return ChangesView(
        _title(document),
        _verdict(document, rows),
        _verdict_level(document),
        plan,
        run,
        warnings(run) if run else plan.warnings,
        _groups(rows),
        tuple((action, _SYMBOLS[action], count) for action, count in _counted(row.action for row in rows)),
        tuple((status, _level(rows, status), n) for status, n in _counted(row.status for row in rows) if status),
        len(rows),
        document.exit_code,
        verified.readiness if verified else None,
        audit_view(verified.audit, show) if verified and verified.audit else None,
    )


def _title(document: Plan | Run | Verification) -> str:
    if isinstance(document, Plan):
        return f"Plan for {_named(document)}"
    name = _named(document.plan)
    if isinstance(document, Verification):
        return f"Verification of {name}"
    if document.undoes:
        return f"Rollback on {name}"
    return f"{document.command.capitalize()} on {name}"


def _named(plan: Plan) -> str:
    return plan.environment.name or plan.environment.organization_id or "an environment"


def _verdict(document: Plan | Run | Verification, rows: tuple[Row, ...]) -> str:
    unchanged = (document if isinstance(document, Plan) else document.plan).unchanged
    if isinstance(document, Run):
        if document.interrupted:
            return "Stopped before the end"
        told = ", ".join(f"{count} {status}" for status, count in _counted(row.status for row in rows))
        return told or f"Nothing to change: {counted(unchanged, 'thing is', 'things are')} as the playbook says"
    if isinstance(document, Verification) and document.unresolved:
        return UNRESOLVED[0].upper() + UNRESOLVED[1:]
    if not rows:
        in_line = f"{counted(unchanged, 'thing is', 'things are')} as the playbook says"
        return f"{_trouble(document)}{in_line}" if document.exit_code else f"In line: {in_line}"
    told = ", ".join(_to_do(action, count) for action, count in _counted(row.action for row in rows))
    return f"Drift: {told}" if isinstance(document, Verification) else told.capitalize()


def _trouble(document: Plan | Verification) -> str:
    """Why it is in line and yet not well."""
    plan = document if isinstance(document, Plan) else document.plan
    if plan.proof and plan.proof.exit_code:
        return "A test of the playbook fails; "
    if isinstance(document, Verification) and document.readiness and document.readiness.is_broken:
        return "A hand-off is broken; "
    return "In line, with errors: "


def _verdict_level(document: Plan | Run | Verification) -> str:
    if document.exit_code == 0:
        return "good"
    if isinstance(document, Plan):
        return "info" if document.exit_code == 3 else "error"
    return "warning" if document.exit_code == 3 else "error"


def _to_do(action: str, count: int) -> str:
    return f"{count:,} by hand" if action == "by hand" else f"{count:,} to {action}"


def _outcome_row(outcome: Outcome) -> Row:
    level = _STATUS_LEVELS[outcome.status]
    return _row(outcome.change, outcome.status.value, level, outcome.detail, outcome.failure)


def _row(change: Change, status: str = "", level: str = "", detail: str = "", failure: Failure | None = None) -> Row:
    action = "by hand" if change.manual else _WORDS[change.action]
    fields = tuple(_field(each, change.action) for each in change.fields)
    return Row(change, action, _SYMBOLS[action], fields, status, level, detail, failure)


def _field(field: FieldChange, action: Action) -> Field:
    was = None if action is Action.CREATE else _said(field.before)
    now = None if action is Action.DELETE else _said(field.after)
    return Field(field.field, was, now)


def _said(value: object) -> str:
    said = plain(value)
    if isinstance(said, bool):
        return "true" if said else "false"
    if said is None:
        return "(none)"
    if said == "":
        return '""'
    return ", ".join(str(each) for each in said) if isinstance(said, list) else str(said)


def _groups(rows: tuple[Row, ...]) -> tuple[Group, ...]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.change.id.kind, []).append(row)
    return tuple(Group(kind, tuple(each)) for kind, each in found.items())


def _counted(names: Iterator[str]) -> tuple[tuple[str, int], ...]:
    """Each name with its number, in the order of a person's interest."""
    counts = Counter(names)
    known = (
        "remove",
        "by hand",
        "update",
        "create",
        "failed",
        "not verified",
        "not written",
        "manual step",
        "verified",
    )
    return tuple((name, counts[name]) for name in (*known, *(set(counts) - set(known))) if counts[name])


def _level(rows: tuple[Row, ...], status: str) -> str:
    return next(row.level for row in rows if row.status == status)
