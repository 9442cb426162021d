"""What the page of an audit shows beside the audit itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from d365setup.audit.findings import LEVELS, Audit, Finding, Level, Unchecked
from d365setup.center import ContactCenter
from d365setup.report.as_audit import title
from d365setup.report.diagram import Diagram, diagram
from d365setup.report.diagram.wording import counted
from d365setup.report.html.web import anchors, link

_NAMES: dict[Level, tuple[str, str]] = {
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "info": ("note", "notes"),
}
ORIGINS = {
    "live": "The environment as it was read",
    "snapshot": "A snapshot of the environment",
    "playbook": "What the playbook says, no environment",
    "merged": "The environment as it will be once the playbook is applied",
}


@dataclass(frozen=True)
class Card:
    """A finding, where it is told, and where its object is: in the environment (``link``), drawn (``place``)."""

    finding: Finding
    title: str
    anchor: str
    link: str
    place: str


@dataclass(frozen=True)
class Left:
    """What a check could not look at, for one reason."""

    id: str
    title: str
    reason: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Tile:
    """A figure at the top of the page, and the section that has more."""

    count: int
    name: str
    level: str
    section: str


@dataclass(frozen=True)
class AuditView:
    """Everything the template needs."""

    audit: Audit
    title: str
    verdict: str
    level: str
    tiles: tuple[Tile, ...]
    cards: tuple[Card, ...]
    waived: tuple[Card, ...]
    objects: tuple[tuple[str, int], ...]
    left: tuple[Left, ...]
    passed: tuple[tuple[str, str], ...]
    diagram: Diagram | None
    origin: str


def audit_view(audit: Audit, show: Callable[[str], str]) -> AuditView:
    """Findings get their anchors, the environment is drawn, everything is counted."""
    names = anchors(audit.findings, show)
    center = audit.center
    drawn = diagram(center, audit.findings, anchors=names, show=show) if _is_drawable(center) else None
    places = drawn.places if drawn else {}
    cards = tuple(
        Card(each, title(each.id), name, link(each.subject.link(center.url)), places.get(name, ""))
        for each, name in zip(audit.findings, names, strict=True)
    )
    still_open = tuple(card for card in cards if card.finding.waived is None)
    return AuditView(
        audit,
        f"Audit of {center.organization or center.organization_id or audit.playbook or 'an environment'}",
        _verdict(audit),
        _level(audit),
        _tiles(audit),
        still_open,
        tuple(card for card in cards if card.finding.waived),
        _objects(still_open),
        _left(audit.unchecked),
        tuple((each, title(each)) for each in audit.passed),
        drawn,
        ORIGINS[center.origin],
    )


def _is_drawable(center: ContactCenter) -> bool:
    return bool(center.workstreams)


def _verdict(audit: Audit) -> str:
    """One sentence for whoever reads no further."""
    counts = audit.counts
    told = [counted(counts[level], *_NAMES[level]) for level in LEVELS if counts[level]]
    if told:
        return f"{_listed(told)} found"
    return "Nothing found in what could be checked" if audit.unchecked else "Nothing found"


def _level(audit: Audit) -> str:
    """What the verdict looks like: the worst thing found, or a waiver that ran out."""
    if any(each.level == "error" for each in audit.waivers):
        return "error"
    return next((level for level in LEVELS if audit.counts[level]), "none" if audit.unchecked else "good")


def _listed(parts: list[str]) -> str:
    return " and ".join((", ".join(parts[:-1]), parts[-1])) if len(parts) > 1 else parts[0]


def _tiles(audit: Audit) -> tuple[Tile, ...]:
    found = [Tile(audit.counts[level], _NAMES[level][audit.counts[level] != 1], level, "findings") for level in LEVELS]
    waived = len(audit.findings) - len(audit.open)
    unchecked = len({each.id for each in audit.unchecked})
    found.append(Tile(waived, "waived", "", "waived" if waived else ""))
    found.append(Tile(unchecked, "not checked", "", "not-checked" if unchecked else ""))
    found.append(Tile(len(audit.passed), "passed", "good", "passed" if audit.passed else ""))
    return tuple(found)


def _objects(cards: tuple[Card, ...]) -> tuple[tuple[str, int], ...]:
    """What findings are about, by name, with how many."""
    names = sorted(str(card.finding.subject) for card in cards)
    return tuple((name, sum(1 for _ in group)) for name, group in groupby(names))


def _left(unchecked: tuple[Unchecked, ...]) -> tuple[Left, ...]:
    """Each reason once, with everything it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in unchecked:
        found.setdefault((each.id, each.reason), []).extend([str(each.subject)] if each.subject else [])
    return tuple(Left(code, title(code), reason, tuple(names)) for (code, reason), names in found.items())
