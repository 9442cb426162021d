"""The fleet's benchmark runs, checks what it runs, and its table has a place in the page. No times."""

from __future__ import annotations

from pathlib import Path

from benchmarks import document, fleet


def test_it_measures_each_command_alone_and_with_workers() -> None:
    said: list[str] = []
    found = list(fleet.measured(2, "none", [2], said.append))
    rows = [(each.command, each.count, each.workers) for each in found]
    assert rows == [("apply", 1, 0), ("verify", 1, 0), ("apply", 2, 2), ("verify", 2, 2)]
    assert len(said) > len(rows), "repetitions are told too"
    assert [each.peak > 0 for each in found] == [False, False, True, True]


def test_the_table_tells_rates_and_computing() -> None:
    alone = fleet.Measured("apply", "none", 1, 0, 0.5, 0.4)
    many = fleet.Measured("apply", "none", 40, 4, 16.0, 20.0, 65536)
    assert list(fleet.table([alone, many]))[2:] == [
        "| `apply, one alone` | none | 1 | 0.5 | 2.00 | 0.40 |  |",
        "| `fleet apply --workers 4` | none | 40 | 16.0 | 2.50 | 0.50 | 64 MB |",
    ]


def test_the_page_has_a_place_for_it(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(document.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    for mark in ("fleet", "fleet when"):
        document.put(page, mark, f"what was measured for {mark}")
        assert f"what was measured for {mark}\n<!-- end -->" in page.read_text(encoding="utf-8")
