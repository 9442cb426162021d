"""Documents as JSON-ready values: the published shapes (`schemas/`), field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from d365setup.model import Change, Note, Plan, Source
from d365setup.outcome import Outcome, Run
from d365setup.report.as_tests import proof_data
from d365setup.report.documents import (
    UNRESOLVED,
    Document,
    ErrorReport,
    Problem,
    Validation,
    Verification,
)
from d365setup.report.seldom import seldom_data

Data = dict[str, Any]


def data(document: Document) -> Data:
    """The document as a value that `json.dumps` takes; equal documents give equal values."""
    return _DATA.get(type(document), seldom_data)(document)


def _plan(plan: Plan) -> Data:
    return {
        "schema": "d365setup/plan/1",
        **_about(plan),
        "changes": [_change(each) for each in plan.changes],
        "unchanged": plan.unchanged,
        "warnings": _notes(plan.warnings),
        "cost": _cost(plan),
        "tests": proof_data(plan.proof),
        "exit_code": plan.exit_code,
    }


def _run(run: Run) -> Data:
    traffic = run.traffic
    return {
        **_plan(run.plan),
        "schema": "d365setup/run/1",
        "run": run.id or None,
        "command": run.command,
        "undoes": run.undoes or None,
        "interrupted": run.interrupted,
        "warnings": _notes(warnings(run)),
        "outcomes": [_outcome(each) for each in run.outcomes],
        "http": {
            "requests": traffic.requests,
            "operations": traffic.operations,
            "retries": traffic.retries,
            "waited_seconds": round(traffic.waited_seconds, 3),
        },
        "exit_code": run.exit_code,
    }


def _verification(found: Verification) -> Data:
    from d365setup.report.as_readiness import findings_data, readiness_data  # noqa: PLC0415  # only `verify` has them

    plan = found.plan
    return {
        "schema": "d365setup/verification/1",
        **_about(plan),
        "in_line": not plan.changes and not found.unresolved,
        "drift": [_change(each) for each in plan.changes],
        "unchanged": plan.unchanged,
        "warnings": _notes(plan.warnings),
        "readiness": readiness_data(found.readiness),
        "findings": findings_data(found.audit),
        **(_unresolved(plan) if found.unresolved else {}),
        "exit_code": found.exit_code,
    }


def _unresolved(plan: Plan) -> Data:
    """As an error says it, for whoever reads only that."""
    return {"message": UNRESOLVED, "problems": _notes([each for each in plan.warnings if each.severity == "error"])}


def _validation(found: Validation) -> Data:
    return {
        "schema": "d365setup/validation/1",
        "playbooks": [
            {"file": e.file, "name": e.name, "counts": dict(e.counts), "tests": proof_data(e.proof)}
            for e in found.playbooks
        ],
        "problems": [_problem(each) for each in found.problems],
        "exit_code": found.exit_code,
    }


def _error(error: ErrorReport) -> Data:
    return {
        "schema": "d365setup/error/1",
        "exit_code": error.exit_code,
        "message": error.message,
        "hint": error.hint,
        "code": error.code,
        "status": error.status,
        "request_id": error.request_id,
        "problems": [_problem(each) for each in error.problems],
        "tests": proof_data(error.proof),
    }


def warnings(run: Run) -> tuple[Note, ...]:
    """What the plan warned of and what applying it showed, each once."""
    return tuple(dict.fromkeys((*run.plan.warnings, *run.warnings)))


def _about(plan: Plan) -> Data:
    environment = plan.environment
    return {
        "fingerprint": plan.fingerprint,
        "environment": {
            "url": environment.url,
            "organization_id": environment.organization_id,
            "name": environment.name,
            **({"taken_at": environment.taken_at} if environment.taken_at else {}),
        },
        "playbook": {"name": plan.playbook, "sha256": plan.sha256},
    }


def _change(change: Change) -> Data:
    return {
        "action": change.action.value,
        "kind": change.id.kind,
        "key": change.id.key,
        "fields": [{"field": e.field, "before": plain(e.before), "after": plain(e.after)} for e in change.fields],
        "reason": change.reason,
        "manual": change.manual,
        "source": _source(change.source),
    }


def _outcome(outcome: Outcome) -> Data:
    change, failure = outcome.change, outcome.failure
    return {
        "id": str(change.id),
        "kind": change.id.kind,
        "key": change.id.key,
        "action": change.action.value,
        "status": outcome.status.value,
        "detail": outcome.detail,
        "hint": failure.hint if failure else "",
        "code": failure.code if failure else "",
        "http_status": failure.status if failure else None,
        "request_id": failure.request_id if failure else "",
        "source": _source(change.source),
    }


def _cost(plan: Plan) -> Data:
    cost = plan.cost
    return {"round_trips": cost.round_trips, "requests": cost.requests, "operations": cost.operations}


def _notes(notes: Iterable[Note]) -> list[Data]:
    return [_problem(Problem(each.message, str(each.id), each.source, each.severity)) for each in notes]


def _problem(problem: Problem) -> Data:
    return {
        "id": problem.id,
        "message": problem.message,
        "source": _source(problem.source),
        "severity": problem.severity,
    }


def _source(source: Source) -> Data | None:
    return {"file": source.file, "line": source.line, "column": source.column} if source.line else None


def plain(value: Any) -> Any:
    """A field's value as JSON can hold it; what it cannot hold is shown as text."""
    if value is None or isinstance(value, str | bool | int):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value)


_DATA: dict[type, Callable[[Any], Data]] = {
    Plan: _plan,
    Run: _run,
    Verification: _verification,
    Validation: _validation,
    ErrorReport: _error,
}
