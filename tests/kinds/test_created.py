"""What is made, read raw: the literal columns of each new row."""

# ruff: noqa: S608  # tables and columns are named by the tests themselves

from __future__ import annotations

import uuid
from typing import Any

import pytest

from d365setup.emulator import fixtures as names
from d365setup.outcome import Status

from .handoff import PLAYBOOK
from .site import APPLICATION, BOT, BOT_ID, Site, site

BOT_COLUMNS: dict[str, Any] = {
    "applicationid": APPLICATION,
    "businessunitid": names.ROOT_UNIT,
    "firstname": None,
    "middlename": None,
    "lastname": "Health Bot",
    "fullname": "Health Bot",
    "internalemailaddress": "bot@contoso.example",
    "msdyn_agentType": 192350001,
    "msdyn_botapplicationid": BOT_ID,
    "msdyn_botprovider": 192350001,
    "accessmode": 4,
    "msdyn_capacity": 500,
    "msdyn_usertype": 192350000,  # left alone: the column's default
    "isdisabled": 0,
}
QUEUE_COLUMNS: dict[str, Any] = {
    "name": "Health bot",
    "description": "First line.",
    "queueviewtype": 1,
    "msdyn_isomnichannelqueue": 1,
    "msdyn_queuetype": 192350000,
    "msdyn_priority": 7,
    "msdyn_assignmentstrategy": 192350000,
}
VARIABLES: list[tuple[Any, ...]] = [
    # name, display name, data type, displayable, modifiable, list, system-defined, work stream
    ("Severity", "Severity", 192350001, 1, 1, 0, 0, names.PATIENT_CHAT),
    ("Topic", "What it is about", 192350000, 1, 1, 0, 0, names.PATIENT_CHAT),
    ("Unused", "Unused", 192350000, 1, 1, 0, 0, names.PATIENT_CHAT),
]


def _columns(clinic: Site, table: str, columns: dict[str, Any], where: str) -> dict[str, Any]:
    found = clinic.emulator.sql(f"SELECT {', '.join(columns)} FROM {table} WHERE {where}")
    assert len(found) == 1
    return dict(zip(columns, found[0], strict=True))


def _made(kind: str, identity: str) -> str:
    """The id as `docs/design.md` says it is made."""
    namespace = uuid.UUID("5d1f6a1e-3b0c-5c5a-9f0e-d365000e7a01")
    return str(uuid.uuid5(namespace, f"{names.ORGANIZATION}|test|{kind}|{identity}"))


