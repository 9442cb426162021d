"""A canary token goes through every kind of failure; it may turn up in the Authorization header and nowhere else."""

import http.client
import logging
import traceback

import pytest

from d365setup.dataverse.client import Request
from d365setup.dataverse.errors import DataverseError

from .service import Answer, Clock, client, loopback

CANARY = "canary-token"
ANSWERS = [
    Answer(401),
    Answer(403, b'{"error":{"code":"0x80040220","message":"no"}}'),
    Answer(404, b"<html>"),
    Answer(429, b"{}", {"Retry-After": "1"}),
    Answer(500),
    Answer(302, b"", {"Location": "https://evil.example/"}),
    Answer(200, b"<html>"),
    Answer(200, b"{}", declared_length=99),
    None,
]


def everything_about(error: BaseException) -> str:
    """What a careless logger could print: texts and attributes along the whole chain, and the traceback."""
    shown = ["".join(traceback.format_exception(error))]
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        found = pending.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        request = getattr(found, "request", None)
        shown += [repr(found), str(found), repr(found.args), repr(vars(found)), repr(getattr(request, "headers", ""))]
        pending += [found.__cause__, found.__context__]
    return "\n".join(shown)


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_token_stays_in_its_header(answer, caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    waits: list[str] = []
    clock = Clock()
    with (
        loopback(lambda _: answer) as server,
        client(clock, server.url, on_wait=lambda _, why: waits.append(why)) as found,
    ):
        with pytest.raises(DataverseError) as failed:
            found.get("WhoAmI")
        outcome = found.send([[Request("POST", "queues", body={})]])
        shown = everything_about(failed.value) + repr(outcome) + repr(found) + str(found.stats) + "".join(waits)
    assert server.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in shown
    assert CANARY not in caplog.text
    assert CANARY not in "".join(capfd.readouterr())
    assert http.client.HTTPConnection.debuglevel == 0
