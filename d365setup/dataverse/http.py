"""Sending one request: headers, timeouts, size bounds, the bearer, and what may be sent again.

Foreign exceptions end here: callers see DataverseError only.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

import requests
import urllib3

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import Secret, TokenSource
from d365setup.dataverse.batch import MAX_URL, body_of, check_request, default_headers, encode
from d365setup.dataverse.errors import (
    AuthError,
    ConnectionLost,
    ReadOnlyViolation,
    TimedOut,
    UnexpectedAnswer,
    from_reply,
    request_id,
)
from d365setup.dataverse.exchanges import Exchange, Exchanges
from d365setup.dataverse.messages import Headers, Part, Request, only_reads, requests_of
from d365setup.dataverse.multipart import is_multipart
from d365setup.dataverse.payload import one_line
from d365setup.dataverse.sessions import (
    CONNECT_SECONDS,
    READ_SECONDS,
    BearerAuth,
    Sessions,
    existing_bundle,
    no_answer,
    translated,
)
from d365setup.dataverse.shared_gate import SharedGate, file_name
from d365setup.dataverse.waiting import Gate, Patience, Policy, Stats

T = TypeVar("T")
ANSWER_SECONDS = 600  # for a whole answer, however steadily it drips
MAX_BYTES = 64 * 1024 * 1024
WIDTH_UNTIL_KNOWN = 4  # the smallest x-ms-dop-hint seen
LONGEST_PLAIN_URL = MAX_URL // 2
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class RawReply:
    """An answer as it came; its status is below 400 unless it answers a batch part by part."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True)
class _Wire:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    operations: int


