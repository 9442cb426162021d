"""The throttle gate in a file: who told is believed, the latest counts, and nothing wrong with it ever stops anyone.

Clocks are the tests' own. Two gates here are two processes: their clocks begin anywhere, the clock on the wall is one.
"""

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.dataverse import gate_file
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client, Request
from d365setup.dataverse.errors import Throttled
from d365setup.dataverse.shared_gate import (
    FARTHEST,
    SKEW,
    SharedGate,
    default_folder,
    file_name,
    identity,
    seconds_left,
)
from d365setup.dataverse.waiting import OTHERS_TOLD, TOLD, Gate

from .service import MULTIPART, ORIGIN, THROTTLED, Answer, Asked, Clock, client, joined, loopback, part

NOW = 1_700_000_000.0  # on the wall
ROUNDING = 0.0011  # seconds: whole milliseconds, rounded up


@dataclass
class Machine:
    """Seconds that pass for all processes at once; each counts them from where it likes."""

    passed: float = 0.0
    wall_ahead: float = 0.0
    notes: list[str] = field(default_factory=list)

    def process(self, path: Path, begins: float = 0.0, **options) -> SharedGate:
        clock = lambda: begins + self.passed  # noqa: E731
        return SharedGate(path, clock, wall=self.wall, tell=self.notes.append, **options)

    def wall(self) -> float:
        return NOW + self.passed + self.wall_ahead


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gates" / "one.gate"


def content(written: float, until: float) -> bytes:
    return json.dumps({"written": round(written * 1000), "until": round(until * 1000)}).encode()


