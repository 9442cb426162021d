"""One request: headers, what is repeated and what is not, how long is waited, and where tokens never go."""

import json
from contextlib import nullcontext

import pytest
import requests
import responses
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from d365setup.dataverse import http
from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import Secret, StaticToken
from d365setup.dataverse.client import ChangeSet, Client, Request
from d365setup.dataverse.errors import (
    AuthError,
    BadRequest,
    ConnectFailed,
    ConnectionLost,
    ForeignAddress,
    NotFound,
    ReadOnlyViolation,
    ServerFault,
    Throttled,
    TimedOut,
    TransportError,
    Unavailable,
    UnexpectedAnswer,
)
from d365setup.dataverse.http import Transport
from d365setup.dataverse.sessions import BearerAuth
from d365setup.dataverse.waiting import Policy

from .service import ID, MULTIPART, ORIGIN, ROOT, THROTTLED, Clock, client, error, joined, part

WRITE = Request("PATCH", f"queues({ID})", body={"name": "x"})


@pytest.fixture
def net():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def clock():
    return Clock()


def transport(clock: Clock, **options) -> Transport:
    policy = Policy(sleep=clock.sleep, clock=clock, jitter=lambda: 0.0)
    return Transport(Address.parse(ORIGIN), StaticToken("canary-token"), policy, **options)


def refused() -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused")))


# --- what is sent


def test_the_recommended_headers_and_a_new_request_id_each_time(net, clock):
    net.get(ROOT + "WhoAmI", json={"UserId": ID})
    with client(clock, product="setup/1.0") as found:
        found.get("WhoAmI")
        found.get("WhoAmI", headers={"Consistency": "Strong"})
    first, second = (call.request.headers for call in net.calls)
    assert first["Accept"] == "application/json"
    assert first["OData-Version"] == first["OData-MaxVersion"] == "4.0"
    assert first["If-None-Match"] == "null"
    assert first["Authorization"] == "Bearer canary-token"
    assert first["User-Agent"].startswith("setup/1.0 ")
    assert second["Consistency"] == "Strong"
    assert first["x-ms-client-request-id"] != second["x-ms-client-request-id"]


def test_a_write_sends_json_with_absolute_references(net, clock):
    net.post(ROOT + f"queues({ID})/m/$ref", status=204)
    body = {"@odata.id": f"systemusers({ID})"}
    raw = transport(clock).send(Request("POST", f"queues({ID})/m/$ref", {"Prefer": "return=minimal"}, body))
    assert raw.status == 204
    sent = net.calls[0].request
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.body) == {"@odata.id": f"{ROOT}systemusers({ID})"}


def test_a_netrc_entry_never_replaces_the_bearer(net, clock, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine contoso.crm.dynamics.com login me password pw\n")
    monkeypatch.setenv("NETRC", str(netrc))
    net.get(ROOT + "WhoAmI", json={})
    client(clock).get("WhoAmI")
    assert net.calls[0].request.headers["Authorization"] == "Bearer canary-token"


def test_cookies_are_not_kept(net, clock):
    net.get(ROOT + "WhoAmI", json={}, headers={"Set-Cookie": "ARRAffinity=abc; Path=/"})
    found = client(clock)
    found.get("WhoAmI")
    found.get("WhoAmI")
    assert "Cookie" not in net.calls[1].request.headers


@pytest.mark.parametrize(
    ("options", "why"),
    [({"limit": 0}, "limit"), ({"product": "a\r\nb"}, "product"), ({"ca_bundle": "/nowhere/ca.pem"}, "does not exist")],
)
def test_settings_that_cannot_be_right(options, why):
    with pytest.raises(ValueError, match=why):
        client(**options)


# --- where tokens never go


def test_a_redirect_is_not_followed(net, clock):
    net.get(ROOT + "WhoAmI", status=302, headers={"Location": "https://evil.example/"})
    net.get("https://evil.example/", json={})
    with pytest.raises(UnexpectedAnswer, match=r"redirects to https://evil\.example/"):
        client(clock).get("WhoAmI")
    assert len(net.calls) == 1


@pytest.mark.parametrize("path", ["https://evil.example/api/data/v9.2/x", "//evil.example/x", "../../x"])
def test_an_address_elsewhere_is_refused_before_sending(net, clock, path):
    for act in (client(clock).get, client(clock).rows, lambda p: client(clock).read(["WhoAmI", p])):
        with pytest.raises(ForeignAddress):
            act(path)
    assert len(net.calls) == 0


def test_a_next_link_elsewhere_is_refused(net, clock):
    net.get(ROOT + "queues", json={"value": [], "@odata.nextLink": "https://evil.example/api/data/v9.2/queues"})
    with pytest.raises(ForeignAddress):
        client(clock).rows("queues")
    assert len(net.calls) == 1


@pytest.mark.parametrize("url", ["https://evil.example/api/data/v9.2/x", f"{ORIGIN}/other", None])
def test_the_bearer_itself_checks_where_it_goes(url):
    prepared = requests.PreparedRequest()
    prepared.url = url
    prepared.headers = requests.structures.CaseInsensitiveDict()
    with pytest.raises(ForeignAddress):
        BearerAuth(Address.parse(ORIGIN), Secret("canary-token"))(prepared)
    assert "Authorization" not in prepared.headers


def test_a_certificate_bundle_is_given_with_each_request(net, clock, tmp_path, monkeypatch):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/elsewhere.pem")
    net.get(ROOT + "WhoAmI", json={})
    client(clock, ca_bundle=bundle).get("WhoAmI")
    assert net.calls[0].request.req_kwargs["verify"] == str(bundle)


# --- read-only


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "get", "HEAD", ""])
def test_a_read_only_transport_lets_only_get_through(net, clock, method):
    writing = Request(method, "queues")
    for parts in ([writing], [Request("GET", "x"), writing], [ChangeSet((writing,))]):
        with pytest.raises(ReadOnlyViolation, match="only reads"):
            transport(clock, read_only=True).batch(parts, lambda raw: raw)
        with pytest.raises(ReadOnlyViolation):
            client(clock, read_only=True).send([[Request("GET", "x")], parts])
    with pytest.raises(ReadOnlyViolation):
        transport(clock, read_only=True).send(writing)
    assert len(net.calls) == 0


