"""What somebody changes by hand: exactly that one field shows, is repaired, and is there again as a literal value."""

# ruff: noqa: S608  # tables and columns are named by the tests themselves

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from d365setup.emulator import fixtures as names
from d365setup.model import Action, FieldChange
from d365setup.outcome import Status

from .handoff import PLAYBOOK
from .site import APPLICATION, BOT_ID, Site

BOT = ("systemuser", f"applicationid = '{APPLICATION}'")
QUEUE = ("queue", "name = 'Health bot'")
STREAM = ("msdyn_liveworkstream", "msdyn_name = 'Patient chat'")
TOPIC = ("msdyn_ocliveworkstreamcontextvariable", "msdyn_name = 'Topic'")
UNUSED = ("msdyn_ocliveworkstreamcontextvariable", "msdyn_name = 'Unused'")
BOT_KEY, QUEUE_KEY = "bot_user:Health Bot", "queue:Health bot"


@dataclass(frozen=True)
class Drift:
    """Columns changed by hand in the row ``where`` finds, the difference that must show, what repair must leave."""

    where: tuple[str, str]
    columns: dict[str, Any]
    key: str
    difference: FieldChange
    repaired: dict[str, Any]


NAME = FieldChange("name", "Dr Other Bot", "Health Bot")
DRIFTS = {
    "full name": Drift(
        BOT,
        {"firstname": "Dr", "middlename": "O", "lastname": "Other Bot", "fullname": "Dr Other Bot"},
        BOT_KEY,
        NAME,
        {"firstname": None, "middlename": None, "lastname": "Health Bot", "fullname": "Health Bot"},
    ),
    "first name alone": Drift(
        BOT,
        {"firstname": "Dr", "fullname": "Dr Health Bot"},
        BOT_KEY,
        FieldChange("name", "Dr Health Bot", "Health Bot"),
        {"firstname": None, "lastname": "Health Bot", "fullname": "Health Bot"},
    ),
    "middle name alone": Drift(
        BOT,
        {"middlename": "X", "fullname": "X Health Bot"},
        BOT_KEY,
        FieldChange("name", "X Health Bot", "Health Bot"),
        {"middlename": None, "lastname": "Health Bot", "fullname": "Health Bot"},
    ),
    "email": Drift(
        BOT,
        {"internalemailaddress": "Bot@contoso.example"},
        BOT_KEY,
        FieldChange("email", "Bot@contoso.example", "bot@contoso.example"),
        {"internalemailaddress": "bot@contoso.example"},
    ),
    "bot id cleared": Drift(
        BOT,
        {"msdyn_botapplicationid": None},
        BOT_KEY,
        FieldChange("bot_application_id", None, BOT_ID),
        {"msdyn_botapplicationid": BOT_ID},
    ),
    "capacity": Drift(BOT, {"msdyn_capacity": 12}, BOT_KEY, FieldChange("capacity", 12, 500), {"msdyn_capacity": 500}),
    "capacity cleared": Drift(
        BOT, {"msdyn_capacity": None}, BOT_KEY, FieldChange("capacity", None, 500), {"msdyn_capacity": 500}
    ),
    "agent type": Drift(
        BOT,
        {"msdyn_agentType": 192350000},
        BOT_KEY,
        FieldChange("agent_type", "application user", "bot application user"),
        {"msdyn_agentType": 192350001},
    ),
    "agent type cleared": Drift(
        BOT,
        {"msdyn_agentType": None},
        BOT_KEY,
        FieldChange("agent_type", None, "bot application user"),
        {"msdyn_agentType": 192350001},
    ),
    "provider": Drift(
        BOT,
        {"msdyn_botprovider": 192350000},
        BOT_KEY,
        FieldChange("provider", "virtual agent", "other"),
        {"msdyn_botprovider": 192350001},
    ),
    "provider of a newer version": Drift(
        BOT,
        {"msdyn_botprovider": 192350009},
        BOT_KEY,
        FieldChange("provider", "option 192350009", "other"),
        {"msdyn_botprovider": 192350001},
    ),
    "access mode": Drift(
        BOT,
        {"accessmode": 0},
        BOT_KEY,
        FieldChange("access_mode", "read-write", "non-interactive"),
        {"accessmode": 4},
    ),
    "disabled": Drift(
        BOT, {"isdisabled": 1}, BOT_KEY, FieldChange("enabled", before=False, after=True), {"isdisabled": 0}
    ),
    "description": Drift(
        QUEUE,
        {"description": "Second line."},
        QUEUE_KEY,
        FieldChange("description", "Second line.", "First line."),
        {"description": "First line."},
    ),
    "description cleared": Drift(
        QUEUE,
        {"description": None},
        QUEUE_KEY,
        FieldChange("description", None, "First line."),
        {"description": "First line."},
    ),
    "priority": Drift(QUEUE, {"msdyn_priority": 9}, QUEUE_KEY, FieldChange("priority", 9, 7), {"msdyn_priority": 7}),
    "assignment": Drift(
        QUEUE,
        {"msdyn_assignmentstrategy": 192350003},
        QUEUE_KEY,
        FieldChange("assignment", "least active", "highest capacity"),
        {"msdyn_assignmentstrategy": 192350000},
    ),
    "fallback queue": Drift(
        STREAM,
        {"msdyn_defaultqueue": names.BILLING},
        "workstream:Patient chat",
        FieldChange("fallback_queue", "Billing", "Nurses"),
        {"msdyn_defaultqueue": names.NURSES},
    ),
    "fallback queue cleared": Drift(
        STREAM,
        {"msdyn_defaultqueue": None},
        "workstream:Patient chat",
        FieldChange("fallback_queue", None, "Nurses"),
        {"msdyn_defaultqueue": names.NURSES},
    ),
    "display name": Drift(
        TOPIC,
        {"msdyn_displayname": "Something else"},
        "context_variable:Patient chat/Topic",
        FieldChange("display_name", "Something else", "What it is about"),
        {"msdyn_displayname": "What it is about"},
    ),
    "data type of a variable no rule uses": Drift(
        UNUSED,
        {"msdyn_datatype": 192350001},
        "context_variable:Patient chat/Unused",
        FieldChange("type", "number", "text"),
        {"msdyn_datatype": 192350000},
    ),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_a_column_changed_by_hand(clinic: Site, drift: Drift) -> None:
    clinic.apply(PLAYBOOK)
    table, where = drift.where
    row = clinic.one(f"SELECT {table}id FROM {table} WHERE {where}")
    clinic.emulator.change(table, row, **drift.columns)

    (change,) = clinic.plan(PLAYBOOK).changes
    assert (str(change.id), change.action, change.fields) == (drift.key, Action.UPDATE, (drift.difference,))
    assert set(clinic.apply(PLAYBOOK)) == {drift.key}
    columns = ", ".join(drift.repaired)
    assert clinic.emulator.sql(f"SELECT {columns} FROM {table} WHERE {table}id = ?", [row]) == [
        tuple(drift.repaired.values())
    ]


def _role(clinic: Site) -> None:
    bot = clinic.one("SELECT systemuserid FROM systemuser WHERE applicationid = ?", APPLICATION)
    clinic.emulator.unlink(
        "systemuser", bot, "systemuserroles_association", names.fixed_id("role", "Omnichannel agent")
    )


def _bot_out(clinic: Site) -> None:
    bot = clinic.one("SELECT systemuserid FROM systemuser WHERE applicationid = ?", APPLICATION)
    queue = clinic.one("SELECT queueid FROM queue WHERE name = 'Health bot'")
    clinic.emulator.unlink("queue", queue, "queuemembership_association", bot)


def _nurse_out(clinic: Site) -> None:
    nurse = names.fixed_id("systemuser", "nurse.one@contoso.example")
    clinic.emulator.unlink("queue", names.NURSES, "queuemembership_association", nurse)


LINKS = {
    "role": (
        _role,
        "role_assignment:Health Bot/Omnichannel agent",
        FieldChange("role", None, "Omnichannel agent"),
        (
            "SELECT r.name, r.businessunitid FROM systemuserroles s JOIN role r ON r.roleid = s.roleid "
            f"JOIN systemuser u ON u.systemuserid = s.systemuserid WHERE u.applicationid = '{APPLICATION}'"
        ),
        ("Omnichannel agent", names.ROOT_UNIT),
    ),
    "bot in its queue": (
        _bot_out,
        "queue_member:Health bot/Health Bot",
        FieldChange("member", None, "Health Bot"),
        (
            "SELECT u.applicationid, q.name FROM queuemembership m JOIN queue q ON q.queueid = m.queueid "
            "JOIN systemuser u ON u.systemuserid = m.systemuserid WHERE q.name = 'Health bot'"
        ),
        (APPLICATION, "Health bot"),
    ),
    "person in a queue": (
        _nurse_out,
        "queue_member:Nurses/nurse.one@contoso.example",
        FieldChange("member", None, "nurse.one@contoso.example"),
        (
            "SELECT u.internalemailaddress, q.name FROM queuemembership m JOIN queue q ON q.queueid = m.queueid "
            "JOIN systemuser u ON u.systemuserid = m.systemuserid WHERE u.internalemailaddress LIKE 'nurse.one%'"
        ),
        ("nurse.one@contoso.example", "Nurses"),
    ),
}


@pytest.mark.parametrize(("undo", "key", "difference", "sql", "repaired"), LINKS.values(), ids=LINKS.keys())
def test_a_link_taken_away_by_hand(
    clinic: Site,
    undo: Callable[[Site], None],
    key: str,
    difference: FieldChange,
    sql: str,
    repaired: tuple[Any, ...],
) -> None:
    clinic.apply(PLAYBOOK)
    undo(clinic)
    assert clinic.emulator.sql(sql) == []

    (change,) = clinic.plan(PLAYBOOK).changes
    assert (str(change.id), change.action, change.fields) == (key, Action.CREATE, (difference,))
    assert set(clinic.apply(PLAYBOOK)) == {key}
    assert clinic.emulator.sql(sql) == [repaired]


# Rules: the text is changed by hand, and must be what it was, byte for byte, after the repair.


def _text(clinic: Site) -> str:
    return clinic.one("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset")


def _write_text(clinic: Site, text: str) -> None:
    row = clinic.one("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset")
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=text)


