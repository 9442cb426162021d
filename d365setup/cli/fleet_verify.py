"""`d365setup fleet verify`: is each environment still what its playbook says?"""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.fleet_call import Wide, looked, with_wide
from d365setup.cli.options import taught, with_output
from d365setup.cli.output import Output

_HELP = taught(
    "Compare each environment of a fleet with its playbook, and follow its hand-offs. Sends nothing but reads.",
    "d365setup fleet verify fleet.yaml --workers 16 --timeout 5m",
    "d365setup fleet verify fleet.yaml --only label=eu --report matrix.html",
    exits="0 all in line, 3 drift somewhere, 4 a hand-off that breaks, else the code that all broken environments "
    "share, or 1.",
)


@click.command("verify", help=_HELP)
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
    """Read, compare, judge everywhere."""
    return looked("verify", fleet, wide, output, (f"--waivers={waivers}",) if waivers else ())
