"""Verdicts as test cases: which suites and cases a document is made of.

An audit is a suite with a case for each check, a validation one for each playbook and each of its tests, a plan, run
or verification one for each thing. What a case has to say about a line of the playbook stands in its failure's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from d365setup.audit.findings import LEVELS, Audit, Finding, Unchecked
from d365setup.fleet import results
from d365setup.fleet.results import FleetRun
from d365setup.model import Action, Change, Note, Plan, Source
from d365setup.outcome import Outcome, Run, Status
from d365setup.proof import Proof, TestResult
from d365setup.report.as_audit import title
from d365setup.report.as_json import warnings
from d365setup.report.documents import UNRESOLVED, Document, ErrorReport, Simulated, Validation, Verification
from d365setup.report.issues import break_of, handed_over, proofs

if TYPE_CHECKING:
    from d365setup.audit.readiness import Path

Result = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True)
class Case:
    """One test case; ``told`` are lines, the first of which is its message."""

    name: str
    result: Result = "passed"
    told: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Suite:
    """Cases that belong together. ``notes`` are lines nobody fails for."""

    name: str
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def seconds(self) -> float:
        """How long its cases took, as far as that is known."""
        return sum(each.seconds for each in self.cases)


def suites(document: Document) -> tuple[Suite, ...]:
    """The document's suites; none for a document that has no verdicts."""
    return tuple(_suites(document))


def _suites(document: Document) -> Iterator[Suite]:
    for name, proof in proofs(document):
        yield _tests(name, proof)
    match document:
        case Audit():
            yield _audit(document)
        case Validation():
            yield _validation(document)
        case Plan():
            cases = tuple(Case(str(each.id), "passed", (f"would be: {_change(each)}",)) for each in document.changes)
            yield Suite("plan", cases, _notes(document.warnings), _about(document))
        case Verification():
            yield _verification(document)
            yield from _ready(document)
        case Run():
            cases = tuple(_outcome(each) for each in document.outcomes)
            yield Suite(document.command, cases, _notes(warnings(document)), _about(document.plan))
        case Simulated():
            yield _simulation(document)
        case FleetRun():
            yield from _fleet(document)
        case ErrorReport():
            yield _error(document)


# -- suites of each document -----------------------------------------------------------------------------------------


def _tests(name: str, proof: Proof) -> Suite:
    """A case for each test of the playbook; what only an environment can tell is skipped, and says so."""
    cases = [_test(each) for each in proof.results]
    if proof.skipped:
        cases.append(Case("the playbook's tests", "skipped", (proof.summary,)))
    return Suite("tests", tuple(cases), (proof.summary,), (("playbook", name), ("origin", proof.origin)))


def _test(test: TestResult) -> Case:
    name = f"{test.workstream}: {test.name}" if test.workstream else test.name
    if test.state == "failed":
        return Case(name, "failure", tuple(f"{_place(each.source)}{each.message}" for each in test.problems))
    told = tuple(f"{_place(each.source)}cannot be decided here: {each.message}" for each in test.undecided)
    return Case(name, "skipped" if told else "passed", told)


def _audit(audit: Audit) -> Suite:
    """A case for each check: it fails for what the audit fails for; milder findings are notes."""
    bad = LEVELS[: LEVELS.index(audit.fail_on) + 1]
    failing = [each for each in audit.open if each.level in bad]
    failed = {code: tuple(group) for code, group in _by_id(failing)}
    mild = [each for each in audit.open if each.level not in bad]
    unsure = {code: tuple(group) for code, group in _by_id(audit.unchecked)}
    waived = [each for each in audit.findings if each.waived]
    ids = sorted({*failed, *unsure, *audit.passed, *(each.id for each in (*mild, *waived))})
    cases = [_check(code, failed.get(code, ()), unsure.get(code, ())) for code in ids]
    cases += [
        Case("waivers", "failure", (f"{_place(e.source)}{e.message}",)) for e in audit.waivers if e.level == "error"
    ]
    notes = [f"{each.id} {each.level}: {_finding(each)}" for each in mild]
    notes += [f"{e.id} waived until {e.waived.until} by {e.waived.owner}: {_finding(e)}" for e in waived if e.waived]
    notes += [f"waiver: {_place(each.source)}{each.message}" for each in audit.waivers if each.level != "error"]
    about = (("environment", audit.center.url), ("playbook", audit.playbook), ("failOn", audit.fail_on))
    return Suite("audit", tuple(cases), tuple(notes), about)


def _by_id(items: Iterable[Any]) -> Iterator[tuple[str, Iterator[Any]]]:
    return groupby(sorted(items, key=lambda each: str(each.id)), key=lambda each: str(each.id))


def _check(code: str, findings: tuple[Finding, ...], unsure: tuple[Unchecked, ...]) -> Case:
    name = f"{code} {title(code)}".rstrip()
    if findings:
        count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        lines = [line for each in findings for line in (_finding(each), f"  cure: {each.cure}" if each.cure else "")]
        return Case(name, "failure", (count, *filter(None, lines), *(_reason(each) for each in unsure)))
    if unsure:
        return Case(name, "skipped", tuple(_reason(each) for each in unsure))
    return Case(name)


def _finding(finding: Finding) -> str:
    return f"{_place(finding.subject.source)}{finding.subject}: {finding.message}"


def _reason(unchecked: Unchecked) -> str:
    about = f"{unchecked.subject}: " if unchecked.subject else ""
    return f"not checked: {about}{unchecked.reason}"


