"""`d365setup healthbot push`: import scenarios after showing what that overwrites; read back, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from d365setup.cli.asking import ask
from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.healthbot_reached import Bot, bot_reached, only_example, with_bot
from d365setup.cli.options import Given, taught, with_plain_output, with_variables
from d365setup.cli.output import Output
from d365setup.dataverse.errors import DataverseError
from d365setup.errors import UsageError
from d365setup.healthbot import StoredScenario, folder
from d365setup.healthbot.generate import generate
from d365setup.healthbot.management import Management
from d365setup.healthbot.pushing import PENDING, Compared, Push, compare, judged, pushed, unread
from d365setup.playbook import Playbook

_HELP = taught(
    "Import scenarios into a Health Bot: those of a folder that `pull` or `generate` wrote, or those a playbook "
    "declares. Shows what differs by meaning and what would be overwritten, and asks; sends only what differs, keeps "
    "what is overwritten, reads everything back and compares. Nothing is ever deleted.",
    "d365setup healthbot push playbooks/health-bot.yaml",
    "d365setup healthbot push scenarios/ --portal https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3",
    "d365setup healthbot push scenarios/ --emulator --yes",
    exits="0 in line, or all verified; 1 failed, or read back it is not as sent; 2 a wrong portal link or file; "
    "5 refused; 6 not reachable, or the secret is wrong; 7 some landed and some did not.",
)


@click.command("push", help=_HELP)
@click.argument("scenarios", metavar="DIR|PLAYBOOK", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask; needed where no terminal is.")
@with_bot
@with_variables
@with_plain_output
def command(scenarios: Path, *, yes: bool, bot: Bot, given: Given, output: Output) -> int:
    """Read, compare, ask, keep, send, read back."""
    playbook, wanted = _wanted(scenarios, bot, given)
    with bot_reached(bot, playbook, output, read_only=False) as management:
        compared = compare(wanted, management.scenarios())
        push = pushed(compared, management.portal.link)
        due = [each for each in compared if each.state in PENDING]
        if not due:
            return output.emit(push)
        if not yes:
            _ask(push, due, output)
        return output.emit(_sent(push, compared, due, management, bot))


def _wanted(path: Path, bot: Bot, given: Given) -> tuple[Playbook | None, Sequence[StoredScenario]]:
    """What to send, and the playbook where it is one."""
    if path.is_dir():
        only_example(given, None)
        return None, folder.read(path)
    playbook = loaded(path, given, Surroundings.here(), examples=bot.emulator)
    if not playbook.scenarios:
        raise UsageError(f"{path} declares no `scenarios`: there is nothing to send")
    return playbook, generate(playbook)


def _ask(push: Push, due: Sequence[Compared], output: Output) -> None:
    overwritten = sum(1 for each in due if each.held is not None)
    count = "1 scenario" if len(due) == 1 else f"{len(due)} scenarios"
    question = f"Import {count} into {push.portal}, overwriting {overwritten}?"
    declined = "not imported: you did not say yes; nothing was sent"
    ask(push, question, output, unasked="import without asking", declined=declined)


def _sent(push: Push, compared: Sequence[Compared], due: Sequence[Compared], management: Management, bot: Bot) -> Push:
    """Keep, send, look. An answer that was lost says nothing: what the bot holds then does."""
    held = [each.held for each in due if each.held is not None]
    if held:
        state_dir = Surroundings.here().state_dir(bot.state_dir)
        push = replace(push, kept=str(folder.keep_overwritten(state_dir, management.portal, held, datetime.now(UTC))))
    trouble = ""
    try:
        management.post([each.wanted for each in due])
    except DataverseError as error:
        if not error.may_have_acted:
            raise
        trouble = str(error)
    try:
        after = management.scenarios()
    except DataverseError as error:
        return unread(push, trouble or str(error))
    return judged(push, compared, after, trouble)