def put(path: Path, text: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(text)


# --- what one process says, another hears


def test_one_is_told_and_all_wait(machine, path):
    told, other = machine.process(path, begins=50), machine.process(path, begins=9000)
    assert other.opens() == float("-inf")
    told.hold(80)
    assert told.opens() == 80
    assert 9030 <= other.opens() <= 9030 + ROUNDING
    machine.passed = 31
    assert machine.process(path).opens() < 31
    assert machine.notes == []


def test_the_later_of_two_counts_and_nobody_opens_early(machine, path):
    one, two = machine.process(path), machine.process(path, begins=100)
    one.hold(30)
    two.hold(110)
    assert 130 <= two.opens() <= 130 + ROUNDING
    two.hold(140)
    assert 40 <= one.opens() <= 40 + ROUNDING


_TENTHS = st.integers(0, 999).map(lambda number: number / 10)


@given(st.lists(st.tuples(st.integers(0, 2), _TENTHS, _TENTHS), max_size=12))
def test_whoever_says_what_in_whatever_order_the_latest_counts(tmp_path_factory, acts):
    machine, path = Machine(), tmp_path_factory.mktemp("gate") / "folder" / "one.gate"
    processes = [machine.process(path, begins=1000.0 * number) for number in range(3)]
    until = float("-inf")
    for who, seconds, then in acts:
        processes[who].hold(1000.0 * who + machine.passed + seconds)
        until = max(until, machine.passed + seconds)
        for number, each in enumerate(processes):
            opens = each.opens() - 1000.0 * number
            is_open = until <= machine.passed + 1e-6  # whose time has passed may be forgotten
            assert opens <= machine.passed + ROUNDING if is_open else until - 1e-6 <= opens <= until + ROUNDING
        machine.passed += then
    assert machine.notes == []


def test_told_to_wait_for_ever_others_ask_again_after_an_hour(machine, path):
    machine.process(path).hold(1e6)
    assert FARTHEST <= machine.process(path).opens() <= FARTHEST + ROUNDING
    assert machine.notes == []


def test_the_folder_is_its_owners_alone_and_the_file_holds_two_times(machine, path):
    machine.process(path).hold(5)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(each.name for each in path.parent.iterdir()) == ["one.gate", "one.gate.lock"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}
    assert json.loads(path.read_bytes()) == {"written": NOW * 1000, "until": NOW * 1000 + 5000}


# --- what it costs while nobody is throttled


def test_nothing_is_made_or_opened_while_nobody_is_throttled(machine, path):
    gate = machine.process(path)
    with opened_below(path.parent) as seen:
        assert {gate.opens() for _ in range(50)} == {float("-inf")}
    assert seen == []
    assert not path.parent.exists()


def test_the_file_is_opened_once_for_each_change(machine, path):
    gate, other = machine.process(path), machine.process(path)
    for until in (10, 20):
        other.hold(until)
        with opened_below(path.parent) as seen:
            for _ in range(50):
                gate.opens()
        assert len(seen) == 1


@contextmanager
def opened_below(folder: Path):
    """The files opened below a folder. No audit hook: those stay for good, and make starting threads a race."""
    real, seen = os.open, []

    def opening(path, *args, **more):
        seen.extend([str(path)] if str(path).startswith(str(folder)) else [])
        return real(path, *args, **more)

    with patch.object(os, "open", opening):
        yield seen


# --- what stands in the file is hostile until understood


@given(st.floats(0, 4e9), st.floats(0, FARTHEST), st.floats(-100, 100))
def test_what_was_written_is_understood(written, wait, later):
    text = content(written, written + wait)
    if later < -SKEW - 0.001:
        with pytest.raises(ValueError, match="set back"):
            seconds_left(text, written + later)
    elif later > -SKEW + 0.001:
        assert seconds_left(text, written + later) == pytest.approx(wait - later, abs=0.002)


@given(st.binary(max_size=300))
def test_anything_else_is_a_reason_or_a_bounded_wait(text):
    with suppress(ValueError):
        assert seconds_left(text, NOW) <= FARTHEST + 2 * SKEW


ODD = {
    "empty": b"",
    "torn": content(NOW, NOW + 20)[:-9],
    "no JSON": b"\xff\xfe\x00",
    "nested": b"[" * 150,
    "another shape": b"[1700000000000, 1700000020000]",
    "text": b'{"written": "1700000000000", "until": "1700000020000"}',
    "fractions": b'{"written": 1700000000000.5, "until": 1700000020000.5}',
    "true": b'{"written": true, "until": true}',
    "too large": content(NOW, NOW + 20) + b" " * 200,
    "written in the future": content(NOW + 600, NOW + 620),
    "too far ahead": content(NOW, NOW + FARTHEST + 60),
    "before it was written": content(NOW, NOW - 20),
    "numbers without end": b'{"written": ' + b"9" * 80 + b', "until": ' + b"9" * 81 + b"}",
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_counts_as_open_is_told_once_and_is_replaced(machine, path, name):
    put(path, ODD[name])
    gate = machine.process(path)
    assert {gate.opens() for _ in range(5)} == {float("-inf")}
    (note,) = machine.notes
    assert str(path) in note
    assert "counts as open: it " in note
    gate.hold(30)
    assert 30 <= machine.process(path).opens() <= 30 + ROUNDING
    assert machine.notes == [note]


def test_every_torn_piece_counts_as_open(machine, path):
    whole = content(NOW, NOW + 20)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="torn"):
            seconds_left(whole[:length], NOW)
    assert seconds_left(whole, NOW) == 20


def test_a_clock_set_back_after_the_file_was_written(machine, path):
    machine.process(path).hold(60)
    machine.wall_ahead = -900
    assert machine.process(path).opens() == float("-inf")
    assert "set back" in machine.notes[0]


def test_a_clock_set_back_while_we_wait_changes_nothing(machine, path):
    machine.process(path).hold(60)
    other = machine.process(path, begins=100)
    opens = other.opens()
    machine.wall_ahead = -900
    assert other.opens() == opens


# --- places nobody should trust


def test_a_link_is_not_followed_and_what_it_leads_to_is_left_alone(machine, path, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(content(NOW, NOW + 20))
    path.parent.mkdir(mode=0o700)
    path.symlink_to(target)
    gate = machine.process(path)
    assert gate.opens() == float("-inf")
    assert machine.notes[0].endswith("it is a link")
    gate.hold(30)
    assert target.read_bytes() == content(NOW, NOW + 20)
    assert not path.is_symlink()
    assert machine.process(path).opens() >= 30


def test_a_link_in_place_of_the_lock_leads_nowhere(machine, path, tmp_path):
    path.parent.mkdir(mode=0o700)
    (path.parent / "one.gate.lock").symlink_to(tmp_path / "target")
    machine.process(path).hold(30)
    assert not (tmp_path / "target").exists()
    assert machine.notes == [f"other processes are not told to wait: {path} cannot be written (it is a link)"]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_no_plain_file(machine, path, kind):
    path.parent.mkdir(mode=0o700)
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    assert machine.process(path).opens() == float("-inf")
    assert "it is no plain file" in machine.notes[0]


def link_to_a_folder(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "elsewhere")


def a_file(folder: Path) -> None:
    folder.write_bytes(b"")


def open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (link_to_a_folder, "its folder is a link, or none"),
        (a_file, "File exists"),
        (open_to_all, "other users may write to its folder"),
    ],
)
def test_a_folder_that_is_not_ours_alone_gets_nothing(machine, path, make, why):
    make(path.parent)
    machine.process(path).hold(30)
    assert machine.notes[-1] == f"other processes are not told to wait: {path} cannot be written ({why})"
    assert machine.process(path).opens() == float("-inf")
    assert not (path.parent.is_dir() and list(path.parent.iterdir()))


