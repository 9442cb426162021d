"""What goes wrong in the environment: exit code, message, and what to do next. Nothing waits: `--max-wait 0`."""

from __future__ import annotations

import itertools
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from d365setup.cli.failures import explained
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import NotFound, ReadFailed
from d365setup.emulator import Emulator, Fault, Options, Switches
from d365setup.outcome import Outcome, Status
from d365setup.plan import Decision
from tests.cli.conftest import TOKEN, VALUES, Run
from tests.cli.process import start
from tests.report.published import check

NO_OMNICHANNEL = "Could not find a property named 'msdyn_agentType' on type 'Microsoft.Dynamics.CRM.systemuser'."
LACKING = "Principal user is missing prvReadQueue privilege"


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (Fault(path="WhoAmI", status=403, code="0x80040220", message=LACKING), 6, ["prvReadQueue", "security role"]),
        (Fault(where="request", status=401, code="", message=""), 6, ["refused the token", "D365_ACCESS_TOKEN"]),
        (Fault(where="request", status=429, code="0x80072322", retry_after=7), 8, ["next: wait, then run again"]),
        (Fault(where="request", status=503), 1, ["HTTP 503", "next: try again in a few minutes"]),
        (Fault(where="drop-before"), 6, ["the connection to http://127.0.0.1"]),
        (
            Fault(path="systemusers", status=400, code="0x80060888", message=NO_OMNICHANNEL),
            1,
            ["next: the environment has no msdyn_agentType: Omnichannel for Customer Service is not installed"],
        ),
    ],
    ids=lambda value: str(value.status) + value.where if isinstance(value, Fault) else "",
)
@pytest.mark.parametrize("command", ["plan", "verify", "apply"])
def test_what_reading_can_meet(
    command: str, fault: Fault, code: int, told: list[str], at: Run, emulator: Emulator
) -> None:
    yes = ["--yes"] if command == "apply" else []
    for form in ("text", "json"):
        for _ in range(99):
            emulator.fail(fault)
        ended = at(command, "--max-wait", "0", "--format", form, *yes)
        emulator.faults.clear()
        assert ended.code == code
        said = ended.err if form == "text" else " ".join(["next:", ended.json["hint"], ended.json["message"]])
        for each in told:
            assert each in said
        assert TOKEN not in ended.out + ended.err


def test_a_table_that_is_not_there_means_no_omnichannel() -> None:
    missing = NotFound("Resource not found for the segment 'msdyn_liveworkstreams'.", status=404, code="0x80060888")
    report = explained(ReadFailed({3: missing, 5: missing}))
    assert "no msdyn_liveworkstreams: Omnichannel for Customer Service is not installed" in report.hint


def test_each_reason_of_one_wave_is_told_once() -> None:
    first, second = NotFound("no a", status=404), NotFound("no b", status=404)
    report = explained(ReadFailed({0: first, 1: second, 2: first}))
    assert [each.message for each in report.problems] == ["no a (HTTP 404)", "no b (HTTP 404)"]


@pytest.mark.parametrize(
    ("path", "status", "code", "landed"),
    [
        ("queues", 403, 6, 0),
        ("queues", 400, 1, 0),
        ("queues", 429, 8, 0),
        ("msdyn_decisionrulesets", 403, 7, 6),
        ("msdyn_decisionrulesets", 400, 7, 6),
    ],
)
def test_what_writing_can_meet(path: str, status: int, code: int, landed: int, at: Run, emulator: Emulator) -> None:
    text = Path("bot.yaml").read_text(encoding="utf-8")
    Path("bot.yaml").write_text(re.sub(r"\n    fallback_queue:.*", "", text), encoding="utf-8")
    emulator.fail(Fault("PATCH", path, status=status, code="0x80040220", message="refused by a plug-in", times=99))
    ended = at("apply", "--yes", "--max-wait", "0", "--format", "json")
    assert ended.code == code
    assert ended.err == ""
    outcomes = ended.json["outcomes"]
    assert len(outcomes) == len(ended.json["changes"]) == 10
    assert [each["status"] for each in outcomes].count("verified") == landed
    failed = [each for each in outcomes if each["status"] == "failed"]
    assert failed
    for each in failed:
        assert "refused by a plug-in" in each["detail"]
        assert (each["http_status"], each["code"]) == (status, "0x80040220")
        assert each["request_id"]
        assert each["source"]["file"] == "bot.yaml"
    emulator.faults.clear()
    repaired = at("apply", "--yes", "--format", "json")
    assert repaired.code == 0
    assert len(repaired.json["outcomes"]) == 10 - landed


def test_text_of_a_failed_run_says_what_where_and_what_next(at: Run, emulator: Emulator) -> None:
    emulator.fail(Fault("PATCH", "msdyn_decisionrulesets", status=403, code="0x80040220", message=LACKING, times=99))
    ended = at("apply", "--yes")
    assert ended.code == 7
    assert "\nfailed        routing_rule:Patient chat/" in ended.out
    assert "bot.yaml:" in ended.out
    assert f"{LACKING} (HTTP 403, 0x80040220, request " in ended.out
    assert "next: give the user a security role that holds the privilege named in the message" in ended.out
    assert ended.out.endswith("next: mend what failed and apply again; what is verified is left alone\n")


