"""What the page of a fleet's run shows beside its environments."""

from __future__ import annotations

from dataclasses import dataclass

from d365setup.fleet.results import Cell, FleetRun
from d365setup.report.as_fleet import counted, differing


@dataclass(frozen=True)
class FleetView:
    """Everything the template needs; ``rows`` are the things that are not the same everywhere,
    ``columns`` the environments in which they are not.
    """

    title: str
    verdict: str
    level: str
    fleet: FleetRun
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    same: int


def fleet_view(found: FleetRun) -> FleetView:
    """The verdict, and the matrix without what is the same everywhere."""
    rows, places = differing(found)
    columns = tuple(found.results[n].environment for n in places)
    shown = tuple((thing, tuple(cells[n] for n in places)) for thing, cells in rows)
    level = {0: "good", 3: "warning", 5: "warning"}.get(found.exit_code, "error")
    return FleetView(
        f"Fleet: {found.command}", counted(found), level, found, columns, shown, len(found.matrix) - len(rows)
    )
