"""An audit as a JSON-ready value and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from d365setup.audit.findings import Audit, Finding, Unchecked, WaiverTrouble
from d365setup.center import ContactCenter
from d365setup.model import Source
from d365setup.pages import codes, page

Data = dict[str, Any]
Show = Callable[[Any], str]
Paint = Callable[[str, str], str]

_COLORS = {"error": "31", "warning": "33", "info": "36"}
_DIM = "2"
_COLUMNS = 100
_ORIGINS = {
    "live": "Audited {where}",
    "snapshot": "Audited the snapshot of {where}",
    "playbook": "Audited what the playbook says",
    "merged": "Audited {where} as it will be",
}


def title(code: str) -> str:
    """What a finding's page is called; "" where it has none."""
    return page(code).title if code in codes() else ""


# -- JSON ------------------------------------------------------------------------------------------------------------


def audit_data(audit: Audit) -> Data:
    """The published shape, `d365setup/audit/1`."""
    center = audit.center
    return {
        "schema": "d365setup/audit/1",
        "environment": {
            "url": center.url,
            "organization_id": center.organization_id,
            "name": center.organization,
        },
        "origin": center.origin,
        "taken_at": center.taken_at,
        "playbook": {"name": audit.playbook, "sha256": audit.sha256} if audit.playbook else None,
        **({"against": audit.against} if audit.against else {}),
        "fail_on": audit.fail_on,
        "counts": {**audit.counts, "waived": len(audit.findings) - len(audit.open)},
        "findings": [finding_data(each, center.url) for each in audit.open],
        "waived": [_waived(each, center.url) for each in audit.findings if each.waived],
        "not_checked": [_unchecked(each) for each in audit.unchecked],
        "not_read": [{"table": e.table, "column": e.column, "reason": e.reason} for e in center.unread],
        "passed": list(audit.passed),
        "waivers": [trouble_data(each) for each in audit.waivers],
        "exit_code": audit.exit_code,
    }


def finding_data(finding: Finding, url: str) -> Data:
    """One finding; ``url`` is the environment's, for the link."""
    subject = finding.subject
    return {
        "id": finding.id,
        "title": title(finding.id),
        "level": finding.level,
        "object": {"kind": subject.kind, "key": subject.key, "row_id": subject.row_id, "link": subject.link(url)},
        "message": finding.message,
        "evidence": [{"name": name, "value": value} for name, value in finding.evidence],
        "what_happens": finding.consequence,
        "cure": finding.cure,
        "source_page": finding.source_page,
        "source": _source(subject.source),
    }


def trouble_data(trouble: WaiverTrouble) -> Data:
    """What is the matter with a waiver."""
    return {"level": trouble.level, "message": trouble.message, "source": _source(trouble.source)}


def _waived(finding: Finding, url: str) -> Data:
    waived = finding.waived
    told = {"reason": waived.reason, "owner": waived.owner, "until": waived.until} if waived else None
    return {**finding_data(finding, url), "waived": told}


def _unchecked(unchecked: Unchecked) -> Data:
    return {
        "id": unchecked.id,
        "title": title(unchecked.id),
        "object": str(unchecked.subject) if unchecked.subject else "",
        "reason": unchecked.reason,
    }


def _source(source: Source) -> Data | None:
    return {"file": source.file, "line": source.line, "column": source.column} if source.line else None


# -- text ------------------------------------------------------------------------------------------------------------


def audit_lines(audit: Audit, show: Show, paint: Paint) -> Iterator[str]:
    """Lines of text; `show` makes foreign text safe, `paint` colours ours."""
    yield from _head(audit, show)
    yield from finding_lines(audit.open, audit.center.url, show, paint)
    yield from _waived_lines(audit, show, paint)
    yield from trouble_lines(audit.waivers, show, paint)
    yield from _unchecked_lines(audit.unchecked, show)
    yield ""
    if audit.passed:
        yield from _wrapped(f"passed: {', '.join(audit.passed)}", "", "        ")
    yield counted(audit)
    yield from _next(audit, show)


def where(center: ContactCenter) -> str:
    """The environment by name and address, as far as they are known."""
    name = center.organization or center.organization_id or "an environment"
    return f"{name} ({center.url})" if center.url else name


def counted(audit: Audit) -> str:
    """How much there is of everything, in one line."""
    counts = audit.counts
    told = [number(counts["error"], "error"), number(counts["warning"], "warning"), number(counts["info"], "note")]
    told += [f"{len(audit.findings) - len(audit.open)} waived", f"{len({e.id for e in audit.unchecked})} not checked"]
    return ", ".join([*told, f"{len(audit.passed)} passed"])


