"""`d365setup fleet`: one playbook, or several, and all environments. Each command is in a module of its own."""

from __future__ import annotations

from d365setup.cli.lazy import LazyGroup
from d365setup.cli.options import taught

# name -> (module, what the list of commands says); the module is loaded when its command is asked for
COMMANDS = {
    "plan": ("d365setup.cli.fleet_plan", "Show what would change in each environment. Read-only."),
    "apply": ("d365setup.cli.fleet_apply", "Bring all environments to what playbooks say, in waves."),
    "verify": ("d365setup.cli.fleet_verify", "Compare each environment with its playbook. Read-only."),
    "audit": ("d365setup.cli.fleet_audit", "Find what strands conversations in each. Read-only."),
}


_HELP = taught(
    "Plan, apply, verify and audit many environments with one call: those of a fleet file (docs/fleet.md).",
    "d365setup fleet plan fleet.yaml",
    "d365setup fleet apply fleet.yaml --only group=canary --yes",
    "d365setup fleet verify fleet.yaml --report matrix.html",
)

command = LazyGroup("fleet", COMMANDS, help=_HELP)
