"""`d365setup healthbot pull`: the bot's scenarios as files that people can compare."""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.healthbot_reached import Bot, bot_reached, only_example, with_bot
from d365setup.cli.options import Given, ended, taught, with_variables
from d365setup.cli.output import Output, Settings
from d365setup.healthbot import folder
from d365setup.healthbot.files import keep
from d365setup.report.visible import visible

_HELP = taught(
    "Write every scenario of a Health Bot into a folder, one file each: `code` as JSON to read and compare, without "
    "its author's name. The same scenarios always give the same bytes. Sends nothing but reads.",
    "d365setup healthbot pull playbooks/health-bot.yaml --out scenarios/",
    "d365setup healthbot pull --portal https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3 --out bot/",
    "d365setup healthbot pull --emulator --out scenarios/ --force",
    exits="0 written, 2 a wrong portal link, 5 a file is there that says something else, "
    "6 not reachable, or the secret is wrong.",
)


@click.command("pull", help=_HELP)
@click.argument("playbook", required=False, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the files go.")
@click.option("--force", is_flag=True, help="Write over files that say something else.")
@with_bot
@with_variables
@click.option("--verbose", is_flag=True, help="One line on stderr for each wait.")
def command(playbook: Path | None, *, out: Path, force: bool, bot: Bot, given: Given, verbose: bool) -> int:
    """Read, write, tell."""
    output = Output(Settings(verbose=verbose))
    return ended(lambda: _pulled(playbook, out, bot, given, output, force=force), output)


def _pulled(path: Path | None, out: Path, bot: Bot, given: Given, output: Output, *, force: bool) -> int:
    only_example(given, path)
    playbook = loaded(path, given, Surroundings.here(), examples=bot.emulator) if path else None
    with bot_reached(bot, playbook, output, read_only=True) as management:
        texts = folder.texts(management.scenarios())
    for each in keep(out, texts, force=force):
        click.echo(visible(f"{each.what} {each.path}"))
    for stranger in folder.strangers(out, texts):
        click.echo(visible(f"left alone {stranger}: the bot has no such scenario"))
    if not texts:
        click.echo("the bot has no scenarios", err=True)
    return 0
