"""Metadata reads: web-api.md 7.2 and what the clients of section 8 ask for."""

from __future__ import annotations

from typing import Any

import pytest

from d365setup.emulator.schema import load_schema

from .conftest import Api, code

QUEUE = "EntityDefinitions(LogicalName='queue')"


def test_the_set_name_of_a_table(api: Api) -> None:
    """8.1: resolve set name; the row carries no etag, MetadataId comes unasked."""
    select = "$select=LogicalName,EntitySetName,PrimaryIdAttribute"
    (row,) = api.rows(f"EntityDefinitions?{select}&$filter=LogicalName eq 'systemuser'")
    assert set(row) == {"MetadataId", "LogicalName", "EntitySetName", "PrimaryIdAttribute"}
    assert (row["EntitySetName"], row["PrimaryIdAttribute"]) == ("systemusers", "systemuserid")
    by_id = api.get(f"EntityDefinitions({row['MetadataId']})?$select=SchemaName").json()
    assert by_id["SchemaName"] == "SystemUser"


def test_all_set_names(api: Api) -> None:
    """8.2: one list for the useEntityNames option."""
    rows = api.rows("EntityDefinitions?$select=EntitySetName,LogicalName&$top=1")
    assert {row["LogicalName"] for row in rows} == set(load_schema().tables), "$top is ignored, nothing pages"


FILTERS: list[tuple[str, Any]] = [
    ("IsPrivate eq false and LogicalName eq 'queue'", ["queue"]),
    ("LogicalName eq 'queue' or LogicalName eq 'role'", ["queue", "role"]),
    ("LogicalName eq 'Queue'", []),
    (
        "OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'OrganizationOwned' and IsCustomEntity eq false",
        ["solution"],
    ),
    ("IsCustomizable/Value eq false and LogicalName eq 'teamroles'", ["teamroles"]),
    ("MetadataId eq 00000000-0000-4000-8000-000000000000", []),
    ("not (IsIntersect eq false) and LogicalName eq 'teamroles'", ["teamroles"]),
    ("LogicalName ne 'x' and EntitySetName eq 'teams'", ["team"]),
    ("DisplayName/UserLocalizedLabel/Label eq 'Team'", ["team"]),
]


@pytest.mark.parametrize(("text", "found"), FILTERS)
def test_filters(api: Api, text: str, found: list[str]) -> None:
    rows = api.rows("EntityDefinitions", params={"$select": "LogicalName", "$filter": text})
    assert sorted(row["LogicalName"] for row in rows) == found


def test_attributes(api: Api) -> None:
    select = "$select=LogicalName,AttributeType,AttributeTypeName,RequiredLevel,IsValidForCreate,IsValidForUpdate"
    rows = {row["LogicalName"]: row for row in api.rows(f"{QUEUE}/Attributes?{select}")}
    assert rows["name"]["@odata.type"] == "#Microsoft.Dynamics.CRM.StringAttributeMetadata"
    assert rows["name"]["RequiredLevel"]["Value"] == "ApplicationRequired"
    assert (rows["statecode"]["IsValidForCreate"], rows["statecode"]["IsValidForUpdate"]) == (False, True)
    assert rows["ownerid"]["AttributeType"] == "Owner"
    users = {row["LogicalName"] for row in api.rows("EntityDefinitions(LogicalName='systemuser')/Attributes")}
    assert "msdyn_agentType" in users


def test_casts(api: Api) -> None:
    cast = "Attributes/Microsoft.Dynamics.CRM."
    texts = {row["LogicalName"]: row["MaxLength"] for row in api.rows(f"{QUEUE}/{cast}StringAttributeMetadata")}
    assert texts["name"] == 200
    lookups = {row["LogicalName"]: row["Targets"] for row in api.rows(f"{QUEUE}/{cast}LookupAttributeMetadata")}
    assert lookups["ownerid"] == ["systemuser", "team"]
    expand = "$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
    choices = {row["LogicalName"]: row for row in api.rows(f"{QUEUE}/{cast}PicklistAttributeMetadata?{expand}")}
    options = choices["msdyn_queuetype"]["OptionSet"]["Options"]
    assert {option["Value"]: option["Label"]["UserLocalizedLabel"]["Label"] for option in options}[192350000]
    assert choices["msdyn_queuetype"]["GlobalOptionSet"]["Options"] == options
    assert choices["queuetypecode"]["GlobalOptionSet"] is None
    assert set(choices["msdyn_queuetype"]) == {"MetadataId", "LogicalName", "OptionSet", "GlobalOptionSet"}


def test_one_attribute(api: Api) -> None:
    row = api.get(f"{QUEUE}/Attributes(LogicalName='msdyn_priority')").json()
    assert (row["MinValue"], row["MaxValue"]) == (1, 2147483647)
    assert code(api.get(f"{QUEUE}/Attributes(LogicalName='nope')")) == (404, "0x80040217")


