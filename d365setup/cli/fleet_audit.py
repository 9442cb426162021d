"""`d365setup fleet audit`: what is wrong with routing, in each environment."""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.audit import LEVELS, Level
from d365setup.cli.fleet_call import Wide, looked, with_wide
from d365setup.cli.fleet_options import waiving
from d365setup.cli.options import taught, with_output
from d365setup.cli.output import Output
from d365setup.cli.waiving import with_waivers

_HELP = taught(
    "Judge how each environment of a fleet routes what its playbook declares. Sends nothing but reads.",
    "d365setup fleet audit fleet.yaml",
    "d365setup fleet audit fleet.yaml --fail-on warning --waivers waivers.yaml --format json",
    exits="0 nothing at or above --fail-on, 4 findings somewhere, else the code that all broken environments share, "
    "or 1.",
)


@click.command("audit", help=_HELP)
@click.argument("fleet", type=click.Path(path_type=Path))
@with_waivers
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS),
    default="error",
    show_default=True,
    help="Count findings of this level or a worse one.",
)
@with_wide
@with_output
def command(fleet: Path, *, answered: Path | None, fail_on: Level, wide: Wide, output: Output) -> int:
    """Judge everywhere."""
    return looked("audit", fleet, wide, output, (*waiving(answered, output), f"--fail-on={fail_on}"))
