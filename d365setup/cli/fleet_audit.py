"""`d365setup fleet audit`: what is wrong with routing, in each environment."""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.fleet_call import Wide, looked, with_wide
from d365setup.cli.options import taught, with_output
from d365setup.cli.output import Output

_HELP = taught(
    "Judge how each environment of a fleet routes what its playbook declares. Sends nothing but reads.",
    "d365setup fleet audit fleet.yaml",
    "d365setup fleet audit fleet.yaml --waivers waivers.yaml --format json",
    exits="0 nothing found, 4 a finding somewhere, else the code that all broken environments share, or 1.",
)


@click.command("audit", help=_HELP)
@click.argument("fleet", type=click.Path(path_type=Path))
@click.option(
    "--waivers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Findings that somebody answers for until a day: listed, and not counted.",
)
@with_wide
@with_output
def command(fleet: Path, *, waivers: Path | None, wide: Wide, output: Output) -> int:
    """Judge everywhere."""
    return looked("audit", fleet, wide, output, (f"--waivers={waivers}",) if waivers else ())