def test_bind_names_come_from_relationships(api: Api) -> None:
    """7.2: ReferencingEntityNavigationPropertyName is authoritative."""
    rows = api.rows(f"{QUEUE}/ManyToOneRelationships")
    found = {row["ReferencingAttribute"]: row["ReferencingEntityNavigationPropertyName"] for row in rows}
    assert found["msdyn_prequeueoverflowrulesetid"] == "msdyn_decisionrulesetid"
    assert {row["RelationshipType"] for row in rows} == {"OneToManyRelationship"}
    collections = api.rows("EntityDefinitions(LogicalName='msdyn_liveworkstream')/OneToManyRelationships")
    (variables,) = [row for row in collections if row["ReferencingEntity"] == "msdyn_ocliveworkstreamcontextvariable"]
    assert variables["ReferencingEntityNavigationPropertyName"] == "msdyn_liveworkstreamid"
    assert variables["ReferencedEntityNavigationPropertyName"] == variables["SchemaName"]


def test_many_to_many_names_are_the_same_on_both_sides(api: Api) -> None:
    (row,) = api.rows(f"{QUEUE}/ManyToManyRelationships")
    assert row["IntersectEntityName"] == "queuemembership"
    assert row["Entity1NavigationPropertyName"] == row["Entity2NavigationPropertyName"]
    assert api.rows(f"{QUEUE}/Keys") == []


def test_expanding_a_table(api: Api) -> None:
    expand = "Attributes($select=LogicalName;$filter=IsPrimaryName eq true),Keys,ManyToManyRelationships"
    row = api.get(f"EntityDefinitions(LogicalName='team')?$select=LogicalName&$expand={expand}").json()
    assert [each["LogicalName"] for each in row["Attributes"]] == ["name"]
    assert row["Keys"][0]["KeyAttributes"] == ["azureactivedirectoryobjectid", "membershiptype"]
    assert row["Keys"][0]["EntityKeyIndexStatus"] == "Active"
    assert len(row["ManyToManyRelationships"]) == 2
    assert row["@odata.context"].endswith("/$entity")


def test_names_beside_choices_and_lookups(api: Api) -> None:
    """7.2: `…name` columns of choices carry no type; those of lookups are text columns of their own."""
    rows = {row["LogicalName"]: row for row in api.rows(f"{QUEUE}/Attributes")}
    assert "@odata.type" not in rows["statecodename"]
    assert (rows["statecodename"]["AttributeOf"], rows["statecodename"]["AttributeType"]) == ("statecode", "Virtual")
    assert rows["owneridname"]["@odata.type"] == "#Microsoft.Dynamics.CRM.StringAttributeMetadata"
    assert not rows["owneridname"]["IsValidForCreate"]
    real = api.rows(
        f"{QUEUE}/Attributes?$select=LogicalName&$filter=AttributeType ne 'Virtual' and AttributeOf eq null"
    )
    assert {row["LogicalName"] for row in real} == set(load_schema().tables["queue"].columns)


def test_properties_and_casts_of_one(api: Api) -> None:
    assert api.get(f"{QUEUE}/EntitySetName").json()["value"] == "queues"
    assert api.get(f"{QUEUE}/ObjectTypeCode").json()["value"] == 2020
    assert api.get("EntityDefinitions(LogicalName='team')/ObjectTypeCode").status_code == 204
    assert api.get(f"{QUEUE}/DisplayName").json()["UserLocalizedLabel"]["Label"] == "Queue"
    column = f"{QUEUE}/Attributes(LogicalName='msdyn_queuetype')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    assert api.get(f"{column}/OptionSet").json()["IsGlobal"] is True
    assert api.get(f"{column}?$select=LogicalName").json()["LogicalName"] == "msdyn_queuetype"
    own = f"{QUEUE}/Attributes(LogicalName='queuetypecode')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    assert api.get(f"{own}/GlobalOptionSet").status_code == 204
    metadata_id = api.get(f"{QUEUE}/MetadataId").json()["value"]
    assert api.get(f"EntityDefinitions({metadata_id})/Attributes(LogicalName='name')").json()["SchemaName"] == "Name"


def test_switches_and_states(api: Api) -> None:
    cast = "Attributes/Microsoft.Dynamics.CRM."
    (switch,) = (
        row
        for row in api.rows(f"{QUEUE}/{cast}BooleanAttributeMetadata?$expand=OptionSet")
        if row["LogicalName"] == "msdyn_isomnichannelqueue"
    )
    assert {switch["OptionSet"][side]["Value"] for side in ("TrueOption", "FalseOption")} == {0, 1}
    (reason,) = api.rows(f"{QUEUE}/{cast}StatusAttributeMetadata?$expand=OptionSet")
    assert {each["Value"]: each["State"] for each in reason["OptionSet"]["Options"]} == {1: 0, 2: 1}
    (state,) = api.rows(f"{QUEUE}/{cast}StateAttributeMetadata?$expand=OptionSet")
    assert [each["InvariantName"] for each in state["OptionSet"]["Options"]] == ["Active", "Inactive"]


