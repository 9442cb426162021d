"""Sending batches over real sockets: what landed, what did not, and what nobody can know."""

import threading

import pytest

from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import ChangeSet, Client, Request
from d365setup.dataverse.errors import (
    AlreadyExists,
    BadRequest,
    ConnectFailed,
    ConnectionLost,
    NotAnswered,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)

from .service import (
    ID,
    MULTIPART,
    THROTTLED,
    Answer,
    Asked,
    Clock,
    change_set,
    client,
    error,
    joined,
    loopback,
    part,
)

WRITE = Request("PATCH", f"queues({ID})", {"If-None-Match": "*"}, {"name": "Nurses"})
BATCH = [ChangeSet((WRITE,)), Request("GET", "queues")]
LANDED = joined([change_set([part(204, content_id="1")]), part(200, {"value": []})])


def multipart(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": MULTIPART})


def outcome_of(answer: Answer | None, parts=BATCH, clock: Clock | None = None):
    with loopback(lambda _: answer) as server, client(clock, server.url) as found:
        (outcome,) = found.send([parts])
    return outcome, len(server.asked)


def test_what_landed_is_told_with_its_read_back():
    outcome, times = outcome_of(multipart(LANDED))
    written, read = outcome.replies
    assert written.landed
    assert read.body == {"value": []}
    assert (outcome.error, outcome.ambiguous, times) == (None, False, 1)


@pytest.mark.parametrize("status", [200, 412])
def test_a_failed_change_set_is_decoded_whatever_the_outer_status(status):
    outcome, times = outcome_of(multipart(joined([change_set([part(412, error("0x80040237"))])]), status))
    written, read = outcome.replies
    assert isinstance(written.error, AlreadyExists)
    assert isinstance(read.error, NotAnswered)
    assert (outcome.error, outcome.ambiguous, times) == (None, False, 1)


def test_a_throttled_part_is_the_callers_to_repeat_but_holds_everyone():
    clock = Clock()
    answers = [multipart(joined([part(429, THROTTLED, headers={"Retry-After": "6"})]), 429), multipart(LANDED)]
    with loopback(lambda _: answers.pop(0)) as server, client(clock, server.url) as found:
        first = found.send([BATCH])[0]
        assert isinstance(first.replies[0].error, Throttled)
        assert not first.ambiguous
        assert clock.slept == []
        assert found.send([BATCH])[0].replies[0].landed
    assert clock.slept == [6.0]


def test_a_batch_throttled_as_a_whole_is_sent_again():
    clock = Clock()
    answers = [Answer(429, b'{"error":{"code":"0x80072322","message":"m"}}', {"Retry-After": "3"}), multipart(LANDED)]
    with loopback(lambda _: answers.pop(0)) as server, client(clock, server.url) as found:
        assert found.send([BATCH])[0].error is None
        assert found.stats.retries == 1
        assert found.stats.operations == 4
    assert clock.slept == [3.0]


@pytest.mark.parametrize(
    ("answer", "kind", "ambiguous"),
    [
        (Answer(400, b'{"error":{"code":"0x80048d19","message":"Stream was not readable"}}'), BadRequest, False),
        (Answer(503, b"<html>"), Unavailable, True),
        (Answer(504), Unavailable, True),
        (None, ConnectionLost, True),
        (Answer(200, LANDED.encode(), {"Content-Type": MULTIPART}, declared_length=9999), ConnectionLost, True),
        (Answer(200, LANDED.encode()[:-40], {"Content-Type": MULTIPART}), UnexpectedAnswer, True),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), UnexpectedAnswer, True),
        (Answer(302, b"", {"Location": "https://evil.example"}), UnexpectedAnswer, True),
    ],
)
def test_a_write_without_a_clear_answer_is_sent_once_and_said_to_be_unclear(answer, kind, ambiguous):
    outcome, times = outcome_of(answer)
    assert isinstance(outcome.error, kind)
    assert (outcome.ambiguous, times) == (ambiguous, 1)
    assert [type(reply.error) for reply in outcome.replies] == [NotAnswered, NotAnswered]


