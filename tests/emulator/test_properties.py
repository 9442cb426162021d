"""Properties, references, new rows in a collection, HEAD and OPTIONS: web-api.md 1.1, 1.2, 1.3, 2.2, 2.4."""

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

QUEUE = f"queues({names.NURSES})"
STREAM = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
VARIABLES = "msdyn_msdyn_liveworkstream_msdyn_ocliveworkstreamcontextvariable_liveworkstreamid"


def test_a_property_is_read_set_and_cleared(api: Api) -> None:
    """1.1, 2.2: PUT {"value": …}, DELETE; 1.3: neither reply names the row."""
    read = api.get(f"{QUEUE}/name").json()
    assert read == {"@odata.context": f"{api.root}$metadata#queues({names.NURSES})/name", "value": "Nurses"}
    changed = api.put(f"{QUEUE}/description", {"value": "New"})
    assert (changed.status_code, changed.headers.get("OData-EntityId")) == (204, None)
    assert api.get(f"{QUEUE}/description/$value").text == "New"
    assert api.delete(f"{QUEUE}/description").status_code == 204
    assert api.get(f"{QUEUE}/description").status_code == 204


RAW = [("name", "Nurses"), ("queueviewtype", "1"), ("msdyn_isomnichannelqueue", "true"), ("queueid", names.NURSES)]


@pytest.mark.parametrize(("name", "text"), RAW)
def test_raw_values_are_plain_text(api: Api, name: str, text: str) -> None:
    reply = api.get(f"{QUEUE}/{name}/$value")
    assert (reply.headers["Content-Type"], reply.text) == ("text/plain", text)


REFUSED = [
    ("PUT", f"{QUEUE}/name", {"value": "x" * 201}, 400, "0x80044331"),
    ("PUT", f"{QUEUE}/name", {"value": 1}, 400, "0x80048d19"),
    ("PUT", f"{QUEUE}/name", {}, 400, "0x80048d19"),
    ("PUT", f"{QUEUE}/_ownerid_value", {"value": names.CALLER}, 405, ""),
    ("PUT", f"{QUEUE}/name/$value", {"value": "x"}, 405, ""),
    ("DELETE", f"{QUEUE}/queueviewtype", None, 400, "0x80040200"),
    ("DELETE", "queues(0f0f0f0f-0000-4000-8000-00000000dead)/name", None, 404, "0x80040217"),
    ("GET", f"{QUEUE}/Name", None, 404, "0x80060888"),
    ("GET", f"{QUEUE}/name/nope", None, 405, ""),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "expected"), REFUSED)
def test_refused(api: Api, method: str, path: str, body: object, status: int, expected: str) -> None:
    sent = {} if body is None else {"json": body}
    assert code(api.send(method, path, **sent)) == (status, expected)


def test_conditions_hold_for_a_property_too(api: Api) -> None:
    """2.4."""
    stale = {"If-Match": 'W/"1"'}
    assert code(api.put(f"{QUEUE}/name", {"value": "x"}, headers=stale)) == (412, "0x80060882")
    current = {"If-Match": api.get(QUEUE).headers["ETag"]}
    assert api.put(f"{QUEUE}/name", {"value": "x"}, headers=current).status_code == 204


@pytest.mark.parametrize(
    ("options", "headers"),
    [("$expand=createdby", {}), ("$select=name", {"Prefer": 'odata.include-annotations="*"'})],
)
def test_if_none_match_is_not_looked_at_with_expand_or_annotations(
    api: Api, options: str, headers: dict[str, str]
) -> None:
    """2.4; 1.2: the literal null says nothing."""
    tag = api.get(QUEUE).headers["ETag"]
    assert api.get(QUEUE, headers={"If-None-Match": tag}).status_code == 304
    assert api.get(f"{QUEUE}?{options}", headers={"If-None-Match": tag, **headers}).status_code == 200
    assert api.get(QUEUE, headers={"If-None-Match": "null"}).status_code == 200


