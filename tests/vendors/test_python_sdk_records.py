"""Microsoft's Dataverse SDK for Python, records: its public interface only, signed in through azure-identity."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Place, needed
from .sdk import Sdk, connected


@pytest.fixture
def sdk(place: Place) -> Iterator[Sdk]:
    with connected(place) as sdk:
        yield sdk


def desks(sdk: Sdk, *names: str) -> list[str]:
    return [sdk.client.records.create("queue", {"name": name, "queueviewtype": 1}) for name in names]


def test_create_read_update_delete(sdk: Sdk) -> None:
    records = sdk.client.records
    row_id = records.create("queue", {"name": "Night desk", "queueviewtype": 1})
    assert str(uuid.UUID(row_id)) == row_id
    assert records.retrieve("queue", row_id, select=["name", "queueviewtype"])["queueviewtype"] == 1
    records.update("queue", row_id, {"Description": "From ten to six"})  # names in any case: the SDK lowers them
    row = records.retrieve("queue", row_id, select=["name", "description"])
    assert (row["name"], row["description"]) == ("Night desk", "From ten to six")
    records.delete("queue", row_id)
    assert records.retrieve("queue", row_id) is None


def test_option_labels_become_numbers(sdk: Sdk) -> None:
    """The SDK looks labels up in the metadata before it writes."""
    row_id = sdk.client.records.create("queue", {"name": "Voice desk", "msdyn_queuetype": "Voice"})
    row = sdk.client.records.retrieve("queue", row_id, select=["msdyn_queuetype"], include_annotations="*")
    assert row["msdyn_queuetype"] == 192350002
    assert row["msdyn_queuetype@OData.Community.Display.V1.FormattedValue"] == "Voice"
    sdk.client.records.update("queue", row_id, {"msdyn_queuetype": "messaging", "queueviewtype": "Private"})
    row = sdk.client.records.retrieve("queue", row_id)
    assert (row["msdyn_queuetype"], row["queueviewtype"]) == (192350000, 1)


def test_lookups_are_bound_and_expanded(sdk: Sdk) -> None:
    """Associating in this SDK is binding a lookup; it has no call for N:N links."""
    (queue,) = desks(sdk, "Fallback")
    (stream, *_) = sdk.client.records.list("msdyn_liveworkstream", select=["msdyn_liveworkstreamid"])
    stream_id = stream["msdyn_liveworkstreamid"]
    bind = {"msdyn_defaultqueue@odata.bind": f"/queues({queue})"}
    sdk.client.records.update("msdyn_liveworkstream", stream_id, bind)
    row = sdk.client.records.retrieve(
        "msdyn_liveworkstream", stream_id, select=["msdyn_name"], expand=["msdyn_defaultqueue"]
    )
    assert row["msdyn_defaultqueue"]["name"] == "Fallback"
    sdk.client.records.update("msdyn_liveworkstream", stream_id, {"msdyn_defaultqueue@odata.bind": None})
    row = sdk.client.records.retrieve("msdyn_liveworkstream", stream_id, expand=["msdyn_defaultqueue"])
    assert row["msdyn_defaultqueue"] is None


def test_names_to_bind_come_from_metadata(sdk: Sdk) -> None:
    found = {each["lookup_attribute"]: each for each in sdk.client.query.odata_expands("queue")}
    assert found["msdyn_prequeueoverflowrulesetid"]["nav_property"] == "msdyn_decisionrulesetid"
    assert found["msdyn_prequeueoverflowrulesetid"]["target_entity_set"] == "msdyn_decisionrulesets"
    with pytest.warns(DeprecationWarning, match="odata_bind"):
        bind = sdk.client.query.odata_bind("team", "queue", "00000000-0000-4000-8000-000000000001")
    assert bind == {"queueid@odata.bind": "/queues(00000000-0000-4000-8000-000000000001)"}


def test_filter_order_and_paging(sdk: Sdk) -> None:
    col = needed("PowerPlatform.Dataverse.models").filters.col
    desks(sdk, *(f"Desk {number}" for number in range(7)))
    pages = list(
        sdk.client.query.builder("queue")
        .select("name")
        .where(col("name").startswith("Desk ") & (col("name") != "Desk 3"))
        .order_by("name", descending=True)
        .page_size(4)
        .execute_pages()
    )
    assert [[row["name"] for row in page] for page in pages] == [
        ["Desk 6", "Desk 5", "Desk 4", "Desk 2"],
        ["Desk 1", "Desk 0"],
    ]
    listed = sdk.client.records.list("queue", filter="startswith(name,'Desk ')", orderby=["name asc"], top=2)
    assert [row["name"] for row in listed] == ["Desk 0", "Desk 1"]


FILTERS: list[tuple[str, Any]] = [
    ("in_", (["Desk 1", "Desk 2"],)),
    ("contains", ("sk 1",)),
    ("endswith", (" 1",)),
    ("like", ("Desk 1%",)),
    ("is_not_null", ()),
]


@pytest.mark.parametrize(("name", "arguments"), FILTERS)
def test_each_kind_of_condition(sdk: Sdk, name: str, arguments: Any) -> None:
    col = needed("PowerPlatform.Dataverse.models").filters.col
    desks(sdk, "Desk 1")
    condition = getattr(col("name"), name)(*arguments)
    rows = sdk.client.records.list("queue", filter=condition, select=["name"])
    assert "Desk 1" in {row["name"] for row in rows}
    others = sdk.client.records.list("queue", filter=~condition if name not in {"in_"} else condition, select=["name"])
    assert ("Desk 1" in {row["name"] for row in others}) == (name == "in_")


def test_a_frame_of_rows(sdk: Sdk) -> None:
    desks(sdk, "Desk A", "Desk B")
    frame = (
        sdk.client.query.builder("queue")
        .select("name")
        .where(needed("PowerPlatform.Dataverse.models").filters.col("name").startswith("Desk "))
        .order_by("name")
        .execute()
        .to_dataframe()
    )
    assert list(frame["name"]) == ["Desk A", "Desk B"]


# what follows needs bulk actions, keys and query languages


def test_many_at_once(sdk: Sdk, place: Place) -> None:
    ids = sdk.client.records.create("queue", [{"name": f"Bulk {number}"} for number in range(3)])
    assert len(set(ids)) == 3
    sdk.client.records.update("queue", ids, {"description": "all the same"})
    sdk.client.records.update("queue", ids, [{"description": f"number {number}"} for number in range(3)])
    rows = sdk.client.records.list("queue", filter="startswith(name,'Bulk ')", orderby=["name"])
    assert [row["description"] for row in rows] == ["number 0", "number 1", "number 2"]
    sdk.client.records.delete("queue", ids[:2], use_bulk_delete=False)
    job = sdk.client.records.delete("queue", ids[2:])
    assert str(uuid.UUID(job)) == job
    assert not sdk.client.records.list("queue", filter="startswith(name,'Bulk ')")
    assert sum("CreateMultiple" in each for each in place.writes) == 1


def test_upsert_by_key(sdk: Sdk) -> None:
    """A team of an Entra group is found by the group's id and kind of membership."""
    key = {"azureactivedirectoryobjectid": "00000000-0000-4000-8000-00000000aaaa", "membershiptype": 0}
    (unit, *_) = sdk.client.records.list("businessunit", select=["businessunitid"])
    bind = {"businessunitid@odata.bind": f"/businessunits({unit['businessunitid']})", "teamtype": 2}
    sdk.client.records.upsert("team", [{"alternate_key": key, "record": {"name": "Nurses", **bind}}])
    sdk.client.records.upsert("team", [{"alternate_key": key, "record": {"name": "Night nurses"}}])
    (team,) = sdk.client.records.list("team", filter="teamtype eq 2", select=["name", "membershiptype"])
    assert team["name"] == "Night nurses"
    other = {**key, "membershiptype": 1}
    pair = [
        {"alternate_key": key, "record": {"name": "Day nurses"}},
        {"alternate_key": other, "record": {"name": "Doctors", **bind}},
    ]
    sdk.client.records.upsert("team", pair)
    rows = sdk.client.records.list("team", filter="teamtype eq 2", orderby=["name"], select=["name"])
    assert [row["name"] for row in rows] == ["Day nurses", "Doctors"]


