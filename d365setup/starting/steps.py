"""What to type next in a new folder, as a shell takes it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from d365setup.starting.choices import Choices
from d365setup.starting.files import PLAYBOOK

# What the emulator's clinic has from the start (its own module knows, and may not be imported here).
CLINIC_WORKSTREAM = "Patient chat"
CLINIC_PEOPLE = frozenset({"nurse.one@contoso.example", "nurse.two@contoso.example"})


def next_steps(choices: Choices, folder: str) -> Iterator[tuple[str, str]]:
    """Commands, each with what it does; the first ones need no environment."""
    if folder != ".":
        yield f"cd {shlex.quote(folder)}", "the settings in .env count in this folder"
    stream = () if choices.workstream == CLINIC_WORKSTREAM else ("--workstream", choices.workstream)
    people = [option for each in choices.people if each not in CLINIC_PEOPLE for option in ("--person", each)]
    if stream or people:
        yield _call("emulator", "reset", *stream, *people), "give the emulator your names"
    yield _call("validate", PLAYBOOK, "--examples"), "check the playbook, run its tests"
    yield _call("apply", PLAYBOOK, "--emulator"), "rehearse; no environment is touched"
    yield _call("doctor", PLAYBOOK), "once .env is filled in: sign-in and privileges"


def _call(*arguments: str) -> str:
    return shlex.join(("d365setup", *arguments))
