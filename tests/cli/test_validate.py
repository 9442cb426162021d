from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import APPLICATION, BOT_ID, Run

GOOD = "bot.yaml: contoso-health-bot is valid: 1 bot user, 2 queues, 1 role assignment, 2 queue members, 1 workstream"


def test_a_good_playbook_is_summed_up_on_one_line_and_its_tests_on_another(run: Run) -> None:
    ended = run("validate", "bot.yaml", "--examples")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(GOOD)
    assert ended.out.splitlines()[1:] == ["tests on what the playbook says: 4 tests passed"]


def test_values_are_needed_unless_examples_will_do(run: Run) -> None:
    ended = run("validate", "bot.yaml")
    assert ended.code == 2
    assert "the variable 'bot_application_id' has no value" in ended.out
    assert "2 mistakes found" in ended.out
    assert run("validate", "bot.yaml", BOT_APPLICATION_ID=APPLICATION, HEALTH_BOT_ID=BOT_ID).code == 0
    given = ("--var", f"bot_application_id={APPLICATION}", "--var", f"health_bot_id={BOT_ID}")
    assert run("validate", "bot.yaml", *given).code == 0


def test_all_mistakes_of_all_files_come_in_one_run(run: Run) -> None:
    Path("one.yaml").write_text("playbook: 1\nname: one\nqeueus: []\nqueues: [{name: 5}]\n", encoding="utf-8")
    Path("two.yaml").write_text("\tplaybook: 1\n", encoding="utf-8")
    ended = run("validate", "one.yaml", "bot.yaml", "two.yaml", "one.yaml", "--examples")
    assert ended.code == 2
    assert ended.out.startswith(GOOD)
    lines = ended.out.splitlines()
    assert sum(line.startswith("one.yaml:3:1: ") and "did you mean 'queues'" in line for line in lines) == 1
    assert sum(line.startswith("one.yaml:4:") for line in lines) == 1
    assert sum(line.startswith("two.yaml:1:") for line in lines) == 1
    assert lines[-1] == "3 mistakes found"


def test_the_json_document(run: Run) -> None:
    document = run("validate", "bot.yaml", "nope.yaml", "--examples", "--format", "json").json
    assert document["schema"] == "d365setup/validation/1"
    assert [(each["file"], each["name"]) for each in document["playbooks"]] == [("bot.yaml", "contoso-health-bot")]
    assert document["playbooks"][0]["counts"]["routing_rule"] == 4
    assert document["problems"] == [
        {
            "id": "",
            "message": "the file 'nope.yaml' is not there",
            "source": {"file": "nope.yaml", "line": 1, "column": 1},
            "severity": "error",
        }
    ]


def test_a_playbook_cannot_read_our_secrets(run: Run) -> None:
    text = "playbook: 1\nname: thief\nvariables:\n  loot: {env: D365_CLIENT_SECRET}\nqueues: [{name: 'q ${loot}'}]\n"
    Path("thief.yaml").write_text(text, encoding="utf-8")
    Path(".env").write_text("D365_CLIENT_SECRET=canary-in-file\n", encoding="utf-8")
    for variables in ({"D365_CLIENT_SECRET": "canary-in-environment"}, {}):
        ended = run("validate", "thief.yaml", **variables)
        assert ended.code == 2
        assert "the variable 'loot' has no value" in ended.out
        assert "canary" not in ended.out + ended.err
