"""The matrix in every format: all five cells, every environment by name, and what is waived or counted by audits."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from d365setup.emulator import Emulator
from d365setup.fleet.results import FleetRun, Result, State
from d365setup.report import render
from tests.fleet.conftest import Call, written

THINGS = ("queue:A", "queue:B", "queue:C")
ENDS = (
    Result("north", "https://n", "drift", 3, "2 things differ", "plan, then apply",
           (("queue:A", "missing"), ("queue:B", "changed"), ("R12 queue:C", "waived"), ("hand-off:Bot x", "failed"))),
    Result("south", "https://s", "in line", 0),
    Result("west", "https://w", "failed", 6, "no connection", "check the address"),
)  # fmt: skip
RUN = FleetRun("verify", "fleet.yaml", ENDS, (THINGS,) * 3, "a-run")


def cells(lines: list[list[str]]) -> dict[str, list[str]]:
    return {first: rest for first, *rest in lines}


def test_json_has_every_cell_of_every_environment() -> None:
    found = json.loads(render(RUN, "json"))
    assert cells([[row["resource"], *row["cells"]] for row in found["matrix"]]) == {
        "queue:A": ["missing", "same", "failed"],
        "queue:B": ["changed", "same", "failed"],
        "queue:C": ["same", "same", "failed"],
        "R12 queue:C": ["waived", "same", ""],
        "hand-off:Bot x": ["failed", "same", ""],
    }


def test_junit_has_a_case_for_each() -> None:
    suites = ElementTree.fromstring(render(RUN, "junit"))  # noqa: S314  # ours
    found = {
        (suite.get("name"), case.get("name")): [(part.tag, (part.text or "").split(":")[0]) for part in case]
        for suite in suites
        for case in suite.iter("testcase")
    }
    assert {thing: ends for (name, thing), ends in found.items() if name == "north"} == {
        "the environment": [("failure", "drift")],
        "queue:A": [("failure", "missing")],
        "queue:B": [("failure", "changed")],
        "queue:C": [],
        "R12 queue:C": [("skipped", "waived")],
        "hand-off:Bot x": [("failure", "failed")],
    }
    assert all(not ends for (name, _), ends in found.items() if name == "south")
    assert found["west", "the environment"] == [("error", "failed")]
    assert found["west", "queue:A"] == [("skipped", "failed")]


def test_text_has_a_symbol_for_each_and_says_which() -> None:
    shown = render(RUN, "text")
    rows = dict(re.findall(r"^((?:queue|R12 queue|hand-off):.*?)  +([=~+wx.])$", shown, re.MULTILINE))
    assert rows == {"queue:A": "+", "queue:B": "~", "R12 queue:C": "w", "hand-off:Bot x": "x"}
    assert "= same  ~ changed  + missing  w waived  x failed" in shown
    assert "1 thing is the same in the 2 environments that were looked at" in shown


def many(count: int, **given: Any) -> FleetRun:
    """One that was worked on, then as many alike ones."""
    others = tuple(Result(f"n{number}", "https://n", **given) for number in range(2, count + 2))
    results = (Result("n1", "https://n", "verified", 0), *others)
    return FleetRun("apply", "fleet.yaml", results, (THINGS,) * len(results), "a-run", "the gate behind wave a is shut")


def test_many_of_which_nothing_is_known_are_told_together() -> None:
    run = many(40, state="not started", message="the gate is shut", wave="rest")
    frozen = tuple(replace(each, state="frozen", message="holidays") for each in run.results[1::2])
    run = replace(
        run, results=(run.results[0], *(each for pair in zip(run.results[2::2], frozen, strict=True) for each in pair))
    )
    shown = render(run, "text")
    assert "      20 not started  wave rest\n      n3, n5, n7," in shown
    assert "      20 frozen  wave rest\n      n2, n4, n6," in shown
    assert shown.count("n24 and 8 more; a --report names all of them") == shown.count("the gate is shut") == 1
    assert all(each.environment in render(run, form) for each in run.results for form in ("json", "markdown", "html"))
    few = render(many(3, state="not started", message="the gate is shut", wave="rest"), "text")
    assert all(f"  {number}  n{number}  not started" in few for number in (2, 3, 4))


def test_alike_ends_with_something_known_are_told_one_by_one() -> None:
    shown = render(many(5, state="changes", message="1 thing differs", cells=(("queue:A", "changed"),)), "text")
    assert shown.count("1 thing differs") == 5


@pytest.mark.parametrize(
    ("state", "interrupted", "told"),
    [
        ("not started", False, "look at what was done, then `d365setup fleet apply fleet.yaml --resume a-run`"),
        ("not started", True, "to go on: `d365setup fleet apply"),
        ("stopped", True, "to go on: `d365setup fleet apply"),
        ("failed", False, "mend what is told above, then `d365setup fleet apply"),
    ],
)
def test_it_says_how_to_go_on(state: State, interrupted: bool, told: str) -> None:
    run = replace(many(1, state=state), interrupted=interrupted)
    assert f"next: {told}" in render(run, "text")
    for form in ("markdown", "html"):
        shown = re.sub(r"<[^>]+>|[\\]", "", html.unescape(render(run, form)))
        assert told.replace("`", "") in shown


def test_a_call_that_goes_on_says_again_what_to_do_and_where() -> None:
    run = replace(many(1, state="failed"), options=("--only=group=a b", "--yes", "--prune"))
    assert "apply fleet.yaml '--only=group=a b' --yes --prune --resume a-run`" in render(run, "text")


def test_suites_say_how_long_an_environment_took() -> None:
    root = ElementTree.fromstring(render(many(1, state="verified", seconds=2.5), "junit"))  # noqa: S314  # our own text
    assert [each.get("time") for each in root.iter("testsuite")] == ["0.0", "2.5"]
    first = [suite[1].get("time") for suite in root.iter("testsuite")]  # behind its properties
    assert first == ["0.0", "2.5"]


def test_nothing_is_the_same_where_nothing_was_looked_at() -> None:
    result = Result("north", "https://n", "failed", 6, "no connection")
    run = FleetRun("plan", "fleet.yaml", (result,), (THINGS,), "a-run")
    assert not [form for form in ("text", "markdown", "html") if "the same" in render(run, form)]


def test_the_page_shows_first_who_needs_somebody() -> None:
    shown = html.unescape(re.sub(r"<[^>]+>", " ", render(RUN, "html")))
    assert re.findall(r"(north|south|west)\s+(?:failed|drift|in line)", shown) == ["west", "north", "south"]


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_pages_say_each_in_words(form: str) -> None:
    shown = render(RUN, form)  # type: ignore[arg-type]  # one of the forms
    text = html.unescape(re.sub(r"<[^>]+>|[*|]", " ", shown))
    for thing, word in (("queue:A", "missing"), ("queue:B", "changed"), ("R12 queue:C", "waived"), ("Bot x", "failed")):
        assert re.search(rf"{thing}\s+{word}", text), text


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html", "junit", "sarif"])
def test_each_names_who_is_broken_and_the_cure(form: str) -> None:
    shown = html.unescape(render(RUN, form))  # type: ignore[arg-type]  # one of the forms
    assert all(part in shown for part in ("west", "no connection", "check the address", "north", "plan, then apply"))


WAIVED = """\
waivers: 1
items:
  - {finding: R28, object: "queue:Nurses", reason: part-time, owner: ops@contoso.example, expires: 2999-01-01}