def test_references_of_a_collection(api: Api) -> None:
    """1.5: context of a $ref list."""
    body = api.get(f"{QUEUE}/queuemembership_association/$ref").json()
    assert body["@odata.context"] == f"{api.root}$metadata#Collection($ref)"
    assert all(set(each) == {"@odata.id"} for each in body["value"])
    assert len(body["value"]) == 3


def test_a_new_row_in_a_collection(api: Api) -> None:
    """3.1: POST $1/nav; one-to-many and many-to-many."""
    made = api.post(f"{STREAM}/{VARIABLES}", {"msdyn_name": "Topic"})
    assert made.status_code == 204
    assert api.get(made.headers["OData-EntityId"]).json()["_msdyn_liveworkstreamid_value"] == names.PATIENT_CHAT
    unit = f"/businessunits({names.ROOT_UNIT})"
    user = {"applicationid": api.new_id(), "businessunitid@odata.bind": unit}
    prefer = {"Prefer": "return=representation"}
    reply = api.post(f"{QUEUE}/queuemembership_association?$select=fullname", user, headers=prefer)
    assert reply.status_code == 201
    listed = api.rows(f"{QUEUE}/queuemembership_association?$select=systemuserid")
    assert reply.json()["systemuserid"] in {row["systemuserid"] for row in listed}


def test_a_new_row_in_a_collection_of_a_row_of_the_same_change_set(api: Api) -> None:
    stream = '{"msdyn_name":"S","msdyn_streamsource":192360000,"msdyn_mode":717210001}'
    head = "--c\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: {}\n\n"
    part = head + "POST {} HTTP/1.1\nContent-Type: application/json\n\n{}\n"
    parts = part.format(1, "msdyn_liveworkstreams", stream) + part.format(2, f"$1/{VARIABLES}", '{"msdyn_name":"T"}')
    text = f"--batch_1\nContent-Type: multipart/mixed; boundary=c\n\n{parts}--c--\n\n--batch_1--\n"
    assert api.batch(text).status_code == 200
    (row,) = api.rows(f"msdyn_liveworkstreams?$filter=msdyn_name eq 'S'&$expand={VARIABLES}($select=msdyn_name)")
    assert [each["msdyn_name"] for each in row[VARIABLES]] == ["T"]


def test_head_answers_like_get_without_a_body(api: Api) -> None:
    """1.3: Allow: OPTIONS,GET,HEAD,POST."""
    for path in (QUEUE, "queues", "WhoAmI", "queues/$count"):
        head, get = api.send("HEAD", path), api.get(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert api.send("HEAD", "Queues").status_code == 404


def test_options_names_the_methods(api: Api) -> None:
    reply = api.send("OPTIONS", "queues")
    assert (reply.status_code, reply.headers["Allow"]) == (200, "OPTIONS,GET,HEAD,POST")


def test_headers_that_change_nothing_are_taken(api: Api) -> None:
    """1.2: duplicate detection without rules, strong consistency, tracing, minimal return."""
    headers = {"MSCRM.SuppressDuplicateDetection": "false", "Consistency": "Strong", "x-ms-client-request-id": "1",
               "Prefer": "return=minimal,respond-async"}  # fmt: skip
    reply = api.post("queues", {"name": "Nurses"}, headers=headers)
    assert (reply.status_code, reply.headers.get("Preference-Applied")) == (204, None)


def test_preferences_combine(api: Api) -> None:
    """1.4: those honoured are named, unknown ones are dropped."""
    prefer = 'odata.maxpagesize=2, odata.include-annotations="OData.Community.*", respond-async'
    reply = api.get("queues?$select=queueviewtype&$count=true", headers={"Prefer": prefer})
    applied = reply.headers["Preference-Applied"]
    assert 'odata.include-annotations="OData.Community.*"' in applied
    assert "odata.maxpagesize=2" in applied
    assert "respond-async" not in applied
    assert (reply.json()["@odata.count"], len(reply.json()["value"])) == (4, 2)