class Transport:
    """Sends requests to one environment, from any number of threads; no other host ever sees a token.

    With `read_only` anything but GET raises ReadOnlyViolation, inside a batch too, before it is sent. `gate_folder`
    is where processes that sign in as the same user share the throttle gate; `on_note` hears why they cannot.
    """

    def __init__(  # noqa: PLR0913  # all but three are keyword-only settings with defaults
        self,
        address: Address,
        tokens: TokenSource,
        policy: Policy,
        *,
        read_only: bool = False,
        product: str = "",
        limit: int = 8,
        ca_bundle: str | Path | None = None,
        max_bytes: int = MAX_BYTES,
        gate_folder: Path | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit must be 1 or more, not {limit}")
        self.address = address
        self.stats = Stats()
        self.exchanges = Exchanges()
        self._bearer = _Bearer(tokens)
        self._sessions = Sessions(address, product)
        self._ca_bundle = existing_bundle(ca_bundle)
        self._policy = policy
        self._gate = Gate(policy.clock)
        self._gate_folder, self._on_note = gate_folder, on_note
        self._read_only = read_only
        self._limit = limit
        self._hint: int | None = None
        self._has_answered = False
        self._max_bytes = max_bytes

    @property
    def width(self) -> int:
        """How many requests may run side by side: x-ms-dop-hint once it is known, never above the limit."""
        return min(self._hint or WIDTH_UNTIL_KNOWN, self._limit)

    def send(self, request: Request, *, repeatable: bool = False) -> RawReply:
        """One plain request; a GET is always repeatable, others when the caller says so."""
        self.check_allowed([request])
        check_request(request)
        url = self.address.absolute(request.path)
        if len(url) > LONGEST_PLAIN_URL:
            raise ValueError(f"an address of {len(url)} bytes must travel inside a batch")
        wire = _Wire(request.method, url, default_headers(request), body_of(request, self.address), 1)
        return self._deliver(wire, lambda raw: raw, safe=repeatable or request.method == "GET")

    def batch(
        self,
        parts: Sequence[Part],
        understand: Callable[[RawReply], T],
        *,
        continue_on_error: bool = False,
        repeatable: bool = False,
    ) -> T:
        """One $batch; `understand` reads the answer inside the try, so what it raises may be repeated as well."""
        self.check_allowed(parts)
        content_type, body = encode(parts, self.address.service_root)
        headers = default_headers(Request("POST", "$batch")) | {"Content-Type": content_type}
        if continue_on_error:
            headers["Prefer"] = "odata.continue-on-error"
        url = self.address.service_root + "$batch"
        wire = _Wire("POST", url, headers, body, len(requests_of(parts)))
        return self._deliver(wire, understand, safe=repeatable or only_reads(parts))

    def hold(self, seconds: float) -> None:
        """Let all workers wait, and who shares the gate with us: for a Retry-After found inside a batch."""
        self._gate.hold(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._sessions.close()

    def check_allowed(self, parts: Sequence[Part]) -> None:
        """Raises ReadOnlyViolation when a read-only client is asked for anything but GETs."""
        writes = [request for request in requests_of(parts) if request.method != "GET"]
        if self._read_only and writes:
            first = f"{one_line(writes[0].method, 20)} {one_line(writes[0].path, 200)}"
            raise ReadOnlyViolation(f"this client only reads; refused to send {first}")

    def _deliver(self, wire: _Wire, understand: Callable[[RawReply], T], *, safe: bool) -> T:
        patience = Patience(self._gate, self._policy, self.stats, safe=safe, is_known=self._has_answered)
        return patience.run(lambda: understand(self._accepted(wire, patience)))

    def _accepted(self, wire: _Wire, patience: Patience) -> RawReply:
        """The answer to one try, a refused token renewed once; raises for every error the service reports."""
        secret = self._bearer.current()
        self._share_gate(secret)
        while patience.pass_gate():
            secret = self._bearer.current()  # the old one may have run out meanwhile
        raw = self._exchange(wire, secret)
        renewed = self._bearer.renewed(secret) if raw.status == 401 else None
        if renewed is not None:
            self.stats.add(retries=1)
            patience.pass_gate()
            raw = self._exchange(wire, renewed)
        self._remember_width(raw.headers)
        answers_parts = wire.url.endswith("/$batch") and is_multipart(raw.headers.get("Content-Type", ""))
        if raw.status >= 400 and not answers_parts:
            raise from_reply(raw.status, raw.headers, raw.body)
        if 300 <= raw.status < 400 and raw.status != 304:
            raise _redirected(raw)
        return raw

    def _share_gate(self, secret: Secret) -> None:
        """With whom is known by the first token, however it was come by."""
        if self._gate_folder is not None and not self._gate.is_shared:
            path = self._gate_folder / file_name(self.address.origin, secret.reveal())
            self._gate.share(SharedGate(path, self._policy.clock, tell=self._on_note))

    def _exchange(self, wire: _Wire, secret: Secret) -> RawReply:
        self.stats.add(requests=1, operations=wire.operations)
        own_id = str(uuid.uuid4())
        exchange = Exchange(wire.method, wire.operations, own_id)
        try:
            with self._sessions.lend() as session:
                raw = self._received(session, wire, secret, own_id)
        except requests.RequestException as found:
            error = translated(found, self.address, own_id)
        except urllib3.exceptions.HTTPError as found:  # some pass through requests as they are
            error = ConnectionLost(no_answer(self.address, found), request_id=own_id)
        else:
            exchange = replace(exchange, service_request_id=request_id(raw.headers), status=raw.status)
            self._has_answered = True
            return raw
        finally:
            self.exchanges.add(exchange)
        raise error  # out here, or its context would hold the request with the token in it

    def _received(self, session: requests.Session, wire: _Wire, secret: Secret, own_id: str) -> RawReply:
        deadline = self._policy.clock() + ANSWER_SECONDS
        with session.request(
            wire.method,
            wire.url,
            headers={**wire.headers, "x-ms-client-request-id": own_id},
            data=wire.body or None,
            auth=BearerAuth(self.address, secret),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
            verify=self._ca_bundle,  # given per request: a variable of the environment would win over the session's
        ) as answer:
            body = self._bounded(answer, deadline)
            return RawReply(answer.status_code, Headers(answer.headers), body)

    def _bounded(self, answer: requests.Response, deadline: float) -> bytes:
        """The body, unpacked; the bound counts unpacked bytes, so a small zip cannot grow without end."""
        body = bytearray()
        for chunk in answer.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._max_bytes:
                raise UnexpectedAnswer(f"the answer is larger than {self._max_bytes} bytes: ask for less at once")
            if self._policy.clock() > deadline:
                raise TimedOut(f"the answer was not whole after {ANSWER_SECONDS} s")
        return bytes(body)

    def _remember_width(self, headers: Headers) -> None:
        hint = headers.get("x-ms-dop-hint", "").replace(",", "").strip()
        if hint.isascii() and hint.isdigit() and 0 < len(hint) <= 6:
            self._hint = max(1, int(hint))


class _Bearer:
    """The token source, asked so that many workers with one outdated token renew it once."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens
        self._lock = Lock()

    def current(self) -> Secret:
        return self._checked(self._tokens.token())

    def renewed(self, refused: Secret) -> Secret | None:
        """Another token than the refused one; None where the source has no other."""
        with self._lock:
            known = self.current()
            if known.reveal() == refused.reveal():
                known = self._checked(self._tokens.token(force=True))
        return known if known.reveal() != refused.reveal() else None

    @staticmethod
    def _checked(token: str) -> Secret:
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise AuthError("the sign-in gave a token that no header can carry; sign in again")
        return Secret(token)


def _redirected(raw: RawReply) -> UnexpectedAnswer:
    where = one_line(raw.headers.get("Location", "an unnamed place"), 200)
    return UnexpectedAnswer(f"the environment redirects to {where}; redirects are not followed", status=raw.status)
