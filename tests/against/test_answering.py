"""What was kept, as answers: what is told of a row that does not say all, and what is a gap."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from d365setup.against.answering import Answers, Gap
from d365setup.against.terms import Term
from d365setup.dataverse.errors import DataverseError
from d365setup.emulator import Emulator, Fault, Options
from d365setup.kinds.rule_sets import rule_set_queries
from d365setup.model import Environment, Query
from d365setup.survey import Answer, Kept
from tests.against.driver import kept

A, B, C = (f"0a000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
CONFIGURATION = {"msdyn_routingconfigurationid": B, "msdyn_liveworkstreamid": {"msdyn_name": "Chat"}}
STEP = {"stepid": C, "_msdyn_rulesetid_value": A, "_msdyn_routingconfigurationid_value": B}
SETS, *_ = (each for each in rule_set_queries(["Chat"]) if each.entity_set == "msdyn_decisionrulesets")


def answers(*given: tuple[Query, list[dict[str, Any]] | None]) -> Answers:
    found = (Answer(query, None if rows is None else tuple(rows), "no" * (rows is None)) for query, rows in given)
    return Answers(Kept(Environment("", ""), tuple(found)))


def query(where: str = "", select: tuple[str, ...] = ("id", "name"), expand: tuple[str, ...] = ()) -> Query:
    return Query("any label", "things", select, where, expand)


ROWS = [{"id": A, "name": "One"}, {"id": B, "name": "two "}, {"id": C, "name": None}]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("", [A, B, C]),
        ("name eq 'ONE'", [A]),
        ("name eq 'two'", [B]),
        ("name eq 'two' or name eq 'one' or name eq 'One'", [A, B]),
        ("name ne null", [A, B]),
        ("name eq 'one' and name ne null", [A]),
        ("name eq 'one' and name eq 'two'", []),
        ("name eq 'three'", []),
    ],
)
def test_of_a_whole_table_every_part_is_known(where: str, found: list[str]) -> None:
    rows = answers((query(), ROWS)).to(query(where))
    assert not isinstance(rows, Gap)
    assert [row["id"] for row in rows] == found


GAPS: dict[str, tuple[Query, list[dict[str, Any]] | None, Query]] = {
    "nothing of the table": (Query("", "others", ("id",)), [], query()),
    "another column": (query(), ROWS, query(select=("id", "more"))),
    "every column": (query(), ROWS, query(select=())),
    "expanded": (query(), ROWS, query(expand=("more($select=id)",))),
    "other rows": (query("name eq 'one'"), ROWS[:1], query("name eq 'two'")),
    "all rows": (query("name eq 'one'"), ROWS[:1], query()),
    "a filter of another form": (query(), ROWS, query("startswith(name,'O')")),
    "a column that was not kept": (query(), ROWS, query("other eq 'x'")),
    "a lookup that was not kept": (query(), ROWS, query("other/name eq 'x'")),
    "refused": (query(), None, query()),
    "refused in other words": (query(), None, query("name eq 'one'")),
}


@pytest.mark.parametrize(("asked", "rows", "wanted"), GAPS.values(), ids=GAPS)
def test_what_is_not_known_is_a_gap(asked: Query, rows: list[dict[str, Any]] | None, wanted: Query) -> None:
    found = answers((asked, rows)).to(wanted)
    assert isinstance(found, Gap)
    assert found.query == wanted
    assert bool(found.refused) is (rows is None)


def test_a_gap_names_what_nobody_asked_about() -> None:
    found = answers((query("name eq 'one'"), ROWS[:1])).to(query("name eq 'ONE' or name eq 'two'"))
    assert isinstance(found, Gap)
    assert found.terms == (Term(("name",), "eq", "two"),)


def test_rule_sets_are_found_through_the_steps_that_lead_there() -> None:
    sets = (Query("", SETS.entity_set, (), "", SETS.expand, SETS.key), [{"msdyn_decisionrulesetid": A}])
    steps = (Query("", "msdyn_routingconfigurationsteps", ("stepid", "_msdyn_rulesetid_value")), [STEP])
    of_streams = ("msdyn_liveworkstreamid($select=msdyn_name)",)
    configurations = (
        Query("", "msdyn_routingconfigurations", ("msdyn_routingconfigurationid",), "", of_streams),
        [CONFIGURATION],
    )
    assert answers(sets, steps, configurations).to(SETS) == sets[1]
    assert answers(sets, steps).to(SETS) == []  # its configuration is gone
    assert isinstance(answers(sets, configurations).to(SETS), Gap)
    assert isinstance(answers(sets, (steps[0], None), configurations).to(SETS), Gap)


def test_an_environment_that_does_not_answer_is_not_kept() -> None:
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve():
        emulator.fail(Fault(where="torn", path=r"roles\?", times=0))
        with pytest.raises(DataverseError):
            kept(emulator)
