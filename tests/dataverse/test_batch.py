import email.parser
import email.policy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.dataverse.batch import ChangeSet, ChangeSetReply, Reply, Request, decode, encode
from d365setup.dataverse.errors import AlreadyExists, NotAnswered, NotFound, Throttled, UnexpectedAnswer

from .service import ID, MULTIPART, ORIGIN, ROOT, THROTTLED, change_set, error, joined, part

GET = Request("GET", "queues?$select=name")
WRITE = Request("PATCH", f"queues({ID})", {"If-None-Match": "*"}, {"name": "Nurses"})
PAIR = ChangeSet((WRITE, Request("POST", f"queues({ID})/m/$ref", body={"@odata.id": f"systemusers({ID})"})))


def taken_apart(content_type: str, body: bytes):
    """By the standard library's mail parser: a reader that shares nothing with ours."""
    text = f"Content-Type: {content_type}\r\n\r\n".encode() + body
    return list(email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(text).iter_parts())


def http_text(entity) -> tuple[str, dict[str, str], str]:
    head, _, body = entity.get_payload().partition("\r\n\r\n")
    line, *headers = head.split("\r\n")
    return line, dict(header.split(": ", 1) for header in headers), body


# --- encode


def test_the_documented_shape():
    content_type, body = encode([GET, PAIR], ROOT)
    read, written = taken_apart(content_type, body)
    line, headers, text = http_text(read)
    assert line == "GET /api/data/v9.2/queues?$select=name HTTP/1.1"
    assert headers["Accept"] == "application/json"
    assert text == ""
    members = list(written.iter_parts())
    assert [member["Content-ID"] for member in members] == ["1", "2"]
    assert {member["Content-Transfer-Encoding"] for member in members} == {"binary"}
    line, headers, text = http_text(members[0])
    assert line == f"PATCH /api/data/v9.2/queues({ID}) HTTP/1.1"
    assert headers["If-None-Match"] == "*"
    assert json.loads(text) == {"name": "Nurses"}
    assert json.loads(http_text(members[1])[2]) == {"@odata.id": f"{ROOT}systemusers({ID})"}


def test_every_line_ends_with_crlf():
    body = encode([GET, PAIR], ROOT)[1]
    assert body.count(b"\n") == body.count(b"\r\n") == body.count(b"\r")


def test_the_same_parts_give_the_same_bytes():
    assert encode([GET, PAIR], ROOT) == encode([GET, PAIR], ROOT)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text().filter(lambda name: name != "@odata.id"), inner, max_size=3)
    ),
    max_leaves=8,
)
WRITES = st.builds(
    Request,
    st.sampled_from(["POST", "PATCH", "PUT"]),
    st.sampled_from(["queues", f"queues({ID})", "roles(name='a b')"]),
    st.dictionaries(st.sampled_from(["If-Match", "Prefer"]), st.sampled_from(['W/"1"', "*", "return=minimal"])),
    st.dictionaries(st.text().filter(lambda name: name != "@odata.id"), JSON_VALUES, max_size=4),
)
READS = st.sampled_from([GET, Request("GET", "WhoAmI")])
PARTS = st.lists(
    READS | WRITES | st.builds(ChangeSet, st.lists(WRITES, min_size=1, max_size=4)), min_size=1, max_size=5
)


@given(PARTS)
def test_what_is_encoded_reads_back(parts):
    entities = taken_apart(*encode(parts, ROOT))
    assert len(entities) == len(parts)
    for asked, entity in zip(parts, entities, strict=True):
        members = list(entity.iter_parts()) if isinstance(asked, ChangeSet) else [entity]
        requests = asked.requests if isinstance(asked, ChangeSet) else [asked]
        assert len(members) == len(requests)
        for request, member in zip(requests, members, strict=True):
            line, headers, text = http_text(member)
            assert line.startswith(f"{request.method} /api/data/v9.2/{request.path.split('(')[0].split('?')[0]}")
            assert headers.items() >= request.headers.items()
            assert json.loads(text or "null") == request.body


@pytest.mark.parametrize(
    ("given_id", "sent"),
    [
        (f"systemusers({ID})", f"{ROOT}systemusers({ID})"),
        (f"/systemusers({ID})", f"{ROOT}systemusers({ID})"),
        (f"/api/data/v9.2/systemusers({ID})", f"{ROOT}systemusers({ID})"),
        (f"{ROOT}systemusers({ID})", f"{ROOT}systemusers({ID})"),
        ("$1", "$1"),
        (None, None),
    ],
)
def test_a_relative_reference_becomes_absolute_at_any_depth(given_id, sent):
    body = {"deep": [{"@odata.id": given_id}], "x@odata.bind": f"/queues({ID})"}
    text = encode([Request("POST", "queues", body=body)], ROOT)[1].decode()
    assert json.loads(text[text.index('{"deep"') : text.rindex("}") + 1]) == body | {"deep": [{"@odata.id": sent}]}


