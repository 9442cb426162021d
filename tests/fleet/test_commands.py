"""`d365setup fleet` on real emulators, broken ones among them: each environment's command is a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from d365setup.emulator import Emulator, Fault, Options
from d365setup.report import FORMS
from tests.cli.process import start
from tests.fleet.conftest import TOKEN, Call, written

THROTTLED = Fault(where="request", status=429, code="0x80072322", message="too much", retry_after=60, times=0)
SLOW = Fault(where="slow", seconds=0.4, times=0)
QUICK = ("--max-wait", "1", "--workers", "4")
Serve = Callable[..., Emulator]


def writes(emulator: Emulator) -> int:
    """How many writes it saw."""
    return sum(1 for each in emulator.requests for method, _, _ in each.operations if method != "GET")


def begun(name: str) -> None:
    """Wait until the fleet works on an environment."""
    until = time.monotonic() + 60
    while not Path(".d365setup/fleet/environments", name, "busy.lock").exists():
        assert time.monotonic() < until, "it never began"
        time.sleep(0.05)


def test_the_others_are_verified_whatever_is_broken(
    fleet: Call, serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole story: apply to four, break things, and verify them beside others that never worked."""
    good = {f"good-{n}": f'"{serving().url}"' for n in range(3)}
    drifted = serving()
    written({**good, "drifted": f'"{drifted.url}"'})
    applied = fleet("apply", "fleet.yaml", "--yes", *QUICK, "--format", "json")
    assert (applied.code, applied.json["counts"]) == (0, {"verified": 4})
    assert {cell for row in applied.json["matrix"] for cell in row["cells"]} == {"same", "changed"}

    drifted.execute("UPDATE queue SET name = 'Moved' WHERE name = 'Health bot'")
    throttled, refusing = serving(), serving(Options(users={"another": "System"}))
    throttled.fail(THROTTLED)
    broken = {
        "unreachable": '"http://127.0.0.1:9"',
        "throttled": f'"{throttled.url}"',
        "refused": f'"{refusing.url}"',
        "unset": f'"{serving().url}", sign_in: {{token: UNSET_TOKEN}}',
    }
    written({**broken, **good, "drifted": f'"{drifted.url}"'})
    ended = fleet("verify", "fleet.yaml", *QUICK, "--format", "json", "--report", "matrix.txt")
    found = {each["name"]: each for each in ended.json["environments"]}
    states = {name: each["state"] for name, each in found.items()}
    assert states == {
        "unreachable": "failed", "throttled": "failed", "refused": "failed", "unset": "failed",
        **dict.fromkeys(good, "in line"), "drifted": "drift",
    }  # fmt: skip
    assert {name: found[name]["exit_code"] for name in ("throttled", "refused", "unset")} == {
        "throttled": 8, "refused": 6, "unset": 6,
    }  # fmt: skip
    assert ended.code == 1
    assert "UNSET_TOKEN" in found["unset"]["message"]
    assert all(each["cure"] for each in found.values() if each["state"] != "in line")
    row = next(each for each in ended.json["matrix"] if each["resource"] == "queue:Health bot")
    cells = dict(zip(found, row["cells"], strict=True))
    assert (cells["drifted"], cells["good-0"], cells["throttled"]) == ("missing", "same", "failed")
    shown = Path("matrix.txt").read_text(encoding="utf-8")
    assert all(name in shown for name in found)
    assert TOKEN not in shown + ended.out + ended.err
    files = [path for path in Path(".d365setup").rglob("*") if path.is_file()]
    assert files
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)


def test_what_hangs_is_ended_and_holds_up_nobody(fleet: Call, serving: Serve) -> None:
    slow, good = serving(Options(rtt=10.0)), serving()
    written({"slow": f'"{slow.url}"', "good": f'"{good.url}"'})
    ended = fleet("plan", "fleet.yaml", "--timeout", "7s", "--format", "json")
    assert [each["state"] for each in ended.json["environments"]] == ["timed out", "changes"]
    assert (ended.code, "--timeout" in ended.json["environments"][0]["cure"]) == (1, True)


def test_a_failing_canary_stops_and_resume_touches_nothing_twice(fleet: Call, serving: Serve) -> None:
    canary, cured, others = serving(), serving(), [serving() for _ in range(2)]
    cured.fail(THROTTLED)
    urls = {"first": f'"{canary.url}", group: canary', "second": f'"{cured.url}", group: canary'}
    urls |= {f"other-{n}": f'"{each.url}"' for n, each in enumerate(others)}
    written(urls, "waves: [canary, 50%, rest]")
    ended = fleet("apply", "fleet.yaml", "--yes", *QUICK, "--format", "json", "--report", "told.txt")
    states = [each["state"] for each in ended.json["environments"]]
    assert (ended.code, states) == (7, ["verified", "failed", "not started", "not started"])
    assert ended.json["stopped"] == "stopped in wave canary: 1 of 2 broke"
    assert not any(each.requests for each in others)

    seen = len(canary.requests)
    cured.faults.clear()
    shutil.rmtree("gates")  # where it is kept that nobody may ask again for a minute
    run = ended.json["run"]
    assert f"`d365setup fleet apply fleet.yaml --yes --resume {run}`" in Path("told.txt").read_text(encoding="utf-8")
    again = fleet("apply", "fleet.yaml", "--yes", *QUICK, "--resume", run, "--format", "json")
    assert (again.code, again.json["counts"]) == (0, {"verified": 4})
    assert [each["earlier"] for each in again.json["environments"]] == [True, False, False, False]
    assert len(canary.requests) == seen
    assert all(writes(each) for each in others)
    third = fleet("apply", "fleet.yaml", "--yes", *QUICK, "--resume", run)
    assert third.code == 0
    assert "done before" in third.out
    assert len(canary.requests) == seen
    refused = fleet("verify", "fleet.yaml", "--resume", run)
    assert (refused.code, "was a fleet apply" in refused.err) == (2, True)


