"""`d365setup plan`: what would change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from d365setup.cli.deciding import decided, with_open_runs
from d365setup.cli.environment import opened
from d365setup.cli.options import Given, Target, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.removing import wanting_consent, with_prune
from d365setup.cli.saving import save

_HELP = taught(
    "Show what apply would change, why, and which line asks for it. Sends nothing but reads.",
    "d365setup plan playbooks/health-bot.yaml --emulator",
    "d365setup plan contoso.yaml --url https://contoso.crm.dynamics.com --expect-organization 'Contoso Health'",
    "d365setup plan contoso.yaml --out plan.json && d365setup apply plan.json",
    "d365setup plan contoso.yaml --prune --url https://contoso.crm.dynamics.com",
    "d365setup plan contoso.yaml --format json --report plan.txt --redact",
    exits="0 nothing to change, 3 changes pending, 1 the environment cannot resolve something.",
)


@click.command("plan", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PLAN.json",
    help="Save the plan, for `apply PLAN.json` to carry out.",
)
@with_prune
@with_variables
@with_target
@with_output
def command(playbook: Path, *, out: Path | None, prune: bool, given: Given, target: Target, output: Output) -> int:
    """Read, compare, show, save."""
    with opened(playbook, given, target, output, read_only=True) as session:
        decision = decided(session.pruning() if prune else session, target, output)
        if out is not None:
            save(out, decision, session.playbook, prune=prune)
        plan = with_open_runs(decision, session).plan
        return output.emit(replace(plan, warnings=(*plan.warnings, *wanting_consent(decision))))