def number(count: int, what: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def finding_lines(findings: Iterable[Finding], url: str, show: Show, paint: Paint) -> Iterator[str]:
    """Findings, those in the same words below one heading."""
    for (level, code, consequence, cure, source), group in groupby(findings, key=_words):
        yield ""
        yield f"{paint(f'{level:<7}', _COLORS[level])}  {code}  {show(title(code))}".rstrip()
        for finding in group:
            yield from _finding(finding, url, show, paint)
        yield from _told("what happens", consequence, show)
        yield from _told("cure", cure, show)
        yield from _told("source", source, show)


def _words(finding: Finding) -> tuple[str, str, str, str, str]:
    return (finding.level, finding.id, finding.consequence, finding.cure, finding.source_page)


def _finding(finding: Finding, url: str, show: Show, paint: Paint) -> Iterator[str]:
    subject, line = finding.subject, _line(finding.subject.source, show)
    yield f"  {show(subject)}  {paint(line, _DIM)}".rstrip()
    yield from _wrapped(show(finding.message), "    ", "    ")
    if finding.evidence:
        seen = "; ".join(f"{show(name)} = {show(value)}" for name, value in finding.evidence)
        yield from _wrapped(f"seen: {seen}", "    ", "          ")
    if subject.link(url):
        yield f"    open: {show(subject.link(url))}"


def _told(label: str, text: str, show: Show) -> Iterator[str]:
    if text:
        yield from _wrapped(f"{label}: {show(text)}", "  ", "      ")


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    """The text in lines; a word longer than a line stays whole, so that a name can be copied."""
    return textwrap.wrap(
        text, _COLUMNS, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _line(source: Source, show: Show) -> str:
    return show(f"{source.file}:{source.line}") if source.line else ""


def _head(audit: Audit, show: Show) -> Iterator[str]:
    center = audit.center
    if audit.against:
        yield f"Held {show(audit.against)} against playbook {show(audit.playbook)}"
        return
    taken = f", read at {show(center.taken_at)}" if center.taken_at else ""
    yield f"{_ORIGINS[center.origin].format(where=show(where(center)))}{taken}"
    if audit.playbook:
        yield f"only what concerns playbook {show(audit.playbook)}"
    for unread in center.unread:
        yield from _wrapped(f"not read: {show(unread)}", "", "    ")


def _waived_lines(audit: Audit, show: Show, paint: Paint) -> Iterator[str]:
    waived = [(each, each.waived) for each in audit.findings if each.waived]
    if waived:
        yield ""
        yield "Waived"
    for finding, waiver in waived:
        yield f"  {paint(f'{finding.level:<7}', _DIM)}  {finding.id}  {show(finding.subject)}"
        yield from _wrapped(show(finding.message), "    ", "    ")
        told = f"{show(waiver.owner)} answers for it until {show(waiver.until)}: {show(waiver.reason)}"
        yield from _wrapped(told, "    ", "    ")


def trouble_lines(troubles: Iterable[WaiverTrouble], show: Show, paint: Paint) -> Iterator[str]:
    """Waivers that expired, or that nothing needed."""
    found = tuple(troubles)
    if found:
        yield ""
        yield "Waivers"
    for each in found:
        place = f"{show(each.source)}: " if each.source.line else ""
        yield f"  {paint(f'{each.level:<7}', _COLORS[each.level])}  {place}{show(each.message)}"


def _unchecked_lines(unchecked: Iterable[Unchecked], show: Show) -> Iterator[str]:
    """Not checked: each reason once, with what it is about."""
    found = tuple(unchecked)
    if found:
        yield ""
        yield "Not checked"
    for (code, reason), group in groupby(found, key=lambda each: (each.id, each.reason)):
        subjects = [show(each.subject) for each in group if each.subject]
        about = f" ({_some(subjects)})" if subjects else ""
        yield from _wrapped(f"{code}: {show(reason)}{about}", "  ", "       ")


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _next(audit: Audit, show: Show) -> Iterator[str]:
    worst = next(iter(audit.open), None)
    if any(each.level == "error" for each in audit.waivers):
        yield "next: mend or renew the waivers above that have expired"
    elif worst:
        yield f"next: `d365setup explain {show(worst.id)}` tells what it is and how to cure it"
    elif audit.unchecked:
        yield "next: nothing was found; see above what could not be checked, and why"
