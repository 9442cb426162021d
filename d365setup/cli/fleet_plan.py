"""`d365setup fleet plan`: what would change, in each environment."""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.fleet_call import Wide, looked, with_wide
from d365setup.cli.options import taught, with_output
from d365setup.cli.output import Output

_HELP = taught(
    "Show what apply would change in each environment of a fleet. Sends nothing but reads.",
    "d365setup fleet plan fleet.yaml",
    "d365setup fleet plan fleet.yaml --only group=canary --only north",
    exits="0 nothing to change, 3 changes pending somewhere, else the code that all broken environments share, or 1.",
)


@click.command("plan", help=_HELP)
@click.argument("fleet", type=click.Path(path_type=Path))
@with_wide
@with_output
def command(fleet: Path, *, wide: Wide, output: Output) -> int:
    """Read and compare everywhere."""
    return looked("plan", fleet, wide, output)
