"""The emulator is a second reading of the documents: it shares no code with the rest, and needs no package."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import d365setup.emulator

FOLDER = Path(d365setup.emulator.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_only_its_own_modules_and_the_standard_library(path: Path) -> None:
    for level, name in imported(path):
        assert level <= 1, "nothing above this package"
        assert level == 1 or name.partition(".")[0] in sys.stdlib_module_names, name


def test_modules_stay_small() -> None:
    assert {
        path.name: len(path.read_text().splitlines()) for path in MODULES if len(path.read_text().splitlines()) > 500
    } == {}
