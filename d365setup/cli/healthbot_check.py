"""`d365setup healthbot check`: whether the bot's side of the hand-off and the playbook mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from d365setup import waivers
from d365setup.audit import LEVELS, Audit, Level
from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.healthbot_reached import Bot, bot_reached, with_bot
from d365setup.cli.options import Given, gathered, taught, with_output, with_variables
from d365setup.cli.output import Output
from d365setup.cli.sealing import with_evidence
from d365setup.cli.waiving import loaded_waivers, today, with_waivers
from d365setup.errors import UsageError
from d365setup.evidence.chain import sha256
from d365setup.healthbot.checking import Seen, checked, checks
from d365setup.healthbot.collected import Collected
from d365setup.healthbot.collecting import from_backup, from_folder, of_backup
from d365setup.intended import of_playbook
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue_member import QueueMember
from d365setup.pages import nearest, written
from d365setup.playbook import Playbook

_HELP = taught(
    "Hold the Health Bot's scenarios and settings against a playbook: names, types and values that are handed over, "
    "what the patient is told, what is kept and who could read it. No network without --live; with it reads only.",
    "d365setup healthbot check playbooks/health-bot.yaml --backup backup.json",
    "d365setup healthbot check playbooks/health-bot.yaml --scenarios exports/ --fail-on warning",
    "d365setup healthbot check playbooks/health-bot.yaml --live --waivers waivers.yaml --report check.html",
    exits="0 nothing at or above --fail-on, 2 no backup, or no scenario in it, 4 findings (or a waiver that expired).",
)
SOURCES = "--backup FILE, --scenarios DIR or --live"


@dataclass(frozen=True)
class Asked:
    """Where the bot's side is read from, and how it is judged."""

    backup: Path | None = None
    scenarios: Path | None = None
    live: bool = False
    fail_on: Level = "error"
    only: tuple[str, ...] = ()
    examples: bool = False


_FILE = click.Path(path_type=Path)
_with_asked = gathered(
    Asked,
    "asked",
    click.option("--backup", type=_FILE, metavar="FILE", help="A backup of the bot, downloaded from its portal."),
    click.option("--scenarios", type=_FILE, metavar="DIR", help="A folder of exported scenarios (*.json)."),
    click.option("--live", is_flag=True, help="The bot itself: its backup is read, and kept nowhere."),
    click.option(
        "--fail-on",
        type=click.Choice(LEVELS),
        default="error",
        show_default=True,
        help="End with exit code 4 for findings of this level or a worse one.",
    ),
    click.option("--only", multiple=True, metavar="R05,…", help="Only these findings. Repeats."),
    click.option("--examples", is_flag=True, help="A variable without a value takes its example, as with --emulator."),
)


@click.command("check", help=_HELP)
@click.argument("playbook", type=_FILE)
@_with_asked
@with_waivers
@with_bot
@with_variables
@with_output
@with_evidence
def command(playbook: Path, *, asked: Asked, answered: Path | None, bot: Bot, given: Given, output: Output) -> int:
    """Load, read, judge."""
    only = tuple(_ids(asked.only))
    _check(asked, bot)
    found = loaded_waivers(answered, output)
    wished = loaded(playbook, given, Surroundings.here(), examples=asked.examples or bot.emulator)
    output.know_people(_people(wished), (each.name for each in wished.desired.of(BotUser)))
    for name, text in wished.texts:
        output.notebook.took("playbook", name, sha256(text.encode("utf-8", "surrogatepass")))
    side = _collected(asked, wished, bot, output)
    result = checked(Seen(wished, of_playbook(wished), side), only=only).failing_on(asked.fail_on)
    return output.emit(_answered_for(result, found, only) if found else result)


def _check(asked: Asked, bot: Bot) -> None:
    """Raises UsageError unless there is exactly one source."""
    count = sum((asked.backup is not None, asked.scenarios is not None, asked.live or bot.emulator))
    if count != 1:
        told = "is missing" if not count else "is given more than once"
        raise UsageError(f"where to read the bot's side from {told}: say one of {SOURCES}")
    if bot.portal is not None and not asked.live:
        raise UsageError("--portal goes with --live: a file is read without the bot")


def _collected(asked: Asked, playbook: Playbook, bot: Bot, output: Output) -> Collected:
    if asked.scenarios is not None:
        return from_folder(asked.scenarios)
    if asked.backup is not None:
        found = from_backup(asked.backup)
        output.notebook.took("backup", str(asked.backup), sha256(asked.backup.read_bytes()))
        return found
    with bot_reached(bot, playbook, output, read_only=True) as management:
        return of_backup(management.backup(), management.portal.link, "live")


def _ids(only: tuple[str, ...]) -> Iterator[str]:
    """The ids asked for. Raises UsageError for one that this command never looks for."""
    known = {code for code, _ in checks()}
    for text in (part.strip() for each in only for part in each.split(",")):
        if written(text) not in known:
            near = nearest(text)
            meant = f"; did you mean {near}?" if near in known else ""
            raise UsageError(f"--only {text[:40]!r} is looked for by no check of the Health Bot{meant}")
        yield written(text)


def _answered_for(result: Audit, answered: waivers.Waivers, only: tuple[str, ...]) -> Audit:
    """With the waivers of what this command looks for: another one is not unused."""
    looked_for = only or tuple(code for code, _ in checks())
    items = tuple(each for each in answered.items if each.finding in looked_for)
    return waivers.apply(result, replace(answered, items=items), today())


def _people(playbook: Playbook) -> Iterator[tuple[str, str]]:
    for each in playbook.desired.of(QueueMember):
        if each.is_person:
            yield each.name, each.name