def _rule(text: str, name: str) -> str:
    start = text.index("<rule id=", text.rindex("<rule", 0, text.index(f'name="{name}"')) - 1)
    end = text.index("</rule>", start) + len("</rule>")
    return text[start:end]


def _swapped(text: str) -> str:
    one, other = _rule(text, "Nurse"), _rule(text, "Urgent")
    return text.replace(one, "\0").replace(other, one).replace("\0", other)


RULES: dict[str, tuple[Callable[[str], str], str, Action, tuple[FieldChange, ...]]] = {
    "condition": (
        lambda text: text.replace(">Nurse</rhs>", ">Doctor</rhs>"),
        "Nurse",
        Action.UPDATE,
        (FieldChange("when", "Topic equals Doctor", "Topic equals Nurse"),),
    ),
    "case of a value": (
        lambda text: text.replace(">Nurse</rhs>", ">nurse</rhs>"),
        "Nurse",
        Action.UPDATE,
        (FieldChange("when", "Topic equals nurse", "Topic equals Nurse"),),
    ),
    "operator": (
        lambda text: text.replace('"&gt;="', '"&gt;"').replace('">="', '">"'),
        "Urgent",
        Action.UPDATE,
        (FieldChange("when", "Severity more than 7", "Severity at least 7"),),
    ),
    "queue": (
        lambda text: text.replace(_rule(text, "Others"), _rule(text, "Others").replace(names.NURSES, names.BILLING)),
        "Others",
        Action.UPDATE,
        (FieldChange("queue", "Billing", "Nurses"),),
    ),
    "removed": (
        lambda text: text.replace(_rule(text, "Urgent"), ""),
        "Urgent",
        Action.CREATE,
        (FieldChange("when", None, "Severity at least 7"), FieldChange("queue", None, "Nurses")),
    ),
    "two swapped": (_swapped, "Urgent", Action.UPDATE, (FieldChange("position", 1, 2),)),
}


