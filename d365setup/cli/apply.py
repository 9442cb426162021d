"""`d365setup apply`: plan, ask, write, read back."""

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
from d365setup.cli.options import (
    Given,
    Target,
    age,
    gathered,
    seconds,
    taught,
    with_output,
    with_target,
    with_variables,
)
from d365setup.cli.output import Output
from d365setup.cli.removing import allowed, check_removals, with_allow_delete, with_prune
from d365setup.cli.saving import check_age, playbook_of, read_saved
from d365setup.cli.sealing import with_evidence
from d365setup.cli.stopping import stoppable
from d365setup.cli.testing import check_tests, proven, with_skip_tests
from d365setup.errors import UsageError
from d365setup.lease import held
from d365setup.model import Plan
from d365setup.outcome import Run
from d365setup.saved import Saved
from d365setup.session import Session

_HELP = taught(
    "Bring an environment to what a playbook says, and read everything back. Shows the plan and asks first.",
    "d365setup apply playbooks/health-bot.yaml --emulator --yes",
    "d365setup apply contoso.yaml --url https://contoso.crm.dynamics.com",
    "d365setup apply plan.json --yes --max-age 2h",
    "d365setup apply contoso.yaml --yes --expect-organization 'Contoso Health' --report run.json",
    exits="0 all verified, 1 failed, 3 a manual step is left, 4 a test of the playbook failed and nothing was written, "
    "5 refused, 7 some landed and some did not.",
)


@dataclass(frozen=True)
class Choices:
    """How to apply."""

    yes: bool = False
    transaction: Literal["auto", "stage"] = "auto"
    contract_wait: float = 60.0
    prune: bool = False
    skip_tests: bool = False
    allow_delete: tuple[str, ...] = ()
    on_error: Literal["leave", "rollback"] = "leave"
    max_age: float = 86400.0
    lease: Path | None = None

    @property
    def settings(self) -> Settings:
        """As the engine wants it."""
        return Settings(whole_stages=self.transaction == "stage", contract_wait=self.contract_wait)


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
    click.option(
        "--contract-wait",
        type=seconds,
        default="60",
        show_default=True,
        metavar="SECONDS",
        help="How long to wait until the platform knows a new context variable.",
    ),
    click.option(
        "--on-error",
        type=click.Choice(["leave", "rollback"]),
        default="leave",
        show_default=True,
        help="What to do when a part landed and another failed: leave what landed, or take it back at once.",
    ),
    click.option(
        "--max-age",
        type=age,
        default="24h",
        show_default=True,
        metavar="TIME",
        help="How old a saved plan may be, as 30m, 24h or 7d.",
    ),
    click.option(
        "--lease",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Hold this file, in a place all of you share, while applying; refuse while somebody else does.",
    ),
    with_prune,
    with_skip_tests,
    with_allow_delete,
)


@click.command("apply", help=_HELP)
@click.argument("playbook", metavar="PLAYBOOK|PLAN.json", type=click.Path(path_type=Path))
@_with_choices
@with_variables
@with_target
@with_beside
@with_output
@with_evidence
def command(playbook: Path, *, choices: Choices, given: Given, target: Target, beside: Beside, output: Output) -> int:
    """Read, compare, test, ask, write, read back."""
    removals = allowed(choices.allow_delete)
    plan = _saved(playbook, choices, given)
    wants = playbook_of(plan) if plan else None
    if plan is not None:
        beside = replace(beside, require_healthbot=beside.require_healthbot or plan.has_scenarios)
        output.notebook.took("saved plan", str(playbook), plan.sha256)
    with (
        held(choices.lease) as still_ours,
        opened(playbook, given, target, output, read_only=False, playbook=wants, beside=beside) as found,
    ):
        session = found.pruning() if (plan.prune if plan else choices.prune) else found
        planned = decided(session, target, output, whole_stages=choices.settings.whole_stages, plan=plan)
        skip = choices.skip_tests or (plan is not None and plan.skip_tests)
        decision = proven(planned, session.playbook, skip=skip)
        check_tests(decision, output)
        check_removals(decision, removals, output)
        settled = tuple(session.settle(decision.scope.live))
        if not decision.plan.changes:
            return output.emit(Run(decision.plan, warnings=settled, traffic=session.traffic))
        if not choices.yes:
            _ask(decision.plan, output)
        with stoppable() as stop:
            settings = replace(choices.settings, stopping=lambda: stop() or not still_ours())
            run = session.carry_out(decision, settings, output.progress)
            run = replace(run, warnings=(*settled, *run.warnings))
            if choices.on_error == "rollback" and run.exit_code == _PARTLY:
                return _taken_back(run, session, settings, output)
        return output.emit(run)


_PARTLY = 7


def _saved(file: Path, choices: Choices, given: Given) -> Saved | None:
    """The saved plan, where the file is one. Raises Refused for one that is too old or was edited."""
    plan = read_saved(file)
    if plan is None:
        return None
    if given.var:
        raise UsageError("--var does not go with a saved plan, which has its values: plan again with other ones")
    if choices.prune:
        raise UsageError("--prune does not go with a saved plan: say it when you make the plan")
    check_age(plan, choices.max_age)
    return plan


def _taken_back(failed: Run, session: Session, settings: Settings, output: Output) -> int:
    """Tell what failed, take back what landed, and end with 1 when the environment is as it was before."""
    from d365setup.rollback import Rollback  # noqa: PLC0415  # seldom wanted, and every start would load it

    output.aside(failed)
    if session.runs is None or not failed.id:
        return failed.exit_code
    rollback = Rollback(session.client, session.runs, session.runs.read(failed.id), session.other)
    run = rollback.carry_out(rollback.decide(), settings, output.progress)
    return output.emit(replace(run, after_failure=True))


def _ask(plan: Plan, output: Output) -> None:
    """Ask, unless nothing would be written."""
    writes = sum(1 for change in plan.changes if not change.manual)
    if not writes:
        return
    changes = "1 change" if writes == 1 else f"{writes} changes"
    both = " and its Health Bot" if any(change.id.kind == "scenario" for change in plan.changes) else ""
    question = f"Apply {changes} to {plan.environment.name} ({plan.environment.url}){both}?"
    declined = "not applied: you did not say yes; nothing was written"
    ask(plan, question, output, unasked="apply without asking", declined=declined)