def test_secured_and_uncertain_columns() -> None:
    stream = load_schema().tables["msdyn_liveworkstream"].columns
    assert stream["msdyn_secureapikey"].secured
    assert stream["msdyn_secureapikey"].availability == "channel-solutions-only"
    doubtful = [
        column for table in load_schema().tables.values() for column in table.columns.values() if column.uncertain
    ]
    assert len(doubtful) >= 20
    assert all(column.uncertain_why for column in doubtful)


def test_a_secured_column_says_so(api: Api) -> None:
    table = "EntityDefinitions(LogicalName='msdyn_liveworkstream')"
    rows = api.rows(f"{table}/Attributes?$select=LogicalName&$filter=IsSecured eq true")
    assert [row["LogicalName"] for row in rows] == ["msdyn_secureapikey"]


def test_global_choices(api: Api) -> None:
    names = {row["Name"] for row in api.rows("GlobalOptionSetDefinitions?$select=Name")}
    assert {"componentstate", "msdyn_streamsource", "msdyn_queueassignmentstrategy"} <= names
    one = api.get("GlobalOptionSetDefinitions(Name='msdyn_streamsource')").json()
    assert one["@odata.type"] == "#Microsoft.Dynamics.CRM.OptionSetMetadata"
    labels = {each["Value"]: each["Label"]["UserLocalizedLabel"]["Label"] for each in one["Options"]}
    assert labels[192360000] == "Live chat"
    cast = "GlobalOptionSetDefinitions(Name='componentstate')/Microsoft.Dynamics.CRM.OptionSetMetadata?$select=Options"
    assert [each["Value"] for each in api.get(cast).json()["Options"]] == [0, 1, 2, 3]


REFUSED = [
    ("GET", "EntityDefinitions(LogicalName='nope')", 404, "0x80040217"),
    ("GET", "EntityDefinitions(nope)", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$orderby=LogicalName", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$count=true", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$filter=Nope eq 1", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$filter=contains(LogicalName,'q')", 400, "0x80060888"),
    ("GET", f"{QUEUE}/Nope", 404, "0x80060888"),
    ("GET", f"{QUEUE}/Attributes?$expand=Nope", 400, "0x80060888"),
    ("GET", f"{QUEUE}/ManyToOneRelationships(x)", 400, "0x80060888"),
    ("GET", f"{QUEUE}/Attributes?$select=MaxLength", 400, "0x80060888"),
    ("GET", f"{QUEUE}/Attributes?$expand=OptionSet", 400, "0x80060888"),
    ("GET", f"{QUEUE}/Attributes/Microsoft.Dynamics.CRM.Nope", 404, "0x80060888"),
    ("GET", f"{QUEUE}/Attributes(LogicalName='name')/Microsoft.Dynamics.CRM.MemoAttributeMetadata", 404, "0x80040217"),
    ("GET", f"{QUEUE}/Attributes(SchemaName='Name')", 400, "0x80060888"),
    ("GET", f"{QUEUE}/ManyToManyRelationships?$select=ReferencedEntity", 400, "0x80060888"),
    ("GET", f"{QUEUE}?$expand=Attributes($expand=Attributes)", 400, "0x80060888"),
    ("GET", f"{QUEUE}?$expand=Attributes($select=LogicalName", 400, "0x80060888"),
    ("GET", f"{QUEUE}?$expand=Keys($orderby=LogicalName)", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$filter=OwnershipType eq Microsoft.Dynamics.CRM.Nope'None'", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$filter=LogicalName gt 'a'", 400, "0x80060888"),
    ("GET", "EntityDefinitions/$count", 404, "0x80060888"),
    ("GET", "RelationshipDefinitions(SchemaName='nope')", 404, "0x80040217"),
    ("GET", "RelationshipDefinitions?$select=ReferencedEntity", 400, "0x80060888"),
    ("GET", "GlobalOptionSetDefinitions(Name='nope')", 404, "0x80040217"),
    ("GET", "GlobalOptionSetDefinitions(Name='componentstate')?$select=Options", 400, "0x80060888"),
    ("PATCH", QUEUE, 405, "0x80060888"),
    ("POST", "EntityDefinitions", 501, "0x80060888"),
    ("PUT", QUEUE, 501, "0x80060888"),
    ("DELETE", QUEUE, 501, "0x80060888"),
    ("POST", f"{QUEUE}/Keys", 501, "0x80060888"),
    ("POST", "RelationshipDefinitions", 501, "0x80060888"),
    ("POST", "GlobalOptionSetDefinitions", 501, "0x80060888"),
    ("POST", "$metadata", 405, ""),
]


@pytest.mark.parametrize(("method", "path", "status", "expected"), REFUSED)
def test_refused(api: Api, method: str, path: str, status: int, expected: str) -> None:
    assert code(api.send(method, path)) == (status, expected)


def test_unknown_tables_give_an_empty_list(api: Api) -> None:
    assert api.rows("EntityDefinitions?$filter=LogicalName eq 'nope'") == []
