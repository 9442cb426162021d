import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.dataverse import errors
from d365setup.dataverse.errors import from_reply

from .service import error


def body(value) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("status", "code", "kind", "may_repeat", "may_have_acted"),
    [
        (400, "0x80048d19", errors.BadRequest, False, False),
        (405, "", errors.BadRequest, False, False),
        (413, "", errors.BadRequest, False, False),
        (401, "", errors.AuthError, False, False),
        (403, "0x80040220", errors.Forbidden, False, False),
        (404, "0x80040217", errors.NotFound, False, False),
        (412, "0x80040333", errors.PreconditionFailed, False, False),
        (412, "0x80040237", errors.AlreadyExists, False, False),
        (412, "0x80060892", errors.AlreadyExists, False, False),
        (412, "0x80060882", errors.Stale, False, False),
        (429, "0x80072322", errors.Throttled, True, False),
        (500, "0x80040224", errors.ServerFault, False, True),
        (500, "0x80044150", errors.ServerFault, True, True),
        (501, "0x8006088a", errors.ServerFault, False, True),
        (502, "", errors.Unavailable, True, True),
        (503, "", errors.Unavailable, True, True),
        (504, "", errors.Unavailable, True, True),
    ],
)
def test_status_and_code_choose_the_class(status, code, kind, may_repeat, may_have_acted):
    found = from_reply(status, {}, body(error(code)))
    assert type(found) is kind
    assert (found.status, found.code) == (status, code)
    assert (found.may_repeat, found.may_have_acted) == (may_repeat, may_have_acted)


def test_the_text_names_status_code_and_request():
    headers = {"REQ_ID": "11111111-aaaa"}
    found = from_reply(403, headers, body(error("0x80040220", "missing prvWriteQueue")))
    assert str(found) == "missing prvWriteQueue (HTTP 403, 0x80040220, request 11111111-aaaa)"
    assert "prv" not in found.hint
    assert "role" in found.hint


def test_the_request_id_comes_from_a_doubled_header():
    assert from_reply(400, {"x-ms-service-request-id": "aa-1, bb-2"}, b"").request_id == "aa-1"


@pytest.mark.parametrize(
    ("raw", "message", "code"),
    [
        (b"", "without saying why", ""),
        (b"<html><body>Bad\x1b[31m gateway</body></html>", "no Dataverse error but: <html>", ""),
        (b'{"Message":"No HTTP resource was found"}', "No HTTP resource", ""),
        (b'{"Message":"A","ExceptionMessage":"B","ErrorCode":-2147220969}', "A: B", "0x80040217"),
        (b'{"error":{"code":"0x0","message":"m"}}', "m", ""),
        (b'{"error":{"code":"0X80040217","message":"m"}}', "m", "0x80040217"),
        (b'{"error":{"code":"-2147015902","message":"m"}}', "m", "0x80072322"),
        (b'{"error":{"code":{"a":1},"message":["x"]}}', "without saying why", ""),
        (b'{"error":"text"}', "without saying why", ""),
        (b"[1]", "without saying why", ""),
        (b"[" * 100_000, "no Dataverse error", ""),
        (b"\xff\xfe\x00", "no Dataverse error", ""),
        (b'{"error":{"code":"","message":"two\\nlines \\u001b[2J\\u202e"}}', "two lines [2J", ""),
    ],
)
def test_whatever_the_body_is_there_is_one_readable_line(raw, message, code):
    found = from_reply(400, {}, raw)
    assert message in found.message
    assert found.code == code
    assert found.message.isprintable()


@given(st.integers(400, 599), st.binary(max_size=200), st.dictionaries(st.text(max_size=9), st.text(max_size=20)))
def test_no_answer_breaks_the_reading_of_it(status, raw, headers):
    found = from_reply(status, headers, raw)
    assert isinstance(found, errors.DataverseError)
    assert str(found).isprintable()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers, seconds):
    assert from_reply(429, headers, b"").retry_after == seconds


def test_a_refused_token_says_who_should_have_issued_it():
    challenge = (
        "Bearer authorization_uri=https://login.microsoftonline.com/t-1/oauth2/authorize, resource_id=https://x/"
    )
    headers = {"WWW-Authenticate": challenge, "401_error_reason": "The token expired."}
    found = from_reply(401, headers, b"")
    assert "The token expired." in found.message
    assert "https://login.microsoftonline.com/t-1/" in found.message
    assert "check tenant" in found.message


def test_a_failed_wave_speaks_for_its_first_path_and_keeps_all():
    throttled, missing = from_reply(429, {"Retry-After": "3"}, b""), from_reply(404, {}, b"")
    failed = errors.ReadFailed({4: throttled, 1: missing})
    assert failed.first is missing
    assert list(failed.errors) == [1, 4]
    assert (failed.status, failed.may_repeat) == (404, False)
    assert "1 more" in str(failed)


def test_the_drawn_tree_is_the_real_one():
    lines = (errors.__doc__ or "").splitlines()
    drawn = {
        (len(found[1]) // 4, found[2])
        for line in lines
        if (found := re.match(r"([│├└─ ]*)([A-Z][A-Za-z]+)(?:  |$)", line))
    }
    depth = len(errors.DataverseError.__mro__)
    classes = [
        value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.DataverseError)
    ]
    assert drawn == {(len(kind.__mro__) - depth, kind.__name__) for kind in classes}
