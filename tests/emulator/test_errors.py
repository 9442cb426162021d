"""Refusals as data: web-api.md 2.6, 2.7, 1.1; each row names where its code comes from."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

QUEUE = f"queues({names.NURSES})"
STREAM = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
BIND = "msdyn_defaultqueue@odata.bind"
CALLER = f"systemusers({names.CALLER})"
NULL_ID = "00000000-0000-0000-0000-000000000000"
NOBODY = "0f0f0f0f-0000-4000-8000-00000000dead"
MEMBERS = "queuemembership_association@odata.bind"
ROOT_UNIT = f"businessunits({names.ROOT_UNIT})"
UNIT_ID = {"@odata.id": ROOT_UNIT}
UNIT = f"/businessunits({names.ROOT_UNIT})"

# why, method, path, body, status, code
REFUSED: list[tuple[str, str, str, Any, int, str]] = [
    ("2.7 row missing", "GET", f"queues({NOBODY})", None, 404, "0x80040217"),
    ("2.7 row missing", "DELETE", f"queues({NOBODY})", None, 404, "0x80040217"),
    ("2.7 unknown set", "GET", "queuez", None, 404, "0x80060888"),
    ("1.1 sets are case-sensitive", "GET", "Queues", None, 404, "0x80060888"),
    ("1.1 logical name is no set", "GET", "queue", None, 404, "0x80060888"),
    ("1.1 version not served", "GET", "/api/data/v9.3/queues", None, 501, "0x8006088a"),
    ("2.7 unknown column selected", "GET", "queues?$select=Name", None, 400, "0x80060888"),
    ("1.5 bare lookup selected", "GET", "queues?$select=ownerid", None, 400, "0x80060888"),
    ("1.5 formatted name selected", "GET", "queues?$select=owneridname", None, 400, "0x80060888"),
    ("1.2 odd lookup selected", "GET", "queues?$select=msdyn_prequeueoverflowrulesetid", None, 400, "0x80060888"),
    ("1.6 $skip", "GET", "queues?$skip=1", None, 400, "0x80060888"),
    ("1.6 $search", "GET", "queues?$search=x", None, 400, "0x80060888"),
    ("bad $top", "GET", "queues?$top=-1", None, 400, "0x80060888"),
    ("bad skip token", "GET", "queues?$skiptoken=3", None, 400, "0x80060888"),
    ("key quoted", "GET", f"queues('{names.NURSES}')", None, 400, "0x80060888"),
    ("6 systemuserid is no key", "GET", f"systemusers(systemuserid={names.CALLER})", None, 400, "0x80060888"),
    ("2.2 no row by key", "GET", f"systemusers(azureactivedirectoryobjectid={NOBODY})", None, 404, "0x80060891"),
    ("2.2 PATCH on a collection", "PATCH", "queues", {"name": "x"}, 405, ""),
    ("2.2 DELETE on a collection", "DELETE", "queues", None, 405, ""),
    ("6.5 POST to a function", "POST", "WhoAmI", {}, 404, ""),
    ("6.5 GET an action", "GET", f"{QUEUE}/Microsoft.Dynamics.CRM.AddPrincipalToQueue", None, 404, ""),
    ("2.7 undeclared property", "PATCH", QUEUE, {"nam": "x"}, 400, "0x80048d19"),
    ("2.1 property names are lower case", "PATCH", QUEUE, {"Name": "x"}, 400, "0x80048d19"),
    ("routing 3.2 capital T", "POST", "systemusers", {"msdyn_agenttype": 192350001}, 400, "0x80048d19"),
    ("2.1 unknown bind name", "PATCH", STREAM, {"msdyn_defaultqueueid@odata.bind": "/queues(x)"}, 400, "0x80048d19"),
    ("2.7 lookup column in body", "PATCH", STREAM, {"msdyn_defaultqueue": names.NURSES}, 400, "0x80048d19"),
    ("2.1 _x_value in body", "PATCH", STREAM, {"_msdyn_defaultqueue_value": names.NURSES}, 400, "0x80048d19"),
    ("2.7 bind target missing", "PATCH", STREAM, {BIND: f"/queues({NOBODY})"}, 404, "0x80040217"),
    ("2.7 bind to an unknown set", "PATCH", STREAM, {BIND: f"/queue({NOBODY})"}, 400, "0x80060888"),
    ("bind to another table", "PATCH", STREAM, {BIND: f"/roles({NOBODY})"}, 400, "0x80048d19"),
    ("2.7 text for a number", "PATCH", QUEUE, {"msdyn_priority": "1"}, 400, "0x80048d19"),
    ("2.7 number for a text", "PATCH", QUEUE, {"name": 1}, 400, "0x80048d19"),
    ("2.7 fraction for a whole number", "PATCH", QUEUE, {"msdyn_priority": 1.5}, 400, "0x80048d19"),
    ("2.7 truth for a number", "PATCH", QUEUE, {"msdyn_priority": True}, 400, "0x80048d19"),
    ("2.7 number for a truth", "PATCH", QUEUE, {"msdyn_isomnichannelqueue": 1}, 400, "0x80048d19"),
    ("2.7 text for a guid", "POST", "systemusers", {"applicationid": "x"}, 400, "0x80048d19"),
    ("2.7 beyond int32", "PATCH", QUEUE, {"msdyn_priority": 2**31}, 400, "0x80048d19"),
    ("2.7 too long", "PATCH", QUEUE, {"name": "x" * 201}, 400, "0x80044331"),
    ("2.7 not a choice", "PATCH", QUEUE, {"msdyn_queuetype": 5}, 400, "0x8004431a"),
    ("2.7 not a choice of several", "PATCH", STREAM, {"msdyn_allowedpresences": "1,2"}, 400, "0x8004431a"),
    ("2.7 below the range", "PATCH", QUEUE, {"msdyn_priority": 0}, 400, "0x8004432f"),
    ("2.7 control characters", "PATCH", QUEUE, {"name": "a\u0001b"}, 400, "0x80040278"),
    ("2.7 lone surrogate", "PATCH", QUEUE, {"name": "a\ud800b"}, 400, "0x80040278"),
    ("2.7 required column nulled", "PATCH", QUEUE, {"queueviewtype": None}, 400, "0x80040200"),
    ("2.7 required lookup nulled", "PATCH", CALLER, {"businessunitid@odata.bind": None}, 400, "0x80040200"),
    ("2.7 required column missing", "POST", "msdyn_decisionrulesets", {"msdyn_name": "x"}, 400, "0x80040203"),
    ("6.1 unit missing", "POST", "systemusers", {"applicationid": NOBODY}, 400, "0x80040203"),
    ("6.2 person without address", "POST", "systemusers", {"businessunitid@odata.bind": UNIT}, 400, "0x80040203"),
    ("2.7 all-zero guid", "PATCH", f"queues({NULL_ID})", {"name": "x"}, 400, "0x80040203"),
    ("2.5 create on an intersect", "POST", "queuememberships", {}, 400, "0x80040800"),
    ("2.7 delete what others need", "DELETE", f"businessunits({names.ROOT_UNIT})", None, 405, "0x80040227"),
    ("1.1 FetchXML that is no XML", "GET", "queues?fetchXml=x", None, 400, "0x80041110"),
    ("1.1 views are not acted out", "GET", f"queues?savedQuery={NOBODY}", None, 501, "0x80060888"),
    ("1.1 personal views neither", "GET", f"queues?userQuery={NOBODY}", None, 501, "0x80060888"),
    ("2.7 not a date", "PATCH", QUEUE, {"overriddencreatedon": "soon"}, 400, "0x80048d19"),
    ("2.7 number for a date", "PATCH", QUEUE, {"overriddencreatedon": 1}, 400, "0x80048d19"),
    ("2.7 text for a fraction", "PATCH", ROOT_UNIT, {"creditlimit": "1"}, 400, "0x80048d19"),
    ("2.7 fraction out of range", "PATCH", ROOT_UNIT, {"creditlimit": -1.5}, 400, "0x80044330"),
    ("2.7 managed property", "PATCH", f"roles({names.CALLER})", {"canbedeleted": True}, 400, "0x80048d19"),
    ("bind is no text", "PATCH", STREAM, {BIND: 1}, 400, "0x80048d19"),
    ("bind of a collection is no list", "POST", "queues", {MEMBERS: "x"}, 400, "0x80048d19"),
    ("2.1 a row in a row of an update", "PATCH", STREAM, {"msdyn_defaultqueue": {}}, 400, "0x80048d19"),
    ("2.1 a row where a list belongs", "POST", "queues", {"queuemembership_association": {}}, 400, "0x80048d19"),
    ("update of an intersect", "PATCH", f"queuememberships({NOBODY})", {}, 400, "0x80040800"),
    ("unknown action", "POST", f"{QUEUE}/Microsoft.Dynamics.CRM.Nope", {}, 404, "0x80060888"),
    ("unknown action on a set", "POST", "queues/Microsoft.Dynamics.CRM.Nope", {}, 404, "0x80060888"),
    ("unknown segment of a set", "GET", "queues/nope", None, 404, "0x80060888"),
    ("unknown segment of a row", "GET", f"{QUEUE}/nope", None, 404, "0x80060888"),
    ("POST to a row", "POST", QUEUE, {}, 405, ""),
    ("PATCH of a property", "PATCH", f"{QUEUE}/name", {"value": "x"}, 405, ""),
    ("PUT without value", "PUT", f"{QUEUE}/name", {"x": 1}, 400, "0x80048d19"),
    ("PATCH of references", "PATCH", f"{QUEUE}/queuemembership_association/$ref", {}, 405, ""),
    ("POST of a single reference", "POST", f"{STREAM}/msdyn_defaultqueue/$ref", {}, 405, ""),
    ("unlink without a row", "DELETE", f"{QUEUE}/queuemembership_association/$ref", None, 400, "0x80060888"),
    ("path behind a lookup", "GET", f"{STREAM}/msdyn_defaultqueue/name", None, 404, "0x80060888"),
    ("row of a collection", "GET", f"{QUEUE}/queuemembership_association({NOBODY})", None, 501, "0x80060888"),
    ("wrong table for a reference", "PUT", f"{STREAM}/msdyn_defaultqueue/$ref", UNIT_ID, 400, "0x80060888"),
    ("option twice", "GET", "queues?$top=1&$top=2", None, 400, "0x80060888"),
    ("bad $count", "GET", "queues?$count=yes", None, 400, "0x80060888"),
    ("$orderby of a lookup", "GET", "queues?$orderby=msdyn_operatinghourid", None, 400, "0x80060888"),
    ("rows the emulator lacks", "GET", "queues?$expand=defaultmailbox", None, 501, "0x80060888"),
    ("bracket in a segment", "GET", "queues(x", None, 400, "0x80060888"),
    ("list is no object", "PATCH", QUEUE, [1], 400, "0x80048d19"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "method", "path", "body", "status", "expected"), REFUSED)
def test_refusals(api: Api, why: str, method: str, path: str, body: Any, status: int, expected: str) -> None:
    before = api.emulator.sql("SELECT value FROM _counter")
    reply = api.send(method, path, **({} if body is None else {"json": body}))
    assert code(reply) == (status, expected), f"{why}: {reply.text}"
    assert reply.json()["error"]["message"]
    assert reply.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    assert api.emulator.sql("SELECT value FROM _counter") == before, "a refused write must change nothing"


BODIES = [b"", b"{", b"\xff\xfe", b'{"name":"a","name":"b"}', b'{"msdyn_priority":NaN}', b"[" * 100_000]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:12]))
def test_broken_bodies_are_payload_errors(api: Api, body: bytes) -> None:
    reply = api.send("PATCH", QUEUE, data=body, headers={"Content-Type": "application/json"})
    assert code(reply) == (400, "0x80048d19")


def test_messages_say_what_the_service_says(api: Api) -> None:
    """2.7: recognisable fragments."""
    cases = [
        (api.get(f"queues({NOBODY})"), f"'queue' With Id = {NOBODY} Does Not Exist"),
        (api.get("queues?$select=Foo"), "Could not find a property named 'Foo' on type 'Microsoft.Dynamics.CRM."),
        (api.get("Queues"), "Resource not found for the segment 'Queues'."),
        (api.patch(QUEUE, {"x": 1}), "An undeclared property 'x' which only has property annotations"),
        (api.patch(QUEUE, {"name": "x" * 201}), "A validation error occurred.  The length of the 'name' attribute"),
        (api.patch(STREAM, {"msdyn_defaultqueue": "x"}), "CRM do not support direct update of Entity Reference"),
    ]  # fmt: skip
    for reply, fragment in cases:
        assert fragment in reply.json()["error"]["message"]


def test_without_a_token_the_answer_is_a_challenge(api: Api) -> None:
    """5.1: 401, empty body, WWW-Authenticate; other errors carry no challenge."""
    reply = requests.get(api.root + "WhoAmI", timeout=10)
    assert (reply.status_code, reply.content) == (401, b"")
    challenge = reply.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer authorization_uri=https://login.microsoftonline.com/")
    assert f"resource_id={api.emulator.url}/" in challenge
    assert reply.headers["401_error_reason"]
    assert "WWW-Authenticate" not in api.get("Queues").headers


@pytest.mark.parametrize(("path", "status"), [("/api/data", 400), ("/api/data/", 400), ("/elsewhere", 404)])
def test_outside_the_versions_there_is_no_error_object(api: Api, path: str, status: int) -> None:
    """Section 0 item 1."""
    reply = api.get(path)
    assert (reply.status_code, set(reply.json())) == (status, {"Message"})


def test_urls_have_a_limit(api: Api) -> None:
    """1.1: 32 KB for GET."""
    assert api.get("queues?$filter=name eq '" + "x" * 33_000 + "'").status_code == 414


def test_bodies_have_a_limit(make: Make) -> None:
    api = make(max_body=1000)
    assert api.patch(QUEUE, {"description": "x" * 1001}).status_code == 413


def test_every_reply_has_the_service_headers(api: Api) -> None:
    """1.3 and section 0 item 2."""
    for reply in (api.get("WhoAmI"), api.get("Queues"), api.patch(QUEUE, {"description": "x"})):
        assert reply.headers["OData-Version"] == "4.0"
        assert reply.headers["REQ_ID"]
        assert reply.headers["x-ms-service-request-id"]
        assert reply.headers["x-ms-dop-hint"] == "4"
        left = reply.headers["x-ms-ratelimit-time-remaining-xrm-requests"]
        assert left[:2] == "1,", "with a comma, and hardly any of 1200 seconds used"
        assert 5990 < int(reply.headers["x-ms-ratelimit-burst-remaining-xrm-requests"]) < 6000


def test_names_that_are_no_text_are_answered_too(api: Api) -> None:
    reply = api.send("PATCH", QUEUE, data=b'{"a\\ud800": 1}')
    assert code(reply) == (400, "0x80048d19")


def test_a_strange_host_header_is_not_repeated(api: Api) -> None:
    reply = api.post("queues", {"name": "Desk"}, headers={"Host": "a b<c>"})
    assert reply.headers["Location"].startswith(api.root)
