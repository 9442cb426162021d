"""The option --waivers, and what commands do with the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click

from d365setup import waivers
from d365setup.cli.output import Output
from d365setup.evidence.chain import sha256
from d365setup.model import Note, ResourceId

with_waivers = click.option(
    "--waivers",
    "answered",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Findings that somebody answers for until a day: listed, and not counted. One that has expired fails.",
)


def loaded_waivers(path: Path | None, output: Output) -> waivers.Waivers | None:
    """The waivers of the file, noted for evidence. Raises UsageError and WaiversError."""
    if path is None:
        return None
    found = waivers.load(path)
    output.notebook.took("waivers", str(path), sha256(path.read_bytes()))
    return found


def today() -> date:
    """The day waivers are held against: that of UTC, the same wherever a pipeline runs."""
    return datetime.now(UTC).date()


def expired(found: waivers.Waivers | None) -> Iterator[Note]:
    """For a command that shows no findings: which of the waivers no longer hold."""
    for waiver, trouble in waivers.expired(found, today()) if found else ():
        yield Note("error", ResourceId("waiver", waiver.finding), trouble.message, trouble.source)
