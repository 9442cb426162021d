"""`d365setup healthbot`: the Health Bot's side of the hand-off. Each command is in a module of its own."""

from __future__ import annotations

import importlib

import click

# name -> (module, what the list of commands says); the module is loaded when its command is asked for
COMMANDS = {
    "generate": ("d365setup.cli.healthbot_generate", "Make the scenarios of a playbook; no network."),
    "check": ("d365setup.cli.healthbot_check", "Hold the bot's side against a playbook. Read-only."),
    "checklist": ("d365setup.cli.healthbot_checklist", "Tell what only a person can do; no network."),
    "pull": ("d365setup.cli.healthbot_pull", "Write the bot's scenarios into a folder. Read-only."),
    "push": ("d365setup.cli.healthbot_push", "Import scenarios into the bot, and read them back."),
}


class HealthBot(click.Group):
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


command = HealthBot("healthbot", help="Make and check the Health Bot's side of the hand-off.")
