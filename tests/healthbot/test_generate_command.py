"""`healthbot generate` through the door a user comes in by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from d365setup.cli import main
from d365setup.healthbot import read_scenario

ROOT = Path(__file__).parents[2]
HEALTH_BOT = ROOT / "playbooks" / "health-bot.yaml"
FILES = ["end_conversation.scenario.json", "escalate_nurse.scenario.json"]


def generate(*options: object, playbook: Path = HEALTH_BOT) -> Result:
    return CliRunner().invoke(main, ["healthbot", "generate", str(playbook), "--examples", *map(str, options)])


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in sorted(folder.iterdir())}


def test_files_are_ready_to_import_and_stay_the_same(tmp_path: Path) -> None:
    out = tmp_path / "new" / "scenarios"
    done = generate("--out", out)
    assert done.exit_code == 0, done.output
    assert done.stdout == "".join(f"wrote {out / name}\n" for name in reversed(FILES))
    before = contents(out)
    assert list(before) == FILES
    read = [read_scenario(json.loads(each)) for each in before.values()]
    assert [each.trigger for each in read] == ["end_conversation", "escalate_nurse"]
    again = generate("--out", out)
    assert again.stdout == "".join(f"unchanged {out / name}\n" for name in reversed(FILES))
    assert contents(out) == before


def test_a_file_that_says_something_else_is_kept(tmp_path: Path) -> None:
    generate("--out", tmp_path)
    before = contents(tmp_path)
    mine = tmp_path / FILES[1]
    mine.write_text("mine", encoding="utf-8")
    (tmp_path / FILES[0]).unlink()
    refused = generate("--out", tmp_path)
    assert refused.exit_code == 5
    assert f"{mine} is there already and says something else; nothing was written" in refused.stderr
    assert "--force" in refused.stderr
    assert contents(tmp_path) == {FILES[1]: b"mine"}
    assert generate("--out", tmp_path, "--force").exit_code == 0
    assert contents(tmp_path) == before


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / f".{FILES[1]}.new").mkdir()
    done = generate("--out", tmp_path)
    assert done.exit_code == 2
    assert f"{tmp_path / FILES[1]} cannot be written: Is a directory" in done.stderr
    assert not (tmp_path / FILES[1]).exists()


def test_without_a_folder_it_prints_what_the_management_api_takes(tmp_path: Path) -> None:
    done = generate()
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert [each["name"] for each in printed] == ["Escalate to nurse", "End conversation"]
    generate("--out", tmp_path)
    assert [json.loads(each) for each in contents(tmp_path).values()] == printed[::-1]


@pytest.mark.parametrize("dialect", ["activity", "activity-2026"])
def test_other_bots_send_the_same(dialect: str, tmp_path: Path) -> None:
    printed = json.loads(generate("--dialect", dialect).stdout)
    assert list(printed) == ["escalate_nurse", "end_conversation"]
    told, sent = printed["escalate_nurse"]
    assert told["text"] == "Connecting you with a nurse. Please stay in the chat."
    assert sent["text"] == "Patient asked for a nurse"
    if dialect == "activity":
        assert told["channelData"] == {"deliveryMode": "bridged"}
        tags = '{"type":"Escalate","context":{"BotHandOffTopic":"Nurse"}}'
        assert sent["channelData"] == {"tags": tags}
    else:
        data = {
            "tags": {"deliveryMode": "bridged"},
            "command": {"type": "Escalate", "value": {"BotHandOffTopic": "Nurse"}},
        }
        assert json.loads(sent["channelData"]) == data
    generate("--dialect", dialect, "--out", tmp_path)
    assert json.loads(contents(tmp_path)[f"escalate_nurse.{dialect}.json"]) == [told, sent]


def test_what_goes_wrong(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    text = HEALTH_BOT.read_text(encoding="utf-8")
    halved = tmp_path / "halved.yaml"
    halved.write_text(text.replace("summary: Patient asked for a nurse", "summary: " + '"' + "x" * 5000 + '"'), "utf-8")
    without = ROOT / "playbooks" / "bot-only-queue.yaml"
    for done, code, told in [
        (generate("--force"), 2, "--force goes with --out"),
        (generate("--out", file), 2, f"{file} cannot be written to: File exists"),
        (generate(playbook=tmp_path / "none.yaml"), 2, "none.yaml"),
        (generate(playbook=without), 2, "declares no `scenarios`: there is nothing to make"),
        (generate(playbook=halved), 2, "halved.yaml"),
        (generate("--dialect", "other"), 2, "other"),
    ]:
        assert done.exit_code == code, done.output
        assert told in done.stderr
        assert done.stdout == ""


def test_a_message_that_is_too_large_is_told_with_its_place(tmp_path: Path) -> None:
    declared = "\n".join(f"      - {{name: V{number}, type: text}}" for number in range(8))
    sent = ", ".join(f"V{number}: {'x' * 3900}" for number in range(8))
    text = HEALTH_BOT.read_text(encoding="utf-8")
    assert "    context_variables:\n" in text
    text = text.replace("    context_variables:\n", f"    context_variables:\n{declared}\n", 1)
    assert "context: {BotHandOffTopic: Nurse}" in text
    text = text.replace("context: {BotHandOffTopic: Nurse}", f"context: {{BotHandOffTopic: Nurse, {sent}}}")
    playbook = tmp_path / "large.yaml"
    playbook.write_text(text, encoding="utf-8")
    done = generate("--out", tmp_path / "out", playbook=playbook)
    assert done.exit_code == 2
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "name: Escalate to nurse" in each)
    assert f"large.yaml:{line}:" in done.stderr
    assert "the scenario 'Escalate to nurse' cannot be sent: Escalate: the message has" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_group_lists_its_commands() -> None:
    listed = CliRunner().invoke(main, ["healthbot", "--help"])
    assert listed.exit_code == 0
    assert "generate" in listed.stdout
    assert CliRunner().invoke(main, ["healthbot", "nothing"]).exit_code == 2
