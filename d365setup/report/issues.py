"""What in a document somebody should look at, each with its line: for SARIF and for annotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from d365setup.audit.findings import Audit, Finding, Level, Waived
from d365setup.center import ContactCenter
from d365setup.fleet.results import GOOD, FleetRun, Result
from d365setup.model import NOWHERE, Change, Note, Plan, Source
from d365setup.outcome import Outcome, Run, Status
from d365setup.proof import Proof
from d365setup.report.as_audit import title
from d365setup.report.as_json import warnings
from d365setup.report.documents import Document, ErrorReport, Problem, Simulated, Validation, Verification

if TYPE_CHECKING:
    from d365setup.audit.readiness import Path, Readiness

# What is no finding of an audit has one of these ids: what it is called, and what it means.
RULES = {
    "playbook-mistake": ("A mistake in a playbook", "The playbook cannot be used as it is."),
    "playbook-test": ("A playbook's test fails", "A conversation would not go where the playbook's test expects it."),
    "plan-warning": ("A warning of a plan", "Nothing stops the plan, but somebody should know."),
    "drift": ("Drift", "The environment is not what the playbook says; `d365setup apply` would repair it."),
    "not-applied": ("A change that is not verified", "The change failed, was not written, or reads back differently."),
    "not-ready": ("A hand-off that breaks", "Between the bot and a person something is missing or broken."),
    "simulation": ("A conversation nobody answers", "The simulated conversation does not end with somebody."),
    "waiver": ("A waiver that needs somebody", "The waiver has expired, or nothing needs it any more."),
    "fleet": ("An environment of a fleet", "It is not what its playbook says, or could not be worked on."),
    "more": ("More in the report", "So many things to look at are not all told one by one."),
    "error": ("The command failed", "It ended without a result."),
}


@dataclass(frozen=True)
class Issue:
    """One thing to look at. ``rule`` is a finding's id or one of `RULES`; ``subject`` is ``kind:key`` or empty."""

    rule: str
    level: Level
    message: str
    subject: str = ""
    source: Source = NOWHERE
    happens: str = ""
    cure: str = ""
    link: str = ""
    waived: Waived | None = None

    @property
    def title(self) -> str:
        """What the rule is called."""
        return RULES[self.rule][0] if self.rule in RULES else title(self.rule)


def issues(document: Document) -> tuple[Issue, ...]:
    """Every issue of the document, the worst first; waived ones among them."""
    order = ("error", "warning", "info")
    return tuple(sorted(_issues(document), key=lambda each: order.index(each.level)))


def proofs(document: Document) -> tuple[tuple[str, Proof], ...]:
    """What the tests of each playbook came to, with its name, where the document carries that."""
    match document:
        case Validation():
            found = [(each.name, each.proof) for each in document.playbooks]
        case Plan() | Simulated():
            found = [(document.playbook, document.proof)]
        case Run() | Verification():
            found = [(document.plan.playbook, document.plan.proof)]
        case ErrorReport():
            found = [("", document.proof)]
        case _:
            found = []
    return tuple((name, proof) for name, proof in found if proof is not None)


def _issues(document: Document) -> Iterator[Issue]:
    for _, proof in proofs(document):
        yield from _of_proof(proof)
    match document:
        case Audit():
            yield from _of_audit(document)
        case Validation():
            yield from (_of_problem("playbook-mistake", each) for each in document.problems)
        case Plan():
            yield from (_of_note(each) for each in document.warnings)
        case Verification():
            yield from (_of_drift(each) for each in document.plan.changes)
            yield from broken(document.readiness)
            yield from _of_part(document.audit)
            yield from (_of_note(each) for each in document.plan.warnings)
        case Run():
            yield from (_of_outcome(each) for each in document.outcomes if each.status is not Status.VERIFIED)
            yield from (_of_note(each) for each in warnings(document))
        case Simulated():
            yield from _of_simulation(document)
        case FleetRun():
            yield from (_of_environment(each) for each in document.results if each.state not in GOOD)
        case ErrorReport():
            yield from _of_error(document)


