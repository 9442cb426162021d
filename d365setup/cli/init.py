"""`d365setup init`: a folder to begin with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from d365setup.cli.options import ended, taught
from d365setup.cli.output import Output
from d365setup.cli.pipelines import pipeline
from d365setup.errors import PlaybookError, UsageError
from d365setup.kinds import discover, specs
from d365setup.playbook import load
from d365setup.report.visible import visible
from d365setup.starting import CI, Choices, NewFile, chosen, new_files, next_steps
from d365setup.starting.choices import addresses, bot_named, named
from d365setup.starting.disk import Written, written

_HELP = taught(
    "Begin in a folder: a playbook, .env and .env.example, .gitignore, and a workflow for GitHub or Azure Pipelines. "
    "What no option says is asked on a terminal, and has its default elsewhere. A file that is there is left alone.",
    "d365setup init",
    "d365setup init contoso --bot-name 'Contoso Health Bot' --queue Nurses --people nurse.one@contoso.example",
    "d365setup init contoso --workstream 'Patient chat' --ci azure --source contoso/d365setup@v0.1.0",
    exits="0 every file is there, 2 the call is wrong, or a file cannot be written.",
)
_DEFAULTS = Choices()
_THERE = {
    "file": "there is one already, and it is left alone",
    "link": "a link of this name is there, and it is left alone",
    "folder": "a folder of this name is there; move it away and call init again",
}


@click.command("init", help=_HELP)
@click.argument("folder", required=False, default=Path(), type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--bot-name", metavar="NAME", help=f"What patients see. [default: {_DEFAULTS.bot_name}]")
@click.option("--queue", metavar="NAME", help=f"The queue the bot hands over to. [default: {_DEFAULTS.queue}]")
@click.option(
    "--people",
    multiple=True,
    metavar="ADDRESS,…",
    help=f"Who is in that queue. Repeats. [default: {_DEFAULTS.people[0]}]",
)
@click.option("--workstream", metavar="NAME", help=f"The work stream it is for. [default: {_DEFAULTS.workstream}]")
@click.option("--name", metavar="NAME", help="The playbook's name. [default: made of the bot's]")
@click.option("--ci", type=click.Choice(get_args(CI)), help=f"The workflow to write. [default: {_DEFAULTS.ci}]")
@click.option("--source", metavar="OWNER/REPOSITORY@VERSION", help="Where the workflow finds d365setup.")
def command(**given: Any) -> int:
    """Begin; plain lines are all it prints."""
    return ended(lambda: _begin(**given), Output())


def _begin(folder: Path, **given: Any) -> int:
    said = {name: value for name, value in given.items() if value is not None and value != ()}
    choices = chosen(_asked(replace(_DEFAULTS, **said), frozenset(said)) if _can_ask() else replace(_DEFAULTS, **said))
    wanted = tuple(new_files(choices))
    _prove(wanted[0])
    results = []
    for each in written(folder, wanted):
        _say(folder, each)
        results.append(each)
    _say_next(choices, folder, results)
    return 0


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI") and pipeline() is None


def _asked(choices: Choices, said: frozenset[str]) -> Choices:
    """What no option said, answered by somebody at the terminal."""
    if "bot_name" not in said:
        choices = replace(choices, bot_name=_ask("The bot's name, as patients see it", "bot_name", choices, bot_named))
    if "queue" not in said:
        choices = replace(choices, queue=_ask("The queue it hands over to", "queue", choices))
    if "people" not in said:
        told = "The people in that queue (e-mail addresses)"
        choices = replace(choices, people=_answer(told, choices.people[0], lambda text: addresses([text])))
    if "workstream" not in said:
        choices = replace(choices, workstream=_ask("The work stream it is for", "workstream", choices))
    if "ci" not in said:
        ci = click.prompt("A workflow for", default=choices.ci, type=click.Choice(get_args(CI)), err=True)
        choices = replace(choices, ci=ci)
    return choices


def _ask(question: str, field: str, choices: Choices, read: Callable[[str, str], str] = named) -> str:
    found: str = _answer(question, getattr(choices, field), partial(read, "this"))
    return found


def _answer(question: str, default: str, read: Callable[[str], Any]) -> Any:
    """Asked again until it can be understood."""

    def understood(text: str) -> Any:
        try:
            return read(text)
        except UsageError as error:
            raise click.UsageError(str(error)) from None

    return click.prompt(question, default=default, value_proc=understood, err=True)


def _prove(playbook: NewFile) -> None:
    """Nothing is written that `validate` would not take."""
    try:
        load(playbook.text, specs(discover()), {}, name=playbook.path, examples=True)
    except PlaybookError as error:
        raise UsageError(f"these names make no playbook: {error.mistakes[0].message}; nothing was written") from None


def _say(folder: Path, each: Written) -> None:
    state = "wrote" if each.is_new else "kept "
    about = _THERE[each.there] if each.there else each.file.about
    click.echo(f"{state}  {visible(str(folder / each.file.path))}  ({about})")
    for line in each.lacks:
        click.echo(f"       add this line to it: {line}")


def _say_next(choices: Choices, folder: Path, results: list[Written]) -> None:
    kept = [each.file.path for each in results if not each.is_new]
    if "playbook.yaml" in kept:
        choices = _DEFAULTS  # whose names are in a playbook that was there is not known
    click.echo("\nnext:")
    for line in _lines(choices, folder):
        click.echo(f"  {visible(line)}")
    workflow = next((each.file.path for each in results if each.is_new and each.file.path.endswith(".yml")), "")
    if workflow and not choices.source:
        click.echo(f"\nbefore {workflow} runs: put where you keep d365setup in the place of contoso/d365setup")


def _lines(choices: Choices, folder: Path) -> Iterator[str]:
    steps = list(next_steps(choices, str(folder)))
    width = min(60, max(len(call) for call, _ in steps))
    return (f"{call:<{width}}  # {why}" for call, why in steps)
