"""`d365setup export`: an environment, or its part, as a playbook whose plan there is empty."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from d365setup.cli.environment import reached
from d365setup.cli.export_update import known, updated
from d365setup.cli.exported import Naming, NotProved, prove, read_export, told
from d365setup.cli.options import Given, Target, gathered, taught, with_plain_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.sealing import with_evidence
from d365setup.errors import Refused, UsageError
from d365setup.exporting import NAMES, Chosen, part_of
from d365setup.report import ErrorReport

_HELP = taught(
    "Write an environment, or a part of it, as a playbook: names instead of ids, people by their addresses, rules in "
    "their order. What a playbook cannot say stays untouched, and a comment says so at its place. Before anything is "
    "written it is proved: the playbook's plan on this environment is empty. An account of what it has and "
    "what stays untouched comes with it: --report keeps it, --format says how it is printed. Sends nothing but reads.",
    "d365setup export --url https://contoso.crm.dynamics.com --out contoso.yaml",
    "d365setup export --workstream 'Patient chat' --name patient-chat --emulator",
    "d365setup export --update contoso.yaml --url https://contoso.crm.dynamics.com",
    "d365setup export --url https://contoso.crm.dynamics.com --out contoso.yaml --report contoso.html",
    "d365setup export --queue Nurses --queue Billing --bot 'Contoso Health Bot' --url https://contoso.crm.dynamics.com",
    exits="0 exported and proved, 1 a name is not there or the proof failed (nothing is written then), 5 the file is "
    "there already.",
)


@dataclass(frozen=True)
class Asked:
    """Which part, and where it goes."""

    workstream: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    bot: tuple[str, ...] = ()
    out: Path | None = None
    name: str | None = None
    update: Path | None = None

    @property
    def chosen(self) -> Chosen:
        """The part."""
        return Chosen(self.workstream, self.queue, self.bot)


_with_asked = gathered(
    Asked,
    "asked",
    click.option(
        "--workstream",
        multiple=True,
        metavar="NAME",
        help="Only this work stream, and the queues it leads to. Repeats.",
    ),
    click.option("--queue", multiple=True, metavar="NAME", help="Only this queue, and the bots in it. Repeats."),
    click.option("--bot", multiple=True, metavar="NAME|ID", help="Only this bot, by name or application id. Repeats."),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write it there; a file that is there is never overwritten. [default: stdout]",
    ),
    click.option("--name", metavar="NAME", help="The playbook's name. [default: the organization's]"),
    click.option(
        "--update",
        type=click.Path(path_type=Path),
        metavar="PLAYBOOK",
        help="Bring this playbook in line with the environment instead; comments, order and variables stay.",
    ),
)


@click.command("export", help=_HELP)
@_with_asked
@with_variables
@with_target
@with_plain_output
@with_evidence
def command(asked: Asked, *, given: Given, target: Target, output: Output) -> int:
    """Read, write down, prove."""
    _check(asked, given, output)
    try:
        return _updated(asked.update, given, target, output) if asked.update else _exported(asked, target, output)
    except NotProved as error:
        return output.emit(ErrorReport(str(error), error.exit_code, error.problems))


def _exported(asked: Asked, target: Target, output: Output) -> int:
    with reached(target, output, read_only=True) as (client, _):
        part = part_of(asked.chosen, *client.read(NAMES))
        found = read_export(client, part, Naming(asked.name or ""), target.expect_organization or "", output)
        text = found.export.text
        proved = prove(client, text, found.export.variables, output)
    if asked.out is None:
        click.echo(text, nl=False)
        return output.emit(told(found, proved, text.encode(), "printed"), beside=True)
    _keep(asked.out, text)
    return output.emit(told(found, proved, text.encode(), "written", asked.out))


def _updated(path: Path, given: Given, target: Target, output: Output) -> int:
    playbook = known(path, given, target, output)
    with reached(target, output, read_only=True) as (client, _):
        return output.emit(updated(client, path, playbook, target, output))


def _check(asked: Asked, given: Given, output: Output) -> None:
    """Raises what is wrong with the call, before anything is sent."""
    _check_printing(asked, output)
    if asked.update is not None and (asked.out or asked.name is not None or not asked.chosen.is_everything):
        raise UsageError("--update takes its part and its name from the playbook: leave the other options out")
    if asked.update is None and given.var:
        raise UsageError("--var goes with --update: an export finds the values itself")
    if asked.name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", asked.name):
        raise UsageError("--name takes up to 60 lower-case letters, digits and -: it becomes part of row ids")
    if asked.out is not None and asked.out.exists():
        raise Refused(_there(asked.out))
    if asked.out is not None and not asked.out.absolute().parent.is_dir():
        raise UsageError(f"--out {asked.out}: there is no folder {asked.out.parent}")


def _check_printing(asked: Asked, output: Output) -> None:
    """Without a file for it the playbook itself is on stdout, whole."""
    settings = output.settings
    if asked.out is None and asked.update is None and (settings.format != "text" or settings.redact):
        option = f"--format {settings.format}" if settings.format != "text" else "--redact"
        raise UsageError(f"{option} is for the account of the export; say with --out FILE where the playbook goes")


def _there(path: Path) -> str:
    told = f"--out {path}: the file is there already, and is never overwritten"
    return f"{told}; name another one, or bring a playbook in line with --update {path}"


def _keep(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(_there(path)) from None
    except OSError as error:
        raise UsageError(f"--out {path} cannot be written: {error.strerror}") from None
