"""Rollback as a property: whatever the environment and the playbook, every column and link is as it was before."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from d365setup.emulator import Switches
from d365setup.outcome import Status
from tests.engine.test_convergence import answers, hands, playbooks, started
from tests.rollback.driver import Place, differences, placed, tables

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time


@contextmanager
def at(switches: Switches, acts: list[str]) -> Iterator[Place]:
    with (
        started(switches, acts) as emulator,
        tempfile.TemporaryDirectory() as folder,
        placed(emulator, Path(folder)) as place,
    ):
        yield place


def text_of(playbook: dict[str, Any]) -> str:
    return yaml.safe_dump(playbook, sort_keys=False, allow_unicode=True)


relaxed = settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking a case takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@relaxed
@given(playbook=playbooks(), acts=hands, switches=answers)
def test_apply_then_rollback_gives_everything_back(
    playbook: dict[str, Any], acts: list[str], switches: Switches
) -> None:
    with at(switches, acts) as place:
        before = tables(place.emulator)
        run = place.apply(text_of(playbook))
        if not run.id:
            return
        undoing, taken_back = place.take_back(run.id)
        assert {each.status for each in taken_back.outcomes} <= {Status.VERIFIED}, taken_back.outcomes
        left = differences(before, tables(place.emulator))
        if "foreign rules" in acts:  # theirs looks at Topic, which we made
            assert [each.id.key for each in undoing.plan.warnings] == ["Patient chat/Topic"]
            assert "it is in use: the rule 'Theirs' looks at it" in undoing.plan.warnings[0].message
            assert {column.split()[0] for column in left} == {"msdyn_ocliveworkstreamcontextvariable"}
            assert len(left) == 1
        else:
            assert undoing.plan.warnings == ()
            assert left == {}
        assert place.rollback(run.id).decide().steps == ()


edits = st.lists(st.sampled_from(["priority", "rules", "capacity", "display name", "member"]), unique=True, min_size=1)


CHANGED: dict[str, tuple[str, str, str, Any]] = {  # table, which rows, column, value
    "priority": ("queue", "name IN ('Triage', 'Nurses')", "msdyn_priority", 77),
    "capacity": ("systemuser", "applicationid IS NOT NULL AND fullname = 'Bot'", "msdyn_capacity", 4321),
    "display name": (
        "msdyn_ocliveworkstreamcontextvariable", "msdyn_name = 'Topic'", "msdyn_displayname", "By hand",
    ),
}  # fmt: skip


def somebody(place: Place, edit: str) -> set[str]:
    """Change something by hand; the columns (`table key column`) that must stay as the person left them."""
    sql, change = place.emulator.sql, place.emulator.change
    stays: set[str] = set()
    if edit in CHANGED:
        table, which, column, value = CHANGED[edit]
        for (row,) in sql(f"SELECT {table}id FROM {table} WHERE {which}"):  # noqa: S608  # our own words
            change(table, row, **{column: value})
            stays.add(f"{table} {row} {column}")
    elif edit == "rules":
        for row, text in sql("SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset"):
            if text and "</decision>" in text:
                change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=f"{text}<!-- by hand -->")
                stays.add(f"msdyn_decisionruleset {row} msdyn_rulesetdefinition")
    else:
        (queue,) = sql("SELECT queueid FROM queue WHERE name = 'Nurses'")[0]
        (person,) = sql("SELECT systemuserid FROM systemuser WHERE internalemailaddress = 'nurse.two@contoso.example'")[
            0
        ]
        if not sql("SELECT 1 FROM queuemembership WHERE queueid = ? AND systemuserid = ?", [queue, person]):
            place.emulator.link("queue", queue, "queuemembership_association", person)
    return stays


@relaxed
@given(playbook=playbooks(), acts=hands, edits=edits)
def test_what_somebody_changed_between_stays_and_is_named(
    playbook: dict[str, Any], acts: list[str], edits: list[str]
) -> None:
    with at(Switches(), acts) as place:
        run = place.apply(text_of(playbook))
        if not run.id:
            return
        stays = {column for edit in edits for column in somebody(place, edit)}
        edited = tables(place.emulator)
        undoing, taken_back = place.take_back(run.id)
        assert {each.status for each in taken_back.outcomes} <= {Status.VERIFIED}, taken_back.outcomes
        after = differences(edited, tables(place.emulator))
        assert not stays & after.keys(), "what somebody changed was written over"
        for row in {column.rpartition(" ")[0] for column in stays}:
            table, _, key = row.partition(" ")
            assert key in tables(place.emulator)[table], "a row that somebody changed was deleted"
        assert all(note.message.startswith("left as it is: ") for note in undoing.plan.warnings)
        again = place.rollback(run.id).decide()
        assert again.steps == (), "a second rollback finds nothing more"
