"""Acting for another user: web-api.md 1.2 (impersonate-another-user page)."""

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")
OBJECT = names.fixed_id("entra", "nurse.one@contoso.example")
NOBODY = "0f0f0f0f-0000-4000-8000-00000000dead"
HEADERS = [
    {"CallerObjectId": OBJECT},
    {"MSCRMCallerID": NURSE.upper()},
    {"CallerObjectId": OBJECT, "MSCRMCallerID": NOBODY},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_the_request_runs_as_the_other_user(api: Api, headers: dict[str, str]) -> None:
    assert api.get("WhoAmI", headers=headers).json()["UserId"] == NURSE
    assert api.get("WhoAmI").json()["UserId"] == names.CALLER


def test_rights_are_those_that_both_have(api: Api) -> None:
    """A bot's agent role may read queues, and not create them."""
    headers = {"MSCRMCallerID": NURSE}
    assert api.get("queues?$top=1", headers=headers).status_code == 200
    refused = api.post("queues", {"name": "Desk"}, headers=headers)
    assert code(refused) == (403, "0x80040220")
    assert NURSE in refused.json()["error"]["message"]


def test_rights_hold_for_joined_tables_and_bulk_deletes_too(api: Api) -> None:
    headers = {"MSCRMCallerID": NURSE}
    join = "<link-entity name='msdyn_rulesetdependencymapping' from='createdby' to='createdby'/>"
    text = f"<fetch><entity name='queue'><attribute name='name'/>{join}</entity></fetch>"
    assert api.get("queues", params={"fetchXml": text}).status_code == 200
    assert code(api.get("queues", params={"fetchXml": text}, headers=headers)) == (403, "0x80040220")
    body = {"QuerySet": [{"EntityName": "queue"}], "JobName": "x", "SendEmailNotification": False, "ToRecipients": [],
            "CCRecipients": [], "RecurrencePattern": "", "StartDateTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    assert code(api.post("BulkDelete", body, headers=headers)) == (403, "0x80040220")
    many = {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.queue", "name": "Desk"}]}
    path = "queues/Microsoft.Dynamics.CRM.CreateMultiple"
    assert code(api.post(path, many, headers=headers)) == (403, "0x80040220")
    assert code(
        api.get("RetrieveTotalRecordCount(EntityNames=['msdyn_rulesetdependencymapping'])", headers=headers)
    ) == (
        403,
        "0x80040220",
    )
    assert len(api.rows("queues")) == 4


def test_rows_made_belong_to_the_other_user(api: Api) -> None:
    path = f"systemusers({NURSE})/systemuserroles_association/$ref"
    role = names.fixed_id("role", "System Administrator")
    api.post(path, {"@odata.id": f"{api.root}roles({role})"})
    row_id = api.create("queues", {"name": "Desk"}, headers={"MSCRMCallerID": NURSE})
    row = api.get(f"queues({row_id})").json()
    assert (row["_ownerid_value"], row["_createdby_value"]) == (NURSE, NURSE)


def test_a_batch_runs_as_the_other_user(api: Api) -> None:
    """3.1: the header on the outer request applies inside."""
    head = "--batch_1\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n"
    reply = api.batch(head + "GET WhoAmI HTTP/1.1\n\n--batch_1--\n", MSCRMCallerID=NURSE)
    assert NURSE in reply.text


def test_who_may_not_act_for_others(make: Make) -> None:
    api = make(users={"nurse": "nurse.one@contoso.example"})
    api.session.headers["Authorization"] = "Bearer nurse"
    assert api.get("WhoAmI").json()["UserId"] == NURSE
    refused = api.get("WhoAmI", headers={"MSCRMCallerID": names.CALLER})
    assert code(refused) == (403, "0x80040220")
    assert "prvActOnBehalfOfAnotherUser" in refused.json()["error"]["message"]


def test_users_that_are_none(api: Api) -> None:
    assert code(api.get("WhoAmI", headers={"MSCRMCallerID": NOBODY})) == (403, "0x80072560")
    assert code(api.get("WhoAmI", headers={"MSCRMCallerID": "me"})) == (400, "0x80060888")
