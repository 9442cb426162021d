"""`d365setup evidence`: is it as it was sealed?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from d365setup.cli.options import taught, with_plain_output
from d365setup.cli.output import Output
from d365setup.errors import UsageError
from d365setup.evidence import files, inspection
from d365setup.evidence.inspection import Given

_HELP = taught(
    "Say whether evidence is as it was sealed, and which bytes were altered first; with several files, whether each "
    "follows the one given before it. No network.",
    "d365setup evidence verify evidence/",
    "d365setup evidence verify plan.jsonl apply.jsonl --public-key auditor.pem",
    exits="0 unaltered, 4 altered, or a file of the chain is missing, 2 no evidence, or not readable.",
)


@click.group("evidence")
def command() -> None:
    """Look at what --evidence sealed."""


@command.command("verify", help=_HELP)
@click.argument("evidence", nargs=-1, required=True, metavar="FILE|DIR...", type=click.Path(path_type=Path))
@click.option(
    "--public-key",
    type=click.Path(path_type=Path),
    metavar="KEY.pem",
    help="Each file must be signed with the private key of this one.",
)
@with_plain_output
def verify(evidence: tuple[Path, ...], *, public_key: Path | None, output: Output) -> int:
    """Read them all, and judge."""
    key = None
    if public_key is not None:
        from d365setup.evidence.signing import verifier  # noqa: PLC0415  # it loads cryptography, and few sign

        key = verifier(files.read(public_key, files.LARGEST_KEY), str(public_key))
    given = [_read(path) for each in evidence for path in _expanded(each)]
    return output.emit(inspection.inspected(given, key))


def _expanded(path: Path) -> Iterator[Path]:
    """The evidence in a folder, in its order; a file is itself. Raises UsageError for a folder that has none."""
    if not path.is_dir():
        yield path
        return
    found = files.numbered(path)
    if not found:
        raise UsageError(f"{path} holds no evidence: `--evidence {path}` writes it there")
    yield from found


def _read(path: Path) -> Given:
    beside = path.with_name(path.name + files.SIGNATURE)
    try:
        signature = files.read(beside, files.LARGEST_KEY) if beside.exists() else None
        return Given(str(path), files.read(path), signature)
    except UsageError as error:
        return Given(str(path), problem=str(error))
