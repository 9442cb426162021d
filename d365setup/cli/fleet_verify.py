"""`d365setup fleet verify`: is each environment still what its playbook says?"""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.fleet_call import Wide, looked, with_wide
from d365setup.cli.fleet_options import handed_on, waiving, with_require_healthbot
from d365setup.cli.options import taught, with_output
from d365setup.cli.output import Output
from d365setup.cli.waiving import with_waivers

_HELP = taught(
    "Compare each environment of a fleet with its playbook, and follow its hand-offs. Sends nothing but reads.",
    "d365setup fleet verify fleet.yaml --workers 16 --timeout 5m",
    "d365setup fleet verify fleet.yaml --only label=eu --waivers waivers.yaml --report matrix.html",
    exits="0 all in line, 3 drift somewhere, 4 a hand-off that breaks, else the code that all broken environments "
    "share, or 1.",
)


@click.command("verify", help=_HELP)
@click.argument("fleet", type=click.Path(path_type=Path))
@with_waivers
@with_require_healthbot
@with_wide
@with_output
def command(fleet: Path, *, answered: Path | None, require_healthbot: bool, wide: Wide, output: Output) -> int:
    """Read, compare, judge everywhere."""
    options = (*waiving(answered, output), *handed_on(require_healthbot=require_healthbot))
    return looked("verify", fleet, wide, output, options)
