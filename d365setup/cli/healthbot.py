"""`d365setup healthbot`: the Health Bot's side of the hand-off. Each command is in a module of its own."""

from __future__ import annotations

from d365setup.cli.lazy import LazyGroup

# name -> (module, what the list of commands says); the module is loaded when its command is asked for
COMMANDS = {
    "generate": ("d365setup.cli.healthbot_generate", "Make the scenarios of a playbook; no network."),
    "check": ("d365setup.cli.healthbot_check", "Hold the bot's side against a playbook. Read-only."),
    "checklist": ("d365setup.cli.healthbot_checklist", "Tell what only a person can do; no network."),
    "pull": ("d365setup.cli.healthbot_pull", "Write the bot's scenarios into a folder. Read-only."),
    "push": ("d365setup.cli.healthbot_push", "Import scenarios into the bot, and read them back."),
}


command = LazyGroup("healthbot", COMMANDS, help="Make and check the Health Bot's side of the hand-off.")
