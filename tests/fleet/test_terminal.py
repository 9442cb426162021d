"""What somebody at a terminal sees and is asked: the question, the gate, each end as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from d365setup.cli.fleet_watch import Watch
from d365setup.emulator import Emulator
from d365setup.fleet.results import Result, State
from tests.cli.process import start
from tests.fleet.conftest import Call, written

pty = pytest.importorskip("pty", reason="needs a pseudo terminal")
GATED = "waves: [{of: canary, pause: 1s, gate: true}, rest]"


def on_terminal(answers: str) -> tuple[int, str, str]:
    master, slave = pty.openpty()
    process = start("fleet", "apply", "fleet.yaml", variables=dict(os.environ), stdin=slave, stderr=slave)
    os.close(slave)
    os.write(master, answers.encode())
    shown = b""
    try:
        while chunk := os.read(master, 65536):
            shown += chunk
    except OSError:  # the other side is closed
        pass
    out, _ = process.communicate(timeout=60)
    os.close(master)
    return process.returncode, out, shown.decode().replace("\r\n", "\n")


def test_it_asks_shows_progress_and_asks_again_at_the_gate(serving: Callable[..., Emulator]) -> None:
    first, second = serving(), serving()
    written({"one": f'"{first.url}", group: canary', "two": f'"{second.url}"'}, GATED)
    code, out, shown = on_terminal("n\n")
    assert (code, out) == (5, "")
    assert "wave canary: one\nwave rest: two\nApply fleet.yaml to 2 environments (2 waves)? [y/N]" in shown
    assert not first.requests
    code, out, shown = on_terminal("y\ny\n")
    assert code == 0
    assert "1/2  verified  one" in shown
    assert "wave canary is done; go on with rest? [y/N]" in shown
    assert "2/2  verified  two" in shown


def test_a_gate_that_nobody_can_open_is_opened_by_resume(fleet: Call, serving: Callable[..., Emulator]) -> None:
    first, second = serving(), serving()
    written({"one": f'"{first.url}", group: canary', "two": f'"{second.url}"'}, GATED)
    ended = fleet("apply", "fleet.yaml", "--yes", "--format", "json")
    told = "the gate behind wave canary is shut: there is no terminal to ask on, and --resume opens it"
    assert (ended.code, ended.json["stopped"]) == (5, told)
    assert not second.requests
    seen = len(first.requests)
    assert fleet("apply", "fleet.yaml", "--yes", "--resume", ended.json["run"]).code == 0
    assert len(first.requests) == seen
    assert second.requests


def test_a_log_has_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter((0.0, 29.0, 30.0, 30.0, 31.0, 60.0, 60.0))
    watch = Watch(4, now=lambda: next(clock))
    for name in ("one", "two", "three", "four"):
        watch.began(name)
    for name in ("one", "two", "three", "four"):
        state: State = "failed" if name == "two" else "verified"
        watch.over(Result(name, f"https://{name}.crm.dynamics.com", state))
    assert capsys.readouterr().err.splitlines() == [
        "2 of 4 environments have ended, 1 of them broke; running: three, four",
        "4 of 4 environments have ended, 1 of them broke",
    ]
