"""After an apply of each playbook that comes with the tool, nothing at warning or above is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from d365setup.cli import main

FOLDER = Path(__file__).parents[2] / "playbooks"
SHIPPED = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml") if path.name != "base.yaml")


def told(*call: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(main, [*call, "--emulator", "--format", "json"])
    assert result.stdout, result.stderr
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("playbook", SHIPPED)
def test_nothing_serious_is_found(playbook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(FOLDER / playbook)
    assert told("apply", path, "--yes")[0] == 0
    for part in ((path,), ()):
        code, audit = told("audit", *part, "--fail-on", "warning")
        assert (code, [each for each in audit["findings"] if each["level"] != "info"]) == (0, [])
        unchecked = {each["id"] for each in audit["not_checked"] if each["id"].startswith("R")}
        assert unchecked == {"R20"}
