"""A fleet's run as Markdown: the environments with something to do first, then the matrix."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.fleet.results import GOOD, FleetRun, Result
from d365setup.report.as_fleet import agreement, counted, differing, going_on
from d365setup.report.comment.fitting import Section, Sheet
from d365setup.report.comment.page import MARKS, Page, rows
from d365setup.report.shortened import NAME

_WIDEST = 20  # environments a table can show side by side
_WORDS = {
    "same": "same",
    "changed": "**changed**",
    "missing": "**missing**",
    "waived": "waived",
    "failed": "**failed**",
}


def fleet_sheet(fleet: FleetRun, page: Page) -> Sheet:
    """The environments and the matrix as tables."""
    mark = "" if fleet.exit_code == 0 else f"{MARKS['warning' if fleet.exit_code in (3, 5) else 'error']} "
    summary = [f"{mark}**{counted(fleet)}**"]
    summary += [page.say(fleet.stopped)] if fleet.stopped else []
    summary += [f"run {page.say(fleet.run, NAME)}"] if fleet.run else []
    summary += [page.say(agreement(fleet))] if agreement(fleet) else []
    summary += [f"*next:* {page.say(' '.join(following))}"] if (following := going_on(fleet)) else []
    bad = [each for each in fleet.results if each.state not in GOOD]
    good = [each for each in fleet.results if each.state in GOOD]
    columns = ("Environment", "State", "Wave", "Why")
    sections = (
        Section("Needs somebody", "environments", rows(_row(each, page) for each in bad), columns, folds=False),
        *_matrix(fleet, page),
        Section("Fine", "environments", rows(_row(each, page) for each in good), columns),
    )
    return Sheet(f"Fleet {page.say(fleet.file, NAME)}: {fleet.command}", tuple(summary), sections)


def _row(each: Result, page: Page) -> tuple[str, ...]:
    cure = f"<br>*next:* {page.say(each.cure)}" if each.cure and each.state not in GOOD else ""
    wave = page.say(each.wave, NAME)
    return (page.say(each.environment, NAME), each.state, wave, page.say(each.message) + cure)


def _matrix(fleet: FleetRun, page: Page) -> Iterator[Section]:
    """What is not the same everywhere, in the environments where something is not."""
    found, columns = differing(fleet)
    for first in range(0, len(columns), _WIDEST):
        part = columns[first : first + _WIDEST]
        names = tuple(page.say(fleet.results[n].environment, NAME) for n in part)
        lines = rows((page.say(thing, NAME), *(_WORDS.get(cells[n], "") for n in part)) for thing, cells in found)
        yield Section("Things that differ", "things", lines, ("Thing", *names))
