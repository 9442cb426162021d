"""The front door: help that loads nothing, commands that are what the list says."""

from __future__ import annotations

import json

import click
import pytest

from d365setup import __version__
from d365setup.cli import main
from d365setup.cli.front import COMMANDS
from tests.cli import process
from tests.cli.conftest import Run

HEAVY = ("requests", "msal", "yaml", "pydantic", "urllib3", "sqlite3", "rich", "d365setup.dataverse", "d365setup.kinds")


@pytest.mark.parametrize("args", [["--help"], ["-h"], ["--version"], []])
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys\nfrom d365setup.cli import main\n"
        f"try: main({args!r}, prog_name='d365setup')\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    _, _, err = process.ended("-c", code)
    assert err.splitlines()[-1] == "[]"


def test_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    ended = run("--help")
    assert ended.code == 0
    for name, (_, told) in COMMANDS.items():
        assert f"  {name} " in ended.out
        assert told in ended.out
    for code in ("0  in line", "3  changes pending", "5  refused", "8  throttled out", "130  interrupted"):
        assert code in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_teaches_by_example(name: str, run: Run) -> None:
    inner = {"emulator": "serve", "evidence": "verify", "healthbot": "generate"}.get(name)
    ended = run(name, *([inner] if inner else []), "--help")
    assert ended.code == 0
    assert "Examples:" in ended.out
    assert f"  d365setup {name}" in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    def options(command: click.Command) -> list[click.Option]:
        own = [each for each in command.params if isinstance(each, click.Option)]
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        return own + [each for below in inner for each in options(below)]

    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert [each.name for each in options(command) if not each.help] == []


def test_version(run: Run) -> None:
    assert run("--version").out == f"d365setup {__version__}\n"


def test_the_module_runs_as_the_program_does() -> None:
    assert process.ended("--version") == (0, f"d365setup {__version__}\n", "")


@pytest.mark.parametrize("args", [[], ["emulator"]])
def test_no_command_shows_help_and_is_a_usage_error(args: list[str], run: Run) -> None:
    ended = run(*args)
    assert ended.code == 2
    assert ended.err.startswith("Usage: d365setup")
    assert ended.out == ""


def test_an_unknown_command(run: Run) -> None:
    ended = run("paln", "bot.yaml")
    assert ended.code == 2
    assert "No such command 'paln'" in ended.err
    assert ended.out == ""


def test_schemas_are_printed(run: Run) -> None:
    for name in ("playbook", "plan", "run", "verification", "validation", "error"):
        ended = run("schema", name)
        assert ended.code == 0
        assert json.loads(ended.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert run("schema", "nothing").code == 2


def test_a_program_that_is_not_installed_whole_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "plan", ("d365setup.cli.lost", ""))
    ended = run("plan", "bot.yaml", D365_DEBUG="")
    assert ended.code == 1
    assert ended.err.startswith("error: d365setup is not installed whole (No module named 'd365setup.cli.lost')")
    assert "Traceback" in run("plan", "bot.yaml", D365_DEBUG="1").err
