"""npm `dynamics-web-api`: its public interface only. The checks are in `dynamics_web_api.mjs`; each is a test here."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import HERE, Place

SCRIPT = HERE / "dynamics_web_api.mjs"
CHECKS = re.findall(r'^check\("([^"]+)"', SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", CHECKS)
def test_dynamics_web_api(place: Place, packages: Path, name: str) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_EXTRA_CA_CERTS": str(place.ca_bundle),
        "VENDORS": str(packages),
        "URL": place.url,
        "TOKEN": place.token,
    }
    done = subprocess.run(  # noqa: S603  # our own script
        ["node", str(SCRIPT), name],  # noqa: S607  # whichever node the person has
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"passed": name}


def test_there_are_checks() -> None:
    assert len(CHECKS) == len(set(CHECKS)) > 20
