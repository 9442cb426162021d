"""Who a queue's members are: `include` only adds, `exact` also removes and says whom."""

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names
from d365setup.model import Action, FieldChange
from d365setup.outcome import Status

from .site import APPLICATION, BOT, BOT_ID, OTHER_APPLICATION, Site

ONE, TWO, FORMER = (f"{name}@contoso.example" for name in ("nurse.one", "nurse.two", "former.nurse"))


def _members(clinic: Site, queue: str = names.NURSES) -> set[str]:
    sql = (
        "SELECT u.internalemailaddress FROM queuemembership m JOIN systemuser u ON u.systemuserid = m.systemuserid "
        "WHERE m.queueid = ?"
    )
    return set(clinic.column(sql, queue))


def test_include_only_adds(clinic: Site) -> None:
    clinic.apply("queues: [{name: Nurses, members: [billing.one@contoso.example]}]")
    assert _members(clinic) == {ONE, TWO, FORMER, "billing.one@contoso.example"}


@pytest.mark.parametrize("members", ["[]", "{mode: include, users: []}", "{users: []}"])
def test_an_empty_list_of_include_does_nothing(clinic: Site, members: str) -> None:
    assert clinic.plan(f"queues: [{{name: Nurses, members: {members}}}]").changes == ()


def test_exact_removes_and_says_whom(clinic: Site) -> None:
    text = f"queues: [{{name: Nurses, members: {{mode: exact, users: [{ONE}]}}}}]"
    found = clinic.changes(text)
    assert set(found) == {f"queue_member:Nurses/{TWO}", f"queue_member:Nurses/{FORMER}"}
    change = found[f"queue_member:Nurses/{TWO}"]
    assert change.action is Action.DELETE
    assert change.fields == (FieldChange("member", TWO, None),)
    assert change.reason == "Nurses lists its members exactly, and this one is not among them"
    assert change.source.line == 3
    clinic.apply(text)
    assert _members(clinic) == {ONE}


def test_exact_with_nobody_removes_all(clinic: Site) -> None:
    clinic.apply("queues: [{name: Nurses, members: {mode: exact, users: []}}]")
    assert _members(clinic) == set()
    assert _members(clinic, names.BILLING) != set()


def test_exact_removes_bots_and_applications_by_name(clinic: Site) -> None:
    clinic.bot(OTHER_APPLICATION, names.NURSES, lastname="Old Bot")
    nameless = clinic.person("x@contoso.example", queue=names.NURSES)
    clinic.emulator.change("systemuser", nameless, internalemailaddress=None, fullname=None)
    text = BOT + f"queues: [{{name: Nurses, members: {{mode: exact, users: [{ONE}, {TWO}, {FORMER}, Health Bot]}}}}]"
    refusal = clinic.refusal(text)
    assert [str(note.id) for note in refusal.notes] == [f"queue_member:Nurses/{FORMER}"]
    text = text.replace(f", {FORMER}", "")
    removed = {key for key, change in clinic.changes(text).items() if change.action is Action.DELETE}
    assert removed == {
        "queue_member:Nurses/Old Bot",
        f"queue_member:Nurses/{nameless}",
        f"queue_member:Nurses/{FORMER}",
    }
    clinic.apply(text)
    assert _members(clinic) == {ONE, TWO, "bot@contoso.example"}


def test_two_members_of_one_address_are_removed_both(clinic: Site) -> None:
    one = clinic.person("twin@contoso.example", queue=names.NURSES)
    two = clinic.person("twin@contoso.example", queue=names.NURSES)
    text = f"queues: [{{name: Nurses, members: {{mode: exact, users: [{ONE}, {TWO}]}}}}]"
    outcomes = clinic.apply(text)
    assert {f"queue_member:Nurses/twin@contoso.example ({row})" for row in (one, two)} <= set(outcomes)
    assert _members(clinic) == {ONE, TWO}


def test_a_member_removed_and_another_added_under_one_address(clinic: Site) -> None:
    """The old account is disabled and still in the queue; the new one is meant, and is not in it."""
    old = clinic.person("moved@contoso.example", queue=names.NURSES)
    clinic.emulator.change("systemuser", old, isdisabled=1)
    new = clinic.person("moved@contoso.example")
    text = f"queues: [{{name: Nurses, members: {{mode: exact, users: [{ONE}, {TWO}, moved@contoso.example]}}}}]"
    found = {key: change.action for key, change in clinic.changes(text).items()}
    assert found == {
        "queue_member:Nurses/moved@contoso.example": Action.CREATE,
        f"queue_member:Nurses/moved@contoso.example ({old})": Action.DELETE,
        f"queue_member:Nurses/{FORMER}": Action.DELETE,
    }
    clinic.apply(text)
    rows = clinic.column("SELECT systemuserid FROM queuemembership WHERE queueid = ?", names.NURSES)
    assert (new in rows, old in rows) == (True, False)


def test_a_bot_that_is_already_there_under_another_name_is_found(clinic: Site) -> None:
    clinic.bot(queue=names.NURSES, lastname="Health Bot", msdyn_botapplicationid=BOT_ID)
    text = BOT + "queues: [{name: Nurses, members: [Health Bot]}]"
    assert not [key for key in clinic.changes(text) if key.startswith("queue_member")]


def test_members_of_a_queue_that_is_only_referred_to(clinic: Site) -> None:
    """Being in a queue is a thing of its own: the queue's row is not touched."""
    before = clinic.one("SELECT versionnumber FROM queue WHERE queueid = ?", names.NURSES)
    clinic.apply(BOT + "queues: [{name: Nurses, existing: true, members: [Health Bot]}]")
    assert "bot@contoso.example" in _members(clinic)
    assert clinic.one("SELECT versionnumber FROM queue WHERE queueid = ?", names.NURSES) == before


def test_what_nobody_declared_is_still_there(clinic: Site) -> None:
    other = clinic.queue("Somebody else's")
    row = clinic.bot(queue=other)
    supervisor = names.fixed_id("role", "Omnichannel supervisor")
    clinic.emulator.link("systemuser", row, "systemuserroles_association", supervisor)
    clinic.variable("Theirs", 192350002)
    clinic.apply(
        BOT
        + """
queues: [{name: Nurses, members: [Health Bot]}]
workstreams: [{name: Patient chat, context_variables: [{name: Ours}]}]
"""
    )
    assert clinic.column("SELECT systemuserid FROM queuemembership WHERE queueid = ?", other) == [row]
    assert supervisor in clinic.column("SELECT roleid FROM systemuserroles WHERE systemuserid = ?", row)
    variables = "SELECT msdyn_name, msdyn_datatype FROM msdyn_ocliveworkstreamcontextvariable ORDER BY 1"
    assert clinic.emulator.sql(variables) == [("Ours", 192350000), ("Theirs", 192350002)]
    assert {ONE, TWO, FORMER} <= _members(clinic)
    assert clinic.one("SELECT count(*) FROM queue WHERE name IN ('Billing', ?)", "Somebody else's") == 2


def test_a_member_somebody_removed_meanwhile_is_gone_all_the_same(clinic: Site) -> None:
    text = f"queues: [{{name: Nurses, members: {{mode: exact, users: [{ONE}, {TWO}]}}}}]"
    decision = clinic.decide(text)
    clinic.emulator.unlink("queue", names.NURSES, "queuemembership_association", names.fixed_id("systemuser", FORMER))
    outcomes, _ = clinic.carry_out(decision)
    assert [each.status for each in outcomes.values()] == [Status.VERIFIED]
    assert clinic.one("SELECT count(*) FROM systemuser WHERE applicationid = ?", APPLICATION) == 0
