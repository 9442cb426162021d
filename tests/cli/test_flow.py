"""The commands one after another, as a user runs them: over HTTP, on the emulator."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from d365setup.emulator import Emulator
from tests.cli.conftest import Run
from tests.report.published import check


def writes(emulator: Emulator) -> list[str]:
    return [op[0] for request in emulator.requests for op in request.operations if op[0] != "GET"] + [
        request.method for request in emulator.requests if request.method not in ("GET", "POST")
    ]


def test_from_plan_to_verified_and_nothing_left_to_do(at: Run, emulator: Emulator) -> None:
    before = at("plan", "--format", "json")
    assert before.code == 3
    assert not writes(emulator)

    applied = at("apply", "--yes", "--format", "json")
    assert applied.code == 0
    assert {each["status"] for each in applied.json["outcomes"]} == {"verified"}
    assert [each["key"] for each in applied.json["changes"]] == [each["key"] for each in before.json["changes"]]
    assert applied.json["fingerprint"] == before.json["fingerprint"]
    assert applied.json["http"]["operations"] == before.json["cost"]["operations"]
    assert applied.json["http"]["requests"] == before.json["cost"]["requests"]

    emulator.reset_log()
    again = at("apply", "--yes", "--format", "json")
    assert (again.code, again.json["outcomes"], again.json["changes"]) == (0, [], [])
    assert not writes(emulator)
    assert at("plan").code == 0
    assert at("verify", "--format", "json").json["in_line"] is True


def test_the_emulator_option_keeps_what_it_did(run: Run) -> None:
    assert run("plan", "bot.yaml", "--emulator").code == 3
    assert run("apply", "bot.yaml", "--emulator", "--yes").code == 0
    assert Path(".d365setup/emulator.db").is_file()
    second = run("apply", "bot.yaml", "--emulator", "--yes")
    assert second.code == 0
    assert "nothing to change: 15 things are as the playbook says" in second.out
    assert run("plan", "bot.yaml", "--emulator", "--emulator-data", "other.db").code == 3
    assert run("plan", "bot.yaml", "--emulator", "--state-dir", "elsewhere").code == 3
    assert run("plan", "bot.yaml", "--emulator", D365_STATE_DIR="third").code == 3
    assert Path("other.db").is_file()
    assert Path("elsewhere/emulator.db").is_file()
    assert Path("third/emulator.db").is_file()


def test_drift_is_shown_field_by_field_and_repaired(at: Run, emulator: Emulator) -> None:
    assert at("apply", "--yes").code == 0
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    emulator.change("queue", queue, msdyn_priority=5)

    drifted = at("verify", "--format", "json")
    assert drifted.code == 3
    assert drifted.json["in_line"] is False
    assert [(each["kind"], each["key"], each["fields"]) for each in drifted.json["drift"]] == [
        ("queue", "Health bot", [{"field": "priority", "before": 5, "after": 1}])
    ]
    told = at("verify")
    assert told.code == 3
    assert "~ queue:Health bot  bot.yaml:" in told.out
    assert "    priority: 5 → 1\n" in told.out
    assert "drift: 0 to create, 1 to update, 0 to remove" in told.out

    assert at("apply", "--yes").code == 0
    assert emulator.sql("SELECT msdyn_priority FROM queue WHERE queueid = ?", [queue]) == [(1,)]
    assert at("verify").code == 0


@pytest.mark.parametrize("command", ["plan", "verify"])
def test_reading_commands_send_nothing_but_reads(command: str, at: Run, emulator: Emulator) -> None:
    assert at(command).code == 3
    assert not writes(emulator)
    assert {request.method for request in emulator.requests} <= {"GET", "POST"}
    assert all(request.path.endswith("/$batch") for request in emulator.requests if request.method == "POST")


def test_text_results_are_calm_and_complete(at: Run) -> None:
    plan = at("plan").out
    assert plan.startswith("Plan for Contoso Health (http://127.0.0.1:")
    assert "\n+ queue:Health bot  " in plan
    assert "\n    when: BotHandOffTopic equals Nurse\n" in plan
    assert "\n10 to create, 1 to update, 0 to remove, 2 unchanged\n" in plan
    assert "\napplying it takes 3 round trips in a row, " in plan
    ended = at("apply", "--yes")
    assert ended.err == ""
    assert "\nverified      routing_rule:Patient chat/Urgent\n" in ended.out
    assert "\n11 verified, 2 unchanged\n" in ended.out


@pytest.mark.parametrize(("file", "is_json"), [("out/run.json", True), ("out/run.txt", False)])
def test_a_report_file_holds_the_same_result(file: str, is_json: bool, at: Run) -> None:
    Path("out").mkdir()
    shown = at("apply", "--yes", "--report", file, "--format", "json" if is_json else "text")
    assert shown.code == 0
    assert Path(file).read_text(encoding="utf-8") == shown.out


def test_a_report_file_tells_of_failures_too(at: Run) -> None:
    ended = at("plan", "--report", "plan.json", "--expect-organization", "Somebody else")
    document = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    check(document)
    assert document["schema"] == "d365setup/error/1"
    assert document["exit_code"] == ended.code == 5


@pytest.mark.parametrize("expected", ["Contoso Health", "{organization}", "{organization} in capitals"])
def test_the_expected_organization_goes_through(expected: str, at: Run) -> None:
    organization = at("plan", "--format", "json").json["environment"]["organization_id"]
    name = organization.upper() if "capitals" in expected else expected.replace("{organization}", organization)
    assert at("plan", "--expect-organization", name).code == 3


def test_another_organization_is_refused_before_anything_is_compared(at: Run, emulator: Emulator) -> None:
    ended = at("apply", "--yes", "--expect-organization", "contoso health")
    assert ended.code == 5
    assert "is the organization Contoso Health (" in ended.err
    assert "--expect-organization says contoso health" in ended.err
    assert not writes(emulator)


def test_people_are_masked_alike_everywhere(at: Run, emulator: Emulator) -> None:
    nurse = "nurse.one@contoso.example"
    name, units = emulator.sql(
        "SELECT fullname, msdyn_capacity FROM systemuser WHERE internalemailaddress = ?", [nurse]
    )[0]
    with_nurse = (
        Path("bot.yaml").read_text(encoding="utf-8").replace("[Contoso Health Bot]", f"[Contoso Health Bot, {nurse}]")
    )
    Path("bot.yaml").write_text(with_nurse, encoding="utf-8")
    assert f"must beat {name} ({units})" in at("plan").out

    masks = set()
    for shown in (
        at("plan", "--redact", "--report", "plan.json").out,
        Path("plan.json").read_text(encoding="utf-8"),
        at("plan", "--redact", "--format", "json").out,
        at("apply", "--redact").err,
    ):
        assert name not in shown
        assert nurse not in shown
        assert "health-bot@contoso.example" in shown
        masks.update(re.findall(r"must beat (person-[0-9]+) \(|Health bot/(person-[0-9]+)", shown))
    assert len({one or other for one, other in masks}) == 1
    assert len(masks) == 2