def test_reading_that_fails_between_two_stages_is_told_as_a_run(run: Run) -> None:
    late = Emulator(None, Options(switches=Switches(contract="never")))
    with late.serve():
        call = ("apply", "bot.yaml", "--url", late.url, "--yes", "--max-wait", "0", "--contract-wait", "0")
        late.fail(Fault("GET", "msdyn_liveworkstreams", skip=3, status=403, message=LACKING, times=99))
        ended = run(*call, "--format", "json", **VALUES)
    late.close()
    assert ended.code == 7
    left = [each for each in ended.json["outcomes"] if each["status"] == "not written"]
    assert {each["kind"] for each in left} == {"routing_rule"}


def test_what_only_the_environment_can_tell_comes_together_with_the_lines(at: Run, emulator: Emulator) -> None:
    text = Path("bot.yaml").read_text(encoding="utf-8")
    text = text.replace("nurse.one@", "nobody@").replace("roles: [Omnichannel agent]", "roles: [No such role]")
    Path("bot.yaml").write_text(text, encoding="utf-8")
    emulator.reset_log()
    ended = at("apply", "--yes", "--format", "json")
    assert ended.code == 1
    assert {each["id"] for each in ended.json["problems"]} == {
        "role_assignment:Contoso Health Bot/No such role",
        "queue_member:Nurses/nobody@contoso.example",
    }
    assert all(each["source"]["file"] == "bot.yaml" for each in ended.json["problems"])
    assert not [op for request in emulator.requests for op in request.operations if op[0] != "GET"]
    masked = at("plan", "--redact").err
    assert "nobody@contoso.example" not in masked
    assert "queue_member:Nurses/person-" in masked


def test_too_many_removals_are_refused_with_the_option_that_allows_them(at: Run, emulator: Emulator) -> None:
    queue = emulator.sql("SELECT queueid FROM queue WHERE name = 'Nurses'")[0][0]
    root = emulator.sql("SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")[0][0]
    for number in range(12):
        mail = f"p{number}@contoso.example"
        person = emulator.add("systemuser", lastname=f"P{number}", internalemailaddress=mail, businessunitid=root)
        emulator.link("queue", queue, "queuemembership_association", person)
    text = Path("bot.yaml").read_text(encoding="utf-8").replace("mode: include", "mode: exact")
    Path("bot.yaml").write_text(text, encoding="utf-8")
    refused = at("apply", "--yes")
    assert refused.code == 5
    count = int(refused.err.split("--allow-delete queue_member:")[1].split()[0])
    assert count >= 12
    assert at("apply", "--yes", "--allow-delete", "queue_member:11").code == 5
    assert at("apply", "--yes", "--allow-delete", f"queue_member:{count}").code == 0