def test_a_read_only_client_reads_in_batches(net, clock):
    net.post(ROOT + "$batch", body=joined([part(200, {"value": []})] * 2), content_type=MULTIPART)
    assert client(clock, read_only=True, limit=1).read(["a", "b"]) == [[], []]


# --- sign-in


class Renewing:
    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.forced = 0

    def token(self, *, force: bool = False) -> str:
        if force:
            self.forced += 1
            self.tokens.pop(0)
        return self.tokens[0]


def test_a_refused_token_is_renewed_once(net, clock):
    net.get(ROOT + "WhoAmI", status=401)
    net.get(ROOT + "WhoAmI", json={"ok": 1})
    tokens = Renewing("old", "new")
    assert client(clock, tokens=tokens).get("WhoAmI").body == {"ok": 1}
    assert tokens.forced == 1
    assert net.calls[1].request.headers["Authorization"] == "Bearer new"


def test_workers_with_one_outdated_token_renew_it_once(net, clock):
    tokens = Renewing("old", "new")
    bearer = http._Bearer(tokens)
    outdated = bearer.current()
    assert [bearer.renewed(outdated).reveal(), bearer.renewed(outdated).reveal()] == ["new", "new"]
    assert tokens.forced == 1


def test_a_second_refusal_is_an_error(net, clock):
    net.get(ROOT + "WhoAmI", status=401)
    with pytest.raises(AuthError, match="refused the token"):
        client(clock, tokens=Renewing("old", "new")).get("WhoAmI")
    assert len(net.calls) == 2


def test_a_token_that_cannot_be_renewed_is_not_sent_again(net, clock):
    net.get(ROOT + "WhoAmI", status=401)
    with pytest.raises(AuthError):
        client(clock).get("WhoAmI")
    assert len(net.calls) == 1


def test_a_write_refused_with_401_is_sent_again_with_the_new_token(net, clock):
    net.post(ROOT + "$batch", status=401)
    net.post(ROOT + "$batch", body=joined([part(204)]), content_type=MULTIPART)
    (outcome,) = client(clock, tokens=Renewing("old", "new")).send([[WRITE]])
    assert outcome.error is None
    assert not outcome.ambiguous


def test_a_token_no_header_can_carry(net, clock):
    with pytest.raises(AuthError, match="no header can carry"):
        client(clock, tokens=Renewing("a\r\nX: y")).get("WhoAmI")
    assert len(net.calls) == 0


# --- what is repeated


