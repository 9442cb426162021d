"""Protection limits through the real command: who waits, what is said of it, how it ends; several processes at once.

Only the last test waits in earnest; the others end before a wait begins, or sleep on a clock of their own.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from d365setup.dataverse.client import Client
from d365setup.dataverse.shared_gate import SharedGate, file_name
from d365setup.emulator import Emulator, Fault, Limits, Options, entra
from d365setup.emulator.errors import ServiceError
from d365setup.emulator.limits import BURST, Protection
from d365setup.emulator.options import Request
from tests.cli import process
from tests.cli.conftest import TOKEN, VALUES, Ended, Run
from tests.engine.rows import rows

TOLD = "the service asked to wait (429)"
OTHERS_TOLD = "the service asked another process of the same user to wait (429)"


@pytest.fixture(autouse=True)
def gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a folder of gates to itself."""
    folder = tmp_path / "gates"
    monkeypatch.setenv("D365_GATE_DIR", str(folder))
    return folder


@contextmanager
def limited(**limits: Any) -> Iterator[Emulator]:
    emulator = Emulator(None, Options(limits=Limits(**limits)))
    with closing(emulator), emulator.serve():
        yield emulator


def busy(seconds: int) -> Fault:
    return Fault(where="request", status=429, code="0x80072322", message="too much", retry_after=seconds)


# -- how it ends when the wait is too long ---------------------------------------------------------------------------


def test_8_when_nothing_was_written_7_when_something_was(run: Run, tmp_path: Path) -> None:
    """The window closes after each number of requests once, from the first to one more than it takes."""
    with limited() as emulator:
        before = rows(emulator)
        assert run("apply", "bot.yaml", "--url", emulator.url, "--yes", **VALUES).code == 0
        after, needed = rows(emulator), len(emulator.requests)
    codes = []
    for number in range(1, needed + 1):
        with limited(requests=number) as emulator:
            call = ("apply", "bot.yaml", "--url", emulator.url, "--yes", "--max-wait", "1", "--format", "json")
            places = {"D365_GATE_DIR": str(tmp_path / f"gates-{number}"), "D365_STATE_DIR": str(tmp_path / str(number))}
            ended = run(*call, **VALUES, **places)
            codes.append(ended.code)
            landed = [each["id"] for each in ended.json.get("outcomes", []) if each["status"] == "verified"]
            written = rows(emulator)
            assert (ended.code == 8) == (written == before), number
            assert (ended.code == 0) == (written == after), number
            assert bool(landed) == (written != before), number
            assert len(emulator.requests) <= needed + 4  # those side by side with the one that was refused
            if ended.code:
                assert "429" in ended.out
                assert "wait, then run again" in ended.out
            emulator.protection.limits = Limits()
            emulator.protection.reset()
            again = {**places, "D365_GATE_DIR": str(tmp_path / f"gates-{number}-again")}
            assert run(*call[:-4], **VALUES, **again).code == 0
            assert rows(emulator) == after
    print(f"the window closed after each of 1 to {needed} requests: exit codes {codes}")  # noqa: T201  # for -rP
    assert codes == sorted(codes, key=[8, 7, 0].index)
    assert set(codes) == {8, 7, 0}


def test_a_gate_that_another_process_closed_ends_the_command_before_it_sends(
    at: Run, emulator: Emulator, gates: Path
) -> None:
    SharedGate(gates / file_name(emulator.url, TOKEN), time.monotonic).hold(time.monotonic() + 3000)
    for command in (("plan",), ("verify",), ("apply", "--yes")):
        ended = at(*command)
        assert ended.code == 8
        assert OTHERS_TOLD in ended.err
        assert "next: wait, then run again" in ended.err
    assert emulator.requests == []
    assert at("plan", D365_ACCESS_TOKEN="somebody-elses").code == 3


def test_told_once_the_next_command_of_the_same_user_sends_nothing(at: Run, emulator: Emulator, gates: Path) -> None:
    emulator.fail(busy(3000))
    assert at("plan").code == 8
    emulator.reset_log()
    assert at("plan").code == 8
    assert emulator.requests == []
    assert stat.S_IMODE(gates.stat().st_mode) == 0o700
    held = b"".join(each.read_bytes() + each.name.encode() for each in gates.iterdir())
    assert TOKEN.encode() not in held
    assert emulator.url.encode() not in held


