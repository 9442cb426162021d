"""Selectors, waves, freezes, limits, the exit code and the matrix: values in, values out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.errors import NotReachable, UsageError
from d365setup.fleet.choosing import Batch, chosen, frozen, waves
from d365setup.fleet.entries import Environment, Fleet, Freeze, Limits, SignIn, Wave
from d365setup.fleet.judging import document, judged
from d365setup.fleet.results import Command, FleetRun, Result, State
from d365setup.fleet.running import Rollout, run_fleet
from d365setup.fleet.signing import variables
from d365setup.fleet.working import _too_many
from d365setup.report import render
from tests.report.everything import documents

GROUPS = ("canary", "large", None)


def made(count: int) -> tuple[Environment, ...]:
    return tuple(
        Environment(name=f"e{n}", url=f"https://e{n}.crm.dynamics.com", group=GROUPS[n % 3], labels=("eu",) * (n % 2))
        for n in range(count)
    )


NAMES = st.sampled_from(["canary", "large", "eu", "e0", "10%", "33%", "100%", "rest"])


@given(count=st.integers(0, 60), names=st.lists(NAMES, max_size=6))
def test_waves_hold_each_environment_once_in_the_files_order(count: int, names: list[str]) -> None:
    environments = made(count)
    found = waves([Wave(of=each) for each in names], environments)
    assert all(batch.environments for batch in found)
    assert sorted(e.name for batch in found for e in batch.environments) == sorted(e.name for e in environments)
    for batch in found:
        places = [environments.index(each) for each in batch.environments]
        assert places == sorted(places)


def test_a_share_is_one_of_all_and_rounded_up() -> None:
    found = waves([Wave(of="canary"), Wave(of="10%")], made(11))
    assert [(batch.wave.of, len(batch.environments)) for batch in found] == [("canary", 4), ("10%", 2), ("rest", 5)]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ((), "e0 e1 e2 e3 e4"),
        (("group=canary",), "e0 e3"),
        (("label=eu",), "e1 e3"),
        (("e4", "group=canary"), "e0 e3 e4"),
    ],
)
def test_selectors(only: tuple[str, ...], names: str) -> None:
    assert " ".join(each.name for each in chosen(Fleet("f", made(5)), only)) == names


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ("group=canari", "--only group=canari: the fleet has no such environment; did you mean 'canary'?"),
        ("e9", "the fleet has no such environment"),
        ("wave=1", "it takes group=…, label=… or a name"),
    ],
)
def test_a_selector_that_means_nobody(selector: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        chosen(Fleet("f", made(5)), ("e1", selector))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("2026-12-19T23:59", ""),
        ("2026-12-20T00:00", "e0 e3"),
        ("2027-01-03T23:59", "e0 e3"),
        ("2027-01-04T00:00", ""),
    ],
)
def test_a_freeze_holds_whole_days_and_only_whom_it_means(moment: str, held: str) -> None:
    freeze = Freeze(begins="2026-12-20", ends="2027-01-03", reason="holidays", only=("canary", "eu"), excepted=("e1",))
    fleet = Fleet("f", made(5), (freeze,))
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    found = [each.name for each in fleet.environments if frozen(fleet, each, now)]
    assert " ".join(found) == held


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_process_gets_its_own_secret_and_nobody_elses() -> None:
    around = {"NORTH_SECRET": "n", "SOUTH_SECRET": "s", "D365_ACCESS_TOKEN": "t"}
    fleet = frozenset({"NORTH_SECRET", "SOUTH_SECRET"})
    found = variables(SignIn(client_id="AN_ID", secret="NORTH_SECRET"), around | {"AN_ID": "id"}, fleet)
    told = {name: value for name, value in found.items() if value}
    assert told == {"D365_CLIENT_ID": "id", "D365_CLIENT_SECRET": "n"}
    assert {"NORTH_SECRET", "SOUTH_SECRET", "D365_ACCESS_TOKEN", "SYSTEM_ACCESSTOKEN"} <= found.keys()
    assert variables(None, around, fleet) == {"NORTH_SECRET": "", "SOUTH_SECRET": ""}


@pytest.mark.parametrize(("around", "told"), [({}, "not set"), ({"NORTH_SECRET": " "}, "set, but empty")])
def test_a_secret_that_is_not_there(around: dict[str, str], told: str) -> None:
    with pytest.raises(NotReachable, match=f"NORTH_SECRET, which the fleet file names, is {told}"):
        variables(SignIn(token="NORTH_SECRET"), around, frozenset())


# -- ends --------------------------------------------------------------------------------------------------------------


def result(state: State, code: int | None = None, *, landed: bool = False) -> Result:
    return Result(state, "https://x", state, code, landed=landed)


@pytest.mark.parametrize(
    ("command", "ends", "code"),
    [
        ("verify", [result("in line", 0)], 0),
        ("plan", [result("in line", 0), result("changes", 3)], 3),
        ("verify", [result("drift", 3), result("not ready", 4)], 3),
        ("audit", [result("clean", 0), result("findings", 4)], 4),
        ("verify", [result("drift", 3), result("failed", 6)], 6),
        ("verify", [result("failed", 8), result("failed", 6)], 1),
        ("verify", [result("timed out", 1), result("in line", 0)], 1),
        ("apply", [result("verified", 0, landed=True), result("failed", 6)], 7),
        ("apply", [result("verified", 0), result("failed", 6)], 6),
        ("apply", [result("failed", 7, landed=True)], 7),
        ("apply", [result("verified", 0), result("frozen")], 5),
        ("apply", [result("verified", 0), result("by hand", 3)], 3),
    ],
)
def test_one_exit_code(command: Command, ends: list[Result], code: int) -> None:
    assert FleetRun(command, "f", tuple(ends)).exit_code == code


def test_the_matrix_tells_what_is_known_of_each() -> None:
    ends = (
        Result("a", "u", "drift", 3, cells=(("queue:Q", "changed"), ("R12 queue:Q", "failed"))),
        Result("b", "u", "in line", 0),
        Result("c", "u", "failed", 6),
        Result("d", "u", "not started"),
    )
    declared = (("queue:Q", "queue:P"), ("queue:Q",), ("queue:Q",), ("queue:Q",))
    assert dict(FleetRun("verify", "f", ends, declared).matrix) == {
        "queue:Q": ("changed", "same", "failed", ""),
        "queue:P": ("same", "", "", ""),
        "R12 queue:Q": ("failed", "same", "", ""),
    }


@pytest.mark.parametrize(
    ("name", "command", "cells", "said"),
    [
        ("plan", "plan", {"queue:x": "missing"}, "1 thing differs"),
        ("run", "apply", {"queue:x": "failed"}, "queue:x: x"),
        ("verification", "verify", {"queue:x": "missing", "hand-off:x x": "failed", "R12 queue:x": "failed"}, ""),
        ("audit", "audit", {"R12 queue:x": "failed"}, "R12: x"),
        ("error", "apply", {}, "x: x"),
    ],
)
def test_what_a_command_prints_becomes_cells(name: str, command: Command, cells: dict[str, str], said: str) -> None:
    """The documents as `report` makes them: what is printed and what is read of it cannot part ways."""
    printed = document(render(documents("x")[name], "json"))
    assert printed is not None
    found = judged(command, "north", "https://north", printed, 1.0)
    assert dict(found.cells) == cells
    assert said in found.message
    assert found.exit_code == documents("x")[name].exit_code


EXPIRED = [{"level": "warning", "message": "unneeded"}, {"level": "error", "message": "it expired"}]


@pytest.mark.parametrize(
    ("command", "found", "message", "cure"),
    [
        ("audit", {"waivers": EXPIRED}, "it expired", "renew the waiver, or cure what it covers"),
        ("audit", {"findings": [{"id": "R12", "level": "error", "message": "m", "cure": "mend it"}] * 3},
         "R12: m (and 2 more)", "mend it"),
        ("verify", {"findings": {"errors": [], "waivers": EXPIRED}}, "it expired", "renew the waiver"),
        ("plan", {"changes": [{"kind": "queue", "key": f"Q{n}"} for n in range(5)]},
         "5 things differ: queue:Q0, queue:Q1, queue:Q2 and 2 more",
         "see every field with `d365setup plan` on it alone, then apply"),
        ("apply", {"outcomes": [{"id": "queue:Q", "status": "not verified", "detail": "read back as None"}]},
         "queue:Q: read back as None", "wait a few minutes, then verify"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong_and_what_to_do(command: Command, found: dict[str, Any], message: str, cure: str) -> None:
    code = 3 if command == "plan" else 4
    ended = judged(command, "north", "https://north", {"exit_code": code, **found}, 1.0)
    assert ended.message == message
    assert cure in ended.cure


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "else/1", "exit_code": 0}', '{"schema": "d365setup/x"}'])
def test_what_is_no_document_of_ours(text: str) -> None:
    assert document(text) is None


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda e: (
            st.lists(e)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "changes",
                        "outcomes",
                        "readiness",
                        "paths",
                        "findings",
                        "errors",
                        "links",
                        "object",
                        "message",
                        "problems",
                    ]
                ),
                e,
            )
        ),
    )
)
def test_no_document_breaks_the_judge(value: object) -> None:
    inner = value if isinstance(value, dict) else {"changes": value}
    assert judged("verify", "n", "u", {**inner, "exit_code": 1}, 1.0).state == "failed"


def test_findings_about_a_whole_environment_share_a_row() -> None:
    """Each is called otherwise, and a row for each would say of all the others that they are without it."""
    found = [
        judged("audit", name, "https://x", {"exit_code": 4, "fail_on": "info", "findings": [
            {"id": "C08", "level": "info", "object": {"kind": "environment", "key": name}}]}, 1.0)
        for name in ("north", "south")
    ]  # fmt: skip
    assert FleetRun("audit", "f", (*found, Result("west", "u", "clean", 0))).matrix == (
        ("C08 environment", ("failed", "failed", "same")),
    )


def test_limits_count_removals_of_each_kind() -> None:
    gone = [{"kind": "queue", "action": "delete", "manual": ""}] * 3
    plan = {"changes": [*gone, {"kind": "queue", "action": "delete", "manual": "a person"}]}
    assert _too_many(plan, Limits(removals={"queue": 3, "bot_user": 0})) == ""
    assert "3 of queue, and 2 may go" in _too_many(plan, Limits(removals={"queue": 2}))


# -- waves that stop ---------------------------------------------------------------------------------------------------


def batches(*sizes: int) -> list[Batch]:
    left = iter(made(sum(sizes)))
    return [Batch(Wave(of=f"w{n}"), tuple(next(left) for _ in range(size))) for n, size in enumerate(sizes)]


def rolled(sizes: tuple[int, ...], bad: set[str], most: int | None, gate: str = "") -> tuple[list[Result], str]:
    with ThreadPoolExecutor(1) as executor:

        def job(environment: Environment) -> Result:
            if rollout.stopped:
                return Result(environment.name, environment.url, "not started")
            return Result(environment.name, environment.url, "failed" if environment.name in bad else "verified", 0)

        rollout = Rollout(batches(*sizes), lambda some: run_fleet(some, job, executor), lambda *_: gate, most)
        return list(rollout.results()), rollout.stopped


@pytest.mark.parametrize(
    ("sizes", "bad", "most", "begun"),
    [
        ((1, 4), {"e0"}, None, 1),
        ((1, 4), {"e1"}, None, 5),
        ((2, 4, 4), {"e0"}, 50, 10),
        ((2, 4, 4), {"e0", "e1"}, 50, 2),
        ((1, 9), set(), None, 10),
    ],
)
def test_a_wave_with_too_many_broken_ends_the_run(
    sizes: tuple[int, ...], bad: set[str], most: int | None, begun: int
) -> None:
    ends, stopped = rolled(sizes, bad, most)
    assert len(ends) == sum(sizes)
    assert sum(1 for each in ends if each.state != "not started") == begun
    assert bool(stopped) == (begun < sum(sizes))


def test_a_shut_gate_stops_between_waves() -> None:
    ends, stopped = rolled((1, 2), set(), None, "the gate is shut")
    assert [each.state for each in ends] == ["verified", "not started", "not started"]
    assert stopped == "the gate is shut"


def test_a_job_that_breaks_is_a_result_like_any_other() -> None:
    def job(environment: Environment) -> Result:
        if environment.name == "e1":
            raise MemoryError("gone")
        return Result(environment.name, environment.url, "verified", 0)

    with ThreadPoolExecutor(2) as executor:
        found = {each.environment: each for each in run_fleet(made(3), job, executor)}
    assert [found[name].state for name in ("e0", "e1", "e2")] == ["verified", "failed", "verified"]
    assert "MemoryError: gone" in found["e1"].message
