"""Sending one request to a JSON service: bounded, never redirected, TLS always verified, repeated where that is safe.

What Dataverse's transport has too is taken from there; this one knows no batches, no throttle gate of other processes
and no OData.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import urllib3

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import Secret
from d365setup.dataverse.auth.refusal import clean
from d365setup.dataverse.errors import (
    ConnectionLost,
    DataverseError,
    ReadOnlyViolation,
    TimedOut,
    UnexpectedAnswer,
)
from d365setup.dataverse.messages import Headers
from d365setup.dataverse.sessions import (
    CONNECT_SECONDS,
    READ_SECONDS,
    BearerAuth,
    Sessions,
    existing_bundle,
    no_answer,
    translated,
)
from d365setup.dataverse.waiting import Gate, Patience, Policy, Stats

ANSWER_SECONDS = 600  # for a whole answer, however steadily it drips
MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_EXCERPT = 2000  # bytes of a foreign answer that are looked at to describe it


@dataclass(frozen=True)
class Root(Address):
    """Where a service's addresses begin: its token goes nowhere else."""

    path: str = "/"

    @property
    def service_root(self) -> str:
        """With a slash at the end."""
        return self.origin + self.path


@dataclass(frozen=True)
class Answer:
    """What came back. ``said`` is its text on one line, cut, and without the token, should it be echoed."""

    status: int
    headers: Headers
    body: bytes
    said: str


@dataclass(frozen=True)
class Manners:
    """How a client behaves towards any service; `policy` says how patient it is."""

    policy: Policy = field(default_factory=Policy)
    product: str = ""
    ca_bundle: str | Path | None = None
    read_only: bool = False
    max_bytes: int = MAX_BYTES


class Web:
    """One service below one address. ``bearer`` is asked for each try; ``refused`` makes the error of an answer.

    Raises DataverseError from `get` and `post`, ReadOnlyViolation before anything is sent.
    """

    def __init__(
        self,
        root: Root,
        bearer: Callable[[], Secret],
        refused: Callable[[Answer], DataverseError],
        manners: Manners,
    ) -> None:
        self.stats = Stats()
        self._root, self._bearer, self._refused, self._manners = root, bearer, refused, manners
        self._sessions = Sessions(root, manners.product)
        self._ca_bundle = existing_bundle(manners.ca_bundle)
        self._gate = Gate(manners.policy.clock)

    def get(self, path: str) -> Answer:
        """The answer to a GET, which may be sent again."""
        return self._deliver("GET", path, b"", safe=True)

    def post(self, path: str, value: Any, *, reads: bool = False) -> Answer:
        """The answer to a POST, sent again only when the service surely did not act, or when it only ``reads``."""
        if self._manners.read_only and not reads:
            raise ReadOnlyViolation(f"this client only reads; refused to send POST {path}")
        body = b"" if value is None else json.dumps(value, allow_nan=False).encode("ascii")
        return self._deliver("POST", path, body, safe=reads)

    def close(self) -> None:
        """Close the connections."""
        self._sessions.close()

    def _deliver(self, method: str, path: str, body: bytes, *, safe: bool) -> Answer:
        patience = Patience(self._gate, self._manners.policy, self.stats, safe=safe)

        def attempt() -> Answer:
            patience.pass_gate()
            answer = self._exchange(method, path, body)
            if answer.status >= 400:
                raise self._refused(answer)
            if answer.status >= 300:
                raise UnexpectedAnswer(
                    f"{self._root.origin} sends us elsewhere (HTTP {answer.status}), where no token goes",
                    status=answer.status,
                )
            return answer

        return patience.run(attempt)

    def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        self.stats.add(requests=1, operations=1)
        secret = self._bearer()
        try:
            with self._sessions.lend() as session:
                return self._received(session, method, path, body, secret)
        except requests.RequestException as found:
            error = translated(found, self._root, "")
        except urllib3.exceptions.HTTPError as found:  # some pass through requests as they are
            error = ConnectionLost(no_answer(self._root, found))
        raise error  # out here, or its context would hold the request with the token in it

    def _received(self, session: requests.Session, method: str, path: str, body: bytes, secret: Secret) -> Answer:
        deadline = self._manners.policy.clock() + ANSWER_SECONDS
        content = {"Content-Type": "application/json; charset=utf-8"} if body else {}
        with session.request(
            method,
            self._root.service_root + path,
            headers={"Accept": "application/json", **content},
            data=body or None,
            auth=BearerAuth(self._root, secret),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
            verify=self._ca_bundle,  # given per request: a variable of the environment would win over the session's
        ) as answer:
            found = self._bounded(answer, deadline)
            excerpt = clean(found[:_EXCERPT].decode("utf-8", "replace"), (secret.reveal(),))[:200]
            return Answer(answer.status_code, Headers(answer.headers), found, excerpt)

    def _bounded(self, answer: requests.Response, deadline: float) -> bytes:
        """The body, unpacked; the bound counts unpacked bytes, so a small zip cannot grow without end."""
        body = bytearray()
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._manners.max_bytes:
                raise UnexpectedAnswer(f"the answer is larger than {self._manners.max_bytes} bytes")
            if self._manners.policy.clock() > deadline:
                raise TimedOut(f"the answer was not whole after {ANSWER_SECONDS} s")
        return bytes(body)
