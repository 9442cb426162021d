"""Documents as Markdown for a comment on a pull request or a job's summary: what matters most first, within a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from d365setup.audit.findings import Audit
from d365setup.doctor import Diagnosis
from d365setup.fleet.results import FleetRun
from d365setup.model import Plan
from d365setup.outcome import Run
from d365setup.report.as_audit import number
from d365setup.report.as_text import text
from d365setup.report.comment.auditing import audit_sheet
from d365setup.report.comment.changes import plan_sheet, run_sheet, verification_sheet
from d365setup.report.comment.fitting import Measure, Section, Sheet, fitted, preformatted
from d365setup.report.comment.fleeting import fleet_sheet
from d365setup.report.comment.page import MARKS, Page, Show, rows, tests, tests_told, told
from d365setup.report.documents import Document, ErrorReport, History, Validation, Verification
from d365setup.report.redaction import Mask
from d365setup.report.shortened import NAME, shortened


def markdown(document: Document, show: Show, limit: int, *, mask: Mask | None = None, measure: Measure = len) -> str:
    """The document in at most ``limit``; ``mask`` is for documents that are shown as the text they have anyway."""
    page = Page(show)
    return fitted(_sheet(document, page, mask), limit, measure)


def _sheet(document: Document, page: Page, mask: Mask | None) -> Sheet:
    made = _SHEETS.get(type(document))
    return made(document, page) if made else _as_text(document, page, mask)


def _validation(found: Validation, page: Page) -> Sheet:
    counts = f"{number(len(found.playbooks), 'playbook')} valid, {number(len(found.problems), 'mistake')}"
    mistakes = Section("Mistakes", "mistakes", tuple(told(each, page) for each in found.problems), folds=False)
    valid = tuple(f"- {page.say(each.file, NAME)}: {page.say(each.name, NAME)}" for each in found.playbooks)
    summary = (f"**{counts}**", *tests_told(found, page))
    return Sheet("Playbooks", summary, (mistakes, *tests(found, page), Section("Valid", "valid playbooks", valid)))


def _doctor(found: Diagnosis, page: Page) -> Sheet:
    cells = [(each.verdict, each.name, _advice(each.message, each.next, page)) for each in found.checks]
    order = ("error", "unknown", "warning", "ok")
    cells.sort(key=lambda row: order.index(row[0]))
    count = sum(1 for each in found.checks if each.verdict == "error")
    verdict = f"**{number(count, 'thing')} in the way**" if count else "**nothing stands in the way**"
    checks = Section("Checks", "checks", rows(cells), ("Verdict", "Check", "What was seen"), folds=False)
    return Sheet(f"Diagnosis of {page.say(found.facts.url, 2 * NAME)}", (verdict,), (checks,))


def _advice(message: str, then: str, page: Page) -> str:
    return page.say(message) + (f"<br>*next:* {page.say(then)}" if then else "")


def _error(error: ErrorReport, page: Page) -> Sheet:
    summary = [page.say(error.message)]
    summary += [f"*next:* {page.say(error.hint)}"] if error.hint else []
    summary += [f"code {page.say(error.code, NAME)}, request {page.say(error.request_id, NAME)}"] if error.code else []
    problems = tuple(told(each, page) for each in error.problems)
    return Sheet(f"{MARKS['error']} d365setup failed", tuple(summary), (Section("Problems", "problems", problems),))


def _as_text(document: Document, page: Page, mask: Mask | None) -> Sheet:
    """What has no verdicts, or is a story of its own, as the text it is printed as."""
    lines = [shortened(each) for each in text(document, mask=mask).splitlines()]
    first = lines[0] if lines else ""
    name = "History" if isinstance(document, History) else page.say(first, 2 * NAME)
    return Sheet(name, (), (preformatted("In full", "lines", lines),))


_SHEETS: dict[type, Callable[[Any, Page], Sheet]] = {
    Plan: plan_sheet,
    Verification: verification_sheet,
    Run: run_sheet,
    Validation: _validation,
    Audit: audit_sheet,
    FleetRun: fleet_sheet,
    Diagnosis: _doctor,
    ErrorReport: _error,
}
