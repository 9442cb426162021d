"""`d365setup rollback`: take a recorded run back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from d365setup.apply import Settings
from d365setup.cli.asking import ask
from d365setup.cli.beside import Beside, Surrounding, of_recording, with_beside
from d365setup.cli.environment import Surroundings, reached_place
from d365setup.cli.options import Target, taught, with_output, with_target
from d365setup.cli.output import Output
from d365setup.cli.sealing import with_evidence
from d365setup.cli.stopping import stoppable
from d365setup.dataverse.client import Client
from d365setup.journal import Recording, Runs
from d365setup.outcome import Run
from d365setup.rollback import Rollback

if TYPE_CHECKING:
    from d365setup.emulator import Emulator

_HELP = taught(
    "Take a recorded run back: put back what it replaced, take what it made out of use. Shows the plan and asks first. "
    "What somebody changed since, or still uses, stays and is named.",
    "d365setup history",
    "d365setup rollback 20261122T112202Z-47f773 --url https://contoso.crm.dynamics.com",
    "d365setup rollback 20261122T112202Z-47f773 --emulator --yes",
    exits="0 all taken back, 1 failed, 2 no such run, 5 refused, 7 only a part was taken back.",
)


@click.command("rollback", help=_HELP)
@click.argument("run")
@click.option("--yes", is_flag=True, help="Do not ask; needed where no terminal is.")
@with_target
@with_beside
@with_output
@with_evidence
def command(run: str, *, yes: bool, target: Target, beside: Beside, output: Output) -> int:
    """Read the journal, look, ask, write, read back."""
    runs = Runs(Surroundings.here().state_dir(target.state_dir))
    recording = runs.read(run)
    with (
        _reached(recording, target, output) as (client, emulator),
        of_recording(recording, Surrounding(_insisting(beside, recording), target, output, emulator)) as other,
    ):
        rollback = Rollback(client, runs, recording, other.side, other.remarks)
        undoing = rollback.decide(target.expect_organization or "")
        output.notebook.environment = undoing.plan.environment
        bots = {change.id.key for change in recording.changes if change.id.kind == "bot_user"}
        output.know_people(((name,) for name in undoing.people if name not in bots), bots)
        if undoing.is_empty:
            return output.emit(Run(undoing.plan, traffic=rollback.traffic, command="rollback", undoes=run))
        if not yes:
            question = f"Take back run {run} on {undoing.plan.environment.name}?"
            declined = "not taken back: you did not say yes; nothing was written"
            ask(undoing.plan, question, output, unasked="do it unasked", declined=declined)
        with stoppable() as stop:
            taken_back = rollback.carry_out(undoing, Settings(stopping=stop), output.progress)
        return output.emit(taken_back)


@contextmanager
def _reached(recording: Recording, target: Target, output: Output) -> Iterator[tuple[Client | None, Emulator | None]]:
    """The environment of the run; nothing of Dataverse is asked for a push to a Health Bot."""
    if recording.is_of_bot_alone and not target.emulator:
        yield None, None
        return
    with reached_place(target, output, read_only=False) as place:
        yield None if recording.is_of_bot_alone else place.client, place.emulator


def _insisting(beside: Beside, recording: Recording) -> Beside:
    """A push is taken back in the bot or not at all: leaving that out would leave out everything."""
    return replace(beside, require_healthbot=True) if recording.is_of_bot_alone else beside
