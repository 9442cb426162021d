"""Many rows in one action: web-api.md 3.4 (bulk-operations page), and BulkDelete."""

from __future__ import annotations

from typing import Any

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

QUEUE = "Microsoft.Dynamics.CRM.queue"
NOBODY = "0f0f0f0f-0000-4000-8000-00000000dead"
MANY = "queues/Microsoft.Dynamics.CRM."
TEAM = "Microsoft.Dynamics.CRM.team"


def desks(api: Api) -> list[str]:
    return [row["name"] for row in api.rows("queues?$select=name&$filter=startswith(name,'Desk')&$orderby=name")]


def targets(*rows: dict[str, Any], kind: str = QUEUE) -> dict[str, Any]:
    return {"Targets": [{"@odata.type": kind, **row} for row in rows]}


@pytest.mark.parametrize("kind", [QUEUE, f"#{QUEUE}"])
def test_create_multiple_answers_the_ids_in_order(api: Api, kind: str) -> None:
    """@odata.type is mandatory, with or without #."""
    reply = api.post(f"{MANY}CreateMultiple", targets({"name": "Desk A"}, {"name": "Desk B"}, kind=kind))
    assert reply.status_code == 200
    body = reply.json()
    assert body["@odata.context"] == f"{api.root}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    found = [api.get(f"queues({row_id})?$select=name").json()["name"] for row_id in body["Ids"]]
    assert found == ["Desk A", "Desk B"]


def test_update_multiple_by_id_and_by_address(api: Api) -> None:
    one, two = (api.create("queues", {"name": name}) for name in ("Desk A", "Desk B"))
    rows = ({"queueid": one, "name": "Desk C"}, {"@odata.id": f"{api.root}queues({two})", "name": "Desk D"})
    assert api.post(f"{MANY}UpdateMultiple", targets(*rows)).status_code == 204
    assert desks(api) == ["Desk C", "Desk D"]


def test_upsert_multiple_creates_and_updates(api: Api) -> None:
    one, two = api.create("queues", {"name": "Desk A"}), api.new_id()
    rows = ({"queueid": one, "name": "Desk C"}, {"@odata.id": f"queues({two})", "name": "Desk D"}, {"name": "Desk E"})
    assert api.post(f"{MANY}UpsertMultiple", targets(*rows)).status_code == 204
    assert desks(api) == ["Desk C", "Desk D", "Desk E"]
    assert api.get(f"queues({two})").json()["name"] == "Desk D"


def test_upsert_multiple_by_alternate_key(api: Api) -> None:
    """The key stands in @odata.id; the row made carries it."""
    key = api.new_id()
    address = f"teams(azureactivedirectoryobjectid={key},membershiptype=0)"
    unit = f"/businessunits({names.ROOT_UNIT})"
    for name in ("Night", "Late night"):
        row = {"@odata.id": address, "name": name, "businessunitid@odata.bind": unit}
        reply = api.post("teams/Microsoft.Dynamics.CRM.UpsertMultiple", targets(row, kind=TEAM))
        assert reply.status_code == 204, reply.text
        assert api.get(address).json()["name"] == name
    assert len(api.rows(f"teams?$filter=azureactivedirectoryobjectid eq {key}")) == 1


ALL_OR_NOTHING = [
    ("CreateMultiple", [{"name": "Desk A"}, {"name": "x" * 201}], 400, "0x80044331"),
    ("CreateMultiple", [{"name": "Desk A"}, {"name": "Desk B", "queueid": names.NURSES}], 412, "0x80040237"),
    ("UpdateMultiple", [{"queueid": names.NURSES, "name": "Desk A"}, {"queueid": NOBODY}], 404, "0x80040217"),
    ("UpdateMultiple", [{"queueid": names.NURSES, "name": "Desk A"}, {"name": "Desk"}], 400, "0x80048d19"),
    ("UpsertMultiple", [{"queueid": NOBODY, "name": "Desk A"}, {"@odata.id": "queues(x='1')"}], 400, "0x80060888"),
    ("UpsertMultiple", [{"name": "Desk A"}, {"@odata.id": "teams(x)"}], 400, "0x80060888"),
    ("UpsertMultiple", [{"name": "Desk A"}, {"@odata.id": 1}], 400, "0x80048d19"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "rows", "status", "expected"), ALL_OR_NOTHING)
def test_one_bad_row_undoes_all(api: Api, action: str, rows: Any, status: int, expected: str) -> None:
    assert code(api.post(MANY + action, targets(*rows))) == (status, expected)
    assert desks(api) == []


