"""`d365setup healthbot checklist`: what only a person can do, for one playbook."""

from __future__ import annotations

from pathlib import Path

import click

from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.options import Given, taught, with_plain_output, with_variables
from d365setup.cli.output import Output
from d365setup.dataverse.address import Address
from d365setup.errors import UsageError
from d365setup.healthbot.checklist import checklist

_HELP = taught(
    "Tell the steps that no API does, for this playbook: where in which portal, what to paste there, and which command "
    "tells afterwards that it is done. No network.",
    "d365setup healthbot checklist playbooks/health-bot.yaml --examples",
    "d365setup healthbot checklist contoso.yaml --url https://contoso.crm.dynamics.com --report checklist.html",
    exits="0 here it is, 2 an invalid playbook, or one that names no Health Bot.",
)


@click.command("checklist", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@click.option("--url", metavar="URL", help="The environment that the commands in it name. [env: D365_URL]")
@click.option("--examples", is_flag=True, help="A variable without a value takes its example, as with --emulator.")
@with_variables
@with_plain_output
def command(playbook: Path, *, url: str | None, examples: bool, given: Given, output: Output) -> int:
    """Load, tell."""
    around = Surroundings.here()
    found = loaded(playbook, given, around, examples=examples)
    if found.health_bot is None and not found.scenarios:
        told = "names no Health Bot and has no scenarios: add `health_bot: {portal: …}`, and there is something to tell"
        raise UsageError(f"{playbook} {told}")
    return output.emit(checklist(found, _origin(url if url is not None else around.variables.get("D365_URL", ""))))


def _origin(url: str) -> str:
    """Raises UsageError for what is no environment's address."""
    try:
        return Address.parse(url).origin if url.strip() else ""
    except ValueError as error:
        raise UsageError(f"--url: {error}") from None
