"""What the product does by itself: web-api.md 6, routing.md 1.4, 1.5 and 3, with either answer of each switch."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

STREAM = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
VARIABLES = "msdyn_ocliveworkstreamcontextvariables"
TEXT, NUMBER = 192350000, 192350001


def contract(api: Api) -> str:
    """The text, past HTTP: reading must not count as a read."""
    sql = """SELECT c.msdyn_contractdefinition FROM msdyn_decisioncontract c
             JOIN msdyn_liveworkstream s ON s.msdyn_routingcontractid = c.msdyn_decisioncontractid
             WHERE s.msdyn_liveworkstreamid = ?"""
    return str(api.emulator.sql(sql, [names.PATIENT_CHAT])[0][0])


def read_contract(api: Api) -> str:
    path = f"{STREAM}?$select=msdyn_name&$expand=msdyn_routingcontractid($select=msdyn_contractdefinition)"
    return str(api.get(path).json()["msdyn_routingcontractid"]["msdyn_contractdefinition"])


def variable(api: Api, name: str, kind: int = TEXT) -> str:
    body = {"msdyn_name": name, "msdyn_datatype": kind, "msdyn_liveworkstreamid@odata.bind": f"/{STREAM}"}
    return api.create(VARIABLES, body)


# work streams and contracts


def test_a_new_work_stream_gets_a_contract_and_no_configuration(api: Api) -> None:
    """routing.md 1.5 (live finding) and 1.4 (unique name, grammar)."""
    row_id = api.create("msdyn_liveworkstreams", {"msdyn_name": "Other"})
    row = api.get(f"msdyn_liveworkstreams({row_id})?$expand=msdyn_routingcontractid").json()
    own = row["msdyn_routingcontractid"]
    assert own["msdyn_uniquename"].startswith("new_")
    assert "-" not in own["msdyn_uniquename"]
    assert own["msdyn_contractdefinition"] == (
        '<contract version="1"><entity logical-name="msdyn_ocliveworkitem" key="msdyn_ocliveworkitem" />'
        '<complex key="liveworkitemcontext" /></contract>'
    )
    assert api.rows("msdyn_routingconfigurations") == []


def test_variables_extend_the_contract_at_once(api: Api) -> None:
    variable(api, "Topic")
    row_id = variable(api, "Severity", NUMBER)
    entries = '<variable name="Topic" data-type="string" /><variable name="Severity" data-type="number" />'
    assert entries in contract(api)
    api.patch(f"{VARIABLES}({row_id})", {"msdyn_name": "Urgency & more"})
    assert 'name="Severity"' not in contract(api)
    assert 'name="Urgency &amp; more" data-type="number"' in contract(api)
    api.patch(f"{VARIABLES}({row_id})", {"msdyn_datatype": TEXT})
    assert 'name="Urgency &amp; more" data-type="string"' in contract(api)
    api.delete(f"{VARIABLES}({row_id})")
    assert "Urgency" not in contract(api)


def test_entries_written_by_hand_stay(api: Api) -> None:
    (row,) = api.emulator.sql("SELECT msdyn_routingcontractid FROM msdyn_liveworkstream")
    text = contract(api).replace("<complex", '<extra a="1">text</extra><complex')
    api.emulator.change("msdyn_decisioncontract", row[0], msdyn_contractdefinition=text)
    variable(api, "Topic")
    assert '<extra a="1">text</extra>' in contract(api)
    assert 'name="Topic"' in contract(api)


def test_variables_extend_the_contract_late(make: Make) -> None:
    """A switch: only after so many reads of the contract."""
    api = make(contract="late", contract_delay_reads=2)
    variable(api, "Topic")
    assert "Topic" not in contract(api)
    seen = ["Topic" in read_contract(api) for _ in range(4)]
    assert seen == [False, False, True, True]


def test_late_contracts_wait_for_reads_of_the_contract_only(make: Make) -> None:
    api = make(contract="late", contract_delay_reads=1)
    row_id = variable(api, "Topic")
    for path in ("queues", STREAM, f"{VARIABLES}({row_id})"):
        api.get(path)
    assert "Topic" not in contract(api)
    api.patch(f"{VARIABLES}({row_id})", {"msdyn_name": "Subject"})
    api.get("msdyn_decisioncontracts?$select=msdyn_uniquename")
    assert "Topic" not in contract(api)
    assert "Subject" in contract(api)


def test_variables_never_reach_the_contract(make: Make) -> None:
    api = make(contract="never")
    variable(api, "Topic")
    assert ["Topic" in read_contract(api) for _ in range(4)] == [False] * 4


# rule sets and mappings


def rule(name: str, variable_name: str, queue: str) -> str:
    return (
        f'<rule id="33333333-cccc-4ccc-8ccc-000000000001" name={quoteattr(name)}><condition operator="==">'
        f'<lhs type="attribute">liveworkitemcontext.{variable_name}</lhs><rhs type="staticvalue">x</rhs></condition>'
        f'<action><setattribute><lhs type="attribute">assign_to.queue</lhs><rhs type="staticvalue">{queue}</rhs>'
        "</setattribute></action></rule>"
    )


def decision(*rules: str) -> str:
    return f'<decision hit-policy="all" version="1"><rules>{"".join(rules)}</rules></decision>'


def ruleset(api: Api, text: str) -> str:
    (row,) = api.emulator.sql("SELECT msdyn_routingcontractid FROM msdyn_liveworkstream")
    bind = {"msdyn_inputcontractid@odata.bind": f"/msdyn_decisioncontracts({row[0]})"}
    body = {"msdyn_name": "Route", "msdyn_uniquename": "new_route", "msdyn_rulesetdefinition": text, **bind}
    return api.create("msdyn_decisionrulesets", body)


def mapped(api: Api, row_id: str) -> set[tuple[str, str]]:
    path = f"msdyn_rulesetdependencymappings?$filter=_msdyn_referencingrulesetid_value eq {row_id}"
    rows = api.rows(path, headers={"Prefer": 'odata.include-annotations="*"'})
    key = "_msdyn_referencedpolymorphicentityid_value"
    for row in rows:
        kind = row[f"{key}@Microsoft.Dynamics.CRM.lookuplogicalname"]
        assert row["msdyn_referencedpolymorphiclogicalname"] == kind
        assert row["msdyn_referencingruleid"] == "33333333-cccc-4ccc-8ccc-000000000001"
        assert row["msdyn_referencingrulename"] == "A & B"
    return {(row["msdyn_referencedpolymorphiclogicalname"], row[key]) for row in rows}


def test_mappings_name_what_exists_when_the_rule_set_is_written(api: Api) -> None:
    """routing.md 0.7 and 1.1."""
    topic = variable(api, "Topic")
    text = decision(rule("A & B", "Topic", f"{{{names.NURSES.upper()}}}"))
    row_id = ruleset(api, text)
    kinds = {("queue", names.NURSES), ("msdyn_ocliveworkstreamcontextvariable", topic)}
    assert mapped(api, row_id) == kinds
    assert api.get(f"msdyn_decisionrulesets({row_id})").json()["msdyn_rulesetdefinition"] == text
    changed = decision(rule("A & B", "topic", names.BILLING))
    api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": changed})
    assert mapped(api, row_id) == {("queue", names.BILLING)}, "names are case-sensitive"


def test_a_variable_made_later_is_mapped_by_the_next_write(api: Api) -> None:
    text = decision(rule("A & B", "Topic", names.NURSES))
    row_id = ruleset(api, text)
    topic = variable(api, "Topic")
    assert mapped(api, row_id) == {("queue", names.NURSES)}
    api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": text})
    assert mapped(api, row_id) == {("queue", names.NURSES), ("msdyn_ocliveworkstreamcontextvariable", topic)}


def test_mappings_by_the_second_write(make: Make) -> None:
    api = make(mappings="second write")
    text = decision(rule("A & B", "Topic", names.NURSES))
    row_id = ruleset(api, text)
    assert mapped(api, row_id) == set()
    api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": text})
    assert mapped(api, row_id) == {("queue", names.NURSES)}
    other = decision(rule("A & B", "Topic", names.BILLING))
    api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": other})
    assert mapped(api, row_id) == set()
    api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": other})
    assert mapped(api, row_id) == {("queue", names.BILLING)}


def test_mappings_never(make: Make) -> None:
    api = make(mappings="never")
    text = decision(rule("A & B", "Topic", names.NURSES))
    row_id = ruleset(api, text)
    for _ in range(3):
        api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": text})
    assert mapped(api, row_id) == set()


def test_mappings_keep_their_rows_when_nothing_changed(api: Api) -> None:
    text = decision(rule("A & B", "Topic", names.NURSES))
    row_id = ruleset(api, text)
    before = api.emulator.sql("SELECT * FROM msdyn_rulesetdependencymapping")
    api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": text})
    assert api.emulator.sql("SELECT * FROM msdyn_rulesetdependencymapping") == before
    api.delete(f"msdyn_decisionrulesets({row_id})")
    assert api.emulator.sql("SELECT * FROM msdyn_rulesetdependencymapping") == []


BROKEN = ["<decision>", "<!DOCTYPE d [<!ENTITY a 'b'>]><decision>&a;</decision>", "plain", "<a>" * 200]


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:20])
def test_a_definition_that_is_no_xml_is_refused(api: Api, text: str) -> None:
    body = {"msdyn_name": "r", "msdyn_uniquename": "r", "msdyn_rulesetdefinition": text}
    assert code(api.post("msdyn_decisionrulesets", body)) == (400, "0x80040265")


# users


def test_application_users_are_completed(api: Api) -> None:
    """web-api.md 6.1 and section 0 item 12."""
    row = api.get(f"systemusers({api.bot(msdyn_agentType=192350001, msdyn_botapplicationid='b')})").json()
    for column in ("azureactivedirectoryobjectid", "applicationiduri", "domainname"):
        assert row[column], column
    assert (row["fullname"], row["accessmode"], row["isdisabled"]) == ("Health Bot", 4, False)
    assert (row["msdyn_agentType"], row["msdyn_botprovider"]) == (192350001, 192350001)


def test_one_row_per_application(api: Api) -> None:
    """6.1."""
    body = {"applicationid": api.new_id(), "businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}
    row_id = api.create("systemusers", body)
    assert code(api.post("systemusers", body)) == (412, "0x80040237")
    assert api.patch(f"systemusers({row_id})", {"applicationid": body["applicationid"]}).status_code == 204
    changed = {"applicationid": api.new_id()}
    assert code(api.patch(f"systemusers({row_id})", changed)) == (400, "0x80041d48")


def test_bot_columns_may_be_refused_in_the_create(make: Make) -> None:
    api = make(bot_columns="refused")
    unit = {"businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}
    body = {"applicationid": api.new_id(), **unit, "msdyn_agentType": 192350001}
    assert code(api.post("systemusers", body)) == (400, "0x80040265")
    row_id = api.bot()
    update = {"msdyn_agentType": 192350001, "msdyn_botapplicationid": "b"}
    assert api.patch(f"systemusers({row_id})", update).status_code == 204


NAMES: list[tuple[int, dict[str, Any], str]] = [
    (0, {"firstname": "Ada", "lastname": "Bot"}, "Bot, Ada"),
    (1, {"firstname": "Ada", "lastname": "Bot"}, "Ada Bot"),
    (2, {"firstname": "Ada", "middlename": "Kay", "lastname": "Bot"}, "Bot, Ada K."),
    (3, {"firstname": "Ada", "middlename": "Kay", "lastname": "Bot"}, "Ada K. Bot"),
    (4, {"firstname": "Ada", "middlename": "Kay", "lastname": "Bot"}, "Bot, Ada Kay"),
    (5, {"firstname": "Ada", "middlename": "Kay", "lastname": "Bot"}, "Ada Kay Bot"),
    (6, {"firstname": "Ada", "lastname": "Bot"}, "Bot Ada"),
    (7, {"firstname": "Ada", "lastname": "Bot"}, "BotAda"),
    *((convention, {"lastname": "Health Bot"}, "Health Bot") for convention in range(8)),
]


@pytest.mark.parametrize(("convention", "sent", "expected"), NAMES)
def test_full_names_follow_the_organization(api: Api, convention: int, sent: dict[str, Any], expected: str) -> None:
    """routing.md 3.2; organization.fullnameconventioncode."""
    api.emulator.change("organization", names.ORGANIZATION, fullnameconventioncode=convention)
    row_id = api.bot(**sent)
    assert api.get(f"systemusers({row_id})").json()["fullname"] == expected
    api.patch(f"systemusers({row_id})", {"lastname": "Renamed", "firstname": None, "middlename": None})
    assert api.get(f"systemusers({row_id})").json()["fullname"] == "Renamed"


def test_full_names_may_come_from_entra(make: Make) -> None:
    api = make(full_name="entra")
    api.emulator.name_application("aaaaaaaa-0000-4000-8000-000000000001", "Contoso bot app")
    row_id = api.bot(applicationid="aaaaaaaa-0000-4000-8000-000000000001")
    api.patch(f"systemusers({row_id})", {"lastname": "Renamed"})
    row = api.get(f"systemusers({row_id})").json()
    assert (row["fullname"], row["lastname"]) == ("# Contoso bot app", "Renamed")
    person = names.fixed_id("systemuser", "nurse.one@contoso.example")
    assert api.get(f"systemusers({person})").json()["fullname"] == "Nurse One"


def test_two_step_delete(api: Api) -> None:
    """6.1: soft first, permanent second; a soft-deleted row blocks and hides."""
    application = "aaaaaaaa-0000-4000-8000-000000000002"
    row_id = api.bot(applicationid=application)
    path = f"systemusers({row_id})"
    assert code(api.delete(path)) == (400, "0x80040265")
    api.patch(path, {"isdisabled": True})
    assert api.delete(path).status_code == 204
    search = f"systemusers?$select=fullname&$filter=applicationid eq {application}"
    assert api.rows(search) == []
    assert len(api.rows(f"{search} and deletedstate ne 0")) == 1
    body = {"applicationid": application, "businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}
    assert code(api.post("systemusers", body)) == (412, "0x80040237")
    assert api.delete(path).status_code == 204
    assert code(api.delete(path)) == (404, "0x80040217")
    assert api.post("systemusers", body).status_code == 204


def test_enabled_users_may_be_deletable(make: Make) -> None:
    api = make(delete_enabled_user="accepted")
    row_id = api.bot()
    assert api.delete(f"systemusers({row_id})").status_code == 204
    assert api.emulator.sql("SELECT deletedstate FROM systemuser WHERE systemuserid = ?", [row_id]) == [(1,)]


def test_soft_deleted_members_are_hidden_in_expands(api: Api) -> None:
    person = names.fixed_id("systemuser", "former.nurse@contoso.example")
    assert api.delete(f"systemusers({person})").status_code == 204
    row = api.get(f"queues({names.NURSES})?$expand=queuemembership_association($select=fullname)").json()
    assert {each["fullname"] for each in row["queuemembership_association"]} == {"Nurse One", "Nurse Two"}


def test_a_disabled_caller_is_refused(api: Api) -> None:
    """2.7: 0x80040225, 0x80072560."""
    api.emulator.change("systemuser", names.CALLER, isdisabled=1)
    assert code(api.get("WhoAmI")) == (403, "0x80040225")
    api.emulator.execute("DELETE FROM systemuser WHERE systemuserid = ?", [names.CALLER])
    assert code(api.get("WhoAmI")) == (403, "0x80072560")


# business units and roles


def test_new_business_units_get_role_copies(api: Api) -> None:
    """6.3."""
    parent = {"parentbusinessunitid@odata.bind": f"/businessunits({names.CHILD_UNIT})"}
    unit = api.create("businessunits", {"name": "Ward", **parent})
    copies = api.rows(f"roles?$filter=_businessunitid_value eq {unit}")
    assert {row["name"] for row in copies} == set(names.ROLES)
    for row in copies:
        assert row["_parentrootroleid_value"] == names.fixed_id("role", row["name"])
        assert row["ismanaged"] is True
        assert row["roleid"] != row["_parentrootroleid_value"]
    assert len(api.rows(f"teams?$filter=_businessunitid_value eq {unit} and isdefault eq true")) == 1


def test_new_roles_are_copied_down(api: Api) -> None:
    role = api.create("roles", {"name": "Night", "businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"})
    rows = api.rows("roles?$filter=name eq 'Night'")
    assert {row["_businessunitid_value"] for row in rows} == {names.ROOT_UNIT, names.CHILD_UNIT}
    assert {row["_parentrootroleid_value"] for row in rows} == {role}


def test_changing_the_unit_takes_the_roles_away(api: Api) -> None:
    person = names.fixed_id("systemuser", "nurse.one@contoso.example")
    bind = {"businessunitid@odata.bind": f"/businessunits({names.CHILD_UNIT})"}
    assert api.patch(f"systemusers({person})", bind).status_code == 204
    assert api.rows(f"systemusers({person})/systemuserroles_association") == []


def test_new_users_join_the_default_team(api: Api) -> None:
    teams = api.rows(f"systemusers({api.bot()})/teammembership_association?$select=name")
    assert [row["name"] for row in teams] == ["Contoso Health"]


def test_the_last_administrator_stays(api: Api) -> None:
    """2.7: 0x80041d2f when disabled, 0x80041d30 when the role is taken away."""
    role = names.fixed_id("role", names.SYSTEM_ADMINISTRATOR)
    path = f"systemusers({names.CALLER})/systemuserroles_association({role})/$ref"
    assert code(api.delete(path)) == (403, "0x80041d30")
    assert code(api.patch(f"systemusers({names.CALLER})", {"isdisabled": True})) == (403, "0x80041d2f")
    second = names.fixed_id("systemuser", "nurse.one@contoso.example")
    api.emulator.link("systemuser", second, "systemuserroles_association", role)
    assert api.delete(path).status_code == 204


def test_a_contract_that_is_no_xml_is_left_alone(api: Api) -> None:
    (row,) = api.emulator.sql("SELECT msdyn_routingcontractid FROM msdyn_liveworkstream")
    path = f"msdyn_decisioncontracts({row[0]})"
    api.emulator.change("msdyn_decisioncontract", row[0], msdyn_contractdefinition="<contract")
    variable(api, "Topic")
    assert contract(api) == "<contract"
    api.emulator.change("msdyn_decisioncontract", row[0], msdyn_contractdefinition='<contract version="1" />')
    variable(api, "Severity", NUMBER)
    assert 'name="Topic"' in contract(api)
    assert api.delete(path).status_code == 204
    assert api.emulator.sql("SELECT msdyn_routingcontractid FROM msdyn_liveworkstream") == [(None,)]
    variable(api, "Later")


def test_a_late_contract_may_be_gone_by_then(make: Make) -> None:
    api = make(contract="late", contract_delay_reads=1)
    variable(api, "Topic")
    api.emulator.execute("DELETE FROM msdyn_decisioncontract WHERE msdyn_uniquename LIKE 'new_%'")
    assert api.get("msdyn_decisioncontracts").status_code == 200
    assert api.get(STREAM).status_code == 200


def test_an_unreadable_reference_is_no_reference(api: Api) -> None:
    text = decision(
        rule("A & B", "Nope", "nobody"),
        "<rule><action><setattribute><lhs>assign_to.queue</lhs></setattribute></action></rule>",
    )
    assert mapped(api, ruleset(api, text)) == set()
    empty = {"msdyn_name": "r", "msdyn_uniquename": "r2", "msdyn_rulesetdefinition": ""}
    row_id = api.create("msdyn_decisionrulesets", empty)
    assert api.patch(f"msdyn_decisionrulesets({row_id})", {"msdyn_rulesetdefinition": None}).status_code == 204


def test_percentage_rules_refer_to_every_queue(api: Api) -> None:
    """routing.md 1.3: queuedetails.queueid inside a weighted split."""
    records = "".join(
        f'<record><setattribute><lhs type="attribute">queuedetails.queueid</lhs><rhs type="staticvalue">{queue}</rhs>'
        "</setattribute></record>"
        for queue in (names.NURSES, names.BILLING)
    )
    target = "<target>percentagebaseddistribution</target>"
    split = f"<action><upsertrecords>{target}<records>{records}</records></upsertrecords></action>"
    text = decision(f'<rule id="33333333-cccc-4ccc-8ccc-000000000001" name="A &amp; B">{split}</rule>')
    assert mapped(api, ruleset(api, text)) == {("queue", names.NURSES), ("queue", names.BILLING)}