def test_every_column(clinic: Site) -> None:
    clinic.apply(PLAYBOOK)
    assert _columns(clinic, "systemuser", BOT_COLUMNS, f"applicationid = '{APPLICATION}'") == BOT_COLUMNS
    assert _columns(clinic, "queue", QUEUE_COLUMNS, "name = 'Health bot'") == QUEUE_COLUMNS
    assert (
        clinic.emulator.sql(
            "SELECT msdyn_name, msdyn_displayname, msdyn_datatype, msdyn_isdisplayable, msdyn_ismodifiable, "
            "msdyn_islist, msdyn_issystemdefined, msdyn_liveworkstreamid "
            "FROM msdyn_ocliveworkstreamcontextvariable ORDER BY msdyn_name"
        )
        == VARIABLES
    )
    assert clinic.one("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == names.NURSES


def test_row_ids_are_those_the_names_give(clinic: Site) -> None:
    clinic.apply(PLAYBOOK)
    assert clinic.one("SELECT queueid FROM queue WHERE name = 'Health bot'") == _made("queue", "Health bot")
    bot = clinic.one("SELECT systemuserid FROM systemuser WHERE applicationid = ?", APPLICATION)
    assert bot == _made("bot_user", APPLICATION)
    topic = (
        "SELECT msdyn_ocliveworkstreamcontextvariableid FROM msdyn_ocliveworkstreamcontextvariable WHERE msdyn_name = ?"
    )
    assert clinic.one(topic, "Topic") == _made("context_variable", "Patient chat/Topic")


def test_links(clinic: Site) -> None:
    clinic.apply(PLAYBOOK)
    bot, queue = _made("bot_user", APPLICATION), _made("queue", "Health bot")
    assert clinic.emulator.sql("SELECT systemuserid FROM queuemembership WHERE queueid = ?", [queue]) == [(bot,)]
    roles = "SELECT roleid FROM systemuserroles WHERE systemuserid = ?"
    assert clinic.emulator.sql(roles, [bot]) == [(names.fixed_id("role", "Omnichannel agent"),)]


def test_the_chain_to_the_rules(clinic: Site) -> None:
    clinic.apply(PLAYBOOK)
    shipped = names.fixed_id("contract", "msdyn_demandqueueidentificationoutput")
    own = clinic.one("SELECT msdyn_routingcontractid FROM msdyn_liveworkstream")
    rule_set = clinic.one(
        "SELECT msdyn_decisionrulesetid, msdyn_name, msdyn_uniquename, msdyn_rulesettype, msdyn_authoringmode, "
        "msdyn_inputcontractid, msdyn_outputcontractid FROM msdyn_decisionruleset"
    )
    configuration = clinic.one(
        "SELECT msdyn_routingconfigurationid, msdyn_name, msdyn_uniquename, msdyn_isactiveconfiguration, "
        "msdyn_liveworkstreamid FROM msdyn_routingconfiguration"
    )
    step = clinic.one(
        "SELECT msdyn_name, msdyn_type, msdyn_steporder, msdyn_routingconfigurationid, msdyn_rulesetid "
        "FROM msdyn_routingconfigurationstep"
    )
    row = rule_set[0]
    unique = f"new_{row.replace('-', '')}"
    assert rule_set == (row, "Patient chat route to queue", unique, 192350000, 192350000, own, shipped)
    unique = f"new_{configuration[0].replace('-', '')}"
    assert configuration == (configuration[0], "RC Patient chat", unique, 1, names.PATIENT_CHAT)
    assert step == ("Route to queue", 192350002, 1, configuration[0], row)


RULES = """<decision hit-policy="all" version="1">
  <rules>
    <rule id="{nurse}" name="Nurse">
      <logical operator="AND">
        <logical operator="AND">
          <condition operator="==">
            <lhs type="attribute">liveworkitemcontext.Topic</lhs>
            <rhs type="staticvalue">Nurse</rhs>
          </condition>
        </logical>
      </logical>
      <action>
        <setattribute>
          <lhs type="attribute">assign_to.queue</lhs>
          <rhs type="staticvalue">{{{nurses}}}</rhs>
        </setattribute>
      </action>
    </rule>
    <rule id="{everyone}" name="Everyone">
      <action>
        <setattribute>
          <lhs type="attribute">assign_to.queue</lhs>
          <rhs type="staticvalue">{{{bots}}}</rhs>
        </setattribute>
      </action>
    </rule>
  </rules>
</decision>"""


def test_the_text_of_new_rules(clinic: Site) -> None:
    clinic.apply(
        BOT
        + """
queues:
  - {name: Health bot, members: [Health Bot]}
  - {name: Nurses}
workstreams:
  - name: Patient chat
    context_variables: [{name: Topic}]
    routing_rules:
      - {name: Nurse, when: {Topic: Nurse}, queue: Nurses}
      - {name: Everyone, queue: Health bot}
"""
    )
    expected = RULES.format(
        nurse=_made("routing_rule", "Patient chat/Nurse"),
        everyone=_made("routing_rule", "Patient chat/Everyone"),
        nurses=names.NURSES,
        bots=_made("queue", "Health bot"),
    )
    assert clinic.one("SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset") == expected


def test_fields_left_out_get_their_creation_values(clinic: Site) -> None:
    clinic.apply(
        """
queues: [{name: Plain}]
workstreams: [{name: Patient chat, context_variables: [{name: Plain}]}]
"""
    )
    queue = (
        "SELECT description, msdyn_queuetype, msdyn_priority, msdyn_assignmentstrategy FROM queue WHERE name = 'Plain'"
    )
    assert clinic.one(queue) == (None, 192350000, 1, 192350000)
    variable = "SELECT msdyn_displayname, msdyn_datatype FROM msdyn_ocliveworkstreamcontextvariable"
    assert clinic.one(variable) == ("Plain", 192350000)


def test_every_type_and_method_by_its_own_number(clinic: Site) -> None:
    """Option values of `queue.msdyn_queuetype` and `msdyn_assignmentstrategy` in the published entity reference."""
    kinds = {"messaging": 192350000, "record": 192350001, "voice": 192350002}
    ways = {
        "highest capacity": 192350000,
        "advanced round robin": 192350001,
        "least active": 192350003,
        "no assignment": 192350005,
    }
    listed = "".join(f"  - {{name: T {kind}, type: {kind}}}\n" for kind in kinds)
    listed += "".join(f"  - {{name: W {way}, assignment: {way}}}\n" for way in ways)
    clinic.apply(f"queues:\n{listed}")
    found = dict(clinic.emulator.sql("SELECT name, msdyn_queuetype FROM queue WHERE name LIKE 'T %'"))
    assert found == {f"T {kind}": number for kind, number in kinds.items()}
    found = dict(clinic.emulator.sql("SELECT name, msdyn_assignmentstrategy FROM queue WHERE name LIKE 'W %'"))
    assert found == {f"W {way}": number for way, number in ways.items()}


@pytest.mark.parametrize("form", range(8))
def test_the_full_name_in_every_name_format(clinic: Site, form: int) -> None:
    """`organization.fullnameconventioncode` 0 to 7; with a last name alone all of them show that name."""
    clinic.emulator.change("organization", names.ORGANIZATION, fullnameconventioncode=form)
    clinic.apply(BOT)
    assert clinic.one("SELECT fullname FROM systemuser WHERE applicationid = ?", APPLICATION) == "Health Bot"


@pytest.mark.parametrize("form", range(8))
def test_a_live_name_in_every_name_format(clinic: Site, form: int) -> None:
    clinic.emulator.change("organization", names.ORGANIZATION, fullnameconventioncode=form)
    clinic.bot(firstname="First", middlename="Mid", lastname="Last")
    assert clinic.one("SELECT fullname FROM systemuser WHERE applicationid = ?", APPLICATION) != "Health Bot"
    clinic.apply(BOT)
    found = clinic.one(
        "SELECT firstname, middlename, lastname, fullname FROM systemuser WHERE applicationid = ?", APPLICATION
    )
    assert found == (None, None, "Health Bot", "Health Bot")


def test_an_application_user_is_adopted_under_its_own_id(clinic: Site) -> None:
    row = clinic.bot(msdyn_agentType=None, msdyn_botprovider=None, msdyn_capacity=None, accessmode=0)
    clinic.emulator.change("systemuser", row, isdisabled=1)
    change = clinic.changes(BOT)["bot_user:Health Bot"]
    assert {each.field: (each.before, each.after) for each in change.fields} == {
        "name": ("Live Bot", "Health Bot"),
        "email": ("live@contoso.example", "bot@contoso.example"),
        "bot_application_id": (None, BOT_ID),
        "capacity": (None, 100),
        "agent_type": (None, "bot application user"),
        "provider": (None, "other"),
        "access_mode": ("read-write", "non-interactive"),
        "enabled": (False, True),
    }
    clinic.apply(BOT)
    assert clinic.one("SELECT systemuserid FROM systemuser WHERE applicationid = ?", APPLICATION) == row
    expected = {**BOT_COLUMNS, "msdyn_capacity": 100}
    assert _columns(clinic, "systemuser", expected, f"systemuserid = '{row}'") == expected


def test_bot_columns_refused_on_create_are_written_right_behind_it() -> None:
    with site(bot_columns="refused") as found:
        found.emulator.reset_log()
        found.apply(PLAYBOOK)
        assert _columns(found, "systemuser", BOT_COLUMNS, f"applicationid = '{APPLICATION}'") == BOT_COLUMNS


def test_a_full_name_that_the_platform_takes_from_entra() -> None:
    """Not verified, with the cure; and the next run does not try for ever."""
    with site(full_name="entra") as found:
        found.emulator.name_application(APPLICATION, "Bot in Entra")
        told = (
            "the platform shows the full name '# Bot in Entra', taken from the Entra application, and not 'Health "
            "Bot'; rename the application in Entra, or say name: '# Bot in Entra' in the playbook"
        )
        outcomes, _ = found.run(BOT)
        outcome = outcomes["bot_user:Health Bot"]
        assert (outcome.status, outcome.detail) == (Status.NOT_VERIFIED, told)
        assert outcomes["role_assignment:Health Bot/Omnichannel agent"].status is Status.VERIFIED
        expected = {**BOT_COLUMNS, "fullname": "# Bot in Entra", "msdyn_capacity": 100}
        assert _columns(found, "systemuser", expected, f"applicationid = '{APPLICATION}'") == expected

        assert found.changes(BOT) == {}
        assert found.warnings(BOT) == [f"bot_user:Health Bot: {told}"]
        renamed = BOT.replace("name: Health Bot", "name: '# Bot in Entra'")
        assert found.changes(renamed) == {}
        assert found.warnings(renamed) == []


def test_a_name_changed_by_hand_where_entra_names_users() -> None:
    with site(full_name="entra") as found:
        found.emulator.name_application(APPLICATION, "Bot in Entra")
        found.run(BOT)
        row = found.one("SELECT systemuserid FROM systemuser WHERE applicationid = ?", APPLICATION)
        found.emulator.change("systemuser", row, lastname="By hand")
        assert [field.field for field in found.changes(BOT)["bot_user:Health Bot"].fields] == ["name"]
        outcomes, _ = found.run(BOT)
        assert [each.status for each in outcomes.values()] == [Status.NOT_VERIFIED]
        assert found.changes(BOT) == {}


@pytest.mark.parametrize("answer", ["204", "412"])
def test_links_that_somebody_made_in_the_meantime_are_success(answer: str) -> None:
    """Twice the same link is answered 204 or 412 (web-api page, section 2.5)."""
    text = BOT + "queues: [{name: Nurses, members: [billing.one@contoso.example, Health Bot]}]"
    with site(repeated_link=answer) as found:
        row = found.bot()
        decision = found.decide(text)
        role = names.fixed_id("role", "Omnichannel agent")
        found.emulator.link("systemuser", row, "systemuserroles_association", role)
        billing = names.fixed_id("systemuser", "billing.one@contoso.example")
        for user in (row, billing):
            found.emulator.link("queue", names.NURSES, "queuemembership_association", user)
        outcomes, _ = found.carry_out(decision)
        assert {key: each.status for key, each in outcomes.items()} == {
            "bot_user:Health Bot": Status.VERIFIED,
            "role_assignment:Health Bot/Omnichannel agent": Status.VERIFIED,
            "queue_member:Nurses/billing.one@contoso.example": Status.VERIFIED,
            "queue_member:Nurses/Health Bot": Status.VERIFIED,
        }