def _of_audit(audit: Audit) -> Iterator[Issue]:
    yield from (of_finding(each, audit.center) for each in audit.findings)
    yield from (Issue("waiver", each.level, each.message, source=each.source) for each in audit.waivers)


def of_finding(finding: Finding, center: ContactCenter) -> Issue:
    """A finding; ``center`` knows the address that its link begins with."""
    subject = finding.subject
    return Issue(
        finding.id,
        finding.level,
        finding.message,
        str(subject),
        subject.source,
        finding.consequence,
        finding.cure,
        subject.link(center.url),
        finding.waived,
    )


def _of_proof(proof: Proof) -> Iterator[Issue]:
    """Each expectation that was not met, at its line in the playbook."""
    for test in proof.failed:
        for unmet in test.problems:
            yield Issue("playbook-test", "error", unmet.message, f"test:{test.name}", unmet.source)


def handed_over(path: Path) -> str:
    """A hand-off by name: whose, and what is handed over."""
    return f"{path.bot} hands over {path.handed_over}".rstrip()


def break_of(path: Path) -> str:
    """Where a hand-off breaks first, and why; "" where it does not."""
    link = next((each for each in path.links if each.breaks), None)
    if link is None:
        return ""
    more = f" ({', '.join(link.findings)})" if link.findings else ""
    return f"{handed_over(path)}: {link.what} {link.name}: {link.why}{more}"


def broken(readiness: Readiness | None) -> Iterator[Issue]:
    """Each hand-off that breaks."""
    for path in readiness.paths if readiness else ():
        if path.breaks:
            about = f"workstream:{path.workstream}" if path.workstream else f"bot_user:{path.bot}"
            yield Issue("not-ready", "error", break_of(path), about)


def _of_part(audit: Audit | None) -> Iterator[Issue]:
    """What an audit found on the way: its errors, and waivers to look at."""
    if audit:
        yield from (of_finding(each, audit.center) for each in audit.findings if each.level == "error")
        yield from (Issue("waiver", each.level, each.message, source=each.source) for each in audit.waivers)


def _of_problem(rule: str, problem: Problem) -> Issue:
    return Issue(rule, problem.severity, problem.message, problem.id, problem.source)


def _of_note(note: Note) -> Issue:
    return Issue("plan-warning", note.severity, note.message, str(note.id), note.source)


def _of_drift(change: Change) -> Issue:
    fields = ", ".join(each.field for each in change.fields)
    told = {"create": "it is missing", "update": f"it differs: {fields}", "delete": "it is there and should not be"}
    return Issue("drift", "warning", told[change.action.value], str(change.id), change.source, cure=change.manual)


def _of_outcome(outcome: Outcome) -> Issue:
    level: Level = "warning" if outcome.status is Status.MANUAL else "error"
    message = f"{outcome.status.value}: {outcome.detail}" if outcome.detail else outcome.status.value
    cure = outcome.failure.hint if outcome.failure else ""
    return Issue("not-applied", level, message, str(outcome.change.id), outcome.change.source, cure=cure)


def _of_simulation(found: Simulated) -> Iterator[Issue]:
    if not found.ends_well:
        last = found.simulation.strict.last
        message = "the conversation waits for ever" if last.waits else "nobody is known to answer the conversation"
        yield Issue("simulation", "error", message, f"workstream:{found.simulation.workstream}")
    yield from (Issue("plan-warning", "warning", each) for each in found.warnings)


def _of_environment(result: Result) -> Issue:
    level: Level = (
        "error" if result.is_broken or result.state in ("test failed", "not ready", "findings") else "warning"
    )
    told = f"{result.state}: {result.message}" if result.message else result.state
    return Issue("fleet", level, told, f"environment:{result.environment}", cure=result.cure)


def _of_error(error: ErrorReport) -> Iterator[Issue]:
    """The error itself, and its problems; failed tests are told as what they are."""
    yield Issue("error", "error", error.message, cure=error.hint)
    for each in () if error.proof else error.problems:
        yield _of_problem("playbook-mistake" if each.source.line else "error", each)
