"""`d365setup` as processes that start at once: each is forked from one that has imported everything already.

The parent has no threads, so that forking it is safe; it is a process of its own, and talks in lines of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cli.process import PACKAGES

TESTS = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (minus the signal that killed it), and what it printed."""

    code: int
    out: str
    err: str


class Nursery:
    """Starts processes. Their working folder is theirs, their environment only what is given."""

    def __enter__(self) -> Self:
        call = [sys.executable, "-m", "tests.matrix.nursery"]
        where = {"PYTHONPATH": os.pathsep.join((PACKAGES, str(TESTS))), "PATH": ""}
        self._parent = subprocess.Popen(  # noqa: S603  # our own program
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=where, cwd=TESTS
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parent.communicate(timeout=60)

    def start(self, *args: str, folder: Path, variables: dict[str, str], dies: tuple[int, float] | None = None) -> int:
        """The process id; `ended` waits for it.

        With ``dies`` it kills itself at its journal's write of that number (from 0), after that share of the bytes.
        """
        return int(self._ask({"args": args, "folder": str(folder), "variables": variables, "dies": dies}))

    def ended(self, pid: int, folder: Path) -> Ended:
        """What became of one of them."""
        status = int(self._ask({"wait": pid}))
        out, err = ((folder / name).read_text(encoding="utf-8") for name in ("out.txt", "err.txt"))
        return Ended(os.waitstatus_to_exitcode(status), out, err)

    def _ask(self, message: dict[str, Any]) -> str:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(message) + "\n")
        self._parent.stdin.flush()
        answer = self._parent.stdout.readline()
        assert answer, "the nursery is gone"
        return answer


def main() -> None:
    """Fork for every line that says what to start; wait for the child that a line names."""
    _warm_up()
    for line in sys.stdin:
        message = json.loads(line)
        if "wait" in message:
            print(os.waitpid(message["wait"], 0)[1], flush=True)  # noqa: T201  # the answer
            continue
        pid = os.fork()
        if not pid:
            _live(**message)
        print(pid, flush=True)  # noqa: T201  # as above


def _warm_up() -> None:
    import gc  # noqa: PLC0415  # what follows is for the process alone

    import filelock  # noqa: F401, PLC0415
    from click.testing import CliRunner  # noqa: PLC0415

    import d365setup.cli.apply  # noqa: PLC0415
    import d365setup.cli.healthbot_reached  # noqa: PLC0415  # what an apply loads only when it needs it, each time anew
    import d365setup.cli.healthbot_side  # noqa: PLC0415  # as above
    import d365setup.proving  # noqa: PLC0415  # as above
    import d365setup.session  # noqa: F401, PLC0415
    from d365setup.cli import main as command  # noqa: PLC0415

    for name in ("health-bot.yaml", "multi-clinic/south.yaml"):
        call = ["validate", str(TESTS / "playbooks" / name)]
        assert CliRunner().invoke(command, call).exit_code in (0, 2)
    gc.freeze()


def _live(args: list[str], folder: str, variables: dict[str, str], dies: tuple[int, float] | None) -> None:
    """In the child: be `d365setup`."""
    from d365setup.__main__ import run  # noqa: PLC0415

    os.chdir(folder)
    for number, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, "out.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, "err.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        descriptor = os.open(name, flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["d365setup", *args]
    if dies is not None:
        os.write = _deadly(*dies)  # type: ignore[assignment]  # what journals are written with, and nothing else
    code: Any = 1
    try:
        run()
    except SystemExit as over:
        code = over.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _deadly(number: int, share: float) -> Callable[[int, bytes], int]:
    write, counted = os.write, itertools.count()

    def writing(descriptor: int, data: bytes) -> int:
        if next(counted) < number:
            return write(descriptor, data)
        write(descriptor, data[: int(len(data) * share)])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    return writing


if __name__ == "__main__":
    main()
