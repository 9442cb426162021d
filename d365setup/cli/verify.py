"""`d365setup verify`: is the environment still what the playbook says?"""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.deciding import decided
from d365setup.cli.environment import opened
from d365setup.cli.options import Given, Target, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.report import Verification

_HELP = taught(
    "Compare an environment with a playbook and show the drift. Sends nothing but reads.",
    "d365setup verify playbooks/health-bot.yaml --emulator",
    "d365setup verify contoso.yaml --url https://contoso.crm.dynamics.com --format json",
    exits="0 in line, 3 drift, 1 the environment cannot resolve something.",
)


@click.command("verify", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@with_variables
@with_target
@with_output
def command(playbook: Path, *, given: Given, target: Target, output: Output) -> int:
    """Read, compare, judge."""
    with opened(playbook, given, target, output, read_only=True) as session:
        return output.emit(Verification(decided(session, target, output).plan))
