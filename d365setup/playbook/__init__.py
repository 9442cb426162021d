"""Playbooks: from YAML text to specs, strictly. Every mistake is told at once, each with its file, line and column."""

from d365setup.playbook.document import (
    End,
    Escalate,
    Expect,
    HealthBot,
    Playbook,
    PlaybookTest,
    Scenario,
    Step,
    Transfer,
)
from d365setup.playbook.loading import load, load_file, load_texts
from d365setup.playbook.schema import json_schema
from d365setup.playbook.variables import COMMAND_LINE, Environ, Giver, VariableUse, environment

__all__ = [
    "COMMAND_LINE",
    "End",
    "Environ",
    "Escalate",
    "Expect",
    "Giver",
    "HealthBot",
    "Playbook",
    "PlaybookTest",
    "Scenario",
    "Step",
    "Transfer",
    "VariableUse",
    "environment",
    "json_schema",
    "load",
    "load_file",
    "load_texts",
]
