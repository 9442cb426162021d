"""Conditional headers, creates and updates: web-api.md 2.1, 2.2, 2.4 (create-entity, update-delete,
perform-conditional-operations pages)."""

from __future__ import annotations

import re

import pytest

from d365setup.emulator import fixtures as names

from .conftest import ROOT, Api, code

STALE = 'W/"1"'
ABSENT = "0f0f0f0f-0000-4000-8000-000000000001"

# 2.4: method, headers, reply when the row is absent, reply when it is there
CONDITIONS = [
    ("PATCH", {}, 204, 204),
    ("PATCH", {"If-Match": "*"}, (404, "0x80040217"), 204),
    ("PATCH", {"If-None-Match": "*"}, 204, (412, "0x80040237")),
    ("PATCH", {"If-None-Match": "null"}, 204, 204),
    ("PATCH", {"If-Match": STALE}, (404, "0x80040217"), (412, "0x80060882")),
    ("PATCH", {"If-Match": "current"}, (404, "0x80040217"), 204),
    ("DELETE", {}, (404, "0x80040217"), 204),
    ("DELETE", {"If-Match": STALE}, (404, "0x80040217"), (412, "0x80060882")),
    ("DELETE", {"If-Match": "current"}, (404, "0x80040217"), 204),
    ("GET", {"If-None-Match": "current"}, (404, "0x80040217"), 304),
    ("GET", {"If-None-Match": STALE}, (404, "0x80040217"), 200),
    ("GET", {"If-None-Match": "null"}, (404, "0x80040217"), 200),
]


def condition_id(case: object) -> str:
    return str(case)


@pytest.mark.parametrize(("method", "headers", "absent", "present"), CONDITIONS, ids=condition_id)
def test_every_row_of_the_condition_table(
    api: Api, method: str, headers: dict[str, str], absent: object, present: object
) -> None:
    tag = api.get(f"queues({names.NURSES})?$select=name").headers["ETag"]
    sent = {name: tag if value == "current" else value for name, value in headers.items()}
    for row_id, expected in ((names.NURSES, present), (ABSENT, absent)):
        body = {"json": {"description": "changed"}} if method == "PATCH" else {}
        reply = api.send(method, f"queues({row_id})", headers=sent, **body)
        seen = reply.status_code if isinstance(expected, int) else code(reply)
        assert seen == expected, reply.text


def test_not_modified_has_no_body_and_keeps_the_etag(api: Api) -> None:
    tag = api.get(f"queues({names.NURSES})?$select=name").headers["ETag"]
    reply = api.get(f"queues({names.NURSES})?$select=name", headers={"If-None-Match": tag})
    assert (reply.status_code, reply.content, reply.headers["ETag"]) == (304, b"", tag)


def test_create_answers_204_with_both_addresses(api: Api) -> None:
    """2.1 and section 0 item 3: absolute URL, ending exactly in (<guid>)."""
    reply = api.post("queues", {"name": "Night desk", "queueviewtype": 1})
    assert reply.status_code == 204
    assert reply.content == b""
    assert reply.headers["OData-EntityId"] == reply.headers["Location"]
    assert re.fullmatch(re.escape(api.root) + r"queues\([0-9a-f-]{36}\)", reply.headers["Location"])


def test_create_with_an_id_of_our_own_and_again(api: Api) -> None:
    """2.1: a client-generated id; a duplicate is 412 0x80040237."""
    row_id = api.new_id()
    assert api.create("queues", {"queueid": row_id, "name": "Desk"}) == row_id
    assert code(api.post("queues", {"queueid": row_id, "name": "Desk"})) == (412, "0x80040237")
    assert len(api.rows(f"queues?$filter=queueid eq {row_id}")) == 1


def test_representation_tells_create_from_update(api: Api) -> None:
    """2.2: 201 for a create, 200 for an update, each with the row and Preference-Applied."""
    row_id, prefer = api.new_id(), {"Prefer": "return=representation"}
    made = api.patch(f"queues({row_id})?$select=name", {"name": "Desk"}, headers=prefer)
    changed = api.patch(f"queues({row_id})?$select=name", {"name": "Desk B"}, headers=prefer)
    assert (made.status_code, changed.status_code) == (201, 200)
    assert set(changed.json()) == {"@odata.context", "@odata.etag", "name", "queueid"}
    assert changed.json()["name"] == "Desk B"
    assert "return=representation" in changed.headers["Preference-Applied"]
    assert api.post("queues", {"name": "Desk"}, headers=prefer).status_code == 201


def test_etags_only_grow_and_move_with_each_write(api: Api) -> None:
    """2.4: W/"<digits>", monotonic per organization."""
    tags = []
    for text in ("a", "b", "c"):
        api.patch(f"queues({names.NURSES})", {"description": text})
        tags.append(api.get(f"queues({names.NURSES})").json()["@odata.etag"])
    numbers = [int(re.fullmatch(r'W/"(\d+)"', tag)[1]) for tag in tags]  # type: ignore[index]
    assert numbers == sorted(set(numbers))


def test_the_key_in_the_body_must_not_contradict_the_url(api: Api) -> None:
    reply = api.patch(f"queues({names.NURSES})", {"queueid": names.BILLING})
    assert code(reply) == (400, "0x80048d19")