@pytest.mark.parametrize("method", ["GET", "PATCH", "POST", "DELETE"])
def test_429_is_always_repeated_and_waits_as_told(net, clock, method):
    waits = []
    net.add(method, ROOT + "queues", json=THROTTLED, status=429, headers={"Retry-After": "7"})
    net.add(method, ROOT + "queues", json={})
    policy = Policy(sleep=clock.sleep, clock=clock, on_wait=lambda seconds, why: waits.append((seconds, why)))
    found = Transport(Address.parse(ORIGIN), StaticToken("t"), policy)
    assert found.send(Request(method, "queues")).status == 200
    assert clock.slept == [7.0]
    assert waits == [(7.0, "the service asked to wait (429)")]
    assert (found.stats.requests, found.stats.retries, found.stats.waited_seconds) == (2, 1, 7.0)


def test_429_without_a_time_backs_off_by_powers_of_two(net, clock):
    net.get(ROOT + "queues", json=THROTTLED, status=429)
    with pytest.raises(Throttled):
        transport(clock).send(Request("GET", "queues"))
    assert clock.slept == [2.0, 4.0, 8.0, 16.0]
    assert len(net.calls) == 5


@pytest.mark.parametrize(("told", "sent"), [("1", 10), ("0", 5), ("0.5", 5)])
def test_coming_back_when_told_to_is_no_try(net, clock, told, sent):
    for _ in range(9):
        net.get(ROOT + "queues", json=THROTTLED, status=429, headers={"Retry-After": told})
    net.get(ROOT + "queues", json={})
    found = transport(clock)
    with nullcontext() if sent == 10 else pytest.raises(Throttled):
        found.send(Request("GET", "queues"))
    assert len(net.calls) == sent
    assert sum(clock.slept) == float(told) * (sent - 1)


def test_jitter_shortens_by_up_to_a_half():
    assert Policy(jitter=lambda: 1.0).backoff(3) == 4.0
    assert Policy(jitter=lambda: 0.0).backoff(30) == 60.0


@pytest.mark.parametrize(
    ("status", "code"), [(502, ""), (503, ""), (504, ""), (500, "0x80044150"), (500, "0x80044151")]
)
def test_what_the_service_could_not_do_now_is_repeated_for_reads_only(net, clock, status, code):
    net.get(ROOT + "queues", json=error(code), status=status)
    net.get(ROOT + "queues", json={})
    assert transport(clock).send(Request("GET", "queues")).status == 200
    net.patch(ROOT + "queues", json=error(code), status=status)
    with pytest.raises((Unavailable, ServerFault)):
        transport(clock).send(Request("PATCH", "queues"))
    assert [call.request.method for call in net.calls] == ["GET", "GET", "PATCH"]


def test_the_caller_may_say_that_a_write_can_be_repeated(net, clock):
    net.patch(ROOT + f"queues({ID})", status=503, headers={"Retry-After": "3"})
    net.patch(ROOT + f"queues({ID})", status=204)
    assert transport(clock).send(WRITE, repeatable=True).status == 204
    assert clock.slept == [3.0]


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (404, NotFound), (500, ServerFault)])
def test_other_errors_are_not_repeated(net, clock, status, kind):
    net.get(ROOT + "queues", json=error("0x80040217"), status=status)
    with pytest.raises(kind):
        transport(clock).send(Request("GET", "queues"))
    assert len(net.calls) == 1


@pytest.mark.parametrize(
    ("raised", "kind", "times_get", "times_write"),
    [
        (refused(), ConnectFailed, 3, 3),
        (requests.ConnectTimeout("x"), ConnectFailed, 3, 3),
        (requests.exceptions.ProxyError("x"), ConnectFailed, 3, 3),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), ConnectFailed, 1, 1),
        (requests.exceptions.SSLError("bad record"), ConnectionLost, 5, 1),
        (requests.ConnectionError("reset"), ConnectionLost, 5, 1),
        (requests.exceptions.ChunkedEncodingError("torn"), ConnectionLost, 5, 1),
        (ProtocolError("x"), ConnectionLost, 5, 1),
        (requests.ReadTimeout("x"), TimedOut, 1, 1),
        (requests.exceptions.ContentDecodingError("x"), UnexpectedAnswer, 1, 1),
    ],
)
def test_each_way_a_connection_fails(net, clock, raised, kind, times_get, times_write):
    net.get(ROOT + "queues", body=raised)
    net.patch(ROOT + "queues", body=raised)
    for method, times in (("GET", times_get), ("PATCH", times_write)):
        net.calls.reset()
        with pytest.raises(TransportError) as failed:
            transport(clock).send(Request(method, "queues"))
        assert type(failed.value) is kind
        assert len(net.calls) == times
        assert failed.value.request_id
        assert ORIGIN in str(failed.value)


