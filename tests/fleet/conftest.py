from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator import Emulator, Options
from tests.cli.conftest import APPLICATION, BOT_ID, OURS, ROOT, Ended
from tests.cli.process import PACKAGES

TOKEN = "made-up-token"
Call = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder with the shipped playbook, none of our variables set, and the package where processes find it."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", PACKAGES)
    monkeypatch.setenv("D365_GATE_DIR", str(tmp_path / "gates"))
    monkeypatch.setenv("BOT_APPLICATION_ID", APPLICATION)
    monkeypatch.setenv("HEALTH_BOT_ID", BOT_ID)
    monkeypatch.setenv("NORTH_TOKEN", TOKEN)
    shutil.copy(ROOT / "playbooks" / "health-bot.yaml", "bot.yaml")


@pytest.fixture
def fleet() -> Call:
    """Call `d365setup fleet`."""

    def call(*args: str) -> Ended:
        ended = CliRunner().invoke(main, ["fleet", *args], prog_name="d365setup")
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return call


@pytest.fixture
def serving() -> Iterator[Callable[..., Emulator]]:
    """Emulators on loopback, each an environment."""
    with ExitStack() as stack:

        def serve(options: Options | None = None) -> Emulator:
            found = Emulator(None, options or Options())
            stack.callback(found.close)
            stack.enter_context(found.serve())
            return found

        yield serve


def written(environments: dict[str, str], *more: str, file: str = "fleet.yaml") -> None:
    """A fleet file: each environment's name with its URL, or what else stands in its braces."""
    lines = [f"  - {{name: {name}, url: {where}}}" for name, where in environments.items()]
    head = ("fleet: 1", "playbook: bot.yaml", "sign_in: {token: NORTH_TOKEN}")
    Path(file).write_text("\n".join((*head, *more, "environments:", *lines, "")), encoding="utf-8")
