"""Documents as plain text: one line a change, aligned, readable without colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from d365setup.model import Action, Change, Environment, FieldChange, Note, Plan, Source
from d365setup.outcome import Outcome, Run, Status
from d365setup.report.as_json import plain, warnings
from d365setup.report.as_tests import proof_lines
from d365setup.report.documents import (
    UNRESOLVED,
    Checked,
    Document,
    ErrorReport,
    Problem,
    Validation,
    Verification,
)
from d365setup.report.redaction import Mask
from d365setup.report.seldom import seldom_lines
from d365setup.report.visible import visible

_SYMBOLS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-"}
_MANUAL = "!"
_COLORS = {"+": "32", "~": "33", "-": "31", "!": "35"}
_GOOD, _BAD, _DIM = "32", "31", "2"
_WIDEST = 64  # columns a name may take before what stands beside it moves on


@dataclass(frozen=True)
class _Page:
    """How text is shown on this page: people masked or not, colours or not."""

    mask: Mask | None = None
    color: bool = False

    def show(self, text: Any) -> str:
        """Text from outside, safe to print on one line."""
        said = str(text)
        return visible(self.mask.text(said) if self.mask else said)

    def paint(self, text: str, code: str) -> str:
        """Our own text in a colour."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code else text


def text(document: Document, *, mask: Mask | None = None, color: bool = False) -> str:
    """The document as lines of text."""
    page = _Page(mask, color)
    own = _LINES.get(type(document))
    lines = list(own(document, page) if own else seldom_lines(document, page.show, page.paint))
    return "\n".join(lines) + "\n"


def outcome_line(outcome: Outcome, *, mask: Mask | None = None, color: bool = False) -> str:
    """One line for an outcome as it comes in: ``verified  queue:Nurses``."""
    page = _Page(mask, color)
    detail = f"  {page.show(outcome.detail)}" if outcome.detail else ""
    return f"{_status(outcome.status, page)}  {page.show(outcome.change.id)}{detail}"


# -- plans and drift -------------------------------------------------------------------------------------------------


def _plan(plan: Plan, page: _Page) -> Iterator[str]:
    yield f"Plan for {_environment(plan.environment, page)}, playbook {page.show(plan.playbook)}"
    yield from _changes(plan.changes, page)
    yield from _warnings(plan.warnings, page)
    yield ""
    yield from proof_lines(plan.proof, page.show, page.paint)
    yield _counted(plan)
    if plan.changes:
        cost = plan.cost
        told = (
            f"{_number(cost.round_trips, 'round trip')} in a row",
            _number(cost.requests, "request"),
            _number(cost.operations, "operation"),
        )
        yield f"applying it takes {', '.join(told)}"
    if plan.proof and plan.proof.failed:
        yield f"next: apply would refuse this plan ({plan.proof.summary}); mend the rules, the members or the tests"


def _verification(found: Verification, page: _Page) -> Iterator[str]:
    plan = found.plan
    yield f"Compared {_environment(plan.environment, page)} with playbook {page.show(plan.playbook)}"
    yield from _changes(plan.changes, page)
    yield from _warnings([each for each in plan.warnings if not found.unresolved or each.severity != "error"], page)
    yield ""
    if found.unresolved:
        yield page.paint(f"{UNRESOLVED}:", _BAD)
        for note in (each for each in plan.warnings if each.severity == "error"):
            yield from _problem(Problem(note.message, str(note.id), note.source), page)
    elif plan.changes:
        yield f"drift: {_counted(plan)}; `d365setup apply` would repair it"
    else:
        yield f"in line: {_as_said(plan)}"
    from d365setup.report.as_readiness import errors_lines, readiness_lines  # noqa: PLC0415  # only `verify` has them

    if found.readiness is not None:
        yield from readiness_lines(found.readiness, page.show, page.paint)
    if found.audit is not None:
        yield from errors_lines(found.audit, page.show, page.paint)


