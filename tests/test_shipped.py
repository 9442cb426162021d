"""Each playbook that comes with the tool converges on the emulator, twice, through the command a user types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator import Emulator
from d365setup.report import schema

FOLDER = Path(__file__).parent.parent / "playbooks"
SHIPPED = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml") if path.name != "base.yaml")
CAPACITY = {  # the bot must beat Nurse Two (100) where they share a queue, and nobody elsewhere
    "health-bot.yaml": 100,
    "bot-only-queue.yaml": 100,
    "mixed-queue.yaml": 101,
    "multi-clinic/north.yaml": 100,
    "multi-clinic/south.yaml": 100,
}


def told(*call: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(main, [*call, "--emulator", "--format", "json"])
    return result.exit_code, json.loads(result.stdout)


def test_every_one_is_listed_here() -> None:
    assert sorted(CAPACITY) == SHIPPED


@pytest.mark.parametrize("playbook", SHIPPED)
def test_it_converges_twice(playbook: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(FOLDER / playbook)
    code, plan = told("plan", path)
    jsonschema.validate(plan, json.loads(schema("plan")))
    assert code == 3

    code, run = told("apply", path, "--yes")
    jsonschema.validate(run, json.loads(schema("run")))
    assert (code, {each["status"] for each in run["outcomes"]}) == (0, {"verified"})
    assert run["http"]["requests"] == plan["cost"]["requests"]

    code, again = told("apply", path, "--yes")
    assert (code, again["changes"], again["unchanged"]) == (0, [], len(run["changes"]) + run["unchanged"])
    assert told("plan", path)[0] == 0
    code, verification = told("verify", path)
    jsonschema.validate(verification, json.loads(schema("verification")))
    assert (code, verification["in_line"]) == (0, True)

    emulator = Emulator(Path(".d365setup/emulator.db"))
    bots = "SELECT msdyn_capacity, msdyn_agentType, accessmode FROM systemuser WHERE msdyn_botapplicationid IS NOT NULL"
    assert emulator.sql(bots) == [(CAPACITY[playbook], 192350001, 4)]
    emulator.close()


def test_all_of_them_fit_into_one_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for playbook in SHIPPED:
        if playbook != "mixed-queue.yaml":  # claims the fallback queue of the same work stream
            # their tests are about an environment each has to itself: here one takes topics of another first
            assert told("apply", str(FOLDER / playbook), "--yes", "--skip-tests")[0] == 0
    rules = "SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset WHERE msdyn_name LIKE 'Patient chat%'"
    emulator = Emulator(Path(".d365setup/emulator.db"))
    (text,) = emulator.sql(rules)[0]
    emulator.close()
    assert str(text).count("<rule ") == 4 + 3 + 3 + 3
