"""`d365setup emulator`: a Dataverse on loopback, to try and rehearse against."""

from __future__ import annotations

import dataclasses
import importlib
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
    from d365setup.emulator import Emulator, Limits, Switches

Fixture = Literal["clinic", "empty"]

_SERVE = taught(
    "Serve the emulator until Ctrl-C. The first line on stdout says where it listens; any bearer token is accepted, "
    "unless there are users.",
    "d365setup emulator serve --port 5000",
    "d365setup emulator serve --data rehearsal.db --rtt 80ms --op-time 30ms",
    "d365setup emulator serve --limit requests=20 --limit window=5s --fault drop-after:path=batch:times=2",
    "d365setup emulator serve --user 'admin=Ada:Omnichannel administrator'",
    "d365setup emulator serve --tls --port 5001",
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
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="TOKEN=NAME[:ROLE,…]",
    help="Whom this token acts as: name, address or id of a user; with roles it is made. Repeats. "
    "[default: any token is a System Administrator]",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    help="Service protection: requests=6000, execution=1200s, concurrent=52, window=300s. Repeats.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="RULE",
    help="What shall fail, e.g. 429:path=queues:times=3, drop-after, slow:time=2s, stale:reads=3. Repeats.",
)
@click.option("--fault-rate", type=click.FloatRange(0, 1), default=0.0, metavar="SHARE", help="Fail by chance.")
@click.option("--fault-seed", type=int, default=0, metavar="N", help="What chance begins with.")
@click.option(
    "--tls",
    is_flag=True,
    help="Serve https with an emulated Entra ID beside it, whose tokens are the only ones accepted. "
    "The second line on stdout names the file for --ca-bundle.",
)
@click.option(
    "--tls-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where certificate, keys and directory.json (applications, secrets, people) are kept; made on first use. "
    "[default: emulator-tls beside the data file]",
)
@_reported
def serve(*, port: int, data: Path | None, tls: bool, tls_dir: Path | None, **chosen: Any) -> int:
    """Serve until somebody ends it."""
    if tls and chosen["users"]:
        raise UsageError("--tls and --user exclude each other: with --tls the token says whose it is")
    if tls_dir is not None and not tls:
        raise UsageError("--tls-dir goes with --tls")
    options = _options(emulator_package(), **chosen)
    try:
        emulator = open_emulator(_file(data), options)
    except LookupError as error:
        raise UsageError(f"--user: {error.args[0]}") from None
    bundle = _beside(emulator, tls_dir or _file(data).parent / "emulator-tls") if tls else None
    try:
        with _ended_by_signals(), suppress(KeyboardInterrupt):
            emulator.serve_forever(port, lambda url: _ready(url, bundle))
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


def _beside(emulator: Emulator, folder: Path) -> Path:
    """Put a sign-in service beside it; the path of the CA file. Raises UsageError."""
    entra: Any = importlib.import_module("d365setup.emulator.entra")
    try:
        found: Path = entra.attach(emulator, folder).ca_bundle.resolve()
    except (OSError, TypeError, ValueError) as error:
        emulator.close()
        raise UsageError(f"--tls: {error}") from None
    return found


def _ready(url: str, bundle: Path | None) -> None:
    click.echo(f"listening on {url}")  # click.echo flushes
    if bundle is not None:
        click.echo(f"ca bundle {bundle}")


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


def _options(package: Any, **chosen: Any) -> Any:
    """The emulator's options; raises UsageError for what cannot be understood."""
    try:
        given = {
            **chosen,
            "switches": _switches(package.Switches, chosen["switches"]),
            "users": _users(chosen["users"]),
            "limits": _limits(package.Limits, chosen["limits"]),
            "faults": tuple(package.fault_of(each) for each in chosen["faults"]),
        }
    except ValueError as error:
        raise UsageError(f"--fault {error}") from None
    return package.Options(**given)


def _users(given: tuple[str, ...]) -> dict[str, str]:
    """Users by token. Raises UsageError."""
    found = {}
    for number, each in enumerate(given, 1):
        token, equals, who = each.partition("=")
        if not equals or not token.strip() or not who.partition(":")[0].strip():
            raise UsageError(f"--user, number {number}: it takes TOKEN=NAME or TOKEN=NAME:ROLE,ROLE")
        found[token.strip()] = who.strip()
    return found


def _limits(kind: type[Limits], given: tuple[str, ...]) -> Limits:
    """The published limits with what was given in place. Raises UsageError, listing all there are."""
    chosen: dict[str, Any] = {}
    for each in given:
        name, _, value = each.partition("=")
        if name in {"requests", "concurrent"} and value.isascii() and value.isdecimal():
            chosen[name] = int(value)
        elif name in {"execution", "window"} and value:
            chosen[name] = seconds(value)
        else:
            raise UsageError(
                f"--limit {each}: it takes NAME=VALUE, one of requests=N, concurrent=N, execution=TIME, window=TIME"
            )
    return dataclasses.replace(kind(), **chosen)


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