@pytest.mark.parametrize(("edit", "name", "action", "fields"), RULES.values(), ids=RULES.keys())
def test_a_rule_changed_by_hand(
    clinic: Site, edit: Callable[[str], str], name: str, action: Action, fields: tuple[FieldChange, ...]
) -> None:
    clinic.apply(PLAYBOOK)
    before = _text(clinic)
    _write_text(clinic, edit(before))
    assert _text(clinic) != before

    (change,) = clinic.plan(PLAYBOOK).changes
    assert (str(change.id), change.action) == (f"routing_rule:Patient chat/{name}", action)
    assert change.fields == fields
    assert set(clinic.apply(PLAYBOOK)) == {f"routing_rule:Patient chat/{name}"}
    if action is Action.UPDATE:
        assert _text(clinic) == before
    assert _text(clinic).split() == before.split()  # a rule put back may leave the blanks of the cut


@pytest.mark.parametrize("form", ['["{id}"]', "{id}", "{{{ID}}};", "\r\n{ID}\r\n"])
def test_a_rule_switched_off_is_left_to_a_person(clinic: Site, form: str) -> None:
    """`msdyn_disabledrules` is a JSON array or separated text (routing facts, section 1.1)."""
    clinic.apply(PLAYBOOK)
    rule = _rule(_text(clinic), "Urgent").split('"')[1]
    row = clinic.one("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset")
    off = form.format(id=rule, ID=rule.upper())
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_disabledrules=off)

    (change,) = clinic.plan(PLAYBOOK).changes
    assert str(change.id) == "routing_rule:Patient chat/Urgent"
    assert change.fields == (FieldChange("enabled", before=False, after=True),)
    outcomes, notes = clinic.run(PLAYBOOK)
    assert notes == []
    (outcome,) = outcomes.values()
    assert (outcome.status, outcome.detail) == (
        Status.MANUAL,
        (
            "enable the rule 'Urgent' in the admin centre: "
            "Workstreams > the work stream > Route to queues > the rule's switch"
        ),
    )
    assert clinic.one("SELECT msdyn_disabledrules FROM msdyn_decisionruleset") == off