def test_a_reference_stands_alone_in_a_request_line_of_a_change_set():
    text = encode([ChangeSet((WRITE, Request("PUT", "$1/name", body={"value": "x"})))], ROOT)[1].decode()
    assert "PUT $1/name HTTP/1.1" in text


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([], "at least one"),
        ([ChangeSet(())], "at least one"),
        ([GET, ChangeSet(())], "change set needs at least one"),
        ([GET] * 1001, "1001 requests"),
        ([ChangeSet((GET,))], "writes only"),
        ([Request("get", "queues")], "none of DELETE"),
        ([Request("GET / HTTP/1.1\r\nX:", "queues")], "none of DELETE"),
        ([Request("GET", "queues", body={})], "no body"),
        ([Request("GET", "queues", {"X": "a\r\nAuthorization: b"})], "control"),
        ([Request("GET", "queues", {"X": "é"})], "non-ASCII"),
        ([Request("GET", "queues", {"X\r\nY": "a"})], "not a header"),
        ([Request("GET", "queues", {"Authorization": "Bearer x"})], "not a header a request may set"),
        ([Request("GET", "queues", {"X-HTTP-Method-Override": "DELETE"})], "not a header a request may set"),
        ([Request("GET", "q" * 65536)], "ask for less"),
        ([Request("POST", "queues", body={"a": object()})], "cannot be written as JSON"),
        ([Request("POST", "queues", body={"a": float("nan")})], "not JSON compliant"),
        ([Request("POST", "queues", body={"@odata.id": "https://evil.example/x"})], "lies outside"),
    ],
)
def test_what_no_batch_can_hold_is_refused(parts, why):
    with pytest.raises(ValueError, match=why):
        encode(parts, ROOT)


@pytest.mark.parametrize("path", ["queues HTTP/1.1\r\nX: y\r\n\r\nDELETE x", "queues\n", "https://evil.example/x"])
def test_a_path_cannot_smuggle_a_line_or_a_host(path):
    with pytest.raises(Exception, match="lies outside"):
        encode([Request("GET", path)], ROOT)


# --- decode

REPLIES = st.tuples(st.sampled_from([200, 204, 404, 412]), st.dictionaries(st.text(), JSON_VALUES, max_size=3))


@given(st.lists(REPLIES, min_size=1, max_size=6), st.sampled_from(["\r\n", "\n"]))
def test_what_the_service_writes_reads_back(replies, eol):
    texts = [part(status, body, eol=eol) for status, body in replies]
    found = decode(MULTIPART, joined(texts, eol=eol).encode(), [GET] * len(replies))
    assert [(reply.status, reply.body) for reply in found] == replies
    assert [reply.error is not None for reply in found] == [status >= 400 for status, _ in replies]


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
def test_a_change_set_that_landed(eol):
    members = [
        part(204, content_id="1", headers={"OData-EntityId": f"{ROOT}queues({ID})"}, eol=eol),
        part(204, content_id="2", eol=eol),
    ]
    text = joined([part(200, {"value": []}, eol=eol), change_set(members, eol)], eol=eol)
    read, written = decode(MULTIPART, text.encode(), [GET, PAIR])
    assert read.body == {"value": []}
    assert written.landed
    assert written.error is None
    assert [reply.status for reply in written.replies] == [204, 204]
    assert written.replies[0].headers["odata-entityid"] == f"{ROOT}queues({ID})"


def test_replies_of_a_change_set_follow_their_content_ids():
    text = joined([change_set([part(204, content_id="2"), part(201, {"a": 1}, content_id="1")])])
    (written,) = decode(MULTIPART, text.encode(), [PAIR])
    assert [reply.status for reply in written.replies] == [201, 204]


def test_without_usable_content_ids_the_order_of_the_answer_holds():
    text = joined([change_set([part(204), part(201, {"a": 1})])])
    (written,) = decode(MULTIPART, text.encode(), [PAIR])
    assert [reply.status for reply in written.replies] == [204, 201]
    assert dict(written.replies[0].headers) == {"odata-version": "4.0"}
    assert len(written.replies[0].headers) == 1