@pytest.mark.parametrize("make", [link_to_a_folder, open_to_all])
def test_nor_is_it_believed(machine, path, make):
    make(path.parent)
    path.write_bytes(content(NOW, NOW + 20))
    assert machine.process(path).opens() == float("-inf")
    assert "counts as open" in machine.notes[0]


def test_what_belongs_to_another_user_is_neither_believed_nor_written(machine, path):
    """Seen from the other side, so that it needs no second user: we run as somebody else than the owner."""
    machine.process(path).hold(30)
    stranger = machine.process(path, user=os.geteuid() + 1)
    assert stranger.opens() == float("-inf")
    stranger.hold(60)
    assert ["belongs to another user" in note for note in machine.notes] == [True, True]
    assert machine.process(path).opens() <= 30 + ROUNDING


def test_a_file_of_another_user_in_our_folder_is_not_believed(machine, path, monkeypatch):
    put(path, content(NOW, NOW + 20))
    if os.geteuid() == 0:  # only root can give a file away
        os.chown(path, 12345, -1)
        why = "it belongs to another user"
    else:
        path.chmod(0o666)
        why = "other users may write to it"
    assert machine.process(path).opens() == float("-inf")
    assert machine.notes[0].endswith(why)


def test_a_place_below_a_file_is_no_place(machine, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    gate = machine.process(tmp_path / "file" / "one.gate")
    assert gate.opens() == float("-inf")
    gate.hold(30)
    assert len(machine.notes) == 2


def test_a_lock_that_stays_taken_is_not_waited_for(machine, path, monkeypatch):
    monkeypatch.setattr(gate_file, "LOCK_SECONDS", 0.0)
    with gate_file.GateFile(path).locked():
        machine.process(path).hold(30)
    assert machine.notes == [
        f"other processes are not told to wait: {path} cannot be written (its lock was not free within 0 s)"
    ]
    assert not path.exists()


FULL = """
import resource, sys
from pathlib import Path
from d365setup.dataverse.shared_gate import SharedGate
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
gate = SharedGate(Path(sys.argv[1]), lambda: 0.0, wall=lambda: 1_700_000_000.0, tell=print)
gate.hold(60)
print(gate.opens() < 60)
"""


def test_a_disk_that_takes_ten_bytes_leaves_what_was_there(machine, path):
    machine.process(path).hold(30)
    before = path.read_bytes()
    ended = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)  # noqa: S603
    note, is_open = ended.stdout.splitlines()
    assert "cannot be written (the disk is full)" in note
    assert is_open == "True"
    assert path.read_bytes() == before


# --- many at once


def held(path: Path, seed: int) -> list[str]:
    """One process: forty times, until moments of its own."""
    notes: list[str] = []
    gate = SharedGate(path, lambda: 0.0, wall=lambda: NOW, tell=notes.append)
    last = float("-inf")
    for number in range(40):
        gate.hold(1.0 + (seed * 7919 + number * 104_729) % 3000)
        opens = gate.opens()
        notes += [] if opens >= last else [f"{opens} after {last}"]
        last = opens
    return notes


def latest(seeds: range) -> float:
    return max(1.0 + (seed * 7919 + number * 104_729) % 3000 for seed in seeds for number in range(40))


@pytest.mark.parametrize(
    "pool",
    [ThreadPoolExecutor, partial(ProcessPoolExecutor, mp_context=get_context("spawn"))],
    ids=["threads", "processes"],
)
def test_eight_at_once_and_the_latest_counts(path, pool: Callable[[int], Executor]):
    with pool(8) as executor:
        assert list(executor.map(held, [path] * 8, range(8))) == [[]] * 8
    assert seconds_left(path.read_bytes(), NOW) == latest(range(8))
    assert sorted(each.name for each in path.parent.iterdir()) == ["one.gate", "one.gate.lock"]


