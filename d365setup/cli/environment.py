"""From options and environment variables to a client: which environment, who signs in, the emulator if asked for."""

from __future__ import annotations

import importlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from d365setup import __version__
from d365setup.cli.beside import Beside, Found, Surrounding, of_playbook
from d365setup.cli.options import Given, Target
from d365setup.cli.output import Output
from d365setup.cli.signin import CA_BUNDLE, SECRETS, Call, Choice, chosen
from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.dataverse.sessions import existing_bundle
from d365setup.dataverse.shared_gate import default_folder
from d365setup.errors import UsageError
from d365setup.evidence.chain import sha256
from d365setup.journal import Runs
from d365setup.kinds import discover, specs
from d365setup.playbook import COMMAND_LINE, Environ, Giver, Playbook, environment, load_file
from d365setup.report.visible import visible
from d365setup.session import Session

if TYPE_CHECKING:
    from d365setup.emulator import Emulator

NO_TARGET = (
    "say which environment: --url https://contoso.crm.dynamics.com (or D365_URL), "
    "or --emulator for the built-in emulator"
)
NO_EMULATOR = "the emulator is not installed: pip install 'd365setup[emulator]'"
STATE_DIR = ".d365setup"
LONG_WAIT = 5.0  # seconds after which somebody who watches begins to wonder


@dataclass(frozen=True)
class Surroundings:
    """Environment variables and `.env`, read once."""

    variables: Environ

    @classmethod
    def here(cls) -> Surroundings:
        """Those of this process and folder."""
        return cls(environment(Path.cwd()))

    @property
    def for_playbooks(self) -> Environ:
        """The same without the secrets we sign in with: no playbook can carry them away."""
        left = Environ({name: value for name, value in self.variables.items() if name not in SECRETS})
        left.from_file = self.variables.from_file - SECRETS
        return left

    def state_dir(self, given: Path | None) -> Path:
        """Where things are kept that last between runs."""
        return given or Path(self.variables.get("D365_STATE_DIR") or STATE_DIR)

    @property
    def gate_folder(self) -> Path:
        """Where processes of this user tell each other that the service asked to wait."""
        given = self.variables.get("D365_GATE_DIR", "").strip()
        return Path(given) if given else default_folder(self.variables)


@dataclass(frozen=True)
class Place:
    """A client for the target, who signs in, and the emulator where it is the built-in one."""

    client: Client
    choice: Choice
    emulator: Emulator | None = None


