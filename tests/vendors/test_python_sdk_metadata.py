"""Microsoft's Dataverse SDK for Python: what it reads of tables, and every call of it that is refused on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Place, needed
from .sdk import Sdk, connected


@pytest.fixture
def sdk(place: Place) -> Iterator[Sdk]:
    with connected(place) as sdk:
        yield sdk


def test_one_table_and_all(sdk: Sdk) -> None:
    table = sdk.client.tables.get("Queue")
    assert (table.entity_set_name, table.primary_id_attribute, table.primary_name_attribute) == (
        "queues",
        "queueid",
        "name",
    )
    listed = sdk.client.tables.list(filter="IsCustomEntity eq true", select=["LogicalName", "EntitySetName"])
    names = {each["LogicalName"] for each in listed}
    assert {"msdyn_liveworkstream", "msdyn_livechatconfig", "msdyn_ocruleitem"} <= names
    assert "queue" not in names


def test_columns(sdk: Sdk) -> None:
    columns = sdk.client.tables.list_columns("queue", filter="AttributeType eq 'String'")
    name = next(each for each in columns if each["LogicalName"] == "name")
    info = needed("PowerPlatform.Dataverse.models.table_info").ColumnInfo.from_api_response(name)
    assert (info.max_length, info.is_primary, info.is_required, info.type) == (200, True, True, "StringType")
    assert sdk.client.tables.get_column("queue", "Name")["SchemaName"] == "Name"
    assert sdk.client.tables.get_column("queue", "nope") is None


def test_typed_columns_in_one_request(sdk: Sdk, place: Place) -> None:
    before = len(place.emulator.requests)
    columns = {each["LogicalName"]: each for each in sdk.client.tables.list_columns("queue", typed=True)}
    assert len(place.emulator.requests) == before + 1
    assert columns["name"]["MaxLength"] == 200
    assert (columns["msdyn_priority"]["MinValue"], columns["msdyn_priority"]["MaxValue"]) == (1, 2147483647)
    assert sdk.client.tables.get_column("queue", "name", typed=True)["MaxLength"] == 200


def test_columns_for_sql(sdk: Sdk) -> None:
    columns = sdk.client.query.sql_columns("queue")
    assert columns[0]["name"] == "queueid"
    assert columns[0]["is_pk"]
    assert (columns[1]["name"], columns[1]["is_name"]) == ("name", True)
    assert not {each["name"] for each in columns} & {"owneridname", "statecodename"}


def test_relationships(sdk: Sdk) -> None:
    one = sdk.client.tables.get_relationship("queuemembership_association")
    assert (one.relationship_type, one.entity1_logical_name, one.entity2_logical_name) == (
        "many_to_many",
        "queue",
        "systemuser",
    )
    other = sdk.client.tables.get_relationship("msdyn_liveworkstream_defaultqueue_Queue")
    assert (other.relationship_type, other.lookup_schema_name) == ("one_to_many", "msdyn_defaultqueue")
    assert (other.referencing_entity, other.referenced_entity) == ("msdyn_liveworkstream", "queue")
    assert sdk.client.tables.get_relationship("nope") is None
    enum = "Microsoft.Dynamics.CRM.RelationshipType'ManyToManyRelationship'"
    listed = sdk.client.tables.list_relationships(filter=f"RelationshipType eq {enum}", select=["SchemaName"])
    assert {each["SchemaName"] for each in listed} >= {"systemuserroles_association"}
    of_queue = {each["SchemaName"] for each in sdk.client.tables.list_table_relationships("queue")}
    assert {"queuemembership_association", "owner_queues", "msdyn_liveworkstream_defaultqueue_Queue"} <= of_queue


def test_alternate_keys(sdk: Sdk) -> None:
    (key,) = sdk.client.tables.get_alternate_keys("team")
    assert (key.key_attributes, key.status) == (["azureactivedirectoryobjectid", "membershiptype"], "Active")
    assert sdk.client.tables.get_alternate_keys("queue") == []


# every call that is refused on purpose

Call = Callable[[Any, Path], Any]


def _one_to_many(client: Any, _file: Path) -> None:
    models = needed("PowerPlatform.Dataverse.models.relationship")
    labels = needed("PowerPlatform.Dataverse.models.labels")
    label = labels.Label(localized_labels=[labels.LocalizedLabel(label="Desk", language_code=1033)])
    lookup = models.LookupAttributeMetadata(schema_name="new_DeskId", display_name=label)
    relation = models.OneToManyRelationshipMetadata(
        schema_name="new_queue_team",
        referenced_entity="queue",
        referencing_entity="team",
        referenced_attribute="queueid",
    )
    client.tables.create_one_to_many_relationship(lookup, relation)


def _many_to_many(client: Any, _file: Path) -> None:
    models = needed("PowerPlatform.Dataverse.models.relationship")
    client.tables.create_many_to_many_relationship(
        models.ManyToManyRelationshipMetadata(
            schema_name="new_queue_team", entity1_logical_name="queue", entity2_logical_name="team"
        )
    )


def _in_batch(act: Callable[[Any], None]) -> Call:
    def call(client: Any, _file: Path) -> None:
        batch = client.batch.new()
        act(batch.tables)
        (answer,) = batch.execute(continue_on_error=True).responses
        errors = needed("PowerPlatform.Dataverse.core.errors")
        raise errors.HttpError(answer.error_message, status_code=answer.status_code)

    return call


NO_ID = "00000000-0000-4000-8000-000000000001"
CHANGES: dict[str, Call] = {
    "tables.create": lambda client, _: client.tables.create("new_Desk", {"new_Floor": "int"}),
    "tables.delete": lambda client, _: client.tables.delete("queue"),
    "tables.add_columns": lambda client, _: client.tables.add_columns("queue", {"new_Floor": "int"}),
    "tables.remove_columns": lambda client, _: client.tables.remove_columns("queue", "description"),
    "tables.update_column": lambda client, _: client.tables.update_column("queue", "name", {"max_length": 300}),
    "tables.update_columns": lambda client, _: client.tables.update_columns("queue", {"name": {"max_length": 300}}),
    "tables.create_one_to_many_relationship": _one_to_many,
    "tables.create_many_to_many_relationship": _many_to_many,
    "tables.create_lookup_field": lambda client, _: client.tables.create_lookup_field("team", "new_DeskId", "queue"),
    "tables.delete_relationship": lambda client, _: client.tables.delete_relationship(NO_ID),
    "tables.create_alternate_key": lambda client, _: client.tables.create_alternate_key("queue", "new_key", ["name"]),
    "tables.delete_alternate_key": lambda client, _: client.tables.delete_alternate_key("queue", NO_ID),
    "files.upload": lambda client, file: client.files.upload("queue", NO_ID, "new_file", str(file)),
    "batch.tables.create": _in_batch(lambda tables: tables.create("new_Desk", {"new_Floor": "int"})),
    "batch.tables.delete": _in_batch(lambda tables: tables.delete("queue")),
    "batch.tables.add_columns": _in_batch(lambda tables: tables.add_columns("queue", {"new_Floor": "int"})),
    "batch.tables.remove_columns": _in_batch(lambda tables: tables.remove_columns("queue", "description")),
    "batch.tables.delete_relationship": _in_batch(lambda tables: tables.delete_relationship(NO_ID)),
    "batch.tables.create_lookup_field": _in_batch(
        lambda tables: tables.create_lookup_field("team", "new_DeskId", "queue")
    ),
}
"""Changes of tables: the emulator's are fixed."""


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_tables_are_refused(sdk: Sdk, name: str, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("a note")
    with pytest.raises(sdk.errors.HttpError, match="The emulator does not serve changes of metadata") as caught:
        CHANGES[name](sdk.client, file)
    assert caught.value.status_code == 501


def test_every_call_is_either_shown_to_work_or_named_as_refused(sdk: Sdk) -> None:
    """A new version of the SDK with a call nobody looked at fails here."""
    worked = {
        "records": {"create", "update", "delete", "retrieve", "list", "list_pages", "upsert", "get"},
        "query": {
            "builder", "sql", "fetchxml", "sql_columns", "odata_expands", "odata_bind", "odata_expand", "odata_select",
        },
        "tables": {
            "get", "list", "list_columns", "get_column", "get_relationship", "list_relationships",
            "list_table_relationships", "get_alternate_keys",
        },
        "files": set(),
        "dataframe": {"create", "update", "delete", "get", "sql"},
        "batch": {"new"},
    }  # fmt: skip
    for namespace, names in worked.items():
        calls = {name for name in dir(getattr(sdk.client, namespace)) if not name.startswith("_")}
        refused = {name.partition(".")[2] for name in CHANGES if name.startswith(f"{namespace}.")}
        assert calls == names | {name for name in refused if "." not in name}, namespace


def test_what_is_old_still_works_and_warns(sdk: Sdk) -> None:
    with pytest.warns(DeprecationWarning, match="odata_select"):
        columns = sdk.client.query.odata_select("queue")
    assert "name" in columns
    with pytest.warns(DeprecationWarning, match="odata_expand"):
        assert sdk.client.query.odata_expand("team", "queue") == "queueid"
    with pytest.warns(DeprecationWarning, match="get"):
        pages = list(sdk.client.records.get("queue", select=["name"], top=1))
    assert len(pages[0]) == 1
    assert next(iter(sdk.client.records.list_pages("queue", select=["name"], page_size=1)))


def test_columns_with_capitals_cannot_be_written_by_it(sdk: Sdk) -> None:
    """`systemuser.msdyn_agentType` is a logical name with a capital; the SDK lowers every name it sends."""
    with pytest.raises(sdk.errors.HttpError) as caught:
        sdk.client.records.create("systemuser", {"lastname": "Bot", "msdyn_agentType": 192350001})
    assert caught.value.details["service_error_code"] == "0x80048d19"
