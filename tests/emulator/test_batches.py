"""`$batch`: web-api.md section 3 (execute-batch-operations page) and section 9."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
import requests

from d365setup.emulator import Fault
from d365setup.emulator import fixtures as names

from .conftest import ROOT, Api, Make, code

Part = tuple[str, str, object]


def http(method: str, url: str, body: object = None, content_id: str | None = None, extra: str = "") -> str:
    head = "Content-Type: application/http\nContent-Transfer-Encoding: binary\n"
    head += f"Content-ID: {content_id}\n" if content_id else ""
    text = "" if body is None else json.dumps(body)
    kind = "Content-Type: application/json; type=entry\n" if text else "Accept: application/json\n"
    return f"{head}\n{method} {url} HTTP/1.1\n{kind}{extra}\n{text}\n"


def changeset(members: Sequence[str], boundary: str = "changeset_9") -> str:
    inner = "".join(f"--{boundary}\n{member}" for member in members)
    return f"Content-Type: multipart/mixed; boundary={boundary}\n\n{inner}--{boundary}--\n"


def batch(parts: Sequence[str], boundary: str = "batch_1") -> str:
    return "".join(f"--{boundary}\n{part}" for part in parts) + f"--{boundary}--\n"


def replies(reply: requests.Response) -> list[tuple[int, str]]:
    """Status and text of every HTTP message inside, nested ones too."""
    found = re.split(r"(?m)^HTTP/1\.1 ", reply.text)[1:]
    return [(int(text[:3]), text) for text in found]


def statuses(reply: requests.Response) -> list[int]:
    return [status for status, _ in replies(reply)]


def write(number: int, name: str, row_id: str) -> str:
    return http("PATCH", f"{ROOT}queues({row_id})", {"name": name}, str(number), "If-None-Match: *\n")


NURSES = f"queues({names.NURSES})"
URLS = [f"{ROOT}{NURSES}?$select=name", f"{NURSES}?$select=name", f"http://elsewhere{ROOT}{NURSES}?$select=name"]


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("url", URLS, ids=["rooted", "relative", "absolute"])
def test_line_ends_and_url_forms(api: Api, ends: str, url: str) -> None:
    reply = api.batch(batch([http("GET", url)]).replace("\n", ends))
    assert (reply.status_code, statuses(reply)) == (200, [200])
    assert '"name":"Nurses"' in reply.text


def test_raw_spaces_in_the_request_line(api: Api) -> None:
    url = f"{ROOT}queues?$select=name&$filter=name eq 'Nurses' or name eq 'Billing'"
    reply = api.batch(batch([http("GET", url)]))
    assert statuses(reply) == [200]
    assert reply.text.count('"name":') == 2


def test_the_shape_of_the_reply(api: Api) -> None:
    """3.2, and 8.2: what a third-party client insists on."""
    row_id = api.new_id()
    reply = api.batch(batch([http("GET", NURSES), changeset([write(1, "Desk", row_id)])]))
    boundary = re.fullmatch(r"multipart/mixed; boundary=(batchresponse_[0-9a-f-]{36})", reply.headers["Content-Type"])
    assert boundary
    assert reply.text.startswith(f"--{boundary[1]}\r\n")
    assert reply.text.endswith(f"--{boundary[1]}--\r\n")
    assert "\n" not in reply.text.replace("\r\n", "")
    inner = re.search(
        r"Content-Type: multipart/mixed; boundary=(changesetresponse_[0-9a-f-]{36})\r\n\r\n--\1\r\n", reply.text
    )
    assert inner, "exactly one header line, then a blank one"
    assert "Content-ID: 1\r\n\r\nHTTP/1.1 204 No Content\r\n" in reply.text
    assert f"OData-EntityId: {api.root}queues({row_id})\r\n" in reply.text
    assert "HTTP/1.1 200 OK\r\nContent-Type: application/json; odata.metadata=minimal\r\n" in reply.text


def test_references_to_earlier_members(api: Api) -> None:
    """3.1: $1 in the URL, in a bind value and in @odata.id."""
    member = names.fixed_id("systemuser", "nurse.one@contoso.example")
    address = {"@odata.id": f"{api.root}systemusers({member})"}
    members = [
        http("POST", "queues", {"name": "Desk"}, "1"),
        http("POST", "$1/queuemembership_association/$ref", address, "2"),
        http("PATCH", f"msdyn_liveworkstreams({names.PATIENT_CHAT})", {"msdyn_defaultqueue@odata.bind": "$1"}, "3"),
        http("PATCH", "$1", {"description": "made"}, "4"),
        http("PUT", "$1/msdyn_priority", {"value": 7}, "5"),
        http("POST", "systemusers(" + names.CALLER + ")/queuemembership_association/$ref", {"@odata.id": "$1"}, "6"),
    ]
    reply = api.batch(batch([changeset(members)]))
    assert statuses(reply) == [204] * 6, reply.text
    (row,) = api.rows("queues?$filter=name eq 'Desk'&$expand=queuemembership_association($select=fullname)")
    assert (row["description"], row["msdyn_priority"]) == ("made", 7)
    assert {each["systemuserid"] for each in row["queuemembership_association"]} == {member, names.CALLER}
    assert api.emulator.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == [(row["queueid"],)]


def test_a_failed_change_set_leaves_nothing(api: Api) -> None:
    """3.1: all or nothing, the platform's own acts included."""
    stream = http("POST", "msdyn_liveworkstreams", {"msdyn_name": "Other"}, "1")
    wrong = http("PATCH", NURSES, {"name": "x" * 201}, "2")
    before = api.emulator.sql("SELECT count(*) FROM msdyn_decisioncontract")
    reply = api.batch(batch([changeset([stream, wrong])]))
    assert (reply.status_code, statuses(reply)) == (400, [400])
    assert "0x80044331" in reply.text
    assert "changesetresponse_" in reply.text
    assert "REQ_ID: " in reply.text
    assert api.emulator.sql("SELECT count(*) FROM msdyn_decisioncontract") == before
    assert api.emulator.sql("SELECT count(*) FROM msdyn_liveworkstream WHERE msdyn_name = 'Other'") == [(0,)]