def test_an_address_that_answered_before_is_given_more_tries(net, clock):
    net.get(ROOT + "queues", json={})
    net.get(ROOT + "queues", body=refused())
    found = transport(clock)
    found.send(Request("GET", "queues"))
    for _ in range(2):  # also behind a refusal
        net.calls.reset()
        with pytest.raises(ConnectFailed):
            found.send(Request("GET", "queues"))
        assert len(net.calls) == 5


def test_the_seconds_waited_are_capped_too(net, clock):
    net.get(ROOT + "queues", json=THROTTLED, status=429, headers={"Retry-After": "140"})
    with pytest.raises(Throttled):
        transport(clock).send(Request("GET", "queues"))
    assert clock.slept == [140.0, 140.0]


def test_a_wait_beyond_the_cap_is_not_begun_and_holds_all_other_requests_back(net, clock):
    net.get(ROOT + "queues", json=THROTTLED, status=429, headers={"Retry-After": "3600"})
    found = transport(clock)
    for _ in range(2):
        with pytest.raises(Throttled) as failed:
            found.send(Request("GET", "queues"))
        assert failed.value.retry_after == 3600
    assert clock.slept == []
    assert len(net.calls) == 1


def test_a_held_gate_stops_the_next_request_until_it_opens(net, clock):
    net.get(ROOT + "queues", json={})
    found = transport(clock)
    found.hold(4)
    found.hold(2)
    found.send(Request("GET", "queues"))
    found.send(Request("GET", "queues"))
    assert clock.slept == [4.0]


def test_a_sleep_that_does_not_move_the_clock_ends_all_the_same(net):
    slept = []
    net.get(ROOT + "queues", json=THROTTLED, status=429, headers={"Retry-After": "7"})
    net.get(ROOT + "queues", json={"value": []})
    Client(ORIGIN, StaticToken("t"), sleep=slept.append, clock=lambda: 0.0).rows("queues")
    assert slept == [7.0]


# --- width, size, odd answers


@pytest.mark.parametrize(
    ("hint", "limit", "width"),
    [
        (None, 8, 4),
        ("48", 8, 8),
        ("2", 8, 2),
        ("48", 60, 48),
        ("1,200", 2000, 1200),
        ("0", 8, 1),
        ("many", 8, 4),
        (None, 3, 3),
        ("-5", 8, 4),
    ],
)
def test_the_width_follows_the_hint_up_to_the_limit(net, clock, hint, limit, width):
    net.get(ROOT + "WhoAmI", json={}, headers={} if hint is None else {"x-ms-dop-hint": hint})
    found = client(clock, limit=limit)
    found.get("WhoAmI")
    assert found.width == width


def test_an_answer_too_large_is_refused(net, clock):
    net.get(ROOT + "queues", body=b"x" * 2000)
    with pytest.raises(UnexpectedAnswer, match="larger than 1000"):
        transport(clock, max_bytes=1000).send(Request("GET", "queues"))


def test_an_answer_that_drips_for_ever_is_given_up(net, clock, monkeypatch):
    net.get(ROOT + "queues", body=b"x" * 2000)
    monkeypatch.setattr(http, "ANSWER_SECONDS", -1)
    with pytest.raises(TimedOut, match="not whole"):
        transport(clock).send(Request("GET", "queues"))


@pytest.mark.parametrize("body", ["<html>Sign in</html>", '{"a":', "[" * 100_000])
def test_a_success_that_is_no_json_is_unexpected(net, clock, body):
    net.get(ROOT + "WhoAmI", body=body)
    with pytest.raises(UnexpectedAnswer, match="not JSON"):
        client(clock).get("WhoAmI")


def test_an_empty_success_has_no_body(net, clock):
    net.get(ROOT + "WhoAmI", status=204, content_type="text/html")
    reply = client(clock).get("WhoAmI")
    assert (reply.status, reply.body, reply.error) == (204, None, None)


def test_an_address_too_long_to_travel_alone_goes_in_a_batch(net, clock):
    path = "queues?$filter=" + "a" * 40_000
    with pytest.raises(ValueError, match="inside a batch"):
        transport(clock).send(Request("GET", path))
    net.post(
        ROOT + "$batch",
        body=joined([part(429, THROTTLED, headers={"Retry-After": "2"})]),
        status=429,
        content_type=MULTIPART,
    )
    net.post(ROOT + "$batch", body=joined([part(200, {"value": [{"a": 1}]})]), content_type=MULTIPART)
    assert client(clock).rows(path) == [{"a": 1}]
    assert clock.slept == [2.0]