"""


def test_an_audit_counts_what_it_is_told_to_and_shows_what_is_waived(
    fleet: Call, serving: Callable[..., Emulator]
) -> None:
    first, second = serving(), serving()
    written({"north": f'"{first.url}"', "south": f'"{second.url}"'})
    assert fleet("apply", "fleet.yaml", "--yes", "--format", "json").code == 0
    second.execute("UPDATE systemuser SET msdyn_capacity = 60 WHERE internalemailaddress LIKE 'nurse%'")
    Path("waivers.yaml").write_text(WAIVED, encoding="utf-8")
    found = fleet("audit", "fleet.yaml", "--fail-on", "info", "--waivers", "waivers.yaml", "--format", "json")
    rows = {row["resource"]: row["cells"] for row in found.json["matrix"]}
    assert found.code == 4
    assert rows["R28 queue:Nurses"] == ["waived", "same"]
    assert rows["R26 queue:Nurses"] == ["failed", "failed"]
    assert all(each["message"] and each["cure"] for each in found.json["environments"])
    worse = fleet("audit", "fleet.yaml", "--fail-on", "warning", "--format", "json")
    assert (worse.code, worse.json["counts"]) == (0, {"clean": 2})
    refused = fleet("audit", "fleet.yaml", "--waivers", "none.yaml")
    assert (refused.code, "none.yaml" in refused.err) == (2, True)