def test_single_properties_are_put_and_cleared(api: Api) -> None:
    """2.2: PUT {"value"} and DELETE on a property; 1.1: GET, /$value."""
    row = f"queues({names.NURSES})"
    assert api.put(f"{row}/description", {"value": "by day"}).status_code == 204
    assert api.get(f"{row}/description").json()["value"] == "by day"
    assert api.get(f"{row}/description/$value").text == "by day"
    assert api.delete(f"{row}/description").status_code == 204
    assert api.get(f"{row}/description").status_code == 204
    assert api.emulator.sql("SELECT description FROM queue WHERE queueid = ?", [names.NURSES]) == [(None,)]


def test_columns_not_writable_now_are_dropped_without_a_word(api: Api) -> None:
    """2.1: read-only columns are silently dropped; SCHEMA.md: statecode and isdisabled are update-only."""
    row_id = api.create("queues", {"name": "Desk", "numberofitems": 7, "statecode": 1})
    assert api.emulator.sql("SELECT numberofitems, statecode FROM queue WHERE queueid = ?", [row_id]) == [(None, 0)]
    user = api.bot(isdisabled=True, fullname="Somebody else")
    assert api.emulator.sql("SELECT isdisabled, fullname FROM systemuser WHERE systemuserid = ?", [user]) == [
        (0, "Health Bot")
    ]
    assert api.patch(f"organizations({names.ORGANIZATION})", {"name": "Other"}).status_code == 204
    assert api.emulator.sql("SELECT name FROM organization") == [("Contoso Health",)]


def test_state_changes_bring_their_status_reason(api: Api) -> None:
    """2.1: statecode with a matching statuscode; an illegal pair is 0x80048408."""
    row = f"queues({names.NURSES})"
    assert api.patch(row, {"statecode": 1}).status_code == 204
    assert api.get(f"{row}?$select=statecode,statuscode").json()["statuscode"] == 2
    assert code(api.patch(row, {"statecode": 0, "statuscode": 2})) == (400, "0x80048408")


# 2.1: the forms a bind value may have
BINDS = ["/queues({})", "queues({})", ROOT + "queues({})", "http://elsewhere" + ROOT + "queues({})"]


@pytest.mark.parametrize("form", BINDS)
def test_lookups_are_bound_by_every_form_of_address(api: Api, form: str) -> None:
    row = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
    body = {"msdyn_defaultqueue@odata.bind": form.format(names.NURSES)}
    assert api.patch(row, body).status_code == 204
    stored = api.emulator.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream")
    assert stored == [(names.NURSES,)]


@pytest.mark.parametrize("body", [{"msdyn_defaultqueue@odata.bind": None}, {"msdyn_defaultqueue": None}])
def test_lookups_are_cleared_by_null(api: Api, body: dict[str, None]) -> None:
    row = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
    api.patch(row, {"msdyn_defaultqueue@odata.bind": f"/queues({names.NURSES})"})
    assert api.patch(row, body).status_code == 204
    assert api.emulator.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == [(None,)]


def test_odd_bind_names(api: Api) -> None:
    """SCHEMA.md: navigation properties that differ from their column."""
    ruleset = api.create("msdyn_decisionrulesets", {"msdyn_name": "Overflow", "msdyn_uniquename": "new_overflow"})
    bound = {"msdyn_decisionrulesetid@odata.bind": f"/msdyn_decisionrulesets({ruleset})"}
    assert api.patch(f"queues({names.NURSES})", bound).status_code == 204
    by_column = {"msdyn_prequeueoverflowrulesetid@odata.bind": f"/msdyn_decisionrulesets({ruleset})"}
    assert code(api.patch(f"queues({names.NURSES})", by_column)) == (400, "0x80048d19")
    row = api.get(f"queues({names.NURSES})?$select=_msdyn_prequeueoverflowrulesetid_value").json()
    assert row["_msdyn_prequeueoverflowrulesetid_value"] == ruleset
    presence = {"msdyn_DefaultPresenceIdUser@odata.bind": f"/msdyn_presences({names.AVAILABLE})"}
    user = api.bot(**presence)
    stored = "SELECT msdyn_defaultpresenceiduser FROM systemuser WHERE systemuserid = ?"
    assert api.emulator.sql(stored, [user]) == [(names.AVAILABLE,)]


def test_owner_may_be_a_user_or_a_team(api: Api) -> None:
    """2.1: ownerid is one navigation property for both."""
    team = names.fixed_id("team", "Contoso Health")
    row_id = api.create("queues", {"name": "Desk", "ownerid@odata.bind": f"/teams({team})"})
    annotated = {"Prefer": 'odata.include-annotations="*"'}
    row = api.get(f"queues({row_id})?$select=_ownerid_value", headers=annotated).json()
    assert row["_ownerid_value"] == team
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "team"
    wrong = {"ownerid@odata.bind": f"/queues({names.NURSES})"}
    assert code(api.patch(f"queues({row_id})", wrong)) == (400, "0x80048d19")


def test_a_create_may_bind_a_collection(api: Api) -> None:
    member = names.fixed_id("systemuser", "nurse.one@contoso.example")
    body = {"name": "Desk", "queuemembership_association@odata.bind": [f"/systemusers({member})"]}
    row_id = api.create("queues", body)
    assert api.emulator.sql("SELECT systemuserid FROM queuemembership WHERE queueid = ?", [row_id]) == [(member,)]