def _environment(environment: Environment, page: _Page) -> str:
    then = f" as a snapshot shows it at {page.show(environment.taken_at)}" if environment.taken_at else ""
    return f"{page.show(environment.name or environment.organization_id)} ({page.show(environment.url)}){then}"


def _counted(plan: Plan) -> str:
    actions = [change.action for change in plan.changes if not change.manual]
    told = [
        f"{actions.count(Action.CREATE)} to create",
        f"{actions.count(Action.UPDATE)} to update",
        f"{actions.count(Action.DELETE)} to remove",
    ]
    by_hand = len(plan.changes) - len(actions)
    return ", ".join([*told, *([f"{by_hand} by hand"] if by_hand else []), f"{plan.unchanged} unchanged"])


def _as_said(plan: Plan) -> str:
    return f"{_number(plan.unchanged, 'thing')} {'is' if plan.unchanged == 1 else 'are'} as the playbook says"


def _changes(changes: Sequence[Change], page: _Page) -> Iterator[str]:
    width = _width(page.show(change.id) for change in changes)
    for _, group in groupby(changes, key=lambda change: change.id.kind):
        yield ""
        for change in group:
            yield from _change(change, width, page)


def _change(change: Change, width: int, page: _Page) -> Iterator[str]:
    symbol = _MANUAL if change.manual else _SYMBOLS[change.action]
    name = page.show(change.id)
    where = _where(change.source, page)
    yield f"{page.paint(symbol, _COLORS[symbol])} {name:<{width}}  {page.paint(where, _DIM)}".rstrip()
    if change.action is not Action.DELETE:
        yield from (f"    {_field(field, change.action, page)}" for field in change.fields)
    if change.reason:
        yield f"    because: {page.show(change.reason)}"
    if change.manual:
        yield f"    manual step: {page.show(change.manual)}"


def _field(field: FieldChange, action: Action, page: _Page) -> str:
    after = _value(field.after, page)
    if action is Action.CREATE:
        return f"{page.show(field.field)}: {after}"
    return f"{page.show(field.field)}: {_value(field.before, page)} → {after}"


def _value(value: Any, page: _Page) -> str:
    said = plain(value)
    if isinstance(said, bool):
        return "true" if said else "false"
    if said is None:
        return "(none)"
    if said == "":
        return '""'
    return page.show(", ".join(str(each) for each in said) if isinstance(said, list) else said)


def _where(source: Source, page: _Page) -> str:
    return page.show(f"{source.file}:{source.line}") if source.line else ""


def _width(names: Iterable[str]) -> int:
    return min(_WIDEST, max((len(name) for name in names), default=0))


def _warnings(notes: Sequence[Note], page: _Page) -> Iterator[str]:
    if notes:
        yield ""
        yield "Warnings"
    for note in notes:
        yield from _problem(Problem(note.message, str(note.id), note.source), page)


# -- runs ------------------------------------------------------------------------------------------------------------


def _run(run: Run, page: _Page) -> Iterator[str]:
    yield f"{_heading(run, page)}{_environment(run.plan.environment, page)}"
    yield ""
    width = _width(page.show(outcome.change.id) for outcome in run.outcomes)
    for outcome in run.outcomes:
        yield from _outcome(outcome, width, page)
    if not run.outcomes:
        yield _nothing(run)
    yield from _warnings(warnings(run), page)
    yield from proof_lines(run.plan.proof, page.show, page.paint)
    if run.outcomes:
        yield ""
        yield _told(run)
    yield _traffic(run)
    if run.id and run.landed and not run.undoes:
        yield f"`d365setup rollback {page.show(run.id)}` would take it back"
    yield from _next(run)


def _nothing(run: Run) -> str:
    if run.undoes:
        return "nothing is left to take back"
    return "nothing is left to take away" if run.command == "destroy" else f"nothing to change: {_as_said(run.plan)}"