def test_a_rule_switched_off_and_changed_is_written_and_left_to_a_person(clinic: Site) -> None:
    clinic.apply(PLAYBOOK)
    before = _text(clinic)
    _write_text(clinic, before.replace(">Nurse</rhs>", ">Doctor</rhs>"))
    row = clinic.one("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset")
    rule = _rule(before, "Nurse").split('"')[1]
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_disabledrules=rule)

    (change,) = clinic.plan(PLAYBOOK).changes
    assert [field.field for field in change.fields] == ["when", "enabled"]
    outcomes, _ = clinic.run(PLAYBOOK)
    assert [each.status for each in outcomes.values()] == [Status.MANUAL]
    assert _text(clinic) == before


def test_what_is_left_out_is_not_compared(clinic: Site) -> None:
    """A field left out sets the creation value only."""
    text = "queues:\n  - name: Nurses\n"
    clinic.emulator.change("queue", names.NURSES, msdyn_priority=9, msdyn_assignmentstrategy=192350001)
    assert clinic.plan(text).changes == ()


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_line_ends_of_a_description_do_not_count(clinic: Site, ends: str) -> None:
    text = 'queues:\n  - {name: Nurses, description: "one\\ntwo"}\n'
    clinic.emulator.change("queue", names.NURSES, description=f"one{ends}two")
    assert clinic.plan(text).changes == ()
    assert clinic.plan('queues:\n  - {name: Nurses, description: "one\\n two"}\n').changes != ()


def test_an_empty_description_is_no_description(clinic: Site) -> None:
    clinic.emulator.change("queue", names.NURSES, description=None)
    assert clinic.plan('queues:\n  - {name: Nurses, description: ""}\n').changes == ()


def test_an_id_is_compared_without_case_and_braces(clinic: Site) -> None:
    clinic.apply(PLAYBOOK)
    row = clinic.one("SELECT systemuserid FROM systemuser WHERE applicationid = ?", APPLICATION)
    clinic.emulator.change("systemuser", row, msdyn_botapplicationid=f" {{{BOT_ID.upper()}}}")
    assert clinic.plan(PLAYBOOK).changes == ()
