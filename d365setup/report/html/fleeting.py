"""What the page of a fleet's run shows beside its environments."""

from __future__ import annotations

from dataclasses import dataclass

from d365setup.fleet.results import BROKEN, GOOD, Cell, FleetRun, Result
from d365setup.report.as_fleet import agreement, counted, differing, going_on


@dataclass(frozen=True)
class FleetView:
    """Everything the template needs; ``rows`` are the things that are not the same everywhere,
    ``columns`` the environments in which they are not. ``environments`` has those first that need somebody.
    """

    title: str
    verdict: str
    level: str
    fleet: FleetRun
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    environments: tuple[tuple[Result, str], ...]
    same: str
    following: str


def fleet_view(found: FleetRun) -> FleetView:
    """The verdict, and the matrix without what is the same everywhere."""
    rows, places = differing(found)
    columns = tuple(found.results[n].environment for n in places)
    shown = tuple((thing, tuple(cells[n] for n in places)) for thing, cells in rows)
    level = {0: "good", 3: "warning", 5: "warning"}.get(found.exit_code, "error")
    ordered = tuple((each, _level(each)) for each in sorted(found.results, key=_rank))
    following = " ".join(going_on(found) or ())
    return FleetView(
        f"Fleet: {found.command}", counted(found), level, found, columns, shown, ordered, agreement(found), following
    )


def _rank(result: Result) -> int:
    """Broken ones, then whoever else needs somebody, then the rest; each in the file's order."""
    return 0 if result.state in BROKEN else 2 if result.state in GOOD else 1


def _level(result: Result) -> str:
    return ("error", "warning", "good")[_rank(result)]
