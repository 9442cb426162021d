"""`d365setup emulator`: a Dataverse on loopback, to try and rehearse against."""

from __future__ import annotations

import dataclasses
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

import click

from d365setup.cli.environment import Surroundings, emulator_package, open_emulator
from d365setup.cli.options import Command, ended, seconds, taught
from d365setup.cli.output import Output
from d365setup.errors import UsageError

if TYPE_CHECKING:
    from d365setup.emulator import Switches

Fixture = Literal["clinic", "empty"]

_SERVE = taught(
    "Serve the emulator until Ctrl-C. The first line on stdout says where it listens; any bearer token is accepted.",
    "d365setup emulator serve --port 5000",
    "d365setup emulator serve --data rehearsal.db --rtt 80ms --op-time 30ms",
    "D365_ACCESS_TOKEN=any d365setup plan contoso.yaml --url http://127.0.0.1:5000",
)
_RESET = taught(
    "Throw the emulator's rows away and begin again with a fixture.",
    "d365setup emulator reset",
    "d365setup emulator reset --data rehearsal.db --fixture empty",
)


_data = click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the rows are kept. [default: .d365setup/emulator.db, as for --emulator]",
)
_fixture = click.option(
    "--fixture",
    type=click.Choice(get_args(Fixture)),
    default="clinic",
    show_default=True,
    help="What a new file begins with: a clinic with people and a work stream, or a bare environment.",
)


@click.group("emulator", help="Serve or reset the built-in Dataverse emulator. It binds loopback addresses only.")
def command() -> None:
    """Group the two."""


def _reported(act: Command) -> Command:
    """What the command raises becomes a message on stderr and an exit code; both print plain lines only."""

    @wraps(act)
    def call(**values: Any) -> int:
        return ended(lambda: act(**values), Output())

    return call


@command.command("serve", help=_SERVE)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port. [default: one the system chooses]"
)
@_data
@_fixture
@click.option("--rtt", type=seconds, default="0", metavar="TIME", help="Added to each request, e.g. 80ms.")
@click.option("--op-time", type=seconds, default="0", metavar="TIME", help="Added to each operation, e.g. 30ms.")
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="How to answer where the published sources disagree. Repeats; a wrong one lists them all.",
)
@_reported
def serve(
    *, port: int, data: Path | None, fixture: Fixture, rtt: float, op_time: float, switches: tuple[str, ...]
) -> int:
    """Serve until somebody ends it."""
    package = emulator_package()
    options = package.Options(fixture=fixture, switches=_switches(package.Switches, switches), rtt=rtt, op_time=op_time)
    emulator = open_emulator(_file(data), options)
    try:
        with _ended_by_signals(), suppress(KeyboardInterrupt):
            emulator.serve_forever(port, _ready)
    except OSError as error:
        raise UsageError(f"port {port} cannot be served: {error.strerror}; choose another, or none") from None
    return 0


@command.command("reset", help=_RESET)
@_data
@_fixture
@_reported
def reset(*, data: Path | None, fixture: Fixture) -> int:
    """Begin again."""
    path = _file(data)
    emulator = open_emulator(path)
    try:
        emulator.reset(fixture)
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be reset: {error}; is another process serving it?") from None
    finally:
        emulator.close()
    click.echo(f"{path} begins again with the fixture {fixture}")
    return 0


def _file(data: Path | None) -> Path:
    return data or Surroundings.here().state_dir(None) / "emulator.db"


def _ready(url: str) -> None:
    click.echo(f"listening on {url}")  # click.echo flushes


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _switches(kind: type[Switches], given: tuple[str, ...]) -> Switches:
    """The defaults with what was given in place. Raises UsageError, listing all there are."""
    known = {name: get_args(hint) for name, hint in get_type_hints(kind).items()}
    chosen: dict[str, Any] = {}
    for each in given:
        name, _, value = each.partition("=")
        is_number = name in known and not known[name] and value.isascii() and value.isdecimal()
        if value not in known.get(name, ()) and not is_number:
            told = "; ".join(f"{switch}={'|'.join(values) or 'N'}" for switch, values in known.items())
            raise UsageError(f"--switch {each}: it takes NAME=VALUE, one of {told}")
        chosen[name] = int(value) if is_number else value
    return dataclasses.replace(kind(), **chosen)
