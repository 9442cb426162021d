"""`healthbot check` through the door a user comes in by: sources, forms, waivers, and input that is none."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from d365setup.cli import main
from d365setup.emulator import Emulator
from d365setup.healthbot.backup import LARGEST
from tests.healthbot.bots import ROOT, bot, handing_over, script, text
from tests.report.published import check as check_schema

PLAYBOOK = "bot.yaml"
TENANT = "contoso-bot-ab12cd3"
CANARY = "canary-that-nobody-may-see"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("D365_HEALTHBOT_SECRET", "D365_HEALTHBOT_PORTAL", "D365_STATE_DIR", "D365_URL", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path(PLAYBOOK).write_bytes((ROOT / "playbooks" / "health-bot.yaml").read_bytes())
    Path("backup.json").write_text(text(bot()), encoding="utf-8")


def run(*options: object) -> Result:
    return CliRunner().invoke(main, ["healthbot", "check", PLAYBOOK, "--examples", *map(str, options)])


def misspelt() -> Path:
    """A backup whose hand-off is spelt otherwise, and holds a secret."""
    made = script(bot(), handing_over("{ BotHandoffTopic: 'Nurse' }"))
    made["configuration"]["handoff"]["teams"]["clientSecret"] = CANARY
    path = Path("misspelt.json")
    path.write_text(text(made), encoding="utf-8")
    return path


def test_a_good_bot() -> None:
    done = run("--backup", "backup.json", "--format", "json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    check_schema(document)
    assert (document["against"], document["origin"]) == ("backup.json (a backup)", "playbook")
    assert (document["findings"], document["not_checked"]) == ([], [])


def test_a_misspelt_key_is_told_with_both_places() -> None:
    done = run("--backup", misspelt())
    assert done.exit_code == 4
    assert done.stdout.startswith("Held misspelt.json (a backup) against playbook contoso-health-bot\n")
    place = next(
        at for at, line in enumerate(Path("misspelt.json").read_text().splitlines(), 1) if 'Escalate",' in line
    )
    assert f"scenario:Escalate to nurse  misspelt.json:{place - 2}" in done.stdout
    assert "it hands over 'BotHandoffTopic', and Patient chat calls the variable 'BotHandOffTopic'" in done.stdout
    declared = next(
        at for at, line in enumerate(Path(PLAYBOOK).read_text().splitlines(), 1) if "{name: BotHand" in line
    )
    assert f"playbook = bot.yaml:{declared}:9" in " ".join(done.stdout.split())
    assert "configuration.handoff.teams.clientSecret" in done.stdout
    assert CANARY not in done.output


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "junit", "sarif"])
def test_every_form(form: str) -> None:
    done = run("--backup", misspelt(), "--format", form)
    assert done.exit_code == 4
    assert "BotHandoffTopic" in done.stdout
    assert CANARY not in done.output
    if form == "json":
        check_schema(json.loads(done.stdout))
    if form == "sarif":
        (result,) = [each for each in json.loads(done.stdout)["runs"][0]["results"] if each["ruleId"] == "R05"]
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "misspelt.json"


def test_waivers_and_fail_on() -> None:
    path = misspelt()
    item = 'finding: R05, object: "scenario:Escalate*", reason: tried, owner: ops@contoso.example, expires: 2999-01-01'
    other = 'finding: R12, object: "queue:*", reason: tried, owner: ops@contoso.example, expires: 2999-01-01'
    rule = other.replace("R12", "R05").replace("queue:", "routing_rule:")
    items = "".join(f"  - {{{each}}}\n" for each in (item, other, rule))
    Path("w.yaml").write_text(f"waivers: 1\nitems:\n{items}", encoding="utf-8")
    done = run("--backup", path, "--waivers", "w.yaml", "--only", "R05,H03", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.exit_code, [each["id"] for each in document["waived"]]) == (0, ["R05"])
    assert document["waivers"] == []
    assert run("--backup", path, "--only", "c16").exit_code == 0
    made = json.loads(text(bot()))
    made["scenarios"][0]["userDisplayName"] = "nurse.one@contoso.example"
    Path("backup.json").write_text(text(made), encoding="utf-8")
    assert run("--backup", "backup.json").exit_code == 0
    assert run("--backup", "backup.json", "--fail-on", "info").exit_code == 4
    assert "nurse.one" not in run("--backup", "backup.json").output


def test_what_generate_writes_is_a_folder_that_checks_well() -> None:
    made = CliRunner().invoke(main, ["healthbot", "generate", PLAYBOOK, "--examples", "--out", "scenarios"])
    assert made.exit_code == 0
    done = run("--scenarios", "scenarios", "--format", "json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["findings"]) == (0, [])
    assert {each["id"] for each in document["not_checked"]} == {"H01", "H04", "H06", "H07", "C05", "C06", "C11"}


def test_a_list_of_scenarios_is_one_file() -> None:
    Path("list").mkdir()
    sample = ROOT / "tests" / "healthbot" / "samples" / "synthetic-import-body.json"
    Path("list/all.json").write_bytes(sample.read_bytes())
    done = run("--scenarios", "list", "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)["findings"]) == (0, [])


def test_the_bot_itself_is_only_read() -> None:
    with closing(Emulator(Path(".d365setup/emulator.db"))) as emulator, emulator.serve():
        link = emulator.health_bot.portal(emulator.url, TENANT)
        env = {"D365_HEALTHBOT_SECRET": emulator.health_bot.secret}
        command = ["healthbot", "check", PLAYBOOK, "--examples", "--live", "--portal", link, "--format", "json"]
        done = CliRunner().invoke(main, command, env=env)
        document = json.loads(done.stdout)
        check_schema(document)
        asked = {(each.method, each.path) for each in emulator.health_bot.requests}
    assert document["against"] == f"{link} (the bot itself, read now)"
    assert {each["id"] for each in document["findings"]} >= {"H05"}
    assert asked == {("GET", f"/api/account/{TENANT}/backup")}


def test_the_emulated_bot() -> None:
    assert run("--emulator", "--only", "H05").exit_code == 4
    assert run("--live", "--emulator", "--only", "H05").exit_code == 4


def test_evidence_holds_what_was_looked_at_and_no_secret() -> None:
    assert run("--backup", misspelt(), "--evidence", "check.jsonl").exit_code == 4
    sealed = Path("check.jsonl").read_text(encoding="utf-8")
    assert "misspelt.json" in sealed
    assert "BotHandoffTopic" in sealed
    assert CANARY not in sealed
    assert CliRunner().invoke(main, ["evidence", "verify", "check.jsonl"]).exit_code == 0


# -- input that is none ----------------------------------------------------------------------------------------------


def written(name: str, content: bytes) -> str:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_bytes(content)
    return name


BAD: list[tuple[list[str], dict[str, bytes], str]] = [
    (["--backup", "missing.json"], {}, "--backup missing.json cannot be read: No such file or directory"),
    (["--backup", "."], {}, "--backup . cannot be read: Is a directory"),
    (["--backup", "b.json"], {"b.json": b"<html>no</html>"}, "b.json: it is no JSON"),
    (["--backup", "b.json"], {"b.json": b"[]"}, "b.json: it is no backup of a Health Bot: it is no JSON object"),
    (["--backup", "b.json"], {"b.json": b"\xff\xfe"}, "b.json: it is no UTF-8 text: byte 1 fits nowhere"),
    (["--backup", "b.json"], {"b.json": b"[" * 200_000}, "b.json: it is nested too deeply"),
    (["--scenarios", "missing"], {}, "--scenarios missing cannot be read: No such file or directory"),
    (["--scenarios", "s"], {"s/notes.txt": b""}, "--scenarios s holds no scenario: each is a file that ends in .json"),
    (["--scenarios", "s"], {"s/a.json": b"{}"}, "s/a.json: it is no scenario: it has no `name`"),
    (
        ["--scenarios", "s"],
        {"s/a.json": b'{"name": "a", "scenario_trigger": "a", "code": "{no"}'},
        "s/a.json: scenario 'a': it is no JSON",
    ),
    (
        ["--scenarios", "s"],
        {"s/a.json": b'{"scenarios": [], "configuration": {}}'},
        "s/a.json: it is a backup, no scenario; give it with --backup",
    ),
    ([], {}, "say one of --backup FILE, --scenarios DIR or --live"),
    (["--backup", "b.json", "--live"], {}, "is given more than once"),
    (["--backup", "backup.json", "--portal", "https://x"], {}, "--portal goes with --live"),
    (["--backup", "backup.json", "--only", "R12"], {}, "--only 'R12' is looked for by no check of the Health Bot"),
    (["--live"], {}, "signing secret is not known"),
]


@pytest.mark.parametrize(("options", "files", "says"), BAD, ids=[f"{at}" for at in range(len(BAD))])
def test_input_that_is_none(options: list[str], files: dict[str, bytes], says: str) -> None:
    for name, content in files.items():
        written(name, content)
    done = run(*options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_backup_of_100_megabytes_is_not_read() -> None:
    with Path("large.json").open("wb") as file:
        file.truncate(100_000_000)
    done = run("--backup", "large.json")
    assert done.exit_code == 2
    assert f"large.json: it has more than {LARGEST:,} bytes, and no more are read" in done.stderr


def test_more_files_than_anybody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        written(f"s/{name}.json", b"{}")
    monkeypatch.setattr("d365setup.healthbot.collecting.MOST_SCENARIOS", 1)
    assert "--scenarios s holds 2 files, more than the 1 read" in run("--scenarios", "s").stderr


def test_a_hint_at_a_finding_of_this_command() -> None:
    assert "did you mean H01?" in run("--backup", "backup.json", "--only", "H12").stderr