def test_a_failed_change_set_without_a_wrapper(make: Make) -> None:
    """Section 9: the other layout."""
    api = make(failed_changeset="single")
    reply = api.batch(batch([changeset([http("PATCH", NURSES, {"nope": 1}, "1")])]))
    assert (reply.status_code, statuses(reply)) == (400, [400])
    assert "changesetresponse_" not in reply.text


def test_the_first_failure_stops_and_gives_the_outer_status(api: Api) -> None:
    parts = [
        http("GET", NURSES),
        http("PATCH", NURSES, {"description": "kept"}),
        http("GET", "queues(0f0f0f0f-0000-4000-8000-00000000dead)"),
        http("PATCH", NURSES, {"description": "never"}),
    ]
    reply = api.batch(batch(parts))
    assert (reply.status_code, statuses(reply)) == (404, [200, 204, 404])
    assert reply.headers["Content-Type"].startswith("multipart/mixed")
    assert api.get(NURSES).json()["description"] == "kept"


def test_continue_on_error(api: Api) -> None:
    parts = [
        http("GET", "queues(0f0f0f0f-0000-4000-8000-00000000dead)"),
        changeset([write(1, "A", names.NURSES)]),
        http("GET", NURSES),
    ]
    reply = api.batch(batch(parts), Prefer="odata.continue-on-error")
    assert (reply.status_code, statuses(reply)) == (200, [404, 412, 200])


def test_reads_behind_a_change_set_see_it(api: Api) -> None:
    row_id = api.new_id()
    reply = api.batch(batch([changeset([write(1, "Desk", row_id)]), http("GET", f"queues({row_id})?$select=name")]))
    assert statuses(reply) == [204, 200]
    assert '"name":"Desk"' in reply.text