class Waits:
    """What is said of waits while they last: each with --verbose, else those of five seconds and more.

    Of the workers who wait for the same moment one is enough to say so.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._until = float("-inf")

    def told(self, seconds: float, reason: str) -> None:
        """Called by each worker that waits."""
        self._output.waiting(seconds, reason)
        if not self._output.settings.verbose and seconds >= LONG_WAIT and self._is_news(seconds):
            click.echo(f"waiting {seconds:.0f} s: {reason}", err=True)

    def noted(self, text: str) -> None:
        """Why other processes cannot wait with us, with --verbose."""
        if self._output.settings.verbose:
            click.echo(visible(text), err=True)

    def _is_news(self, seconds: float) -> bool:
        with self._lock:
            until = time.monotonic() + seconds
            is_news = until > self._until + 1
            self._until = max(self._until, until)
        return is_news


def loaded(path: Path, given: Given, around: Surroundings, *, examples: bool, giver: Giver = COMMAND_LINE) -> Playbook:
    """The playbook; raises PlaybookError with all its mistakes. ``giver`` is who gives what is given, for them."""
    return load_file(path, specs(discover()), given.variables, around.for_playbooks, examples=examples, giver=giver)


@contextmanager
def opened(
    path: Path,
    given: Given,
    target: Target,
    output: Output,
    *,
    read_only: bool,
    playbook: Playbook | None = None,
    beside: Beside | None = None,
) -> Iterator[Session]:
    """The playbook (unless it was loaded before), and a client for the target; with ``beside``, its Health Bot too.

    What is wrong with the call is told before anything is sent.
    """
    around = Surroundings.here()
    url = _chosen(target, around.variables)
    playbook = playbook or loaded(path, given, around, examples=target.emulator)
    with _reached(url, target, around, output, read_only=read_only) as place, ExitStack() as stack:
        for name, text in playbook.texts:
            output.notebook.took("playbook", name, sha256(text.encode("utf-8", "surrogatepass")))
        other = Found()
        if beside is not None:
            surrounding = Surrounding(beside, target, output, place.emulator, read_only)
            other = stack.enter_context(of_playbook(playbook, surrounding))
        runs = Runs(around.state_dir(target.state_dir))
        yield Session(place.client, discover(), playbook, runs, other=other.side, remarks=other.remarks)


@contextmanager
def reached(target: Target, output: Output, *, read_only: bool) -> Iterator[tuple[Client, Choice]]:
    """A client for the target without a playbook, and who signs in. Raises UsageError before anything is sent."""
    with reached_place(target, output, read_only=read_only) as found:
        yield found.client, found.choice


@contextmanager
def reached_place(target: Target, output: Output, *, read_only: bool) -> Iterator[Place]:
    """As `reached`, with the emulator where one is served."""
    around = Surroundings.here()
    url = _chosen(target, around.variables)
    with _reached(url, target, around, output, read_only=read_only) as found:
        if output.notebook.seal is not None:  # evidence says who looked; nobody else needs to know
            output.notebook.user_id = str((found.client.get("WhoAmI").body or {}).get("UserId", ""))
        yield found


def _chosen(target: Target, variables: Mapping[str, str]) -> str:
    """The URL to use, or "" for the emulator. A URL of the environment gives way to --emulator on the command line."""
    if target.expect_organization is not None and not target.expect_organization.strip():
        raise UsageError("--expect-organization is empty, and would expect nothing; name the organization or its id")
    if target.url is not None and target.emulator:
        raise UsageError(f"--url and --emulator exclude each other; {NO_TARGET}")
    if target.emulator:
        return ""
    if target.emulator_data is not None:
        raise UsageError("--emulator-data goes with --emulator")
    url = variables.get("D365_URL", "") if target.url is None else target.url
    if not url:
        raise UsageError(NO_TARGET)
    try:
        return Address.parse(url).origin
    except ValueError as error:
        raise UsageError(f"{'--url' if target.url else 'D365_URL'}: {error}") from None


@contextmanager
def _reached(url: str, target: Target, around: Surroundings, output: Output, *, read_only: bool) -> Iterator[Place]:
    if url:
        bundle = target.ca_bundle or _path(around.variables.get(CA_BUNDLE, ""))
        with _translated():
            existing_bundle(bundle)
            choice = chosen(Call(around.variables, url, bundle, target.device_code))
        folder = around.gate_folder
        with _client(url, choice, bundle, target, output, gate_folder=folder, read_only=read_only) as client:
            yield Place(client, choice)
        return
    emulator = open_emulator(target.emulator_data or around.state_dir(target.state_dir) / "emulator.db")
    choice = Choice("no sign-in", "the built-in emulator needs none", StaticToken("emulator"), ())
    try:
        with (
            emulator.serve(),
            _client(emulator.url, choice, None, target, output, read_only=read_only) as client,
        ):
            yield Place(client, choice, emulator)
    finally:
        emulator.close()


def _path(text: str) -> Path | None:
    return Path(text.strip()) if text.strip() else None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from None


def _client(  # what a client is made of
    url: str,
    choice: Choice,
    bundle: Path | None,
    target: Target,
    output: Output,
    *,
    read_only: bool,
    gate_folder: Path | None = None,
) -> Client:
    waits = Waits(output)
    output.notebook.sign_in, output.notebook.application = choice.title, choice.application
    with _translated():
        client = Client(
            url,
            choice.source,
            read_only=read_only,
            product=f"d365setup/{__version__}",
            ca_bundle=bundle,
            max_wait=target.max_wait,
            on_wait=waits.told,
            gate_folder=gate_folder,
            on_note=waits.noted,
        )
    output.notebook.clients.append(client)
    return client


def open_emulator(data: Path, options: Any = None) -> Emulator:
    """The emulator over that file, not serving yet. Raises UsageError where that cannot be."""
    package = emulator_package()
    try:
        found: Emulator = package.Emulator(data, options)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"the emulator's data in {data}: {error}") from None
    return found


def emulator_package() -> Any:
    """The package of the emulator. Raises UsageError where the extra is not installed."""
    try:
        return importlib.import_module("d365setup.emulator")
    except ModuleNotFoundError as error:
        raise UsageError(f"{NO_EMULATOR} ({error.name} is missing)") from None
