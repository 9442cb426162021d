"""`d365setup destroy`: take away what a playbook made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import click

from d365setup.apply import Settings
from d365setup.cli.asking import ask
from d365setup.cli.beside import Beside, with_beside
from d365setup.cli.deciding import decided
from d365setup.cli.environment import opened
from d365setup.cli.options import Given, Target, gathered, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.removing import allowed, check_removals, with_allow_delete
from d365setup.cli.sealing import with_evidence
from d365setup.cli.stopping import stoppable
from d365setup.model import Plan
from d365setup.outcome import Run

_HELP = taught(
    "Take away what a playbook made: rows that bear its mark, and links its journals recorded. Shows what goes, what "
    "stays and why, and asks first. Queues are deactivated and bot users disabled, so that an apply can bring them "
    "back; what somebody else made, or still uses, stays.",
    "d365setup destroy playbooks/health-bot.yaml --emulator",
    "d365setup destroy contoso.yaml --url https://contoso.crm.dynamics.com --allow-delete routing_rule:4",
    exits="0 all of it is gone or out of use, 1 failed, 5 refused, 7 some went and some did not.",
)


@dataclass(frozen=True)
class Choices:
    """How to take it away."""

    yes: bool = False
    transaction: Literal["auto", "stage"] = "auto"
    allow_delete: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        """As the engine wants it."""
        return Settings(whole_stages=self.transaction == "stage")


_with_choices = gathered(
    Choices,
    "choices",
    click.option("--yes", is_flag=True, help="Do not ask; needed where no terminal is."),
    click.option(
        "--transaction",
        type=click.Choice(["auto", "stage"]),
        default="auto",
        show_default=True,
        help="stage: one change set a stage, however large.",
    ),
    with_allow_delete,
)


@click.command("destroy", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@_with_choices
@with_variables
@with_target
@with_beside
@with_output
@with_evidence
def command(playbook: Path, *, choices: Choices, given: Given, target: Target, beside: Beside, output: Output) -> int:
    """Read, decide, ask, write, read back."""
    removals = allowed(choices.allow_delete)
    with opened(playbook, given, target, output, read_only=False, beside=beside) as opened_session:
        session = opened_session.pruning(everything=True)
        decision = decided(session, target, output, whole_stages=choices.settings.whole_stages)
        check_removals(decision, removals, output)
        settled = tuple(session.settle(decision.scope.live))
        if not decision.plan.changes:
            return output.emit(Run(decision.plan, warnings=settled, traffic=session.traffic, command="destroy"))
        if not choices.yes:
            _ask(decision.plan, output)
        with stoppable() as stop:
            settings = replace(choices.settings, stopping=stop)
            run = session.carry_out(decision, settings, output.progress, command="destroy")
        return output.emit(replace(run, warnings=(*settled, *run.warnings)))


def _ask(plan: Plan, output: Output) -> None:
    """Show what goes and what stays, and ask."""
    things = "1 thing" if len(plan.changes) == 1 else f"{len(plan.changes)} things"
    where = f"{plan.environment.name} ({plan.environment.url})"
    question = f"Take {things} away that {plan.playbook} made on {where}?"
    declined = "nothing was taken away: you did not say yes"
    ask(plan, question, output, unasked="destroy without asking", declined=declined)
