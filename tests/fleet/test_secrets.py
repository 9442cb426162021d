"""Canaries in every environment's sign-in: in no report, journal, output or argument; and each process has its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, Options
from tests.cli.process import start
from tests.fleet.conftest import written

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is told in /proc")
NAMES = ("north", "south", "west")
CANARIES = {f"{name.upper()}_{part}": f"canary-{name}-{part.lower()}" for name in NAMES for part in ("TOKEN", "BOT")}
FORMS = ("a.txt", "a.json", "a.md", "a.html", "a.xml", "a.sarif")


def family(process: int) -> dict[int, tuple[str, str]]:
    """Arguments and variables of a process and what it started; each is in a session of its own, below us all."""
    found: dict[int, tuple[str, str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if process in (parent, int(folder.name)):
                told = tuple((folder / name).read_text(errors="replace") for name in ("cmdline", "environ"))
                found[int(folder.name)] = (told[0], told[1])
        except OSError:  # it has ended meanwhile
            continue
    return found


def test_each_process_holds_its_own_secrets_and_nobody_tells_any(serving: Callable[..., Emulator]) -> None:
    sign_in = "sign_in: {{token: {0}_TOKEN, healthbot_secret: {0}_BOT}}"
    slow = [serving(Options(rtt=0.3)) for _ in NAMES]
    urls = {name: f'"{each.url}", {sign_in.format(name.upper())}' for name, each in zip(NAMES, slow, strict=True)}
    written(urls, "max_failed: 100%")
    reports = (part for name in FORMS for part in ("--report", name))
    call = ("fleet", "apply", "fleet.yaml", "--yes", "--verbose", "--max-wait", "1", *reports)
    seen: dict[int, tuple[str, str]] = {}
    with start(*call, variables={**os.environ, **CANARIES}) as process:
        while process.poll() is None:
            seen |= family(process.pid)
            time.sleep(0.02)
        out, err = process.communicate()
    parent = seen.pop(process.pid)
    children = {name: told for told in seen.values() for name in NAMES if f"environments/{name}" in told[0]}
    assert set(children) == set(NAMES), "each was seen at work"
    assert not any("canary" in arguments for arguments, _ in (parent, *seen.values()))
    for name, (_, variables) in children.items():
        assert {each for each in CANARIES.values() if each in variables} == {
            f"canary-{name}-token", f"canary-{name}-bot",
        }  # fmt: skip
    assert "canary" not in out + err
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert {*FORMS} <= {path.name for path in files}
    assert [path for path in files if b"canary" in path.read_bytes()] == []