DUPLICATE = part(412, error("0x80040237"), content_id="2")


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        (change_set([DUPLICATE]), "2"),
        (DUPLICATE, "2"),
        (change_set([part(412, error("0x80040237"))]), None),
        (part(412, error("0x80040237")), None),
        (change_set([part(204, content_id="1"), DUPLICATE]), "2"),
        (change_set([part(412, error("0x80040237"), content_id="9")]), None),
    ],
)
def test_a_failed_change_set_in_each_layout_seen(text, failed):
    (written,) = decode(MULTIPART, joined([text]).encode(), [PAIR])
    assert isinstance(written, ChangeSetReply)
    assert not written.landed
    assert isinstance(written.error, AlreadyExists)
    assert written.failed_content_id == failed


def test_a_lone_member_is_the_one_that_failed():
    (written,) = decode(MULTIPART, joined([part(404, error("0x80040217"))]).encode(), [ChangeSet((WRITE,))])
    assert written.failed_content_id == "1"
    assert isinstance(written.error, NotFound)


def test_parts_behind_an_error_were_not_tried():
    first, second, third = decode(MULTIPART, joined([part(404, error("0x80040217"))]).encode(), [GET, GET, PAIR])
    assert isinstance(first.error, NotFound)
    assert isinstance(second, Reply)
    assert isinstance(second.error, NotAnswered)
    assert "not tried" in second.error.message
    assert isinstance(third, ChangeSetReply)
    assert isinstance(third.error, NotAnswered)
    assert not third.landed


def test_retry_after_inside_a_part_is_heard():
    (reply,) = decode(MULTIPART, joined([part(429, THROTTLED, headers={"Retry-After": "9"})]).encode(), [GET])
    assert isinstance(reply.error, Throttled)
    assert reply.error.retry_after == 9


@given(st.data())
def test_a_torn_answer_is_never_half_read(data):
    text = joined([part(200, {"a": 1}), change_set([part(204, content_id="1"), part(204, content_id="2")])]).encode()
    end = data.draw(st.integers(0, text.rindex(b"--batchresponse_1--") + len(b"--batchresponse_1--") - 1))
    with pytest.raises(UnexpectedAnswer):
        decode(MULTIPART, text[:end], [GET, PAIR])


@given(st.binary(max_size=300))
def test_noise_is_refused_or_read_but_never_breaks(noise):
    text = b"--batchresponse_1\r\n" + noise + b"\r\n--batchresponse_1--"
    try:
        (reply,) = decode(MULTIPART, text, [GET])
    except UnexpectedAnswer:
        return
    assert isinstance(reply, Reply)


@pytest.mark.parametrize(
    ("content_type", "text", "why"),
    [
        ("application/json", "{}", "not multipart"),
        ("multipart/mixed", joined([part(200)]), "no boundary"),
        (MULTIPART, joined([part(200), part(200)]), "2 parts for 1"),
        (MULTIPART, joined([change_set([part(200)])]), "with a change set"),
        (MULTIPART, joined(["garbled\r\n\r\nx"]), "garbled"),
        (MULTIPART, joined(["Content-Type: application/http\r\n\r\nnothing"]), "status line"),
        (MULTIPART, joined([part(200, "{")]), "not JSON"),
        (MULTIPART, joined([part(200, '{"a": NaN}')]), "NaN is not JSON"),
        (MULTIPART, joined([part(200, "[" * 100_000)]), "nested too deeply"),
        (MULTIPART, joined([part(302)]), "HTTP 302"),
        (MULTIPART, joined([part(200)] * 2100), "more than 2000"),
    ],
)
def test_answers_that_do_not_fit_are_refused(content_type, text, why):
    with pytest.raises(UnexpectedAnswer, match=why):
        decode(content_type, text.encode(), [GET])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (change_set([part(204)]), "1 replies to a change set of 2"),
        (part(204), "1 replies to a change set of 2"),
        (change_set([change_set([part(204)])]), "nests"),
    ],
)
def test_a_change_set_is_answered_whole_or_not_at_all(text, why):
    with pytest.raises(UnexpectedAnswer, match=why):
        decode(MULTIPART, joined([text]).encode(), [PAIR])


def test_an_error_part_of_a_proxy_keeps_its_status():
    (reply,) = decode(MULTIPART, joined([part(502, "<html>Bad gateway</html>")]).encode(), [GET])
    assert (reply.status, reply.body) == (502, None)
    assert "Bad gateway" in reply.error.message


def test_quoted_boundaries_preambles_and_plain_numbers():
    text = "preamble\r\n" + joined([part(200, "\ufeff42", headers={"Content-Type": "text/plain"})], "a b'c")
    (reply,) = decode('multipart/mixed;charset=x; Boundary="a b\'c"', text.encode(), [Request("GET", "queues/$count")])
    assert reply.body == 42


def test_the_origin_of_a_service_root_may_be_enough():
    assert encode([GET], ORIGIN) == encode([GET], ROOT)