def test_eight_threads_of_one_gate(machine, path):
    gate = machine.process(path)
    ready = threading.Barrier(8)

    def hold(number: int) -> None:
        ready.wait()
        for step in range(20):
            gate.hold(float(step * 8 + number + 1))
            assert gate.opens() >= step * 8 + number + 1

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(hold, range(8)))
    assert gate.opens() == 160
    assert machine.notes == []


# --- whose gate, and where


def token(**claims: object) -> str:
    pieces = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in pieces) + ".x"


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"oid": "A-1", "tid": "t", "iat": 1}, {"oid": "a-1", "tid": "t", "iat": 2}, True),
        ({"oid": "a-1", "tid": "t"}, {"oid": "a-2", "tid": "t"}, False),
        ({"appid": "app", "tid": "t", "iat": 1}, {"azp": "app", "tid": "t", "iat": 2}, True),
        ({"appid": "app", "tid": "t"}, {"appid": "app", "tid": "u"}, False),
        (
            {"appid": "app", "scp": "user_impersonation", "n": 1},
            {"appid": "app", "scp": "user_impersonation", "n": 2},
            False,
        ),
        ({"oid": ["a-1"], "n": 1}, {"oid": ["a-1"], "n": 2}, False),
        ({"oid": "a" * 500, "n": 1}, {"oid": "a" * 500, "n": 2}, False),
    ],
)
def test_who_shares_a_gate(one, two, same):
    names = {file_name(ORIGIN, token(**each)) for each in (one, two)}
    assert (len(names) == 1) is same


def test_another_environment_has_another_gate_and_no_name_tells_anything():
    names = {file_name(origin, "canary-token") for origin in (ORIGIN, "https://fabrikam.crm.dynamics.com")}
    assert len(names) == 2
    for name in names:
        assert len(name) == 37
        assert set(name.removesuffix(".gate")) <= set("0123456789abcdef")
    assert "canary-token" not in str(identity("canary-token"))


def test_where_the_gates_of_a_user_are(tmp_path):
    mine = f"d365setup-{os.geteuid()}"
    assert default_folder({"XDG_RUNTIME_DIR": str(tmp_path), "TMPDIR": "/elsewhere"}) == tmp_path / "d365setup"
    assert default_folder({"XDG_RUNTIME_DIR": str(tmp_path / "none"), "TMPDIR": "/elsewhere"}) == Path(
        "/elsewhere", mine
    )
    assert default_folder({"XDG_RUNTIME_DIR": "relative"}) == Path("/tmp", mine)  # noqa: S108


# --- clients at one gate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "gates"


def busy_once(seconds: int) -> Callable[[Asked], Answer]:
    answers = [Answer(429, json.dumps(THROTTLED).encode(), {"Retry-After": str(seconds)})]
    return lambda _: answers.pop() if answers else Answer()


def throttled(url: str, folder: Path, bearer: str = "canary-token") -> None:
    """A process that is told to wait, and gives up."""
    with client(url=url, tokens=StaticToken(bearer), gate_folder=folder, max_wait=0) as found, pytest.raises(Throttled):
        found.get("WhoAmI")


@pytest.mark.parametrize(
    ("bearers", "same_folder", "waits"),
    [
        (("canary-token", "canary-token"), True, 1),
        ((token(oid="1", iat=1), token(oid="1", iat=2)), True, 1),
        (("canary-token", "another-token"), True, 0),
        (("canary-token", "canary-token"), False, 0),
    ],
)
def test_who_is_the_same_user_waits_and_nobody_else(folder, tmp_path, bearers, same_folder, waits):
    clock, told = Clock(), []
    with loopback(busy_once(30)) as server:
        throttled(server.url, folder, bearers[0])
        place = folder if same_folder else tmp_path / "other"
        options = {"tokens": StaticToken(bearers[1]), "gate_folder": place, "on_wait": lambda *each: told.append(each)}
        with client(clock, server.url, **options) as other:
            other.get("WhoAmI")
            other.get("WhoAmI")
            assert other.stats.waited_seconds == sum(clock.slept)
    assert len(clock.slept) == waits
    assert [why for _, why in told] == [OTHERS_TOLD] * waits


