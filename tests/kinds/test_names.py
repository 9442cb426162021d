"""Names: whatever they hold they are found again, and none is taken for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from d365setup.model import Named

from .site import KINDS, Site, desired

CLINIC = "queues: [{name: Night clinic}]"
STREAM = "workstreams: [{name: Patient chat}]"


def test_names_with_slashes_and_quotes_are_found_again(clinic: Site) -> None:
    stream = clinic.stream('A/B\'s "chat" % & #')
    text = """
queues: [{name: "Day/Night's & 50% #1"}]
workstreams:
  - name: "A/B's \\"chat\\" % & #"
    fallback_queue: "Day/Night's & 50% #1"
    context_variables: [{name: "x/y's"}]
    routing_rules: [{name: "r/1 <&>'", when: {"x/y's": "a'b"}, queue: "Day/Night's & 50% #1"}]
"""
    keys = set(clinic.apply(text))
    assert keys == {
        "queue:Day\\/Night's & 50% #1",
        'workstream:A\\/B\'s "chat" % & #',
        "context_variable:A\\/B's \"chat\" % & #/x\\/y's",
        "routing_rule:A\\/B's \"chat\" % & #/r\\/1 <&>'",
    }
    assert clinic.one("SELECT msdyn_liveworkstreamid FROM msdyn_ocliveworkstreamcontextvariable") == stream


def test_a_slash_cannot_make_two_things_one(clinic: Site) -> None:
    """`a/b` in `c` and `b` in `c/a` are different variables."""
    clinic.stream("c")
    clinic.stream("c/a")
    text = """
workstreams:
  - {name: c, context_variables: [{name: a/b}]}
  - {name: c/a, context_variables: [{name: b}]}
"""
    clinic.apply(text)
    sql = (
        "SELECT s.msdyn_name, v.msdyn_name FROM msdyn_ocliveworkstreamcontextvariable v JOIN msdyn_liveworkstream s "
        "ON s.msdyn_liveworkstreamid = v.msdyn_liveworkstreamid ORDER BY 1"
    )
    assert clinic.emulator.sql(sql) == [("c", "a/b"), ("c/a", "b")]


def test_a_row_that_has_our_id_under_another_name_is_told(clinic: Site) -> None:
    """Renamed by hand: the 412 is answered by reading the id."""
    clinic.apply(CLINIC)
    row = clinic.one("SELECT queueid FROM queue WHERE name = 'Night clinic'")
    clinic.emulator.change("queue", row, name="Clinic by night")
    outcomes, _ = clinic.run(CLINIC)
    assert outcomes["queue:Night clinic"].detail == (
        "the row this playbook made for it is called 'Clinic by night' now; rename it, or use that name"
    )


def test_mistakes_a_playbook_alone_can_tell() -> None:
    queue = KINDS["queue"].spec
    variable = KINDS["context_variable"].spec
    wanted = desired("queues: [{name: Nurses}]")
    existing = queue(name="Nurses", existing=True, description="x", priority=1, assignment="least active")
    assert [mistake.path for mistake in existing.check(wanted)] == [("description",), ("priority",), ("assignment",)]
    assert list(replace(existing, existing=False).check(wanted)) == []
    named = variable(workstream="w", name="Topic", existing=True, display_name="x")
    assert [mistake.path for mistake in named.check(wanted)] == [("display_name",)]


@pytest.mark.parametrize("name", ["msdyn_CaseId", "MSDYN_CASEID", "va_Scope", "CloseOmnichannelConversation"])
def test_names_the_platform_keeps_for_itself(name: str) -> None:
    found = KINDS["context_variable"].spec(workstream="w", name=name)
    (mistake,) = found.check(desired(""))
    assert mistake.path == ("name",)
    assert mistake.message == f"{name!r} is a name the platform keeps for itself; choose another"


def test_names_of_all_work_streams_and_queues_are_known_by_row(clinic: Site) -> None:
    live = clinic.live("queues: [{name: Nurses}]\n" + STREAM)
    known = {(each.kind, each.shown) for each in live.known(Named)}
    assert {("workstream", "Patient chat"), ("queue", "Nurses"), ("queue", "Billing")} <= known
