"""`d365setup history`: what was done from this state directory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from d365setup.cli import options
from d365setup.cli.environment import Surroundings
from d365setup.cli.options import taught, with_plain_output
from d365setup.cli.output import Output
from d365setup.journal import Recording, Runs
from d365setup.report import History, Recorded

_HELP = taught(
    "List the runs recorded in the state directory, or show one: its changes, what became of each, what landed. "
    "Nothing is sent.",
    "d365setup history",
    "d365setup history 20261122T112202Z-47f773",
    "d365setup history --state-dir /mnt/deployments/contoso --format json",
    exits="0, 1 a journal cannot be read, 2 no such run.",
)

State = Literal["ended", "running", "open", "settled"]


@click.command("history", help=_HELP)
@click.argument("run", required=False)
@options.state_dir
@with_plain_output
def command(run: str | None, *, state_dir: Path | None, output: Output) -> int:
    """Read the journals and show them."""
    runs = Runs(Surroundings.here().state_dir(state_dir))
    if run is not None:
        return output.emit(_shown(runs, runs.read(run)))
    found = list(runs.all())
    readable = tuple(_shown(runs, each) for each in found if isinstance(each, Recording))
    problems = tuple(str(each) for each in found if not isinstance(each, Recording))
    return output.emit(History(str(runs.folder), readable, problems))


def _shown(runs: Runs, recording: Recording) -> Recorded:
    state: State = "settled" if recording.settled_by else "ended"
    if recording.is_open:
        state = "running" if runs.is_running(recording.run) else "open"
    return Recorded(recording, state)