def test_a_429_inside_a_batch_closes_it_too(folder):
    write = Request("PATCH", "queues(0000000a-0000-4000-8000-0000000000aa)", body={"name": "x"})
    body = joined([part(429, THROTTLED, headers={"Retry-After": "30"})]).encode()
    clock = Clock()
    with loopback(lambda _: Answer(200, body, {"Content-Type": MULTIPART})) as server:
        with client(url=server.url, gate_folder=folder) as found:
            found.send([[write]])
        with client(clock, server.url, gate_folder=folder) as other:
            other.send([[write]])
    assert len(clock.slept) == 1


def test_what_is_longer_than_one_waits_is_not_begun(folder):
    with loopback(busy_once(30)) as server:
        throttled(server.url, folder)
        asked = len(server.asked)
        with client(url=server.url, gate_folder=folder, max_wait=5) as other, pytest.raises(Throttled) as failed:
            other.get("WhoAmI")
        assert failed.value.retry_after == pytest.approx(30, abs=5)
        assert "another process of the same user" in str(failed.value)
        assert (other.stats.requests, other.stats.waited_seconds) == (0, 0)
        assert len(server.asked) == asked


def test_told_again_by_others_while_waiting_one_goes_on_waiting(folder):
    """The second process sleeps; meanwhile the first is told to wait longer."""
    clock, sent = Clock(), []
    with loopback(lambda _: Answer()) as server:
        first = SharedGate(folder / file_name(server.url, "canary-token"), lambda: 0.0)
        first.hold(30)

        def sleep(seconds: float) -> None:
            if not sent:
                first.hold(90)
            clock.sleep(seconds)
            sent.append(len(server.asked))

        with Client(server.url, StaticToken("canary-token"), sleep=sleep, clock=clock, gate_folder=folder) as other:
            other.get("WhoAmI")
        assert len(server.asked) == 1
    assert sent == [0, 0]


@dataclass
class SlowSignIn:
    """A sign-in during which another process is told to wait."""

    meanwhile: Callable[[], None]
    refused: bool
    given: list[str] = field(default_factory=list)

    def token(self, *, force: bool = False) -> str:
        if force or not self.given:
            name = f"token-{len(self.given)}"
            self.given.append(name)
            if force or not self.refused:
                self.meanwhile()
        return self.given[-1]


@pytest.mark.parametrize("refused", [False, True], ids=["first token", "renewed token"])
def test_what_happens_during_sign_in_is_heard_before_sending(folder, refused):
    clock = Clock()
    answers = [Answer(401)] if refused else []
    with loopback(lambda _: answers.pop() if answers else Answer()) as server:
        path = folder / file_name(server.url, "token-0")
        tokens = SlowSignIn(lambda: SharedGate(path, lambda: 0.0).hold(30), refused)
        with client(clock, server.url, tokens=tokens, gate_folder=folder) as found:
            found.get("WhoAmI")
        assert len(clock.slept) == 1
        assert len(server.asked) == 1 + refused


def test_without_a_usable_folder_only_this_process_waits(tmp_path):
    clock, notes = Clock(), []
    (tmp_path / "file").write_bytes(b"")
    options = {"gate_folder": tmp_path / "file" / "gates", "on_note": notes.append}
    told: list[str] = []
    with (
        loopback(busy_once(30)) as server,
        client(clock, server.url, on_wait=lambda _, why: told.append(why), **options) as found,
    ):
        found.get("WhoAmI")
        found.get("WhoAmI")
    assert clock.slept == [30.0]
    assert told == [TOLD]
    assert len(notes) == 2


@pytest.mark.parametrize(("later", "reason"), [(0.0, TOLD), (0.001, TOLD), (0.5, OTHERS_TOLD)])
def test_what_we_wrote_ourselves_is_not_another_process(later: float, reason: str) -> None:
    """A moment comes back from the file rounded up, and a thread of ours may read it before we note that it is ours."""

    class Written:
        def opens(self) -> float:
            return 7.0 + later

        def hold(self, until: float) -> None:
            assert until == 7.0

    gate = Gate(lambda: 0.0, Written())
    gate.hold(7.0)
    assert gate.opens().reason == reason