def test_reads_are_never_unclear_and_are_repeated():
    outcome, times = outcome_of(None, [Request("GET", "queues")])
    assert isinstance(outcome.error, ConnectionLost)
    assert (outcome.ambiguous, times) == (False, 5)


@pytest.mark.parametrize(
    ("text", "parts", "ambiguous"),
    [
        (joined([part(200, {})]), [Request("GET", "a"), ChangeSet((WRITE,))], True),
        (joined([part(404, {})]), [Request("GET", "a"), ChangeSet((WRITE,))], False),
        (joined([part(200, {})]), [Request("GET", "a"), Request("GET", "b")], False),
        (joined([part(204), part(204)]), [WRITE, WRITE, Request("GET", "b")], False),
    ],
)
def test_writes_that_go_unanswered_without_a_reason_are_unclear(text, parts, ambiguous):
    outcome, _ = outcome_of(multipart(text), parts)
    assert outcome.error is None
    assert outcome.ambiguous is ambiguous


def test_a_connection_refused_is_tried_again_and_is_clear():
    with loopback(lambda _: None) as server:
        pass
    clock = Clock()
    with client(clock, server.url) as found:
        (outcome,) = found.send([BATCH])
    assert isinstance(outcome.error, ConnectFailed)
    assert not outcome.ambiguous
    assert len(clock.slept) == 2  # nobody ever answered there


def test_batches_run_side_by_side_and_answer_in_order():
    together = threading.Barrier(4, timeout=20)

    def decide(asked: Asked) -> Answer:
        together.wait()
        name = asked.body.decode().split('"name": "')[1][0]
        return multipart(joined([part(200, {"name": name})]))

    batches = [[Request("POST", "queues", body={"name": letter})] for letter in "abcd"]
    with loopback(decide) as server, client(url=server.url) as found:
        outcomes = found.send(batches)
    assert [outcome.replies[0].body["name"] for outcome in outcomes] == list("abcd")


def test_one_lost_batch_does_not_hide_the_others():
    def decide(asked: Asked) -> Answer | None:
        return None if b"lost" in asked.body else multipart(joined([part(204)]))

    batches = [[Request("POST", "queues", body={"name": name})] for name in ("a", "lost", "c")]
    with loopback(decide) as server, client(url=server.url) as found:
        outcomes = found.send(batches)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert [outcome.ambiguous for outcome in outcomes] == [False, True, False]


def test_a_429_to_one_worker_holds_the_others():
    clock, seen = Clock(), []

    def decide(asked: Asked) -> Answer:
        seen.append(clock.now)
        if len(seen) == 1:
            return Answer(429, b"{}", {"Retry-After": "30"})
        return multipart(joined([part(204)]))

    with loopback(decide) as server, client(clock, server.url, limit=1) as found:
        found.send([[WRITE], [WRITE], [WRITE]])
    assert seen == [1000.0, 1030.0, 1030.0, 1030.0]


def test_a_batch_that_cannot_be_written_down_stops_all_before_sending():
    with loopback(lambda _: multipart(LANDED)) as server, client(url=server.url) as found:
        with pytest.raises(ValueError, match="at least one"):
            found.send([BATCH, []])
        assert found.send([]) == []
    assert server.asked == []


def test_connections_are_kept_for_the_next_request():
    connections = set()

    def decide(asked: Asked) -> Answer:
        connections.add(threading.get_ident())  # the server gives each connection a thread
        return Answer()

    with loopback(decide) as server, client(url=server.url) as found:
        for _ in range(3):
            found.get("WhoAmI")
    assert len(connections) == 1


def test_what_a_client_says_of_itself():
    found = Client("https://Contoso.crm.dynamics.com/", StaticToken("t"))
    assert found.url == found.origin == "https://contoso.crm.dynamics.com"
    assert found.service_root == "https://contoso.crm.dynamics.com/api/data/v9.2/"
    assert found.width == 4
