"""Audits: findings by level, what was not checked, what is waived; and whether hand-offs are ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from d365setup.audit.findings import LEVELS, Audit, Finding, Unchecked
from d365setup.report.as_audit import counted, number
from d365setup.report.comment.fitting import Section, Sheet
from d365setup.report.comment.markup import link
from d365setup.report.comment.page import MARKS, Page, told
from d365setup.report.documents import Problem, Verification
from d365setup.report.issues import broken
from d365setup.report.shortened import NAME


def audit_sheet(audit: Audit, page: Page) -> Sheet:
    """Errors first; what is waived last."""
    center = audit.center
    name = page.say(center.organization or center.organization_id or "a playbook", NAME)
    summary = [f"**{counted(audit)}**"]
    summary += [f"only what concerns playbook {page.say(audit.playbook, NAME)}"] if audit.playbook else []
    summary += [f"read at {page.say(center.taken_at, NAME)}"] if center.taken_at else []
    expired = [each for each in audit.waivers if each.level == "error"]
    summary += [f"{MARKS['error']} {number(len(expired), 'waiver')} expired"] if expired else []
    return Sheet(f"Audit of {link(name, page.show(center.url))}", tuple(summary), tuple(_audited(audit, page)))


def _audited(audit: Audit, page: Page) -> Iterator[Section]:
    names = {"error": "Errors", "warning": "Warnings", "info": "Notes"}
    for level in LEVELS:
        items = _findings([each for each in audit.open if each.level == level], audit, page)
        heading = f"{MARKS[level]} {names[level]}"
        yield Section(heading, names[level].lower(), items, folds=level != "error")
    yield _troubles(audit, page)
    yield Section("Not checked", "reasons why something was not checked", _unchecked(audit.unchecked, page))
    yield Section("Waived", "waived findings", tuple(_waived(e, page) for e in audit.findings if e.waived))


def _troubles(audit: Audit, page: Page) -> Section:
    items = tuple(told(Problem(each.message, "", each.source), page) for each in audit.waivers)
    return Section("Waivers to look at", "waivers", items, folds=False)


def _findings(findings: Sequence[Finding], audit: Audit, page: Page) -> tuple[str, ...]:
    """An item for each; what happens and the cure where they are not the same as just before."""
    before = (None, *map(_words, findings))
    return tuple(
        _finding(each, audit, page, repeats=_words(each) == last) for each, last in zip(findings, before, strict=False)
    )


def _words(finding: Finding) -> tuple[str, str, str]:
    return (finding.id, finding.consequence, finding.cure)


def _finding(finding: Finding, audit: Audit, page: Page, *, repeats: bool) -> str:
    subject = link(page.say(finding.subject, 2 * NAME), page.show(finding.subject.link(audit.center.url)))
    place = f" ({page.line(finding.subject.source)})" if finding.subject.source.line else ""
    lines = [f"- **{page.say(finding.id)}** {subject}: {page.say(finding.message)}{place}"]
    if finding.evidence:
        seen = "; ".join(f"{name} = {value}" for name, value in finding.evidence)
        lines.append(f"  <br>*seen:* {page.say(seen)}")
    if repeats:
        return "\n".join(lines)
    lines += [f"  <br>*what happens:* {page.say(finding.consequence)}"] if finding.consequence else []
    lines += [f"  <br>*cure:* {page.say(finding.cure)}"] if finding.cure else []
    return "\n".join(lines)


def _unchecked(unchecked: Iterable[Unchecked], page: Page) -> tuple[str, ...]:
    return tuple(told(Problem(each.reason, f"{each.id} {each.subject or ''}".rstrip()), page) for each in unchecked)


def _waived(finding: Finding, page: Page) -> str:
    waived = finding.waived
    why = f"{waived.owner} answers for it until {waived.until}: {waived.reason}" if waived else ""
    about = f"**{page.say(finding.id)}** {page.say(finding.subject, 2 * NAME)}"
    return f"- {about}: {page.say(finding.message)}<br>{page.say(why)}"


def ready_sections(found: Verification, page: Page) -> Iterator[Section]:
    """The hand-offs that break, and the errors found on their way."""
    items = tuple(told(Problem(each.message, each.subject), page) for each in broken(found.readiness))
    yield Section(f"{MARKS['error']} Hand-offs that break", "broken hand-offs", items, folds=False)
    if found.audit:
        errors = _findings([each for each in found.audit.open if each.level == "error"], found.audit, page)
        yield Section(f"{MARKS['error']} Errors on the way", "errors", errors, folds=False)
        yield _troubles(found.audit, page)
