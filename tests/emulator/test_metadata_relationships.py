"""Relationships of three sorts: the names clients bind, expand and associate with are the ones that work."""

from __future__ import annotations

import pytest

from d365setup.emulator.schema import ManyToMany, load_schema

from .conftest import Api

KINDS = ("ManyToOneRelationships", "OneToManyRelationships", "ManyToManyRelationships")


def test_each_relationship_is_the_same_from_both_sides(api: Api) -> None:
    every = {row["SchemaName"]: row for row in api.rows("RelationshipDefinitions")}
    assert len(every) > 350
    for table in ("queue", "systemuser", "msdyn_liveworkstream", "msdyn_decisionruleset", "team"):
        for kind in KINDS:
            for row in api.rows(f"EntityDefinitions(LogicalName='{table}')/{kind}"):
                known = every[row["SchemaName"]]
                assert {**row, "@odata.type": known["@odata.type"]} == known


def test_types_tell_the_sorts_apart(api: Api) -> None:
    rows = api.rows("RelationshipDefinitions?$select=SchemaName,RelationshipType")
    types = {(row["RelationshipType"], row["@odata.type"].rpartition(".")[2]) for row in rows}
    assert types == {
        ("OneToManyRelationship", "OneToManyRelationshipMetadata"),
        ("ManyToManyRelationship", "ManyToManyRelationshipMetadata"),
    }
    enum = "Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
    found = api.rows(f"RelationshipDefinitions?$filter=RelationshipType eq {enum}")
    assert {row["SchemaName"] for row in found} >= {"queuemembership_association", "systemuserroles_association"}


def test_one_by_name_and_by_id(api: Api) -> None:
    cast = "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata"
    row = api.get(f"RelationshipDefinitions(SchemaName='systemuserroles_association')/{cast}").json()
    assert (row["Entity1LogicalName"], row["Entity2LogicalName"]) == ("systemuser", "role")
    assert (row["Entity1IntersectAttribute"], row["Entity2IntersectAttribute"]) == ("systemuserid", "roleid")
    again = api.get(f"RelationshipDefinitions({row['MetadataId']})").json()
    assert again["SchemaName"] == "systemuserroles_association"
    assert again["@odata.type"] == f"#{cast}"


# table, lookup column, bind name (SCHEMA.md, "Surprises")
ODD = [
    ("msdyn_ocruleitem", "msdyn_userassignid", "msdyn_UserAssignId"),
    ("msdyn_ocruleitem", "msdyn_queueassignid", "msdyn_QueueAssignId"),
    ("bookableresource", "userid", "UserId"),
    ("bookableresource", "contactid", "ContactId"),
    ("bookableresourcecharacteristic", "characteristic", "Characteristic"),
    ("bookableresourcecharacteristic", "resource", "Resource"),
    ("bookableresourcecharacteristic", "ratingvalue", "RatingValue"),
    ("ratingvalue", "ratingmodel", "RatingModel"),
    ("msdyn_livechatconfig", "msdyn_ocwidgetlanguage", "msdyn_ocWidgetLanguage"),
    ("msdyn_livechatconfig", "msdyn_widgetlocale", "msdyn_WidgetLocale"),
    ("msdyn_livechatconfig", "msdyn_authsettingsid", "msdyn_AuthsettingsId"),
]


@pytest.mark.parametrize(("table", "column", "bind"), ODD)
def test_odd_bind_names(api: Api, table: str, column: str, bind: str) -> None:
    rows = api.rows(f"EntityDefinitions(LogicalName='{table}')/ManyToOneRelationships")
    assert bind in {
        row["ReferencingEntityNavigationPropertyName"] for row in rows if row["ReferencingAttribute"] == column
    }


def test_published_bind_names_work(api: Api) -> None:
    """What metadata says is what `@odata.bind` takes, for every lookup between described tables."""
    schema = load_schema()
    for table in schema.tables.values():
        for row in api.rows(f"EntityDefinitions(LogicalName='{table.name}')/ManyToOneRelationships"):
            column, targets = table.lookups[row["ReferencingEntityNavigationPropertyName"]]
            assert column.name == row["ReferencingAttribute"]
            assert row["ReferencedEntity"] in {*targets, "owner"}


def test_published_collections_can_be_read(api: Api) -> None:
    for table in load_schema().tables.values():
        for name, collection in table.collections.items():
            kind = "ManyToMany" if isinstance(collection, ManyToMany) else "OneToMany"
            rows = api.rows(f"EntityDefinitions(LogicalName='{table.name}')/{kind}Relationships?$select=SchemaName")
            assert name in {row["SchemaName"] for row in rows}
    (queue,) = api.rows("queues?$select=queueid&$filter=name eq 'Nurses'")
    assert api.rows(f"queues({queue['queueid']})/queuemembership_association")


def test_undescribed_tables_are_named_too(api: Api) -> None:
    """A lookup to a table outside this emulator still says where it leads."""
    rows = api.rows("EntityDefinitions(LogicalName='queue')/ManyToOneRelationships")
    found = {row["ReferencingAttribute"]: row for row in rows}
    assert found["defaultmailbox"]["ReferencedEntity"] == "mailbox"
    assert found["defaultmailbox"]["ReferencedAttribute"] is None
