"""What a runner does with our steps: bash, a folder for the job, the files and variables it sets. No part of ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STEP = ROOT / "ci" / "step.sh"
VALUES = {
    "BOT_APPLICATION_ID": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
    "HEALTH_BOT_ID": "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
}


@dataclass(frozen=True)
class Done:
    """How a step ended."""

    code: int
    out: str
    err: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""


class Job:
    """A job's folder, with `d365setup` and `python` on its path, and nothing of this process's variables."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.temporary = folder / "runner"
        self.temporary.mkdir()
        self._tools = folder / "tools"
        self._tools.mkdir()
        self.tool("python", f'exec "{sys.executable}" "$@"')
        self.tool("d365setup", f'exec "{sys.executable}" -m d365setup "$@"')
        self.variables = {**VALUES, **variables}

    def tool(self, name: str, line: str) -> None:
        path = self._tools / name
        path.write_text(f"#!/bin/bash\n{line}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, script: str, arguments: tuple[str, ...] = (), **variables: str) -> Done:
        """Run shell text the way both products do: `bash -e -o pipefail FILE`."""
        files = {name: self.temporary / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("", encoding="utf-8")
        body = self.temporary / "step"
        body.write_text(script, encoding="utf-8")
        where = {
            "PATH": f"{self._tools}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "D365_GATE_DIR": str(self.temporary / "gates"),
            **{name: str(path) for name, path in files.items()},
            **self.variables,
            **variables,
        }
        if where.get("TF_BUILD"):
            del where["GITHUB_OUTPUT"], where["GITHUB_STEP_SUMMARY"]
        call = ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(body), *arguments]
        ended = subprocess.run(  # noqa: S603  # our own steps
            call, cwd=self.folder, env=where, capture_output=True, text=True, timeout=120, check=False
        )
        told = files["GITHUB_OUTPUT"].read_text(encoding="utf-8")
        outputs = dict(line.split("=", 1) for line in told.splitlines())
        return Done(
            ended.returncode, ended.stdout, ended.stderr, outputs, files["GITHUB_STEP_SUMMARY"].read_text("utf-8")
        )

    def step(self, command: str, **variables: str) -> Done:
        """`ci/step.sh COMMAND`, as on GitHub unless said otherwise."""
        product = {} if "TF_BUILD" in variables else {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self.temporary)}
        return self.run(f'bash "{STEP}" "$1"', (command,), **{**product, **variables})


_NAME = re.compile(r"\b(?:inputs|steps|github|runner)(?:\.[\w-]+)+")


def evaluated(expression: str, known: Mapping[str, Any]) -> Any:
    """The value of a GitHub expression, of the few kinds that action.yml uses."""
    text = expression.replace("!cancelled()", "True").replace("&&", " and ").replace("||", " or ")
    text = _NAME.sub(lambda name: f"look({name[0]!r})", text)

    def look(name: str) -> Any:
        value: Any = known
        for part in name.split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        return value

    return eval(text, {"look": look, "format": lambda pattern, *values: pattern.format(*values)})  # noqa: S307  # our own file


def filled(text: str, known: Mapping[str, Any]) -> str:
    """A text of action.yml with the values of its expressions."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluated(found[1].strip(), known)), text)


def holds(condition: str, known: Mapping[str, Any]) -> bool:
    """Whether a step's `if` is true."""
    inner = re.fullmatch(r"\$\{\{(.*)\}\}", condition.strip(), re.DOTALL)
    return bool(evaluated((inner[1] if inner else condition).strip(), known))