def test_fetchxml_in_pages(sdk: Sdk) -> None:
    desks(sdk, *(f"Desk {number}" for number in range(5)))
    xml = """<fetch count="2"><entity name="queue"><attribute name="name"/><order attribute="name"/>
        <filter><condition attribute="name" operator="like" value="Desk %"/></filter></entity></fetch>"""
    pages = [[row["name"] for row in page] for page in sdk.client.query.fetchxml(xml).execute_pages()]
    assert pages == [["Desk 0", "Desk 1"], ["Desk 2", "Desk 3"], ["Desk 4"]]


def test_sql(sdk: Sdk) -> None:
    desks(sdk, "Desk 1", "Desk 2")
    rows = sdk.client.query.sql("SELECT name FROM queue WHERE name = 'Desk 2'")
    assert [row["name"] for row in rows] == ["Desk 2"]


def test_frames_in_and_out(sdk: Sdk) -> None:
    pandas = needed("pandas")
    made = sdk.client.dataframe.create("queue", pandas.DataFrame([{"name": "Frame 1"}, {"name": "Frame 2"}]))
    frame = pandas.DataFrame({"queueid": list(made), "description": ["one", "two"]})
    sdk.client.dataframe.update("queue", frame, id_column="queueid")
    rows = sdk.client.records.list("queue", filter="startswith(name,'Frame ')", orderby=["name"])
    assert [row["description"] for row in rows] == ["one", "two"]