BODIES = [{}, {"Targets": {}}, {"Targets": [1]}, {"Targets": [{"name": "Desk A"}]},
          {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.team", "name": "Desk A"}]}]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=str)
@pytest.mark.parametrize("action", ["CreateMultiple", "UpdateMultiple", "UpsertMultiple"])
def test_every_row_names_its_type(api: Api, action: str, body: Any) -> None:
    assert code(api.post(MANY + action, body)) == (400, "0x80048d19")


def test_where_there_is_no_such_action(api: Api) -> None:
    """6.5: GET of an action; elastic tables only: DeleteMultiple; intersect tables: none."""
    assert code(api.get(f"{MANY}CreateMultiple")) == (404, "")
    assert code(api.post(f"{MANY}DeleteMultiple", targets())) == (404, "0x80060888")
    intersect = "queuememberships/Microsoft.Dynamics.CRM.CreateMultiple"
    assert code(api.post(intersect, targets())) == (400, "0x80040800")


def test_many_rows_count_as_one_operation_of_a_change_set(api: Api) -> None:
    inner = "POST /api/data/v9.2/{}Microsoft.Dynamics.CRM.CreateMultiple HTTP/1.1\nContent-Type: application/json\n\n{}"
    part = "--c\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: {}\n\n{}\n"
    good = '{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.queue","name":"Desk A"}]}'
    bad = good.replace("name", "nam")
    for second, status in ((good, 200), (bad, 400)):
        parts = "".join(part.format(n, inner.format("queues/", body)) for n, body in enumerate((good, second)))
        text = f"--batch_1\nContent-Type: multipart/mixed; boundary=c\n\n{parts}--c--\n\n--batch_1--\n"
        assert api.batch(text).status_code == status
    assert desks(api) == ["Desk A", "Desk A"]


# BulkDelete


def bulk_delete(*queries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {"QuerySet": list(queries), "JobName": "job", "SendEmailNotification": False, "ToRecipients": [],
            "CCRecipients": [], "RecurrencePattern": "", "StartDateTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    return {**body, **changes}


def query(column: str, operator: str, *values: Any, **changes: Any) -> dict[str, Any]:
    given = [{"Value": value, "Type": "System.String"} for value in values]
    condition = {"AttributeName": column, "Operator": operator, "Values": given}
    return {"EntityName": "queue", "Criteria": {"FilterOperator": "And", "Conditions": [condition]}, **changes}


def test_bulk_delete_deletes_what_it_finds_and_answers_a_job(api: Api) -> None:
    ids = [api.create("queues", {"name": f"Desk {number}"}) for number in range(3)]
    reply = api.post("BulkDelete", bulk_delete(query("queueid", "In", *ids[:2])))
    assert (reply.status_code, len(reply.json()["JobId"])) == (200, 36)
    assert desks(api) == ["Desk 2"]
    api.post("BulkDelete", bulk_delete(query("name", "BeginsWith", "desk"), query("name", "Equal", "Nobody")))
    assert desks(api) == []
    assert len(api.rows("queues")) == 4


NESTED = {"FilterOperator": "Or", "Filters": [{"FilterOperator": "And", "Conditions": []}], "Conditions": []}
REFUSED = [
    (bulk_delete(query("nope", "Equal", "x")), 400, "0x80041103"),
    (bulk_delete(query("name", "Near", "x")), 400, "0x80060888"),
    (bulk_delete(query("name", "Under", "x")), 501, "0x80060888"),
    (bulk_delete(query("name", "Equal", None)), 400, "0x80048d19"),
    (bulk_delete({"EntityName": "nope"}), 400, "0x80041102"),
    (bulk_delete({"EntityName": "queue", "Criteria": []}), 400, "0x80048d19"),
    (bulk_delete({"EntityName": "queue", "Criteria": {"FilterOperator": "Xor"}}), 400, "0x80048d19"),
    (bulk_delete({"EntityName": "queue", "TopCount": 1}), 501, "0x80060888"),
    (bulk_delete({"EntityName": "queue", "LinkEntities": [{}]}), 501, "0x80060888"),
    (bulk_delete(QuerySet={}), 400, "0x80048d19"),
    (bulk_delete(RecurrencePattern="FREQ=DAILY;"), 501, "0x80060888"),
    ({"QuerySet": []}, 400, "0x80048d19"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "expected"), REFUSED, ids=lambda case: str(case)[:60])
def test_bulk_deletes_refused(api: Api, body: Any, status: int, expected: str) -> None:
    assert code(api.post("BulkDelete", body)) == (status, expected)
    assert len(api.rows("queues")) == 4


def test_bulk_delete_is_an_action_and_takes_nested_filters(api: Api) -> None:
    assert code(api.get("BulkDelete")) == (404, "")
    api.create("queues", {"name": "Desk"})
    condition = {"AttributeName": "name", "Operator": "Equal", "Values": [{"Value": "Desk"}]}
    inner = {"FilterOperator": "And", "Conditions": [condition]}
    criteria = {"FilterOperator": "Or", "Conditions": [], "Filters": [inner]}
    assert api.post("BulkDelete", bulk_delete({"EntityName": "queue", "Criteria": criteria})).status_code == 200
    assert desks(api) == []
    deep: dict[str, Any] = NESTED
    for _ in range(40):
        deep = {"FilterOperator": "And", "Filters": [deep]}
    assert code(api.post("BulkDelete", bulk_delete({"EntityName": "queue", "Criteria": deep}))) == (400, "0x80048d19")
