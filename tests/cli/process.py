"""`d365setup` as a process of its own, for what only a process shows: signals, terminals, streams, imports."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import d365setup

PACKAGES = str(Path(d365setup.__file__).parents[1])  # where the package under test lives


def start(*args: str, variables: dict[str, str] | None = None, **streams: Any) -> subprocess.Popen[str]:
    """Start `python -m d365setup` (or `python -c`) with these environment variables and no other."""
    call = [sys.executable, *args] if args[0] == "-c" else [sys.executable, "-m", "d365setup", *args]
    where = {"PYTHONPATH": PACKAGES, "PATH": "", **(variables or {})}
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    if sys.platform != "win32":
        piped["preexec_fn"] = _hears_ctrl_c
    return subprocess.Popen(call, text=True, env=where, **piped)  # noqa: S603  # our own program


def _hears_ctrl_c() -> None:
    """A suite started in the background hands down a SIGINT that is ignored; at a terminal nobody has that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(*args: str, variables: dict[str, str] | None = None, **streams: Any) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a whole call."""
    process = start(*args, variables=variables, **streams)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err
