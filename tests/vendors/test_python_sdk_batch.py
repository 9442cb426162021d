"""Microsoft's Dataverse SDK for Python: batches, change sets, and how it maps what the service refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from d365setup.emulator import Fault

from .conftest import Place
from .sdk import Sdk, connected

NOBODY = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def sdk(place: Place) -> Iterator[Sdk]:
    with connected(place) as sdk:
        yield sdk


def test_a_batch_of_everything(sdk: Sdk, place: Place) -> None:
    old = sdk.client.records.create("queue", {"name": "Old desk"})
    batch = sdk.client.batch.new()
    batch.records.create("queue", {"name": "New desk"})
    batch.records.update("queue", old, {"description": "moved"})
    batch.records.retrieve("queue", old, select=["description"])
    batch.records.list("queue", filter="name eq 'New desk' or name eq 'Old desk'", select=["name"], orderby=["name"])
    batch.tables.get("queue")
    batch.query.sql("SELECT name FROM queue WHERE name = 'Old desk'")
    batch.records.delete("queue", old)
    before = len(place.writes)
    result = batch.execute()
    assert not result.has_errors, result.failed
    made, _, read, listed, table, sql, gone = result.responses
    assert made.entity_id in result.entity_ids
    assert read.data["description"] == "moved"
    assert [row["name"] for row in listed.data["value"]] == ["New desk", "Old desk"]
    assert table.data["value"][0]["EntitySetName"] == "queues"
    assert [row["name"] for row in sql.data["value"]] == ["Old desk"]
    assert gone.status_code == 204
    assert place.writes[before:] == ["POST /api/data/v9.2/$batch"]


def test_bulk_actions_and_keys_in_a_batch(sdk: Sdk) -> None:
    key = {"azureactivedirectoryobjectid": "00000000-0000-4000-8000-00000000aaaa", "membershiptype": 0}
    (unit, *_) = sdk.client.records.list("businessunit", select=["businessunitid"])
    bind = {"businessunitid@odata.bind": f"/businessunits({unit['businessunitid']})"}
    batch = sdk.client.batch.new()
    batch.records.create("queue", [{"name": "Bulk 1"}, {"name": "Bulk 2"}])
    batch.records.upsert("team", [{"alternate_key": key, "record": {"name": "Nurses", "teamtype": 2, **bind}}])
    result = batch.execute()
    assert not result.has_errors, result.failed
    assert len(result.responses[0].data["Ids"]) == 2
    assert sdk.client.records.list("team", filter="name eq 'Nurses' and teamtype eq 2")


def test_a_change_set_with_references(sdk: Sdk) -> None:
    (stream, *_) = sdk.client.records.list("msdyn_liveworkstream", select=["msdyn_liveworkstreamid"])
    batch = sdk.client.batch.new()
    with batch.changeset() as changes:
        queue = changes.records.create("queue", {"name": "Fallback", "queueviewtype": 1})
        changes.records.update("queue", queue, {"description": "made and changed in one"})
        bind = {"msdyn_defaultqueue@odata.bind": queue}
        changes.records.update("msdyn_liveworkstream", stream["msdyn_liveworkstreamid"], bind)
    result = batch.execute()
    assert not result.has_errors, result.failed
    assert [each.content_id for each in result.responses] == ["1", "2", "3"]
    row = sdk.client.records.retrieve(
        "msdyn_liveworkstream", stream["msdyn_liveworkstreamid"], expand=["msdyn_defaultqueue"]
    )
    assert row["msdyn_defaultqueue"]["description"] == "made and changed in one"


def test_a_change_set_is_all_or_nothing(sdk: Sdk) -> None:
    batch = sdk.client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("queue", {"name": "Half a thing"})
        changes.records.update("queue", NOBODY, {"name": "nobody"})
    result = batch.execute(continue_on_error=True)
    (error,) = result.failed
    assert (error.status_code, error.error_code) == (404, "0x80040217")
    assert not sdk.client.records.list("queue", filter="name eq 'Half a thing'")


def test_going_on_after_an_error(sdk: Sdk) -> None:
    batch = sdk.client.batch.new()
    batch.records.create("queue", {"name": "Before"})
    batch.records.create("queue", {"name": "x" * 201})
    batch.records.create("queue", {"name": "After"})
    result = batch.execute(continue_on_error=True)
    assert [each.status_code for each in result.responses] == [204, 400, 204]
    assert result.failed[0].error_code == "0x80044331"


def test_stopping_at_an_error(sdk: Sdk) -> None:
    """The outer status is the failing part's; the SDK reads the parts of a 400."""
    batch = sdk.client.batch.new()
    batch.records.create("queue", {"name": "Before"})
    batch.records.create("queue", {"name": "x" * 201})
    batch.records.create("queue", {"name": "After"})
    result = batch.execute()
    assert [each.status_code for each in result.responses] == [204, 400]
    assert [row["name"] for row in sdk.client.records.list("queue", filter="name eq 'Before' or name eq 'After'")] == [
        "Before"
    ]


def test_errors_carry_the_services_code(sdk: Sdk) -> None:
    with pytest.raises(sdk.errors.HttpError) as caught:
        sdk.client.records.update("queue", NOBODY, {"name": "x"})
    error = caught.value
    assert (error.status_code, error.subcode, error.is_transient) == (404, "http_404", False)
    assert error.details["service_error_code"] == "0x80040217"
    assert NOBODY in str(error)
    assert error.details["service_request_id"]


BAD = [
    ({"name": "x" * 201}, 400, "0x80044331"),
    ({"name": "x", "queueviewtype": 7}, 400, "0x8004431a"),
    ({"name": "x", "nope": 1}, 400, "0x80048d19"),
    ({"name": "x", "msdyn_priority": 0}, 400, "0x8004432f"),
    ({"name": "x", "ownerid@odata.bind": f"/systemusers({NOBODY})"}, 404, "0x80040217"),
]


@pytest.mark.parametrize(("record", "status", "code"), BAD)
def test_each_refusal_of_a_write(sdk: Sdk, record: dict[str, object], status: int, code: str) -> None:
    with pytest.raises(sdk.errors.HttpError) as caught:
        sdk.client.records.create("queue", record)
    assert (caught.value.status_code, caught.value.details["service_error_code"]) == (status, code)


def test_unknown_tables(sdk: Sdk) -> None:
    with pytest.raises(sdk.errors.MetadataError) as caught:
        sdk.client.records.create("nope", {"name": "x"})
    assert caught.value.subcode == "metadata_entityset_not_found"
    assert sdk.client.tables.get("nope") is None


def test_limits_are_told_and_transient(sdk: Sdk, place: Place) -> None:
    sdk.client.records.list("queue", top=1)
    place.emulator.faults.add(
        Fault(status=429, code="0x80072322", message="Number of requests exceeded the limit of 6000.", retry_after=7)
    )
    with pytest.raises(sdk.errors.HttpError) as caught:
        sdk.client.records.list("queue", top=1)
    error = caught.value
    assert (error.status_code, error.is_transient, error.details["retry_after"]) == (429, True, 7)
