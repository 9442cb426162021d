"""`d365setup fleet`: one playbook, or several, and all environments. Each command is in a module of its own."""

from __future__ import annotations

import importlib

import click

from d365setup.cli.options import taught

# name -> (module, what the list of commands says); the module is loaded when its command is asked for
COMMANDS = {
    "plan": ("d365setup.cli.fleet_plan", "Show what would change in each environment. Read-only."),
    "apply": ("d365setup.cli.fleet_apply", "Bring all environments to what playbooks say, in waves."),
    "verify": ("d365setup.cli.fleet_verify", "Compare each environment with its playbook. Read-only."),
    "audit": ("d365setup.cli.fleet_audit", "Find what strands conversations in each. Read-only."),
}


class FleetGroup(click.Group):
    """A group that loads a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order people meet them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load it; None for a name that is no command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without loading one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])


_HELP = taught(
    "Plan, apply, verify and audit many environments with one call: those of a fleet file (docs/fleet.md).",
    "d365setup fleet plan fleet.yaml",
    "d365setup fleet apply fleet.yaml --only group=canary --yes",
    "d365setup fleet verify fleet.yaml --report matrix.html",
)

command = FleetGroup("fleet", help=_HELP)
