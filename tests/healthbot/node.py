"""A JavaScript engine for tests: one process for all of a module, asked and answering in JSON lines."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..vendors.conftest import missing

RUNNER = Path(__file__).with_name("runner.mjs")


class Engine:
    """Runs scripts as a bot would, with a `session` that records; never our own code."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "broken" not in answer, answer
        return answer["answer"]

    def sent(self, script: str) -> list[dict[str, Any]]:
        """The activities that a script sends."""
        return list(self.ask(run=script))

    def value(self, expression: str) -> Any:
        """What an expression comes to."""
        return self.ask(value=expression)

    def is_program(self, text: str) -> bool:
        """Whether the text can be read as an expression, or as a program."""
        return bool(self.ask(program=text))


@contextmanager
def engine() -> Iterator[Engine]:
    node = shutil.which("node")
    if node is None:
        missing("node is not on the PATH")
    with subprocess.Popen(  # noqa: S603  # our own script
        [str(node), str(RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield Engine(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
