"""One process at a time on an environment: two runs that live, and a process whose run was killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from d365setup.errors import Refused
from d365setup.fleet.busy import alone, by_us

HELD_ON = "import sys; print('begun', flush=True); sys.stdin.read()"
Lock = Callable[[Path, float], AbstractContextManager[Any]]


@pytest.mark.parametrize("lock", [alone, by_us])  # the second is all there is on Windows
def test_who_comes_second_is_refused_and_may_come_again(lock: Lock, tmp_path: Path) -> None:
    file = tmp_path / "busy.lock"
    refused = pytest.raises(Refused, match="another run is at work")
    with lock(file, time.monotonic()), refused, lock(file, time.monotonic()):
        pytest.fail("two at once")
    with lock(file, time.monotonic()):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="no lock can be handed down there")
def test_a_process_holds_it_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "busy.lock"
    with alone(file, time.monotonic()) as held:
        process = subprocess.Popen(  # noqa: S603  # ours
            [sys.executable, "-c", HELD_ON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=held
        )
        assert process.stdout is not None
        process.stdout.readline()
    with pytest.raises(Refused), alone(file, time.monotonic()):
        pytest.fail("two at once")
    process.communicate()
    with alone(file, time.monotonic()):
        pass
