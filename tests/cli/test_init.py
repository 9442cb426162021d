"""`init`: what it writes works as it is, and nothing that is there is touched."""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from pathlib import Path

import pytest
import yaml

from tests.ci.test_published import validator
from tests.cli.conftest import Ended, Run
from tests.cli.process import start

CHOICES = {
    "the defaults": [],
    "azure": ["--ci", "azure", "--source", "contoso/tools@v1.2"],
    "no pipeline": ["--ci", "none"],
    "names of one's own": [
        *("--bot-name", "Zoë: \"1st\" ${line} #1, 'no'", "--queue", "on", "--workstream", "It's: {intake}"),
        *(
            "--people",
            "intake.one@contoso.example,billing.one@contoso.example",
            "--people",
            "nurse.two@contoso.example",
        ),
        *("--name", "intake"),
    ],
}


def steps(ended: Ended) -> list[list[str]]:
    """The commands it says come next, as a shell would take them."""
    lines = re.findall(r"^  (\S.*?) +# .*$", ended.out.partition("\nnext:\n")[2], re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("options", CHOICES.values(), ids=CHOICES)
def test_what_it_writes_goes_the_whole_way(options: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new user would: its own next commands, in an empty folder; then apply again."""
    ended = run("init", "my clinic", *options)
    assert (ended.code, ended.err) == (0, "")
    change, *calls = steps(ended)
    assert change == ["cd", "my clinic"]
    monkeypatch.chdir(change[1])
    said = [call[1:] for call in calls if call[1] != "doctor"]
    assert [each[0] for each in said][-2:] == ["validate", "apply"]
    for call in said:
        told = run(*call, *(["--yes"] if call[0] == "apply" else []))
        assert (told.code, told.err) == (0, ""), call
    again = run("apply", "playbook.yaml", "--emulator", "--yes")
    assert again.code == 0
    assert "nothing to change" in again.out
    assert run("verify", "playbook.yaml", "--emulator").code == 0


def test_each_product_gets_its_pipeline(run: Run) -> None:
    for ci, schema, path in (
        ("github", "github-workflows", ".github/workflows/d365setup.yml"),
        ("azure", "azure-pipelines", "azure-pipelines.yml"),
    ):
        assert run("init", ci, "--ci", ci, "--source", "contoso/tools@abc123").code == 0
        text = (Path(ci) / path).read_text(encoding="utf-8")
        found = {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}
        assert [error.message[:300] for error in validator(schema).iter_errors(found)] == []
        assert "contoso/tools" in text
        assert "abc123" in text
        assert "@SOURCE@" not in text
    assert not any(path.name.endswith(".yml") for path in Path("github").iterdir())
    assert run("init", "none", "--ci", "none").code == 0
    assert {path.name for path in Path("none").iterdir()} == {"playbook.yaml", ".env", ".env.example", ".gitignore"}


def test_the_settings_hold_no_value_and_are_for_one_person(run: Run) -> None:
    assert run("init").code == 0
    settings = Path(".env").read_text(encoding="utf-8")
    assert settings == Path(".env.example").read_text(encoding="utf-8")
    given = [line for line in settings.splitlines() if line and not line.startswith("#")]
    assert given == ["D365_URL=", "D365_TENANT_ID=", "D365_CLIENT_ID=", "D365_CLIENT_SECRET="]
    if sys.platform != "win32":
        assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    known = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    assert all(line in known for line in given)


def test_a_file_that_is_there_is_left_alone(run: Run) -> None:
    there = {".env": "D365_CLIENT_SECRET=canary", ".gitignore": "/.env\n", "playbook.yaml": "mine", ".env.example": ""}
    for name, text in there.items():
        Path(name).write_text(text, encoding="utf-8")
    ended = run("init")
    assert ended.code == 0
    assert {name: Path(name).read_text(encoding="utf-8") for name in there} == there
    assert ended.out.count("kept ") == 4
    assert "add this line to it: .d365setup/" in ended.out
    assert "add this line to it: .env" not in ended.out
    assert "canary" not in ended.out + ended.err
    assert run("init").out.count("kept ") == 5


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_not_followed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / ".env").symlink_to(tmp_path / "elsewhere")
    assert run("init", "inside").code == 0
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["bot.yaml"], "bot.yaml is a file; name a folder"),
        (["bot.yaml/in"], "cannot be written"),
        (["new", "--bot-name", "a\nb"], "holds a character that cannot be seen"),
        (["new", "--people", "nurse one"], "is no e-mail address"),
        (["new", "--ci", "gitlab"], "'gitlab' is not one of"),
        (["new", "--source", "https://x"], "--source takes OWNER/REPOSITORY@VERSION"),
    ],
)
def test_bad_calls_write_nothing(options: list[str], told: str, run: Run) -> None:
    before = sorted(Path().rglob("*"))
    ended = run("init", *options)
    assert ended.code == 2
    assert told in ended.err
    assert sorted(Path().rglob("*")) == before


def on_terminal(answers: str, *options: str, **variables: str) -> tuple[int, str, str]:
    """Exit code, stdout, and what the terminal showed."""
    pty = pytest.importorskip("pty", reason="needs a pseudo terminal")
    master, slave = pty.openpty()
    process = start("init", "new", *options, variables=variables, stdin=slave, stderr=slave)
    os.close(slave)
    os.write(master, answers.encode())
    out, _ = process.communicate(timeout=60)
    shown = os.read(master, 65536).decode() if answers or process.returncode else ""
    os.close(master)
    return process.returncode, out, shown


def test_on_a_terminal_it_asks_what_no_option_says() -> None:
    answers = "Intake Bot\n\nnobody\nnurse.two@contoso.example\nIntake chat\nnone\n"
    code, out, shown = on_terminal(answers, "--name", "intake")
    assert code == 0
    assert "The bot's name, as patients see it [Contoso Health Bot]: " in shown
    assert "'nobody' is no e-mail address" in shown
    playbook = Path("new/playbook.yaml").read_text(encoding="utf-8")
    for text in ("name: Intake Bot", "name: Nurses", "nurse.two@contoso.example", "name: Intake chat", "name: intake "):
        assert text in playbook
    assert "workflows" not in out


def test_in_a_pipeline_it_never_asks() -> None:
    for variables in ({"CI": "true"}, {"TF_BUILD": "True"}):
        code, out, _ = on_terminal("", **variables)
        assert code == 0
        assert "new/playbook.yaml" in out