def test_two_tokens_of_one_application_are_one_user(run: Run, tmp_path: Path) -> None:
    """Each command signs in anew, over TLS and through MSAL; the tokens differ, the user does not."""
    with entra.serve(tmp_path / "entra") as office:
        variables = {name: value for name, value in VALUES.items() if name != "D365_ACCESS_TOKEN"}
        variables |= {"D365_CLIENT_ID": entra.PIPELINE, "D365_CLIENT_SECRET": entra.PIPELINE_SECRET}
        variables |= {"D365_CA_BUNDLE": str(office.ca_bundle)}
        call = ("plan", "bot.yaml", "--url", office.url, "--max-wait", "1")
        office.emulator.fail(busy(3000))
        assert run(*call, **variables).code == 8
        office.emulator.reset_log()
        ended = run(*call, **variables)
        assert (ended.code, OTHERS_TOLD in ended.err) == (8, True)
        assert [each for each in office.emulator.requests if each.user] == []


# -- what is said of waits -------------------------------------------------------------------------------------------


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The command's waits, which take no time."""
    found: list[float] = []
    now = time.monotonic()
    client = partial(Client, sleep=found.append, clock=lambda: now + sum(found))
    monkeypatch.setattr("d365setup.cli.environment.Client", client)
    return found


def test_a_wait_of_five_seconds_is_said_once_a_shorter_one_is_not(
    at: Run, emulator: Emulator, slept: list[float]
) -> None:
    emulator.fail(busy(4))
    assert at("plan").err == ""
    assert slept
    emulator.fail(busy(5))
    ended = at("plan", "--format", "json", D365_ACCESS_TOKEN="another")
    assert ended.err == f"waiting 5 s: {TOLD}\n"
    assert ended.json["exit_code"] == 3


def test_each_long_wait_is_said(at: Run, emulator: Emulator, slept: list[float]) -> None:
    for seconds in (6, 60):
        emulator.fail(busy(seconds))
    at("plan")
    emulator.fail(busy(7))
    said = at("apply", "--yes", D365_ACCESS_TOKEN="another").err
    assert said == f"waiting 7 s: {TOLD}\n"


def test_verbose_says_each_wait_of_each_worker(at: Run, emulator: Emulator, slept: list[float]) -> None:
    emulator.fail(busy(7))
    lines = at("plan", "--verbose").err.splitlines()
    assert len(lines) == len(slept) >= 1
    assert all(line.startswith("waiting ") and line.endswith((TOLD, OTHERS_TOLD)) for line in lines)


def test_waits_are_counted_in_the_run(at: Run, emulator: Emulator, slept: list[float]) -> None:
    emulator.fail(busy(7))
    document = at("apply", "--yes", "--format", "json").json
    assert document["http"]["waited_seconds"] == pytest.approx(sum(slept), abs=0.01)
    assert sum(slept) >= 7