def test_resume_goes_on_after_the_process_was_killed(fleet: Call, serving: Serve) -> None:
    done, hanging = serving(), serving()
    hanging.fail(SLOW)
    written({"done": f'"{done.url}", group: canary', "hanging": f'"{hanging.url}"'}, "waves: [canary, rest]")
    command = [sys.executable, "-m", "d365setup", "fleet", "apply", "fleet.yaml", "--yes"]
    with subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL) as process:  # noqa: S603  # ours
        begun("hanging")
        process.kill()
    hanging.faults.clear()
    run = next(Path(".d365setup/fleet/runs").glob("*.jsonl")).stem
    seen = len(done.requests)
    again = fleet("apply", "fleet.yaml", "--yes", "--resume", run, "--format", "json", "--timeout", "60s")
    assert (again.code, again.json["counts"]) == (0, {"verified": 2})
    assert len(done.requests) == seen


def test_stopped_by_a_signal_it_says_how_to_go_on(serving: Serve) -> None:
    slow = serving()
    slow.fail(SLOW)
    written({"slow": f'"{slow.url}"', "next": '"http://127.0.0.1:9"'})
    call = ("fleet", "apply", "fleet.yaml", "--yes", "--workers", "1")
    process = start(*call, variables=dict(os.environ))
    begun("slow")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped" in out
    assert "not started" in out
    assert "--resume" in out


def test_frozen_environments_are_left_alone(fleet: Call, serving: Serve) -> None:
    frozen, excepted = serving(), serving()
    freeze = "freeze: [{begins: 2020-01-01, ends: 2999-01-01, reason: holidays, excepted: [free]}]"
    written({"cold": f'"{frozen.url}"', "free": f'"{excepted.url}"'}, freeze)
    ended = fleet("apply", "fleet.yaml", "--yes", *QUICK)
    assert ended.code == 5
    assert "frozen until 2999-01-01: holidays" in ended.out
    assert not frozen.requests
    assert writes(excepted)
    assert fleet("plan", "fleet.yaml", *QUICK, "--only", "cold").code == 3


def test_limits_cannot_be_loosened(fleet: Call, serving: Serve) -> None:
    emulator = serving()
    written({"one": f'"{emulator.url}"'})
    assert fleet("apply", "fleet.yaml", "--yes", *QUICK).code == 0
    written({"one": f'"{emulator.url}"'}, "limits: {removals: {queue_member: 0}, prune: false}")
    refused = fleet("apply", "fleet.yaml", "--yes", "--prune", *QUICK)
    assert (refused.code, "prune: false" in refused.err) == (5, True)
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Nurses'")[0][0]
    emulator.link("queue", queue, "queuemembership_association", emulator.add_user("Nurse Nine"))
    bot = Path("bot.yaml").read_text(encoding="utf-8")
    Path("bot.yaml").write_text(bot.replace("mode: include", "mode: exact"), encoding="utf-8")
    emulator.reset_log()
    planned = fleet("plan", "fleet.yaml", "--format", "json", *QUICK)
    assert planned.code == 3
    assert planned.json["environments"][0]["message"].startswith("apply would refuse: the fleet file forbids it")
    over = fleet("apply", "fleet.yaml", "--yes", *QUICK)
    assert (over.code, "take away 3 of queue_member, and 0 may go" in over.out) == (5, True)
    assert not writes(emulator)
    written({"one": f'"{emulator.url}"'}, "limits: {removals: {queue_member: 3}}")
    assert fleet("apply", "fleet.yaml", "--yes", *QUICK).code == 0
    assert writes(emulator)


def test_what_is_wrong_with_the_call_is_told_before_anything_is_sent(
    fleet: Call, serving: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = serving()
    given = "variables: {bot_application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f}"
    written({"north": f'"{emulator.url}", {given}', "south": '"http://127.0.0.1:9"'})
    monkeypatch.delenv("BOT_APPLICATION_ID")
    ended = fleet("plan", "fleet.yaml")
    assert ended.code == 2
    assert "for south: the variable 'bot_application_id' has no value" in ended.err
    assert "north" not in ended.err
    asked = fleet("apply", "fleet.yaml", "--only", "north")
    assert (asked.code, "add --yes" in asked.err, "wave rest: north" in asked.err) == (5, True, True)
    assert fleet("plan", "none.yaml").code == 2
    assert "in no time" in fleet("plan", "fleet.yaml", "--timeout", "0s").err
    assert "no such run" in fleet("plan", "fleet.yaml", "--only", "north", "--resume", "x").err
    assert not emulator.requests


def test_every_form(fleet: Call, serving: Serve) -> None:
    written({"north": f'"{serving().url}"', "south": '"http://127.0.0.1:9"'})
    names = ("a.txt", "a.json", "a.md", "a.html", "a.xml", "a.sarif")
    reports = [part for name in names for part in ("--report", name)]
    ended = fleet("audit", "fleet.yaml", *QUICK, "--timeout", "5s", *reports)
    assert len(names) == len(FORMS)
    assert ended.code in (1, 6)
    assert all("south" in Path(name).read_text(encoding="utf-8") for name in names)
