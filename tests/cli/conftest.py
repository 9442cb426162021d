from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator import Emulator, Options
from tests.report.published import check

ROOT = Path(__file__).parents[2]
TOKEN = "made-up-token"
OURS = (
    "D365_", "AZURE", "NO_COLOR", "BOT_APPLICATION_ID", "HEALTH_BOT_ID",
    "ACTIONS_ID_TOKEN_", "SYSTEM_OIDC", "SYSTEM_ACCESSTOKEN", "IDENTITY_", "MSI_", "IMDS_",
    "GITHUB_", "TF_BUILD", "BUILD_SOURCESDIRECTORY", "AGENT_TEMPDIRECTORY",
)  # fmt: skip
APPLICATION = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
BOT_ID = "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01"
VALUES = {"BOT_APPLICATION_ID": APPLICATION, "HEALTH_BOT_ID": BOT_ID, "D365_ACCESS_TOKEN": TOKEN}


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout; it follows the schema it names, and repeats the exit code."""
        document = json.loads(self.out)
        check(document)
        assert document["exit_code"] == self.code
        return document


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test works in an empty folder with the shipped playbook in it, and none of our variables set."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "playbooks" / "health-bot.yaml", "bot.yaml")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Call `d365setup`; keyword arguments are environment variables.

    Unless a test says where, each call has a throttle gate to itself: what one is told shall not hold up the next.
    """
    numbers = count()

    def call(*args: str, **variables: str) -> Ended:
        own = {} if "D365_GATE_DIR" in os.environ else {"D365_GATE_DIR": str(tmp_path / f"gates-{next(numbers)}")}
        ended = CliRunner().invoke(main, args, prog_name="d365setup", env={**own, **variables})
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return call


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    found = Emulator(None, Options())
    with found.serve():
        yield found
    found.close()


@pytest.fixture
def at(run: Run, emulator: Emulator) -> Run:
    """Call `d365setup` on `bot.yaml` against the emulator over its URL."""

    def call(command: str, *args: str, **variables: str) -> Ended:
        return run(command, "bot.yaml", "--url", emulator.url, *args, **{**VALUES, **variables})

    return call
