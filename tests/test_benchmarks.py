"""The benchmark's contenders do the same jobs, reach the same rows and send what they are said to send. No times."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import document, rows, run
from benchmarks.environment import Environment, Latency
from benchmarks.jobs import JOBS

# requests and operations of the first run, and of the second: what the code of each says one by one
COUNTS = {
    ("sdk", "small"): ((42, 42), (24, 24)),
    ("plain", "small"): ((25, 25), (15, 15)),
    ("plain", "large"): ((431, 431), (131, 131)),
    ("tuned", "small"): ((20, 20), (10, 10)),
    ("tuned", "large"): ((310, 310), (10, 10)),
    ("minimum", "small"): ((5, 18), (4, 8)),
    ("minimum", "large"): ((4 + 8 + 8, 8 + 300), (4, 8)),
    ("proved", "small"): ((4 + 2 + 8, 8 + 11 + 8), (4, 8)),
    ("proved", "large"): ((4 + 8 + 8 + 8, 8 + 300 + 8 + 8), (4, 8)),
}


@pytest.fixture(scope="module", params=JOBS)
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with Environment(request.param, Latency(dop_hint=8), tmp_path_factory.mktemp("benchmark")) as served:
        yield served


@pytest.mark.parametrize("name", run.SHOWN)
def test_every_contender_reaches_the_same_rows_twice(name: str, environment: Environment) -> None:
    if name == "sdk" and importlib.util.find_spec("PowerPlatform") is None:
        pytest.skip("Microsoft's SDK is not installed: pip install PowerPlatform-Dataverse-Client")
    turns = list(run.twice(name, JOBS[environment.job], environment))  # raises for any other row
    counts = [(each["requests"], each["operations"]) for _, _, each in turns]
    if (name, environment.job) in COUNTS:
        assert tuple(counts) == COUNTS[name, environment.job]
    assert turns[0][2]["writes"] > 0
    assert turns[1][2]["writes"] == 0


def test_d365setup_sends_least_but_for_the_minimum(environment: Environment) -> None:
    (_, _, first), (_, _, second) = run.twice("d365setup", JOBS[environment.job], environment)
    scripts = {
        name: both for (name, job), both in COUNTS.items() if job == environment.job and name in {"plain", "tuned"}
    }
    assert first["requests"] < min(both[0][0] for both in scripts.values())
    assert second["requests"] < min(both[1][0] for both in scripts.values())


def test_any_other_row_is_noticed(environment: Environment) -> None:
    job = JOBS[environment.job]
    environment.ask("reset")
    must = rows.wants(job, environment.ask("rows"))
    assert rows.differences(must, must) == []
    for kind, found in must.items():
        for place in range(len(found)):
            other = copy.deepcopy(must)
            other[kind][place][-1] = "something else"
            assert len(rows.differences(other, must)) == 2, (kind, found[place])
            del other[kind][place]
            assert len(rows.differences(other, must)) == 2, (kind, found[place])  # the row, and the number
    assert rows.differences(environment.ask("rows"), must)


def test_the_table_tells_the_best_and_ratios() -> None:
    counts = {"requests": 3, "operations": 9, "rounds": 2, "latency": 0.28}
    both, computed = {"first": counts, "second": counts}, {"first": [0.4, 0.3], "second": [0.2]}
    ours = run.Measured(both, {"first": [2.0, 4.0, 9.0], "second": [1.0]}, computed)
    other = run.Measured(both, {"first": [5.0], "second": [0.5]}, computed)
    lines = list(run.table({"d365setup": ours, "plain": other}))
    assert lines[2:] == [
        "| `d365setup apply` | first | 3 | 9 | 2 | 2.00 | 9.00 | 0.30 | 0.28 | 1.00 |",
        "| plain `requests` script | first | 3 | 9 | 2 | 5.00 | 5.00 | 0.30 | 0.28 | 2.50 |",
        "| `d365setup apply` | second | 3 | 9 | 2 | 1.00 | 1.00 | 0.20 | 0.28 | 1.00 |",
        "| plain `requests` script | second | 3 | 9 | 2 | 0.50 | 0.50 | 0.20 | 0.28 | 0.50 |",
    ]


def test_the_page_has_a_place_for_every_table(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(document.PAGE.read_text())
    for job, latency, width, _ in document.MATRIX:
        for mark in (f"{job} {latency} {width}", f"{job} {latency} {width} when"):
            document.put(page, mark, f"what was measured for {mark}")
            assert page.read_text().count(f"what was measured for {mark}\n<!-- end -->") == 1
    with pytest.raises(ValueError, match="no place marked <!-- measured: tiny"):
        document.put(page, "tiny", "")
