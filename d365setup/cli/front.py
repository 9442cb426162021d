"""The front door: which commands there are, and the last word when a call goes wrong before a command runs."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import click

from d365setup import __version__
from d365setup.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from d365setup.report import Form

# name -> (module, what the list of commands says); the module is loaded when its command is asked for
COMMANDS = {
    "init": ("d365setup.cli.init", "Begin in a folder: playbook, settings, a pipeline."),
    "validate": ("d365setup.cli.validate", "Check playbooks; no network, no credentials."),
    "plan": ("d365setup.cli.plan", "Show what would change, and why. Read-only."),
    "apply": ("d365setup.cli.apply", "Bring an environment to what a playbook says."),
    "destroy": ("d365setup.cli.destroy", "Take away what a playbook made."),
    "verify": ("d365setup.cli.verify", "Compare an environment with a playbook. Read-only."),
    "simulate": ("d365setup.cli.simulate", "Show where a conversation goes, and why. Read-only."),
    "audit": ("d365setup.cli.audit", "Find what strands conversations, and the cure. Read-only."),
    "export": ("d365setup.cli.export", "Write an environment as a playbook, proved. Read-only."),
    "compare": ("d365setup.cli.compare", "Show what two environments, or snapshots, differ in. Read-only."),
    "history": ("d365setup.cli.history", "List the runs done from here, or show one."),
    "rollback": ("d365setup.cli.rollback", "Take a recorded run back."),
    "doctor": ("d365setup.cli.doctor", "Sign-in, privileges, solutions: what is missing. Read-only."),
    "evidence": ("d365setup.cli.evidence", "Say whether what --evidence sealed was altered."),
    "healthbot": ("d365setup.cli.healthbot", "Make and check the Health Bot's side of the hand-off."),
    "fleet": ("d365setup.cli.fleet", "Plan, apply, verify and audit many environments."),
    "explain": ("d365setup.cli.explain", "Say what a finding or an error code means."),
    "schema": ("d365setup.cli.schema", "Print a JSON Schema: of playbooks, or of an output."),
    "emulator": ("d365setup.cli.emulator", "Serve or reset the built-in Dataverse emulator."),
}

HELP = """Bring a Dynamics 365 Omnichannel environment to what a playbook says, and prove it.

\b
Examples:
  d365setup validate playbooks/health-bot.yaml
  d365setup apply playbooks/health-bot.yaml --emulator --yes
  d365setup plan playbooks/health-bot.yaml --url https://contoso.crm.dynamics.com
"""

EXIT_CODES = """\b
Exit codes:
  0  in line, verified          5  refused: a guard, a prompt declined
  1  failed                     6  not reachable, sign-in, permission
  2  usage, invalid playbook    7  some changes landed, some did not
  3  changes pending, drift     8  throttled out, nothing written
  4  a finding, a failed test   130  interrupted

`d365setup COMMAND --help` shows a command's options and examples."""

_FORMS: tuple[Form, ...] = ("json", "markdown", "html", "junit", "sarif")
_NO_COMMAND = getattr(click.exceptions, "NoArgsIsHelpError", ())  # its message is the help; not in older clicks


class Front(LazyGroup):
    """The group of all commands, which ends every call with one exit code."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run the call and exit. Commands answer with their exit code; what click finds wrong is told here."""
        given = list(sys.argv[1:] if args is None else args)
        _speak_any_language()
        options["standalone_mode"] = False
        try:
            code = super().main(given, *rest, **options)
        except (click.ClickException, click.Abort) as error:
            code = _refused(error, given)
        except Exception as error:  # noqa: BLE001  # commands tell what goes wrong in them; this is telling gone wrong
            code = _speechless(error)
        sys.exit(code if isinstance(code, int) else 0)


def _refused(error: click.ClickException | click.Abort, given: Sequence[str]) -> int:
    """A call that click did not accept: in the form the call asked for, as far as one can tell."""
    if isinstance(error, _NO_COMMAND):
        click.echo(error.format_message(), err=True)
        return int(error.exit_code)
    from d365setup.cli.output import Output, Settings  # noqa: PLC0415  # `--help` must not load it

    return Output(Settings(format=_asked_form(given))).failed(error)


def _speechless(error: Exception) -> int:
    """The result cannot be printed, or the program is not installed whole."""
    if os.environ.get("D365_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, ImportError):
        click.echo(f"error: d365setup is not installed whole ({error}); install it again", err=True)
    else:
        click.echo(f"error: the result cannot be printed ({type(error).__name__}: {error})", err=True)
    return 1


def _asked_form(given: Sequence[str]) -> Form:
    """The format a call asks for, as far as one can tell; text where it names none."""
    asked = [each.removeprefix("--format=") for each in given if each.startswith("--format=")]
    asked += [value for option, value in pairwise(given) if option == "--format"]
    return next((form for form in _FORMS if form in asked), "text")


def _speak_any_language() -> None:
    """A terminal that lacks a character gets its escape, not a crash in the middle of a report."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


main = Front(
    "d365setup",
    COMMANDS,
    help=HELP,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    subcommand_metavar="COMMAND [OPTIONS]",
)
main = click.version_option(__version__, prog_name="d365setup", message="%(prog)s %(version)s")(main)
