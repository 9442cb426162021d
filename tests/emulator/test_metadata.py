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
    ("OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'OrganizationOwned'", ["msdyn_presence", "solution"]),
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
    assert choices["msdyn_queuetype"]["GlobalOptionSet"] is None


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


REFUSED = [
    ("GET", "EntityDefinitions(LogicalName='nope')", 404, "0x80040217"),
    ("GET", "EntityDefinitions(nope)", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$orderby=LogicalName", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$count=true", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$filter=Nope eq 1", 400, "0x80060888"),
    ("GET", "EntityDefinitions?$filter=contains(LogicalName,'q')", 400, "0x80060888"),
    ("GET", f"{QUEUE}/Nope", 404, "0x80060888"),
    ("GET", f"{QUEUE}/Attributes?$expand=Nope", 400, "0x80060888"),
    ("GET", f"{QUEUE}/ManyToOneRelationships(x)", 501, "0x80060888"),
    ("PATCH", QUEUE, 405, "0x80060888"),
    ("POST", "EntityDefinitions", 501, "0x80060888"),
    ("GET", "$metadata", 501, "0x80060888"),
]


@pytest.mark.parametrize(("method", "path", "status", "expected"), REFUSED)
def test_refused(api: Api, method: str, path: str, status: int, expected: str) -> None:
    assert code(api.send(method, path)) == (status, expected)


def test_unknown_tables_give_an_empty_list(api: Api) -> None:
    assert api.rows("EntityDefinitions?$filter=LogicalName eq 'nope'") == []
