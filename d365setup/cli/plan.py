"""`d365setup plan`: what would change."""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.deciding import decided
from d365setup.cli.environment import opened
from d365setup.cli.options import Given, Target, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output

_HELP = taught(
    "Show what apply would change, why, and which line asks for it. Sends nothing but reads.",
    "d365setup plan playbooks/health-bot.yaml --emulator",
    "d365setup plan contoso.yaml --url https://contoso.crm.dynamics.com --expect-organization 'Contoso Health'",
    "d365setup plan contoso.yaml --format json --report plan.txt --redact",
    exits="0 nothing to change, 3 changes pending, 1 the environment cannot resolve something.",
)


@click.command("plan", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@with_variables
@with_target
@with_output
def command(playbook: Path, *, given: Given, target: Target, output: Output) -> int:
    """Read, compare, show."""
    with opened(playbook, given, target, output, read_only=True) as session:
        return output.emit(decided(session, target, output).plan)
