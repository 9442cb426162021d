"""`--evidence`: what a command took in, saw and did goes into a sealed file before the command ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from d365setup.cli.notebook import Notebook
from d365setup.cli.options import Command, gathered
from d365setup.cli.output import Output
from d365setup.errors import UsageError

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class Sealing:
    """Whether evidence is wanted, and how."""

    evidence: Path | None = None
    evidence_after: Path | None = None
    sign_key: Path | None = None


_with_sealing = gathered(
    Sealing,
    "sealing",
    click.option(
        "--evidence",
        type=_FILE,
        metavar="FILE|DIR",
        help="Seal what was read, found and done in a new file; in a folder, behind the last one there.",
    ),
    click.option(
        "--evidence-after", type=_FILE, metavar="FILE", help="The evidence that the new file is written behind."
    ),
    click.option(
        "--sign-key",
        type=_FILE,
        metavar="KEY.pem",
        help="Sign the evidence with this private key. [password: D365_EVIDENCE_KEY_PASSWORD]",
    ),
)


def with_evidence(command: Command) -> Command:
    """Add the options; stands below `with_output`, whose output then seals when the command ends."""

    @wraps(command)
    def call(*, sealing: Sealing, output: Output, **values: Any) -> int:
        _begin(sealing, output.notebook)
        return command(output=output, **values)

    return _with_sealing(call)


def _begin(sealing: Sealing, notebook: Notebook) -> None:
    """Raises UsageError and Refused, before anything is done, where it could not be sealed in the end."""
    if sealing.evidence is None:
        for option, value in (("--evidence-after", sealing.evidence_after), ("--sign-key", sealing.sign_key)):
            if value is not None:
                raise UsageError(f"{option} goes with --evidence")
        return
    from d365setup.cli.seal import seal_of  # noqa: PLC0415  # seldom wanted, and every start would load it

    notebook.seal = seal_of(sealing.evidence, sealing.evidence_after, sealing.sign_key, notebook)
