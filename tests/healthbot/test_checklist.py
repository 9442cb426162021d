"""`healthbot checklist`: the tasks of a playbook, with its own values, in every form; and on the pages of plans."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from d365setup.cli import main
from d365setup.healthbot.checking import checks
from d365setup.healthbot.checklist import checklist
from tests.healthbot.bots import ROOT, playbook
from tests.report.published import check as check_schema

URL = "https://contoso.crm.dynamics.com"
TASKS = [
    "tenant", "application", "channel", "bridge", "workstream", "scenarios", "model", "welcome", "privacy", "try",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("D365_URL", "D365_STATE_DIR", "BOT_APPLICATION_ID", "HEALTH_BOT_ID", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("bot.yaml").write_bytes((ROOT / "playbooks" / "health-bot.yaml").read_bytes())


def run(*options: str, **variables: str) -> Result:
    return CliRunner().invoke(main, ["healthbot", "checklist", *options], env=variables)


def test_the_values_of_this_very_playbook_are_told() -> None:
    done = run("bot.yaml", "--examples", "--url", URL, "--format", "json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    check_schema(document)
    tasks = {each["id"]: each for each in document["tasks"]}
    assert list(tasks) == TASKS
    values = {each: [value["value"] for value in task["values"]] for each, task in tasks.items()}
    assert values["application"] == ["5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"]
    assert values["channel"] == ["9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01"]
    assert values["workstream"] == ["Patient chat"]
    assert values["scenarios"] == ["trigger escalate_nurse", "trigger end_conversation"]
    assert values["model"] == ["escalate_nurse", "end_conversation"]
    (channel,) = tasks["channel"]["values"]
    assert channel["name"].endswith("(--var health_bot_id, or HEALTH_BOT_ID; now only its example)")


def test_text_says_the_same() -> None:
    done = run("bot.yaml", "--examples", D365_URL=URL)
    assert done.exit_code == 0
    assert re.findall(r"^([0-9]+)\. ", done.stdout, re.MULTILINE) == [str(at) for at in range(1, 11)]
    for said in ("Integration > Channels > Omnichannel", "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01", "15 minutes"):
        assert said in done.stdout
    assert f"check: d365setup verify bot.yaml --url {URL}\n" in done.stdout
    assert "URL above" not in done.stdout
    assert "--url URL\n" in run("bot.yaml", "--examples").stdout


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_other_forms(form: str) -> None:
    done = run("bot.yaml", "--examples", "--format", form)
    assert done.exit_code == 0
    assert "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01" in done.stdout
    assert "Human handoff" in done.stdout


def test_a_value_that_was_given_is_no_example() -> None:
    done = run("bot.yaml", "--var", f"health_bot_id={'1' * 8}-1111-1111-1111-{'1' * 12}", "--examples")
    assert "(--var health_bot_id, or HEALTH_BOT_ID): 11111111-1111-1111-1111-111111111111" in done.stdout


def test_a_value_that_stands_in_the_playbook_names_no_variable() -> None:
    tasks = checklist(replace(playbook(), variables=())).tasks
    (told,) = next(each.values for each in tasks if each.id == "channel")
    assert told[0] == "bot_application_id of Contoso Health Bot"


def commands() -> list[str]:
    """Every command a checklist names, with a file whose name has to be quoted."""
    wished = replace(playbook(), files=("my bot.yaml",))
    tasks = checklist(wished, URL).tasks
    quoted = [
        found for task in tasks for each in (*task.does, task.tells) for found in re.findall(r"`(d365.*?)`", each)
    ]
    return [*(task.check for task in tasks if task.check), *quoted]


@pytest.mark.parametrize("line", commands())
def test_the_commands_it_names_are_there(line: str) -> None:
    found: click.Command = main
    rest = shlex.split(line)[1:]
    while isinstance(found, click.Group):
        inner = found.get_command(click.Context(found), rest.pop(0))
        assert inner is not None
        found = inner
    if "my bot.yaml" in rest:
        found.make_context("x", rest)
    for codes in re.findall(r"--only ([A-Z0-9,]+)", line):
        assert set(codes.split(",")) <= {code for code, _ in checks()}


def test_a_playbook_without_a_health_bot() -> None:
    path = ROOT / "playbooks" / "bot-only-queue.yaml"
    done = run(str(path), "--examples")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "names no Health Bot and has no scenarios" in done.stderr
    wrong = run("bot.yaml", "--examples", "--url", "nowhere")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "--url: " in wrong.stderr


def test_without_scenarios_there_is_nothing_to_bind() -> None:
    tasks = checklist(replace(playbook(), scenarios=())).tasks
    assert [each.id for each in tasks] == [each for each in TASKS if each not in ("scenarios", "model")]


def page(*command: str) -> str:
    done = CliRunner().invoke(main, [*command, "--format", "html"])
    assert done.exit_code in (0, 3, 4), done.output
    return done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "bot.yaml", "--emulator"),
        ("apply", "bot.yaml", "--emulator", "--yes"),
        ("verify", "bot.yaml", "--emulator"),
    ],
    ids=lambda command: str(command[0]),
)
def test_the_page_has_a_section_of_it(command: tuple[str, ...]) -> None:
    assert 'id="by-hand"' in page(*command)
    assert "check bot.yaml --live --only H01" in page(*command)


def test_a_page_without_a_health_bot_or_for_its_end_has_none() -> None:
    assert 'id="by-hand"' not in page("plan", str(ROOT / "playbooks" / "bot-only-queue.yaml"), "--emulator")
    assert 'id="by-hand"' not in page("destroy", "bot.yaml", "--emulator", "--yes")