def _validation(found: Validation) -> Suite:
    cases = [Case(each.file) for each in found.playbooks]
    for file, group in groupby(found.problems, key=lambda each: each.source.file):
        lines = [f"{_place(each.source)}{each.message}" for each in group]
        cases.append(Case(file or "playbook", "error", tuple(lines)))
    return Suite("validation", tuple(cases))


def _verification(found: Verification) -> Suite:
    plan = found.plan
    cases = [
        Case(str(e.id), "failure", (f"{_place(e.source)}drift: {_change(e)}", *([e.manual] if e.manual else [])))
        for e in plan.changes
    ]
    last = Case(f"{plan.unchanged} in line with playbook {plan.playbook}")
    if found.unresolved:
        told = (f"{each.id}: {each.message}" for each in plan.warnings if each.severity == "error")
        last = Case(f"compared with playbook {plan.playbook}", "error", (UNRESOLVED, *told))
    return Suite("verification", (*cases, last), _notes(plan.warnings), _about(plan))


def _ready(found: Verification) -> Iterator[Suite]:
    """A case for each hand-off, and for each check of what is on its way."""
    if found.readiness:
        yield Suite("readiness", tuple(_path(each) for each in found.readiness.paths))
    if found.audit:
        yield _audit(found.audit)


def _path(path: Path) -> Case:
    name = f"{path.workstream}: {handed_over(path)}" if path.workstream else handed_over(path)
    if path.breaks:
        return Case(name, "failure", (break_of(path),))
    unknown = tuple(f"{link.what} {link.name}: {link.why}" for link in path.links if link.state == "unknown")
    return Case(name, "skipped" if unknown else "passed", unknown)


def _outcome(outcome: Outcome) -> Case:
    name, failure = str(outcome.change.id), outcome.failure
    told = f"{_place(outcome.change.source)}{outcome.status.value}{': ' if outcome.detail else ''}{outcome.detail}"
    match outcome.status:
        case Status.VERIFIED:
            return Case(name, "passed", (f"{outcome.change.action.value}: verified",))
        case Status.NOT_WRITTEN | Status.MANUAL:
            return Case(name, "skipped", (told,))
        case Status.NOT_VERIFIED:
            return Case(name, "failure", (told,))
    return Case(name, "error", (told, *([f"next: {failure.hint}"] if failure and failure.hint else [])))


def _simulation(found: Simulated) -> Suite:
    last, name = found.simulation.strict.last, f"{found.simulation.workstream}: somebody answers"
    told = f"chosen by {last.chosen_by}, queue {last.queue or '(none)'}, answered by {last.answered_by or last.answer}"
    lines = (told, *last.notes, *found.simulation.differences)
    return Suite("simulation", (Case(name, "passed" if found.ends_well else "failure", lines),), found.warnings)


def _fleet(fleet: FleetRun) -> Iterator[Suite]:
    """A suite for each environment: how it ended, then its column of the matrix."""
    about = (("fleet", fleet.file), ("command", fleet.command), ("run", fleet.run))
    matrix = fleet.matrix
    for place, each in enumerate(fleet.results):
        column = ((thing, cells[place]) for thing, cells in matrix if cells[place])
        cases = (_ended(each), *(_cell(thing, cell, fleet.command, each) for thing, cell in column))
        yield Suite(each.environment, cases, (), (*about, ("environment", each.url), ("wave", each.wave)))


def _ended(result: results.Result) -> Case:
    told = (f"{result.state}: {result.message}", *([f"next: {result.cure}"] if result.cure else []))
    if result.is_broken:
        return Case("the environment", "error", told, result.seconds)
    if result.state in results.LEFT_OUT:
        return Case("the environment", "skipped", told)
    is_well = result.exit_code == 0 or result.state in ("changes", "by hand")
    return Case("the environment", "passed" if is_well else "failure", told, result.seconds)


def _cell(thing: str, cell: results.Cell, command: results.Command, of: results.Result) -> Case:
    """What an apply changed is well; what a verification finds changed is drift."""
    if cell == "failed" and thing not in dict(of.cells):
        return Case(thing, "skipped", ("failed: its environment broke, and nothing is known of it",))
    fails = cell == "failed" or (command == "verify" and cell in ("changed", "missing"))
    return Case(thing, "failure" if fails else "skipped" if cell == "waived" else "passed", (cell,))


def _error(error: ErrorReport) -> Suite:
    lines = [f"{_place(each.source)}{f'{each.id}: ' if each.id else ''}{each.message}" for each in error.problems]
    told = (error.message, *lines, *([f"next: {error.hint}"] if error.hint else []))
    return Suite("d365setup", (Case("the command ends with a result", "error", told),))


def _change(change: Change) -> str:
    if change.action is not Action.UPDATE:
        return change.action.value
    return f"update of {', '.join(each.field for each in change.fields)}"


def _notes(notes: Iterable[Note]) -> tuple[str, ...]:
    return tuple(f"{_place(each.source)}{each.severity}: {each.id}: {each.message}" for each in notes)


def _about(plan: Plan) -> tuple[tuple[str, str], ...]:
    then = (("takenAt", plan.environment.taken_at),) if plan.environment.taken_at else ()
    return (
        ("environment", plan.environment.url),
        *then,
        ("playbook", plan.playbook),
        ("fingerprint", plan.fingerprint),
    )


def _place(source: Source) -> str:
    return f"{source.file}:{source.line}:{source.column}: " if source.line else ""