def test_verbose_tells_of_each_wait_and_nothing_else(
    at: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("d365setup.cli.environment.Client", partial(Client, sleep=slept.append, clock=lambda: 0.0))
    busy = Fault(where="request", status=429, code="0x80072322", retry_after=7)
    emulator.fail(busy)
    assert at("plan").err == "waiting 7 s: the service asked to wait (429)\n"  # 5 s and more are told in any case
    assert slept
    slept.clear()
    emulator.fail(busy)
    told = at("plan", "--verbose", D365_GATE_DIR="another")  # or it would wait for the first one's 429, too
    assert told.code == 3
    assert told.err.splitlines() == ["waiting 7.0 s: the service asked to wait (429)"] * len(slept)
    assert at("plan", "--verbose", D365_GATE_DIR="a third").err == ""


def test_a_bug_is_one_line_and_how_to_report_it(
    at: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("canary\x1b[2J")

    monkeypatch.setattr("d365setup.session.read_live", broken)
    ended = at("plan")
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert lines[0] == r"error: d365setup itself failed (ZeroDivisionError: canary\x1b[2J); this should not happen"
    assert lines[1].startswith("next: please report it")
    assert len(lines) == 2
    assert "Traceback" in at("plan", D365_DEBUG="1").err


@pytest.mark.parametrize(
    ("cause", "landed", "code", "told"),
    [
        (KeyboardInterrupt(), 3, 130, "interrupted: 3 of 11 changes are verified, 8 not known"),
        (KeyError("x"), 3, 7, "d365setup itself failed (KeyError: 'x'): 3 of 11 changes are verified, 8 not known"),
        (KeyError("x"), 0, 1, "d365setup itself failed (KeyError: 'x'): 0 of 11 changes are verified, 11 not known"),
    ],
)
def test_an_apply_that_ends_in_the_middle_says_where_things_stand(
    cause: BaseException, landed: int, code: int, told: str, at: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(decision: Decision, *_: object) -> Iterator[Outcome]:
        yield from (Outcome(change, Status.VERIFIED) for change in decision.plan.changes[:landed])
        raise cause

    monkeypatch.setattr("d365setup.session.apply_plan", broken)
    ended = at("apply", "--yes", "--format", "json")
    assert ended.code == code
    assert ended.err == ""
    assert ended.json["message"] == told
    assert len(ended.json["problems"]) == 11 - landed
    assert ended.json["hint"].startswith("run `d365setup plan` to see what is left")
    debugged = at("apply", "--yes", D365_DEBUG="1")
    assert ("Traceback" in debugged.err) == isinstance(cause, KeyError)


def apply_interrupted(
    after: int, *options: str, hold: bool, number: int = signal.SIGINT, times: int = 1
) -> tuple[int, str, str]:
    """An apply that gets a signal while the emulator works on its request number ``after``."""
    started: list[subprocess.Popen[str]] = []
    known, over = threading.Event(), threading.Event()
    count = itertools.count(1)

    def sleep(_: float) -> None:
        if next(count) == after:
            known.wait(30)
            for place in range(times):
                started[0].send_signal(number)
                if place + 1 < times:  # two signals at once would be one
                    heard(started[0])
            over.wait(30 if hold else 0)  # no answer before the process is gone

    emulator = Emulator(None, Options(rtt=0.001), sleep=sleep)
    with emulator.serve():
        with Path("err.txt").open("w") as err:
            call = ("apply", "bot.yaml", "--url", emulator.url, "--yes", *options)
            started.append(start(*call, variables=VALUES, stderr=err))
            known.set()
            out, _ = started[0].communicate(timeout=60)
        over.set()
    emulator.close()
    return started[0].returncode, out, Path("err.txt").read_text()


def heard(process: subprocess.Popen[str]) -> None:
    """Wait until it says that it heard the first one."""
    for _ in range(1000):
        if "stopping" in Path("err.txt").read_text() or process.poll() is not None:
            return
        time.sleep(0.01)


WINDOWS = pytest.mark.skipif(sys.platform == "win32", reason="sends signals to one process")


@WINDOWS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_writing_finishes_what_is_under_way(number: int, run: Run) -> None:
    code, out, err = apply_interrupted(5, "--format", "json", hold=False, number=number)  # after four reads
    told = json.loads(out)
    check(told)
    assert (code, told["exit_code"], told["interrupted"]) == (130, 130, True)
    assert err == "stopping: what is under way is finished and read back first; once more stops at once\n"
    statuses = [each["status"] for each in told["outcomes"]]
    assert (statuses.count("verified"), statuses.count("not written")) == (6, 5)
    details = {each["detail"] for each in told["outcomes"] if each["status"] == "not written"}
    assert details == {"not tried: the apply was stopped before"}
    (recorded,) = run("history", "--format", "json").json["runs"]
    assert (recorded["state"], recorded["ended_with"], recorded["run"]) == ("ended", 130, told["run"])


@WINDOWS
def test_the_text_of_a_stopped_apply_says_how_to_go_on() -> None:
    code, out, _ = apply_interrupted(5, hold=False)
    assert code == 130
    assert out.endswith(
        "next: it was stopped before the end; the same again goes on, and leaves alone what is verified\n"
    )


@WINDOWS
def test_the_second_ctrl_c_stops_at_once_and_the_journal_stays_open(run: Run) -> None:
    code, out, err = apply_interrupted(6, hold=True, times=2)  # four reads, the first stage, the second stage
    assert (code, out) == (130, "")
    assert "\nerror: interrupted: 6 of 11 changes are verified, 5 not known\n" in err
    assert "routing_rule:Patient chat/Urgent: may or may not be written" in err
    assert "next: run `d365setup plan` to see what is left" in err
    assert "Traceback" not in err
    (recorded,) = run("history", "--format", "json").json["runs"]
    assert (recorded["state"], recorded["ended_with"]) == ("open", None)


@WINDOWS
def test_ctrl_c_while_reading_says_that_nothing_was_written(run: Run) -> None:
    code, out, err = apply_interrupted(2, "--format", "json", hold=False)
    assert (code, err) == (130, "")
    assert json.loads(out)["message"] == "interrupted: nothing was written"
    assert run("history", "--format", "json").json["runs"] == []


def test_no_secret_shows_whatever_goes_wrong(at: Run, emulator: Emulator) -> None:
    secrets = {
        "D365_ACCESS_TOKEN": "canary-token",
        "D365_CLIENT_SECRET": "canary-secret",
        "AZURE_CLIENT_SECRET": "canary-other",
        "D365_DEBUG": "1",
    }
    seen = []
    for fault in (
        None,
        Fault(path="WhoAmI", status=403, message="no"),
        Fault(where="request", status=401),
        Fault(where="drop-before"),
        Fault(method="PATCH", status=400, message="no"),
    ):
        for form in ("text", "json"):
            emulator.reset("clinic")
            for _ in range(20 if fault else 0):
                emulator.fail(fault or Fault())
            call = ("apply", "--yes", "--verbose", "--format", form, "--max-wait", "0", "--report", "r.txt")
            ended = at(*call, **secrets)
            seen += [ended.out, ended.err, Path("r.txt").read_text(encoding="utf-8")]
    assert len(seen) == 30
    assert not [text for text in seen if "canary" in text]
