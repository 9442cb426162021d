"""Several processes and one folder of journals, at the moments when they could get in each other's way."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from d365setup.journal import Journal, Recording, Runs
from tests.journal.test_files import PLAN, WRITE, started
from tests.matrix.nursery import Nursery

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

ORGANIZATION = PLAN.environment.organization_id


class Meddling(Runs):
    """A folder where a run ends right after it was read."""

    ending: Journal

    def is_running(self, run: str) -> bool:
        self.ending.close(0)
        return super().is_running(run)


def test_a_run_that_ends_while_it_is_looked_at_has_not_died(tmp_path: Path) -> None:
    runs = Meddling(tmp_path)
    runs.ending = started(runs)
    assert runs.left_open(ORGANIZATION) == []


def dead(runs: Runs) -> Recording:
    """A run whose process died: nobody holds its lock."""
    journal = started(runs)
    journal.sending([[WRITE]])
    journal.close(None)
    (found,) = runs.left_open(ORGANIZATION)
    return found


def test_of_two_that_settle_a_run_one_does(tmp_path: Path) -> None:
    runs, other = Runs(tmp_path), Runs(tmp_path)
    found = dead(runs)
    other.settle(found, {1: True}, "apply")
    runs.settle(found, {1: False}, "rollback")
    settled = runs.read(found.run)
    assert (settled.settled_by, [each.landed for each in settled.sent]) == ("apply", [True])
    assert [each.name for each in runs.folder.iterdir()] == [f"{found.run}.jsonl"]


def test_what_another_process_is_settling_is_left_to_it(tmp_path: Path) -> None:
    from filelock import FileLock  # noqa: PLC0415  # as in the journal

    runs = Runs(tmp_path)
    found = dead(runs)
    with FileLock(f"{runs.folder / found.run}.jsonl.lock"):
        runs.settle(found, {1: True}, "apply")
        assert runs.read(found.run).is_open
    runs.settle(found, {1: True}, "apply")
    assert not runs.read(found.run).is_open


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL and no fork on Windows")
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_process_that_dies_before_it_wrote_what_run_it_is_leaves_none(share: float, tmp_path: Path) -> None:
    call = ["apply", str(Path(__file__).parents[2] / "playbooks" / "mixed-queue.yaml"), "--emulator", "--yes"]
    with Nursery() as nursery:
        pid = nursery.start(*call, folder=tmp_path, variables={}, dies=(0, share))
        assert nursery.ended(pid, tmp_path).code == -signal.SIGKILL
        pid = nursery.start("history", folder=tmp_path, variables={})
        assert nursery.ended(pid, tmp_path).code == 0
        pid = nursery.start(*call, folder=tmp_path, variables={})
        assert nursery.ended(pid, tmp_path).code == 0
    assert len(Runs(tmp_path / ".d365setup").names()) == 1
