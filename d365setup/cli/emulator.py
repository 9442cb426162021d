"""`d365setup emulator`: a Dataverse on loopback, to try and rehearse against."""

from __future__ import annotations

import importlib
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from d365setup.cli.emulated import options_of
from d365setup.cli.environment import Surroundings, emulator_package, open_emulator
from d365setup.cli.options import Command, ended, seconds, taught
from d365setup.cli.output import Output
from d365setup.errors import UsageError

if TYPE_CHECKING:
    from d365setup.emulator import Emulator, Organizations

Fixture = Literal["clinic", "empty"]
_LAST_PORT = 65535

_SERVE = taught(
    "Serve the emulator until Ctrl-C. The first line on stdout says where it listens; any bearer token is accepted, "
    "unless there are users.",
    "d365setup emulator serve --port 5000",
    "d365setup emulator serve --data rehearsal.db --rtt 80ms --op-time 30ms",
    "d365setup emulator serve --limit requests=20 --limit window=5s --fault drop-after:path=batch:times=2",
    "d365setup emulator serve --user 'admin=Ada:Omnichannel administrator'",
    "d365setup emulator serve --tls --port 5001",
    "d365setup emulator serve --orgs 20 --port 5000 --data fleet.db",
    "D365_ACCESS_TOKEN=any d365setup plan contoso.yaml --url http://127.0.0.1:5000",
)
_RESET = taught(
    "Throw the emulator's rows away and begin again with a fixture.",
    "d365setup emulator reset",
    "d365setup emulator reset --data rehearsal.db --fixture empty",
    "d365setup emulator reset --workstream 'Intake chat' --person intake.one@contoso.example",
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
@click.option(
    "--orgs",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    metavar="N",
    help="Organizations to serve, each on a port of its own: --port and those behind it. One line each on stdout.",
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
@click.option(
    "--scenario-import",
    type=click.Choice(["kept", "rewritten"]),
    default="kept",
    show_default=True,
    help="What the Health Bot's import does to a scenario: keep id and code's text, active; or a new id, code written "
    "anew, inactive.",
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
def serve(*, port: int, orgs: int, data: Path | None, tls: bool, tls_dir: Path | None, **chosen: Any) -> int:
    """Serve until somebody ends it."""
    if tls and chosen["users"]:
        raise UsageError("--tls and --user exclude each other: with --tls the token says whose it is")
    if tls_dir is not None and not tls:
        raise UsageError("--tls-dir goes with --tls")
    if port and port + orgs - 1 > _LAST_PORT:
        raise UsageError(f"--orgs {orgs} from --port {port} on goes past port {_LAST_PORT}; choose a lower port")
    found = _organizations(_file(data), options_of(emulator_package(), **chosen), orgs)
    bundle = _beside(found, tls_dir or _file(data).parent / "emulator-tls") if tls else None
    try:
        with _ended_by_signals(), suppress(KeyboardInterrupt):
            found.serve_forever(port, lambda urls: _ready(urls, bundle))
    except OSError as error:
        ports = f"port {port}" if orgs == 1 else f"one of the {orgs} ports from {port} on"
        raise UsageError(f"{ports} cannot be served: {error.strerror}; choose another, or none") from None
    return 0


def _organizations(data: Path, options: Any, count: int) -> Organizations:
    """They, not serving yet. Raises UsageError where the files cannot be used, or a user is not there."""
    try:
        found: Organizations = emulator_package().Organizations(data, options, count)
    except LookupError as error:
        raise UsageError(f"--user: {error.args[0]}") from None
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"the emulator's data in {data}: {error}") from None
    return found


@command.command("reset", help=_RESET)
@_data
@_fixture
@click.option(
    "--workstream", "workstreams", multiple=True, metavar="NAME", help="With this work stream beside it. Repeats."
)
@click.option(
    "--person", "people", multiple=True, metavar="ADDRESS", help="With this person, who can serve, beside it. Repeats."
)
@_reported
def reset(*, data: Path | None, fixture: Fixture, workstreams: tuple[str, ...], people: tuple[str, ...]) -> int:
    """Begin again."""
    if not all(each.strip() for each in workstreams):
        raise UsageError("--workstream is empty; give it a name")
    for each in people:
        if "@" not in each.strip("@ "):
            raise UsageError(f"--person {each[:60]!r} is no e-mail address")
    path = _file(data)
    emulator = open_emulator(path)
    try:
        emulator.reset(fixture)
        _add(emulator, workstreams, people)
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be reset: {error}; is another process serving it?") from None
    finally:
        emulator.close()
    click.echo(f"{path} begins again with the fixture {fixture}")
    return 0


def _add(emulator: Emulator, workstreams: tuple[str, ...], people: tuple[str, ...]) -> None:
    """What the fixture has already is not added again."""
    there = {str(name).lower() for (name,) in emulator.sql("SELECT internalemailaddress FROM systemuser")}
    streams = {str(name).lower() for (name,) in emulator.sql("SELECT msdyn_name FROM msdyn_liveworkstream")}
    for name in dict.fromkeys(each.strip() for each in workstreams):
        if name.lower() not in streams:
            emulator.add_workstream(name)
    for address in dict.fromkeys(each.strip().lower() for each in people):
        if address not in there:
            emulator.add_person(address)


def _file(data: Path | None) -> Path:
    return data or Surroundings.here().state_dir(None) / "emulator.db"


def _beside(organizations: Organizations, folder: Path) -> Path:
    """Put a sign-in service beside each, all with one directory; the path of the CA file. Raises UsageError."""
    entra: Any = importlib.import_module("d365setup.emulator.entra")
    try:
        bundles = [entra.attach(each, folder).ca_bundle.resolve() for each in organizations.emulators]
        found: Path = bundles[0]
    except (OSError, TypeError, ValueError) as error:
        organizations.close()
        raise UsageError(f"--tls: {error}") from None
    return found


def _ready(urls: Sequence[str], bundle: Path | None) -> None:
    """The first two lines are as for one organization."""
    click.echo(f"listening on {urls[0]}")  # click.echo flushes
    if bundle is not None:
        click.echo(f"ca bundle {bundle}")
    for url in urls[1:]:
        click.echo(f"listening on {url}")


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
