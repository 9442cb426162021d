"""Whether hand-offs are ready, and what is found on their way: the end of a verification, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from d365setup.report.as_audit import finding_data, finding_lines, number, trouble_data, trouble_lines

if TYPE_CHECKING:
    from d365setup.audit.findings import Audit
    from d365setup.audit.readiness import Link, Path, Readiness

Data = dict[str, Any]
Show = Callable[[Any], str]
Paint = Callable[[str, str], str]

_COLORS = {"ok": "32", "broken": "31", "unknown": "33", "waived": "2"}


def readiness_lines(found: Readiness, show: Show, paint: Paint) -> Iterator[str]:
    """Each hand-off link by link, and the first one that is broken."""
    yield ""
    yield "Readiness"
    if not found.paths:
        yield "  the playbook declares no bot: there is no hand-off to look at"
    for path in found.paths:
        yield f"  {_title(path, show)}"
        for link in path.links:
            yield from _link(link, show, paint)
        yield f"    {_verdict(path, show)}"


def errors_lines(audit: Audit, show: Show, paint: Paint) -> Iterator[str]:
    """The errors among the findings in full, the rest counted."""
    errors = [each for each in audit.open if each.level == "error"]
    yield from finding_lines(errors, audit.center.url, show, paint)
    yield from trouble_lines(audit.waivers, show, paint)
    counts, waived = audit.counts, len(audit.findings) - len(audit.open)
    told = f"{number(counts['error'], 'error')}, {number(counts['warning'], 'warning')}, {waived} waived"
    yield ""
    yield f"found on the way: {told}; `d365setup audit` with this playbook tells everything"


def readiness_data(found: Readiness | None) -> Data | None:
    """The hand-offs; None where nobody looked."""
    if found is None:
        return None
    return {"ready": all(each.is_ready for each in found.paths), "paths": [_path(each) for each in found.paths]}


def findings_data(audit: Audit | None) -> Data | None:
    """The errors on the way, what is waived, and the counts; None where nobody looked."""
    if audit is None:
        return None
    url = audit.center.url
    errors = [each for each in audit.findings if each.level == "error"]
    return {
        "counts": {**audit.counts, "waived": len(audit.findings) - len(audit.open)},
        "errors": [{**finding_data(each, url), "waived": each.waived is not None} for each in errors],
        "waivers": [trouble_data(each) for each in audit.waivers],
    }


def _title(path: Path, show: Show) -> str:
    said = f", {show(path.handed_over)}" if path.handed_over else ""
    return f"{show(path.workstream)}: {show(path.bot)}{said}" if path.workstream else show(path.bot)


def _link(link: Link, show: Show, paint: Paint) -> Iterator[str]:
    state = "waived" if link.waived else link.state
    why = f": {show(link.why)}" if link.why else ""
    codes = f" ({', '.join(link.findings)})" if link.findings else ""
    yield f"    {paint(f'{state:<7}', _COLORS[state])}  {link.what:<11}  {show(link.name)}{why}{codes}"


def _verdict(path: Path, show: Show) -> str:
    broken = next((each for each in path.links if each.breaks), None)
    if broken:
        return f"not ready: the first broken link is the {broken.what} {show(broken.name)}"
    if any(each.state == "unknown" for each in path.links):
        return "not known to be ready: see above what cannot be told"
    return "ready" if path.first_broken is None else "ready as far as nobody waived it"


def _path(path: Path) -> Data:
    broken = path.first_broken
    return {
        "workstream": path.workstream,
        "bot": path.bot,
        "handed_over": path.handed_over,
        "ready": path.is_ready,
        "first_broken": broken.what if broken else None,
        "links": [
            {
                "what": link.what,
                "name": link.name,
                "state": link.state,
                "why": link.why,
                "findings": list(link.findings),
                "waived": link.waived,
            }
            for link in path.links
        ],
    }
