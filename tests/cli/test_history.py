"""`history` and `rollback` as a user meets them, runs whose process died, and leases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from d365setup.emulator import Emulator, Fault
from d365setup.journal import Runs
from tests.cli.conftest import Run
from tests.rollback.driver import differences, tables


@pytest.fixture
def back(run: Run, emulator: Emulator) -> Run:
    def call(*args: str) -> Any:
        return run("rollback", *args, "--url", emulator.url, D365_ACCESS_TOKEN="x")

    return call


def applied(at: Run, *args: str) -> str:
    ended = at("apply", "--yes", "--format", "json", *args)
    return str(ended.json["run"])


def runs(run: Run) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("history", "--format", "json").json["runs"]
    return found


def test_nothing_yet(run: Run) -> None:
    ended = run("history")
    assert (ended.code, ended.out) == (0, "no runs are recorded in .d365setup/runs\n")


def test_a_run_is_listed_shown_taken_back_and_done_again(run: Run, at: Run, back: Run, emulator: Emulator) -> None:
    before = tables(emulator)
    name = applied(at)
    (listed,) = runs(run)
    assert (listed["run"], listed["command"], listed["state"]) == (name, "apply", "ended")
    assert listed["outcomes"] == {"verified": 11}
    shown = run("history", name)
    assert shown.out.startswith(f"Run {name}: apply of playbook contoso-health-bot\non Contoso Health (http://127.")
    assert "verified      create  queue:Health bot\n" in shown.out
    assert "2 change sets with 10 writes: 2 landed, 0 did not\n" in shown.out
    assert f"next: `d365setup rollback {name}` shows how to take it back, and asks" in shown.out
    assert len(run("history", name, "--format", "json").json["changes"]) == 11

    asked = back(name)
    assert asked.code == 5
    assert "- queue:Health bot\n" in asked.err
    assert "there is no terminal to ask on, and nothing was written; add --yes" in asked.err
    undone = back(name, "--yes", "--format", "json")
    assert (undone.code, undone.json["command"], undone.json["undoes"]) == (0, "rollback", name)
    assert {each["status"] for each in undone.json["outcomes"]} == {"verified"}
    assert differences(before, tables(emulator)) == {}
    assert [each["command"] for each in runs(run)] == ["apply", "rollback"]
    again = back(name, "--yes")
    assert (again.code, "nothing is left to take back" in again.out) == (0, True)


def test_a_rollback_can_be_taken_back_as_far_as_rows_remain(at: Run, back: Run, emulator: Emulator) -> None:
    applied(at)
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    emulator.change("queue", queue, msdyn_priority=9)
    name = applied(at)
    undone = back(name, "--yes", "--format", "json").json["run"]
    assert emulator.sql("SELECT msdyn_priority FROM queue WHERE name = 'Health bot'") == [(9,)]
    assert back(undone, "--yes").code == 0
    assert emulator.sql("SELECT msdyn_priority FROM queue WHERE name = 'Health bot'") == [(1,)]


def test_what_somebody_changed_since_is_named(at: Run, back: Run, emulator: Emulator) -> None:
    applied(at)
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    emulator.change("queue", queue, msdyn_priority=9)
    name = applied(at)
    emulator.change("queue", queue, msdyn_priority=5)
    ended = back(name, "--yes")
    assert ended.code == 0
    assert "queue:Health bot: left as it is: somebody changed it since (msdyn_priority)" in ended.out
    assert emulator.sql("SELECT msdyn_priority FROM queue WHERE name = 'Health bot'") == [(5,)]


def test_columns_that_nobody_changed_since_are_given_back(at: Run, back: Run, emulator: Emulator) -> None:
    applied(at)
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    emulator.change("queue", queue, msdyn_priority=9, description="Theirs")
    name = applied(at)
    emulator.change("queue", queue, msdyn_priority=5)
    ended = back(name, "--yes")
    assert ended.code == 0
    assert "queue:Health bot: left as it is: somebody changed it since (msdyn_priority)" in ended.out
    (row,) = emulator.sql("SELECT msdyn_priority, description FROM queue WHERE name = 'Health bot'")
    assert row == (5, "Theirs")


def test_people_are_masked_and_the_organization_is_checked(at: Run, back: Run, emulator: Emulator) -> None:
    name = applied(at)
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    person = emulator.sql("SELECT systemuserid FROM systemuser WHERE fullname = 'Nurse One'")
    emulator.link("queue", queue, "queuemembership_association", person[0][0])
    refused = back(name, "--yes", "--expect-organization", "Fabrikam")
    assert refused.code == 5
    assert "and --expect-organization says Fabrikam: check the address" in refused.err
    shown = back(name, "--yes", "--redact", "--expect-organization", "Contoso Health")
    assert "person-1 is in it, and not by this playbook" in shown.out
    assert "Nurse One" not in shown.out + shown.err


def test_a_queue_that_somebody_uses_stays_with_its_members(at: Run, back: Run, emulator: Emulator) -> None:
    name = applied(at)
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    person = emulator.sql(
        "SELECT systemuserid FROM systemuser WHERE internalemailaddress = 'nurse.one@contoso.example'"
    )
    emulator.link("queue", queue, "queuemembership_association", person[0][0])
    ended = back(name, "--yes", "--format", "json")
    assert ended.code == 0
    told = {each["id"]: each["message"] for each in ended.json["warnings"]}
    assert "it is in use: Nurse One is in it, and not by this playbook" in told["queue:Health bot"]
    assert "stays, and this is part of it" in told["queue_member:Health bot/Contoso Health Bot"]
    assert told["bot_user:Contoso Health Bot"].startswith("left as it is: it stays linked")
    assert emulator.sql("SELECT statecode FROM queue WHERE name = 'Health bot'") == [(0,)]
    assert len(emulator.sql("SELECT 1 FROM queuemembership WHERE queueid = ?", [queue])) == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("20200101T000000000Z-abcdef", "there is no run '20200101T000000000Z-abcdef' in .d365setup/runs"),
        ("../../etc/passwd", "there is no run '../../etc/passwd'"),
    ],
)
@pytest.mark.parametrize("command", ["rollback", "history"])
def test_a_run_that_does_not_exist(run: Run, emulator: Emulator, command: str, name: str, told: str) -> None:
    target = ["--url", emulator.url] if command == "rollback" else []
    ended = run(command, name, *target, D365_ACCESS_TOKEN="x")
    assert ended.code == 2
    assert told in ended.err
    assert "`d365setup history` lists those there are" in ended.err


def test_a_journal_that_cannot_be_read_is_listed_with_the_reason(run: Run, at: Run, back: Run) -> None:
    name = applied(at)
    path = Path(f".d365setup/runs/{name}.jsonl")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "{half", *lines[2:]]))
    ended = run("history")
    assert ended.code == 1
    assert f"cannot be read: .d365setup/runs/{name}.jsonl, line 2 is damaged" in ended.out
    assert back(name, "--yes").code == 1
    path.write_text(json.dumps(json.loads(lines[0]) | {"journal": 99}))
    later = back(name, "--yes")
    assert later.code == 1
    assert "was written by a later d365setup (journal 99)" in later.err
    assert at("plan").code == 0, "another run's damaged journal keeps nobody from working"


def test_a_run_of_another_environment_is_not_taken_back(at: Run, back: Run) -> None:
    name = applied(at)
    path = Path(f".d365setup/runs/{name}.jsonl")
    path.write_text(
        path.read_text().replace("9872523f-806d-587c-a69d-383f68cf01ef", "0" * 8 + "-aaaa" * 3 + "-" + "0" * 12)
    )
    ended = back(name, "--yes")
    assert ended.code == 5
    assert "name the environment it was done to" in ended.err


def test_a_place_where_no_journal_can_be_written(at: Run, emulator: Emulator) -> None:
    Path("blocked").write_text("")
    emulator.reset_log()
    ended = at("apply", "--yes", "--state-dir", "blocked")
    assert ended.code == 1
    assert "cannot be written (Not a directory), and nothing is sent without it" in ended.err
    assert all(op[0] == "GET" for request in emulator.requests for op in request.operations)


def died(name: str, *, keep: int) -> None:
    """What a journal looks like whose process died after so many lines."""
    path = Path(f".d365setup/runs/{name}.jsonl")
    path.write_text("\n".join(path.read_text().splitlines()[:keep]) + "\n")


def test_a_run_whose_process_died_is_told_and_settled(run: Run, at: Run, emulator: Emulator) -> None:
    name = applied(at)
    lines = Path(f".d365setup/runs/{name}.jsonl").read_text().splitlines()
    second = next(place for place, line in enumerate(lines) if '"sending","number":2' in line)
    died(name, keep=second + 1)
    assert runs(run)[0]["state"] == "open"
    assert "its process died; the next apply settles it" in run("history").out
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")[0][0]
    emulator.change("queue", queue, msdyn_priority=9)
    planned = at("plan")
    assert f"run:{name}: its process died, 1 of its change sets without an answer; the next apply" in planned.out
    assert runs(run)[0]["state"] == "open"
    ended = at("apply", "--yes")
    assert ended.code == 0
    told = "of its change sets without an answer 1 landed and 0 did not; the run is settled now"
    assert f"run:{name}: its process died; {told}" in ended.out
    assert [each["state"] for each in runs(run)] == ["settled", "ended"]
    assert "its process died" not in at("apply", "--yes").out


@pytest.mark.parametrize("number", [1, 2])
def test_what_did_not_land_is_settled_as_such(run: Run, at: Run, emulator: Emulator, number: int) -> None:
    name = applied(at)
    emulator.reset("clinic")
    lines = Path(f".d365setup/runs/{name}.jsonl").read_text().splitlines()
    died(name, keep=1 + next(i for i, line in enumerate(lines) if f'"sending","number":{number}' in line))
    ended = at("apply", "--yes", "--format", "json")
    assert ended.code == 0
    (told,) = [each["message"] for each in ended.json["warnings"] if each["id"] == f"run:{name}"]
    assert "0 landed and 1 did not" in told
    assert Runs(Path(".d365setup")).read(name).unknown == ()


def test_on_error_rollback_leaves_the_environment_as_it_was(run: Run, at: Run, emulator: Emulator) -> None:
    before = tables(emulator)
    emulator.fail(Fault(method="PATCH", path=r"/msdyn_decisionrulesets\(", status=400, code="0x80040265", message="no"))
    ended = at("apply", "--yes", "--on-error", "rollback", "--format", "json")
    assert (ended.code, ended.json["command"]) == (1, "rollback")
    assert "6 verified, 4 failed, 1 not written" in ended.err
    assert differences(before, tables(emulator)) == {}
    assert [(each["command"], each["ended_with"]) for each in runs(run)] == [("apply", 7), ("rollback", 0)]


def test_a_lease_keeps_others_waiting_and_is_given_back(at: Run, emulator: Emulator) -> None:
    held = {"owner": "Ada on laptop", "token": "x", "until": 4e9}
    Path("lease").write_text(json.dumps(held))
    emulator.reset_log()
    ended = at("apply", "--yes", "--lease", "lease")
    assert ended.code == 5
    assert "Ada on laptop holds the lease lease for another" in ended.err
    assert list(emulator.requests) == []
    Path("lease").write_text(json.dumps({**held, "until": 1.0}))
    assert at("apply", "--yes", "--lease", "lease").code == 0
    assert not Path("lease").exists()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"owner": 1}', "x" * 10_000, '{"owner":"a","token":"b","until":"c"}']
)
def test_a_file_that_is_no_lease_is_not_written_over(at: Run, text: str) -> None:
    Path("lease").write_text(text)
    ended = at("apply", "--yes", "--lease", "lease")
    assert ended.code == 2
    assert "--lease lease is no lease: name another file, or delete it" in ended.err
    assert Path("lease").read_text() == text


def test_a_lease_lost_meanwhile_stops_the_apply(at: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("d365setup.lease.Lease.renew", lambda _self: False)
    ended = at("apply", "--yes", "--lease", "lease", "--format", "json")
    assert ended.code == 130
    assert {each["status"] for each in ended.json["outcomes"]} == {"not written"}
    assert emulator.sql("SELECT 1 FROM queue WHERE name = 'Health bot'") == []
