"""The journal of a run: what is read back is what was written, also behind a line that was cut."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from d365setup.errors import Refused, UsageError
from d365setup.fleet.record import Record
from d365setup.fleet.results import Result

ENDED = Result("north", "https://n", "verified", 0, "said", "", (("queue:Q", "changed"),), 1.5, landed=True, wave="w")


def recorded(folder: Path, *results: Result) -> str:
    with closing(Record(folder)) as record:
        record.began("apply", "fleet.yaml")
        for each in results:
            record.ended(each, "digest")
        return record.run


def test_it_reads_what_it_wrote_and_the_last_word_counts(tmp_path: Path) -> None:
    failed = Result("north", "https://n", "failed", 6, "no", "try")
    run = recorded(tmp_path, failed, ENDED)
    with closing(Record(tmp_path, run)) as record:
        past = record.past()
    assert (past.command, past.done) == ("apply", {"north": ("digest", ENDED)})


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_that_was_cut_is_nobodys_end(tmp_path: Path, cut: int) -> None:
    run = recorded(tmp_path, ENDED)
    path = tmp_path / "runs" / f"{run}.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    with closing(Record(tmp_path, run)) as record:
        cut_off = record.past()
        record.began("apply", "fleet.yaml")
        record.ended(ENDED, "again")
        after = record.past()
    assert (cut_off.command, bool(cut_off.done)) == ("apply", cut == 1)  # 1 is the line's end alone
    assert after.done == {"north": ("again", ENDED)}


@pytest.mark.parametrize("run", ["x", "../../etc/passwd", "20261122T101500Z-aaaaaa"])
def test_a_run_that_is_not_there(tmp_path: Path, run: str) -> None:
    known = recorded(tmp_path)
    with pytest.raises(UsageError, match=f"no such run .*the last one is {known}"):
        Record(tmp_path, run)


def test_nobody_goes_on_with_a_run_that_is_under_way(tmp_path: Path) -> None:
    with closing(Record(tmp_path)) as record:
        record.began("apply", "fleet.yaml")
        with pytest.raises(Refused, match="still under way"):
            Record(tmp_path, record.run)


@pytest.mark.parametrize("line", ['{"result": {"environment": 1}, "told": ""}', '{"result": {"cells": [1]}}'])
def test_an_altered_journal_is_refused(tmp_path: Path, line: str) -> None:
    run = recorded(tmp_path)
    with (tmp_path / "runs" / f"{run}.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with closing(Record(tmp_path, run)) as record, pytest.raises(UsageError, match="was altered"):
        record.past()
