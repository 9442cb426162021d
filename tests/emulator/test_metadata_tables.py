"""The tables of the Omnichannel and routing area, all of them described, and all of them usable."""

from __future__ import annotations

import pytest

from d365setup.emulator.schema import load_schema

from .conftest import Api

AREA = """audit bookableresource bookableresourcecharacteristic bot businessunit calendar calendarrule
    characteristic msdyn_agentstatus msdyn_assignmentconfiguration msdyn_assignmentconfigurationstep
    msdyn_bookableresourcecapacityprofile msdyn_botusermapping msdyn_cannedmessage msdyn_capacityprofile
    msdyn_channeldefinition msdyn_channelinstance msdyn_channelinstanceaccount msdyn_customapirulesetconfiguration
    msdyn_decisioncontract msdyn_decisionruleset msdyn_entityroutingconfiguration msdyn_livechatconfig
    msdyn_liveworkstream msdyn_liveworkstreamcapacityprofile msdyn_masterentityroutingconfiguration
    msdyn_ocbotchannelregistration msdyn_occhannelconfiguration msdyn_occustommessagingchannel
    msdyn_ocliveworkitem msdyn_ocliveworkstreamcontextvariable msdyn_ocruleitem msdyn_octag
    msdyn_omnichannelconfiguration msdyn_operatinghour msdyn_overflowactionconfig msdyn_presence
    msdyn_routingconfiguration msdyn_routingconfigurationstep
    msdyn_rulesetdependencymapping msdyn_skillattachmentruleitem msdyn_skillattachmenttarget msdyn_surveyquestion
    msdyn_workstream_bot_mapping organization queue queueitem ratingmodel ratingvalue role solution systemuser team"""
TABLES = AREA.split()


def test_all_are_described() -> None:
    schema = load_schema()
    assert {name for name, table in schema.tables.items() if not table.intersect} == set(TABLES)
    assert len(TABLES) == 53


@pytest.mark.parametrize("name", TABLES)
def test_each_can_be_read_by_its_published_names(api: Api, name: str) -> None:
    """Its set, every column by `$select`, and its metadata, agree with one another."""
    table = api.get(f"EntityDefinitions(LogicalName='{name}')").json()
    columns = api.rows(f"EntityDefinitions(LogicalName='{name}')/Attributes?$filter=AttributeOf eq null")
    known = {row["LogicalName"]: row for row in columns}
    assert known[table["PrimaryIdAttribute"]]["IsPrimaryId"]
    assert table["PrimaryNameAttribute"] is None or known[table["PrimaryNameAttribute"]]["IsPrimaryName"]
    lookups = {"Lookup", "Owner"}
    shown = [f"_{key}_value" if row["AttributeType"] in lookups else key for key, row in known.items()]
    reply = api.get(f"{table['EntitySetName']}?$select={','.join(shown)}&$top=1")
    assert reply.status_code == 200, reply.text


# a table the tool itself never writes to, with the least a create needs
CREATES = [
    ("characteristics", {"name": "Spanish", "characteristictype": 1}),
    ("ratingmodels", {"name": "Fluency", "minratingvalue": 1, "maxratingvalue": 5}),
    ("msdyn_octags", {"msdyn_name": "greeting"}),
    ("msdyn_livechatconfigs", {"msdyn_name": "Clinic chat"}),
    ("msdyn_workstream_bot_mappings", {"msdyn_name": "a bot"}),
]


@pytest.mark.parametrize(("entity_set", "body"), CREATES)
def test_rows_can_be_made(api: Api, entity_set: str, body: dict[str, object]) -> None:
    row_id = api.create(entity_set, body)
    row = api.get(f"{entity_set}({row_id})").json()
    assert {name: row[name] for name in body} == body


def test_links_of_new_tables(api: Api) -> None:
    tag = api.create("msdyn_octags", {"msdyn_name": "greeting"})
    message = api.create("msdyn_cannedmessages", {"msdyn_title": "Hello", "msdyn_message": "Good morning"})
    link = f"msdyn_octags({tag})/msdyn_msdyn_cannedmessage_msdyn_octag/$ref"
    reply = api.post(link, {"@odata.id": f"{api.root}msdyn_cannedmessages({message})"})
    assert reply.status_code == 204, reply.text
    (row,) = api.rows(f"msdyn_cannedmessages({message})/msdyn_msdyn_cannedmessage_msdyn_octag")
    assert row["msdyn_name"] == "greeting"
