"""The matrix in every format: all five cells, every environment by name, and what is waived or counted by audits."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from d365setup.emulator import Emulator
from d365setup.fleet.results import FleetRun, Result
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
    assert "1 thing is the same everywhere else" in shown


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
