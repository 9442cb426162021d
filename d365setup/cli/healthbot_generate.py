"""`d365setup healthbot generate`: the scenarios of a playbook, ready to import, or as activities for other bots."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.options import Given, ended, taught, with_variables
from d365setup.cli.output import Output
from d365setup.errors import UsageError
from d365setup.healthbot import import_body
from d365setup.healthbot.activity import activity, said
from d365setup.healthbot.files import keep
from d365setup.healthbot.generate import files, generate
from d365setup.healthbot.graph import json_text
from d365setup.playbook import Playbook
from d365setup.report.visible import visible

Dialect = Literal["healthbot", "activity", "activity-2026"]

_HELP = taught(
    "Make the scenarios that a playbook declares: what the patient reads, then the call that hands over or ends. With "
    "--out one file for each, as the Health Bot's portal imports them; without it, on stdout, the list that its "
    "management API takes. The same playbook always gives the same bytes. No network.",
    "d365setup healthbot generate playbooks/health-bot.yaml --examples",
    "d365setup healthbot generate playbooks/health-bot.yaml --examples --out scenarios/",
    "d365setup healthbot generate playbooks/health-bot.yaml --examples --dialect activity",
    exits="0 made, 2 an invalid playbook, or one without scenarios, 5 a file is there that says something else.",
)


@click.command("generate", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write a file for each scenario there.")
@click.option("--force", is_flag=True, help="Write over files that say something else.")
@click.option(
    "--dialect",
    type=click.Choice(["healthbot", "activity", "activity-2026"]),
    default="healthbot",
    show_default=True,
    help="healthbot: scenarios of an Azure AI Health Bot. activity: the messages another Azure bot sends. "
    "activity-2026: the same, for bots made with the Agents SDK.",
)
@click.option("--examples", is_flag=True, help="A variable without a value takes its example, as with --emulator.")
@with_variables
def command(playbook: Path, **options: Any) -> int:
    """Make them, and tell where they are."""
    return ended(lambda: _made(playbook, **options), Output())


def _made(path: Path, *, given: Given, out: Path | None, force: bool, dialect: Dialect, examples: bool) -> int:
    if force and out is None:
        raise UsageError("--force goes with --out")
    playbook = loaded(path, given, Surroundings.here(), examples=examples)
    if not playbook.scenarios:
        raise UsageError(f"{path} declares no `scenarios`: there is nothing to make")
    if out is None:
        click.echo(json_text(_whole(playbook, dialect), 2))
        return 0
    for each in keep(out, _files(playbook, dialect), force=force):
        click.echo(visible(f"{each.what} {each.path}"))
    return 0


def _whole(playbook: Playbook, dialect: Dialect) -> Any:
    """Everything in one value."""
    scenarios = generate(playbook)  # of every dialect: it raises what no message could carry
    if dialect == "healthbot":
        return [import_body(each) for each in scenarios]
    return {each.trigger: [said(each, dialect), activity(each, dialect)] for each in playbook.scenarios}


def _files(playbook: Playbook, dialect: Dialect) -> dict[str, str]:
    if dialect == "healthbot":
        return files(playbook)
    found = _whole(playbook, dialect)
    return {f"{trigger}.{dialect}.json": f"{json_text(each, 2)}\n" for trigger, each in found.items()}