@pytest.mark.parametrize("place", ["bot.yaml/gates", "link/gates"])
def test_a_folder_that_cannot_be_made_fails_nothing(
    at: Run, emulator: Emulator, slept: list[float], tmp_path: Path, place: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    emulator.fail(busy(3))
    ended = at("apply", "--yes", D365_GATE_DIR=str(tmp_path / place))
    assert (ended.code, ended.err) == (0, "")
    emulator.fail(busy(3))
    notes = [line for line in at("plan", "--verbose", D365_GATE_DIR=place).err.splitlines() if "waiting" not in line]
    assert len(notes) >= 1
    assert all(place in note for note in notes)
    assert "other processes are not told to wait" in notes[-1]


def test_without_a_folder_given_it_is_the_users_own(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    call = ("plan", "bot.yaml", "--url", emulator.url, "--max-wait", "1")
    for variables, folder in (
        ({"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": str(tmp_path / "t")}, tmp_path / "d365setup"),
        ({"XDG_RUNTIME_DIR": "", "TMPDIR": str(tmp_path)}, tmp_path / f"d365setup-{os.geteuid()}"),
    ):
        given = {**VALUES, **variables, "D365_GATE_DIR": ""}
        assert run(*call, **given).code == 3
        assert not folder.exists()
        emulator.fail(busy(30))
        assert run(*call, **given).code == 8
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(list(folder.glob("*.gate"))) == 1


# -- four processes at once ------------------------------------------------------------------------------------------

LIMITS = Limits(requests=20, window=3)
ON_THE_WIRE = 0.5  # seconds a request may take from its look at the gate until it comes in, on the slowest machine
ROUND_TRIP = 0.6  # longer: what a client sends next is never on the wire beside what it sent before
PROCESSES = 4


@dataclass(frozen=True)
class Refusal:
    """A 429: when it was decided (before it was answered), and for how long."""

    at: float
    wait: int


class Standing:
    """Seconds that stand still until somebody is refused, so that it is the requests that count, on any machine.

    From then on they go, until whoever was told to wait may come; what is on the wire with a refusal is beside it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._stood, self._since, self._until = 0.0, 0.0, 0.0

    def __call__(self) -> float:
        with self._lock:
            passed = time.monotonic() - self._since
            if self._stood < self._until <= self._stood + passed:
                self._stood = self._until
            return self._stood + (passed if self._stood < self._until and passed > ON_THE_WIRE else 0.0)

    def go(self, seconds: int) -> None:
        """Somebody was told to wait so long."""
        with self._lock:
            now = self()
            if self._stood >= self._until:
                self._since = time.monotonic()
            self._until = max(self._until, now + seconds)


class Watched(Protection):
    """The emulator's own limits, unchanged, which remember what they refused."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(limits, clock)
        self.refusals: list[Refusal] = []

    @contextmanager
    def admitted(self, user: str) -> Iterator[None]:
        try:
            with super().admitted(user):
                yield
        except ServiceError as error:
            if error.status == 429:
                wait = int(dict(error.headers)["Retry-After"])
                self.refusals.append(Refusal(time.monotonic(), wait))
                if isinstance(self._clock, Standing):
                    self._clock.go(wait)
            raise


@dataclass(frozen=True)
class Told:
    """What the file told all processes: written then, closed until."""

    written: float
    until: float


def told(gates: Path) -> Iterator[Told]:
    """What it tells now, in the seconds of `time.monotonic`."""
    ahead = time.time() - time.monotonic()
    for each in gates.glob("*.gate"):
        content = json.loads(each.read_bytes())
        yield Told(content["written"] / 1000 - ahead, content["until"] / 1000 - ahead)


def early(
    log: list[Request], refusals: list[Refusal], on_the_wire: float, told: Collection[Told] | None = None
) -> list[float]:
    """Seconds of each request that began while somebody had been told to wait, and all could know.

    They count from the refusal or, with ``told``, from when a file told all of it, if ever one did. What began before,
    or within the seconds it takes to come in, was on the wire already.
    """
    found = []
    for refusal in refusals:
        end = refusal.at + refusal.wait
        known = [each.written for each in told or () if each.until >= end - 0.01]  # the two clocks are read in turn
        since = max(refusal.at, min(known, default=refusal.at))
        found += [each.started - since for each in log if since + on_the_wire < each.started < end]
    return found


def test_it_sees_who_is_early() -> None:
    log = [Request("GET", "x", 200, started, started + 1) for started in (9.0, 10.05, 10.5, 12.9, 13.0)]
    assert early(log, [Refusal(10.0, 3)], on_the_wire=0.0) == pytest.approx([0.05, 0.5, 2.9])
    assert early(log, [Refusal(10.0, 3)], on_the_wire=BURST) == pytest.approx([0.5, 2.9])
    assert early(log, [Refusal(9.5, 1), Refusal(10.0, 3)], on_the_wire=BURST) == pytest.approx([0.55, 0.5, 2.9])
    assert early(log, [Refusal(10.0, 3)], 0.1, [Told(10.3, 13.0), Told(10.9, 14.0)]) == pytest.approx([0.2, 2.6])
    assert early(log, [Refusal(10.0, 3)], 0.1, [Told(10.3, 12.0)]) == pytest.approx([0.5, 2.9])
    assert early(log, [Refusal(10.0, 3)], 0.1, [Told(9.3, 14.0)]) == pytest.approx([0.5, 2.9])


PLAYBOOK = """\
playbook: 1
name: clinic-{name}
queues:
  - {{name: Billing {name}, members: [nurse.one@contoso.example]}}
  - {{name: Nurses {name}, members: [nurse.one@contoso.example]}}
workstreams:
  - name: Chat {name}
    context_variables: [{{name: Urgency, type: text}}]
    fallback_queue: Billing {name}
    routing_rules:
      - {{name: Any hand-off, when: {{variable: Urgency, operator: has a value}}, queue: Nurses {name}}}
"""


def playbook(emulator: Emulator, folder: Path, name: str) -> Path:
    """A playbook of things nobody else's touches, and the work stream it adds to."""
    push = {"msdyn_mode": 717210001, "msdyn_workdistributionmode": 192350000, "msdyn_streamsource": 192360000}
    units = {"msdyn_capacityformat": 192350000, "msdyn_capacityrequired": 30}
    emulator.add("msdyn_liveworkstream", msdyn_name=f"Chat {name}", **push, **units)
    path = folder / f"{name}.yaml"
    path.write_text(PLAYBOOK.format(name=name), encoding="utf-8")
    return path


def applied(url: str, gates: Path, playbooks: list[Path]) -> list[Ended]:
    """Real processes, one after the other, each in a folder of its own."""
    found = []
    for path in playbooks:
        path.with_suffix("").mkdir()
        variables = {"D365_ACCESS_TOKEN": TOKEN, "D365_GATE_DIR": str(gates)}
        call = ("apply", str(path), "--url", url, "--yes", "--format", "json")
        found.append(Ended(*process.ended(*call, variables=variables, cwd=path.with_suffix(""))))
    return found


@contextmanager
def strict(
    limits: Limits,
    rtt: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Emulator, Watched]]:
    emulator = Emulator(None, Options(limits=limits, rtt=rtt), sleep=sleep)
    watched = emulator.protection = emulator.gateway.protection = Watched(limits, clock)
    with closing(emulator), emulator.serve():
        yield emulator, watched


@pytest.mark.parametrize("shared", [True, False])
def test_a_process_that_comes_later_is_early_only_where_no_file_tells_it(tmp_path: Path, *, shared: bool) -> None:
    """Both give up rather than wait, so that nothing hangs on how fast they are."""
    with strict(Limits(requests=2, window=60)) as (emulator, watched):
        path = playbook(emulator, tmp_path, "a")
        call = ("plan", str(path), "--url", emulator.url, "--max-wait", "0")
        for number in (1, 2):
            before = len(emulator.requests)
            folder = tmp_path / ("gates" if shared else f"gates-{number}")
            variables = {"D365_ACCESS_TOKEN": TOKEN, "D365_GATE_DIR": str(folder)}
            assert process.ended(*call, variables=variables, cwd=tmp_path)[0] == 8
        assert (len(emulator.requests) == before) is shared
        assert bool(early(emulator.requests, watched.refusals, BURST)) is not shared


def test_seconds_stand_until_somebody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = Standing()
    now += 50
    assert clock() == 0.0
    clock.go(3)
    now += ON_THE_WIRE
    assert clock() == 0.0
    now += 1.5 - ON_THE_WIRE
    assert clock() == 1.5
    clock.go(2)
    now += 1.75
    assert clock() == 3.25
    now += 60
    assert clock() == 3.5
    clock.go(3)
    now += 2.0
    assert clock() == 5.5


def test_four_processes_at_once_and_nobody_is_early(tmp_path: Path, gates: Path) -> None:
    """Eight applies in four lanes, of one user: they take more than two windows, and everyone who is told tells all.

    A window closes after so many requests, however long they take. Whoever begins one after the file was written, and
    before its time, did not look.
    """
    notes: set[Told] = set()

    def comes_in(seconds: float) -> None:
        notes.update(told(gates))
        time.sleep(seconds)

    served = strict(LIMITS, ROUND_TRIP, Standing(), comes_in)
    with served as (emulator, watched), ThreadPoolExecutor(PROCESSES) as executor:
        lanes = [[playbook(emulator, tmp_path, f"{lane}{step}") for step in "ab"] for lane in range(PROCESSES)]
        runs = [each for lane in executor.map(partial(applied, emulator.url, gates), lanes) for each in lane]
        assert [each.code for each in runs] == [0] * len(runs), [each.err for each in runs]
        queues = emulator.sql("SELECT name FROM queue WHERE name LIKE 'Billing __' OR name LIKE 'Nurses __'")
    log, refusals = emulator.requests, watched.refusals
    notes.update(told(gates))
    disobeyed = early(log, refusals, ON_THE_WIRE, notes)
    waited = sum(json.loads(each.out)["http"]["waited_seconds"] for each in runs)
    print(  # noqa: T201  # for -rP
        f"{len(runs)} applies, {len(log)} requests, {len(refusals)} refused and told to wait "
        f"{[each.wait for each in refusals]} s; {waited:.0f} s waited; began after it was told and before its time: "
        f"{len(disobeyed)}, and {len(early(log, refusals, 0.0, notes)) - len(disobeyed)} within {ON_THE_WIRE} s of it"
    )
    assert len(queues) == 2 * len(runs)
    assert len(refusals) == sum(1 for each in log if each.status == 429) >= 2
    assert len(log) > 2 * LIMITS.requests
    assert waited > 0
    assert disobeyed == []