def _heading(run: Run, page: _Page) -> str:
    playbook = page.show(run.plan.playbook)
    if run.undoes:
        return f"Took back run {page.show(run.undoes)} of playbook {playbook} on "
    if run.command == "destroy":
        return f"Took away what playbook {playbook} made on "
    return f"Applied playbook {playbook} to "


def _outcome(outcome: Outcome, width: int, page: _Page) -> Iterator[str]:
    change, good = outcome.change, outcome.status is Status.VERIFIED
    where = "" if good else _where(change.source, page)
    name = page.show(change.id)
    yield f"{_status(outcome.status, page)}  {name:<{width}}  {page.paint(where, _DIM)}".rstrip()
    if outcome.detail:
        yield f"    {page.show(outcome.detail)}"
    if outcome.failure and outcome.failure.hint:
        yield f"    next: {page.show(outcome.failure.hint)}"


def _status(status: Status, page: _Page) -> str:
    width = max(len(each.value) for each in Status)
    color = _GOOD if status is Status.VERIFIED else _COLORS[_MANUAL] if status is Status.MANUAL else _BAD
    return page.paint(f"{status.value:<{width}}", color)


def _told(run: Run) -> str:
    statuses = [outcome.status for outcome in run.outcomes]
    counts = {status: statuses.count(status) for status in Status}
    told = ", ".join(f"{count} {status.value}" for status, count in counts.items() if count)
    return f"{told}, {run.plan.unchanged} unchanged"


def _next(run: Run) -> Iterator[str]:
    if run.interrupted:
        yield "next: it was stopped before the end; the same again goes on, and leaves alone what is verified"
    elif run.after_failure:
        as_before = "as it was before" if run.exit_code == 1 else "partly as it was before: see above"
        yield f"next: mend what failed and apply again; the environment is {as_before}"
    elif run.exit_code == 3:
        check = "" if run.undoes or run.command == "destroy" else ", then run `d365setup verify`"
        yield f"next: take the manual steps above{check}"
    elif run.exit_code and run.landed:
        yield "next: mend what failed and apply again; what is verified is left alone"
    elif run.exit_code:
        yield "next: mend what failed and apply again; nothing was written"


def _traffic(run: Run) -> str:
    traffic = run.traffic
    told = [_number(traffic.requests, "request"), _number(traffic.operations, "operation")]
    if traffic.retries:
        told.append(_number(traffic.retries, "repetition"))
    if traffic.waited_seconds:
        told.append(f"{traffic.waited_seconds:.1f} s waited")
    return f"sent {', '.join(told)}"


# -- mistakes and failures -------------------------------------------------------------------------------------------


def _validation(found: Validation, page: _Page) -> Iterator[str]:
    for each in found.playbooks:
        yield _checked(each, page)
        yield from proof_lines(each.proof, page.show, page.paint)
    for problem in found.problems:
        yield f"{page.show(problem.source)}: {page.show(problem.message)}"
    if found.problems:
        yield f"{_number(len(found.problems), 'mistake')} found"


def _checked(checked: Checked, page: _Page) -> str:
    counts = [_number(count, kind.replace("_", " ")) for kind, count in checked.counts.items() if count]
    return f"{page.show(checked.file)}: {page.show(checked.name)} is valid: {', '.join(counts) or 'declares nothing'}"


def _error(error: ErrorReport, page: _Page) -> Iterator[str]:
    yield f"{page.paint('error', _BAD)}: {page.show(error.message)}"
    for problem in error.problems:
        yield from _problem(problem, page)
    if error.hint:
        yield f"next: {page.show(error.hint)}"


def _problem(problem: Problem, page: _Page) -> Iterator[str]:
    where = f"{page.show(problem.source)}: " if problem.source.line else ""
    what = f"{page.show(problem.id)}: " if problem.id else ""
    yield f"  {where}{what}{page.show(problem.message)}"


def _number(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


_LINES: dict[type, Callable[[Any, _Page], Iterable[str]]] = {
    Plan: _plan,
    Run: _run,
    Verification: _verification,
    Validation: _validation,
    ErrorReport: _error,
}