REFUSED = [
    ("no Content-ID", batch([changeset([http("PATCH", NURSES, {"name": "x"})])]), 400, "0x80060888"),
    ("GET in a change set", batch([changeset([http("GET", NURSES, None, "1")])]), 400, "0x80060888"),
    ("no closing delimiter", batch([http("GET", NURSES)]).replace("--batch_1--", ""), 400, "0x80048d19"),
    ("nothing", "", 400, "0x80048d19"),
    ("no request line", batch(["Content-Type: application/http\n\nGET\n"]), 400, "0x80048d19"),
    ("another part type", batch(["Content-Type: text/plain\n\nhello\n"]), 400, "0x80060888"),
    ("too many", batch([http("GET", NURSES)] * 1001), 400, "0x80060888"),
]


@pytest.mark.parametrize(("text", "status", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_malformed_batches_are_answered_with_plain_json(api: Api, text: str, status: int, expected: str) -> None:
    assert code(api.batch(text)) == (status, expected)


def test_json_batches_and_other_methods_are_refused(api: Api) -> None:
    assert api.post("$batch", {"requests": []}).status_code == 415
    assert api.get("$batch").status_code == 405
    nested = api.batch(batch([http("POST", "$batch", {})]))
    assert nested.status_code == 404


def test_references_only_work_inside_their_change_set(api: Api) -> None:
    parts = [
        changeset([http("POST", "queues", {"name": "A"}, "1")]),
        changeset([http("PATCH", "$1", {"name": "B"}, "2")]),
    ]
    reply = api.batch(batch(parts))
    assert statuses(reply) == [204, 400]
    assert "Content-ID Reference: '$1' does not exist in the batch context." in reply.text


def test_a_representation_has_no_address_to_refer_to(api: Api) -> None:
    """3.1: return=representation on the referenced member breaks the reference."""
    first = http("POST", "queues", {"name": "A"}, "1", "Prefer: return=representation\n")
    reply = api.batch(batch([changeset([first, http("PATCH", "$1", {"name": "B"}, "2")])]))
    assert statuses(reply) == [400]


def test_longer_urls_are_allowed_inside(api: Api) -> None:
    """1.1: 64 KB when the GET is inside $batch."""
    url = "queues?$filter=name eq '" + "x" * 40_000 + "'"
    assert statuses(api.batch(batch([http("GET", url)]))) == [200]
    assert statuses(api.batch(batch([http("GET", url + " or name eq '" + "x" * 30_000 + "'")]))) == [414]


def test_the_log_names_every_operation(api: Api) -> None:
    api.emulator.reset_log()
    row_id = api.new_id()
    api.batch(batch([changeset([write(1, "Desk", row_id)]), http("GET", NURSES)]))
    (logged,) = api.emulator.requests
    assert (logged.method, logged.path, logged.status) == ("POST", ROOT + "$batch", 200)
    assert logged.operations == (
        ("PATCH", f"{ROOT}queues({row_id})", 204),
        ("GET", f"{ROOT}{NURSES}", 200),
    )
    assert logged.started <= logged.ended
    assert logged.user == names.CALLER


@pytest.mark.parametrize("place", range(3))
def test_a_write_refused_anywhere_in_a_change_set(api: Api, place: int) -> None:
    ids = [api.new_id() for _ in range(3)]
    api.emulator.fail(Fault(method="PATCH", path=ids[place], status=403, code="0x80040220", message="No right."))
    text = batch([changeset([write(n, f"Desk {n}", row_id) for n, row_id in enumerate(ids)])])
    reply = api.batch(text)
    assert (reply.status_code, statuses(reply)) == (403, [403])
    assert "0x80040220" in reply.text
    assert api.emulator.sql("SELECT count(*) FROM queue WHERE name LIKE 'Desk%'") == [(0,)]
    assert statuses(api.batch(text)) == [204] * 3


def test_throttled_inside_a_batch(api: Api) -> None:
    """3.2: Retry-After can sit inside a part."""
    api.emulator.fail(Fault(method="GET", path="queues", status=429, code="0x80072322", retry_after=3))
    reply = api.batch(batch([http("GET", NURSES)]))
    assert reply.status_code == 429
    assert "Retry-After: 3\r\n" in reply.text
