"""Journals on the disk: durable, private, bounded, and readable whatever happened to them."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from d365setup.errors import Unrecorded
from d365setup.journal import Damaged, Journal, Recording, Runs, TooNew, UnknownRun
from d365setup.model import Action, Change, Environment, Plan, ResourceId, Stage, Write
from d365setup.outcome import Outcome, Status

NURSES = ResourceId("queue", "Nurses")
CHANGE = Change(Action.CREATE, NURSES, None)
PLAN = Plan(Environment("https://contoso.example", "org-1", "Contoso"), "contoso", "00", (CHANGE,))
ROW = "queues(11111111-2222-3333-4444-555555555555)"
WRITE = Write(Stage.THINGS, "PATCH", ROW, {"name": "Ärzte"}, (NURSES,), {"If-None-Match": "*"})


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def started(runs: Runs) -> Journal:
    return runs.start("apply", PLAN, [WRITE], "1.0")


def done(runs: Runs) -> str:
    journal = started(runs)
    (number,) = journal.sending([[WRITE]])
    journal.answered(number, landed=True)
    journal.outcome(Outcome(CHANGE, Status.VERIFIED))
    journal.close(0)
    return journal.run


def test_a_run_reads_back_as_it_was_written(runs: Runs) -> None:
    found = runs.read(done(runs))
    assert (found.command, found.playbook, found.environment) == ("apply", "contoso", PLAN.environment)
    assert found.changes == PLAN.changes
    (sent,) = found.sent
    (write,) = sent.writes
    assert (sent.landed, write.method, write.path, write.body) == (True, "PATCH", ROW, {"name": "Ärzte"})
    assert write.makes_row
    assert found.outcomes == {"queue:Nurses": ("verified", "")}
    assert (found.is_open, found.exit_code, found.is_cut) == (False, 0, False)


@pytest.mark.skipif(os.name != "posix", reason="looks at POSIX modes")
def test_only_the_owner_can_read_it(runs: Runs) -> None:
    name = done(runs)
    assert stat.S_IMODE((runs.folder / f"{name}.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(runs.folder.stat().st_mode) == 0o700


def test_nothing_but_the_journal_is_left_and_it_holds_no_reserve(runs: Runs) -> None:
    name = done(runs)
    assert [each.name for each in runs.folder.iterdir()] == [f"{name}.jsonl"]
    assert b"\0" not in (runs.folder / f"{name}.jsonl").read_bytes()


def test_while_it_is_written_it_is_running_and_readable(runs: Runs) -> None:
    journal = started(runs)
    journal.sending([[WRITE], [WRITE]])
    found = runs.read(journal.run)
    assert [each.landed for each in found.sent] == [None, None]
    assert runs.is_running(journal.run)
    assert runs.left_open("org-1") == []
    journal.close(0)
    assert not runs.is_running(journal.run)


def test_an_end_that_nobody_wrote_leaves_it_open_until_it_is_settled(runs: Runs) -> None:
    journal = started(runs)
    (number,) = journal.sending([[WRITE]])
    journal.close(None)
    (left,) = runs.left_open("org-1")
    assert runs.left_open("org-2") == []
    runs.settle(left, {number: True}, "apply")
    found = runs.read(journal.run)
    assert (found.is_open, found.settled_by, [each.landed for each in found.sent]) == (False, "apply", [True])
    assert runs.left_open("org-1") == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.journal.test_files import WRITE, started
from d365setup.journal import Runs
journal = started(Runs(Path(sys.argv[1])))
journal.sending([[WRITE]])
print(journal.run, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
def test_what_sending_returned_from_survives_a_kill(runs: Runs, tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    killed = subprocess.run(  # noqa: S603  # our own text
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (left,) = runs.left_open("org-1")
    assert left.run == killed.stdout.strip()
    assert [each.landed for each in left.sent] == [None]
    assert not runs.is_running(left.run)


@pytest.mark.parametrize("whole", [1, 2, 3, 4])
def test_a_journal_cut_inside_a_line_tells_what_is_whole(runs: Runs, whole: int) -> None:
    name = done(runs)
    path = runs.folder / f"{name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:whole]) + lines[whole][:9] + b"\0" * 100)
    found = runs.read(name)
    assert found.is_open
    assert found.is_cut
    runs.settle(found, {each.number: False for each in found.unknown}, "apply")
    assert not runs.read(name).is_open
    assert not runs.read(name).is_cut


def edited(place: int, **values: Any) -> Any:
    def edit(lines: list[bytes]) -> list[bytes]:
        content = json.loads(lines[place]) | values
        return [*lines[:place], json.dumps(content).encode(), *lines[place + 1 :]]

    return edit


@pytest.mark.parametrize(
    ("edit", "error", "told"),
    [
        (lambda _lines: [], Damaged, "is empty or was cut in its first line"),
        (lambda lines: [lines[0], b"{oops", *lines[2:]], Damaged, "line 2 is damaged"),
        (lambda lines: [lines[0], b"[" * 100_000, *lines[2:]], Damaged, "line 2 is damaged"),
        (edited(0, journal=2), TooNew, "was written by a later d365setup (journal 2)"),
        (edited(0, event="sending"), Damaged, "line 1 is not what a journal holds"),
        (edited(0, environment=None), Damaged, "line 1 is not what a journal holds"),
        (edited(0, run="20260101T000000000Z-000000"), Damaged, "tells of another run"),
        (edited(1, writes=[{"method": "GET"}]), Damaged, "line 2 is not what a journal holds"),
        (edited(1, writes=7), Damaged, "line 2 is not what a journal holds"),
        (edited(2, number=99), Damaged, "line 3 is not what a journal holds"),
        (edited(2, landed="yes"), Damaged, "line 3 is not what a journal holds"),
        (edited(3, id=["queue"]), Damaged, "line 4 is not what a journal holds"),
        (edited(4, exit_code="0"), Damaged, "line 5 is not what a journal holds"),
        (edited(4, event="sung"), Damaged, "line 5 is not what a journal holds"),
    ],
)
def test_damaged_journals(runs: Runs, edit: Any, error: type[Exception], told: str) -> None:
    name = done(runs)
    path = runs.folder / f"{name}.jsonl"
    path.write_bytes(b"\n".join(edit(path.read_bytes().splitlines())))
    with pytest.raises(error) as caught:
        runs.read(name)
    assert told in str(caught.value)
    (listed,) = runs.all()
    assert isinstance(listed, error)
    assert runs.left_open("org-1") == []


def test_a_journal_too_large_to_be_one(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    name = done(runs)
    monkeypatch.setattr("d365setup.journal.files.LARGEST", 100)
    with pytest.raises(Damaged, match="is larger than 100 bytes"):
        runs.read(name)


@pytest.mark.parametrize("name", ["", "x", "../../etc/passwd", "20260101T000000000Z-000000"])
def test_runs_that_do_not_exist(runs: Runs, name: str) -> None:
    with pytest.raises(UnknownRun, match="there is no run"):
        runs.read(name)


def test_other_files_in_the_folder_are_none_of_its_runs(runs: Runs) -> None:
    name = done(runs)
    (runs.folder / "notes.jsonl").write_text("mine")
    (runs.folder / "20260101T000000000Z-000000.txt").write_text("mine")
    assert [each.run for each in runs.all() if isinstance(each, Recording)] == [name]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unrecorded) as caught:
        started(Runs(tmp_path / "file"))
    assert "cannot be written (Not a directory), and nothing is sent without it" in str(caught.value)
    assert "--state-dir" in str(caught.value)


FULL = """
import resource, sys
from pathlib import Path
from tests.journal.test_files import WRITE, started
from d365setup.errors import Unrecorded
from d365setup.journal import Runs
runs = Runs(Path(sys.argv[1]))
room = int(sys.argv[2])
if room:
    journal = started(runs)
resource.setrlimit(resource.RLIMIT_FSIZE, (room or 2000, resource.RLIM_INFINITY))
try:
    if room:
        for _ in range(1000):
            journal.sending([[WRITE]])
    else:
        started(runs)
except Unrecorded as error:
    print(error)
else:
    print("written")
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
@pytest.mark.parametrize("room", [0, 20_000])
def test_a_full_disk_is_told_before_anything_is_sent(runs: Runs, tmp_path: Path, room: int) -> None:
    root = Path(__file__).parent.parent.parent
    call = [sys.executable, "-c", FULL, str(tmp_path), str(room)]
    ended = subprocess.run(call, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603  # our own text
    assert "cannot be written (File too large), and nothing is sent without it; free some space" in ended.stdout
    names = runs.names()
    assert len(names) == (1 if room else 0)
    for name in names:
        assert runs.read(name).is_open
