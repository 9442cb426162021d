"""`d365setup healthbot push`: import scenarios after showing what that overwrites; read back, compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from d365setup.apply import Settings
from d365setup.bringing import HealthBotSide
from d365setup.cli.asking import ask
from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.healthbot_reached import Bot, bot_reached, only_example, with_bot
from d365setup.cli.options import Given, taught, with_plain_output, with_variables
from d365setup.cli.output import Output
from d365setup.cli.sealing import with_evidence
from d365setup.cli.stopping import stoppable
from d365setup.errors import UsageError
from d365setup.evidence.chain import sha256
from d365setup.healthbot import StoredScenario, folder
from d365setup.healthbot.generate import generate
from d365setup.healthbot.management import Management
from d365setup.healthbot.portal import Portal
from d365setup.healthbot.pushing import PENDING, Compared, Push, became, compare, pushed
from d365setup.importing import carried_out, planned, settle
from d365setup.journal import Runs
from d365setup.model import Environment, Errand, Plan
from d365setup.playbook import Playbook
from d365setup.report.visible import visible

_HELP = taught(
    "Import scenarios into a Health Bot: those of a folder that `pull` or `generate` wrote, or those a playbook "
    "declares. Shows what differs by meaning and what would be overwritten, and asks; sends only what differs, reads "
    "everything back and compares. What is overwritten is in its journal: `rollback` puts it back. Nothing is deleted.",
    "d365setup healthbot push playbooks/health-bot.yaml",
    "d365setup healthbot push scenarios/ --portal https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3",
    "d365setup healthbot push scenarios/ --emulator --yes",
    exits="0 in line, or all verified; 1 failed, or read back it is not as sent; 2 a wrong portal link or file; "
    "5 refused; 6 not reachable, or the secret is wrong; 7 some landed and some did not; 8 throttled.",
)


@click.command("push", help=_HELP)
@click.argument("scenarios", metavar="DIR|PLAYBOOK", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask; needed where no terminal is.")
@with_bot
@with_variables
@with_plain_output
@with_evidence
def command(scenarios: Path, *, yes: bool, bot: Bot, given: Given, output: Output) -> int:
    """Read, compare, ask, record, send, read back."""
    playbook, wanted = _wanted(scenarios, bot, given)
    for name, text in playbook.texts if playbook else ():
        output.notebook.took("playbook", name, sha256(text.encode("utf-8", "surrogatepass")))
    with bot_reached(bot, playbook, output, read_only=False) as management:
        compared = compare(wanted, management.scenarios())
        push = pushed(compared, management.portal.link)
        due = [each for each in compared if each.state in PENDING]
        side = HealthBotSide(_link(bot, playbook, management), management)
        output.notebook.environment = Environment(side.portal, "", management.portal.tenant)
        if not due:
            return output.emit(push)
        if not yes:
            _ask(push, due, output)
        name, digest = (playbook.name, playbook.sha256) if playbook else (scenarios.resolve().name, _digest(wanted))
        return output.emit(_sent(push, planned(compared, side, name, digest), side, bot))


def _digest(wanted: Sequence[StoredScenario]) -> str:
    """Over every scenario of a folder, however its files are laid out."""
    return sha256("".join(folder.texts(wanted).values()).encode("utf-8", "surrogatepass"))


def _link(bot: Bot, playbook: Playbook | None, management: Management) -> str:
    """The bot's link for its journal: an emulated bot answers elsewhere each time, and has the playbook's."""
    declared = playbook.health_bot.portal if playbook and playbook.health_bot else ""
    return Portal.parse(declared).link if bot.emulator and declared else management.portal.link


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


def _sent(push: Push, wished: tuple[Plan, Errand], side: HealthBotSide, bot: Bot) -> Push:
    """Settle what died before, record, send, look."""
    runs = Runs(Surroundings.here().state_dir(bot.state_dir))
    for note in settle(runs, side):
        click.echo(visible(f"warning: {note.id}: {note.message}"), err=True)
    with stoppable() as stop:
        return became(push, carried_out(*wished, side, runs, Settings(stopping=stop)))
