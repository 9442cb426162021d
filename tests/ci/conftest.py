from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, Options
from tests.ci.hub import Hub, serving
from tests.ci.runner import ROOT, Job

if os.name != "posix" or not Path("/bin/bash").exists():
    pytest.skip("the steps are bash", allow_module_level=True)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    found = Emulator(None, Options())
    with found.serve():
        yield found
    found.close()


@pytest.fixture
def job(tmp_path: Path, emulator: Emulator) -> Job:
    """A job whose environment is the emulator, with the shipped playbook checked out."""
    shutil.copy(ROOT / "playbooks" / "health-bot.yaml", tmp_path / "bot.yaml")
    return Job(
        tmp_path, {"D365_ACCESS_TOKEN": "made-up-token", "SETUP_URL": emulator.url, "SETUP_PLAYBOOK": "bot.yaml"}
    )


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub()) as found:
        yield found
