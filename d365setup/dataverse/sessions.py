"""What we need of requests: sessions without surprises, the bearer header, foreign exceptions translated."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from threading import Lock

import requests
import urllib3
from requests.auth import AuthBase

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import Secret
from d365setup.dataverse.errors import (
    ConnectFailed,
    ConnectionLost,
    ForeignAddress,
    TimedOut,
    TransportError,
    UnexpectedAnswer,
)
from d365setup.dataverse.payload import one_line

CONNECT_SECONDS, READ_SECONDS = 10, 120  # the service ends what takes longer than two minutes


class BearerAuth(AuthBase):
    """Sets the header where the request is made; given as `auth`, it also keeps .netrc from replacing it."""

    def __init__(self, address: Address, secret: Secret) -> None:
        self._address = address
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Raises ForeignAddress rather than hand the token to another place."""
        if not (request.url or "").startswith(self._address.service_root):
            raise ForeignAddress(f"{one_line(request.url or '', 200)!r} lies outside {self._address.service_root}")
        request.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return request


class Sessions:
    """Sessions lent to one worker at a time: as safe as one per thread, and warm connections are found again."""

    def __init__(self, address: Address, product: str) -> None:
        agent = f"{product} dataverse-client".strip()
        if not (agent.isascii() and agent.isprintable()):
            raise ValueError("the product name goes into a header: printable ASCII only")
        self._agent = agent
        self._address = address
        self._lock = Lock()
        self._idle: list[requests.Session] = []

    @contextmanager
    def lend(self) -> Iterator[requests.Session]:
        """A session nobody else uses meanwhile."""
        with self._lock:
            session = self._idle.pop() if self._idle else self._new()
        try:
            yield session
        finally:
            with self._lock:
                self._idle.append(session)

    def close(self) -> None:
        """Close the sessions that are not lent; later ones are new."""
        with self._lock:
            for session in self._idle:
                session.close()
            self._idle.clear()

    def _new(self) -> requests.Session:
        session = requests.Session()
        session.headers["User-Agent"] = self._agent
        # An affinity cookie would pin all workers to one web server, and its limits count per server.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if self._address.is_here:
            session.trust_env = False  # no proxy stands between us and our own machine
        return session


def existing_bundle(ca_bundle: str | Path | None) -> str | None:
    """The path as text; raises ValueError when nothing is there."""
    if ca_bundle is None:
        return None
    if not Path(ca_bundle).exists():
        raise ValueError(f"the certificate bundle {ca_bundle} does not exist")
    return str(ca_bundle)


def translated(found: requests.RequestException, address: Address, request_id: str) -> TransportError:
    """Our error for one of requests', telling whether anything can have been sent."""
    if isinstance(found, requests.exceptions.SSLError):
        return _tls_error(found, address, request_id)
    if _never_connected(found):
        message = f"no connection to {address.origin} could be made ({_cause(found)})"
        return ConnectFailed(message, request_id=request_id)
    if isinstance(found, requests.Timeout):
        return TimedOut(f"{address.origin} gave no answer within {READ_SECONDS} s", request_id=request_id)
    if isinstance(found, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return ConnectionLost(no_answer(address, found), request_id=request_id)
    message = f"the answer of {address.origin} cannot be read ({_cause(found)})"
    return UnexpectedAnswer(message, request_id=request_id)


def _tls_error(found: Exception, address: Address, request_id: str) -> TransportError:
    if "CERTIFICATE_VERIFY_FAILED" not in str(found):
        return ConnectionLost(no_answer(address, found), request_id=request_id)
    message = f"the certificate of {address.origin} is not trusted; if a proxy of yours signs it, name its CA bundle"
    return ConnectFailed(message, request_id=request_id, may_repeat=False)


def _never_connected(found: requests.RequestException) -> bool:
    if isinstance(found, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    reason = getattr(found.args[0], "reason", None) if found.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def no_answer(address: Address, found: Exception) -> str:
    """The message for an answer that broke off."""
    return f"the connection to {address.origin} ended before the whole answer came ({_cause(found)})"


def _cause(found: Exception) -> str:
    """The innermost reason's kind; texts of urllib3 hold whole addresses, its class names say enough."""
    reason = getattr(found.args[0], "reason", None) if found.args else None
    return type(reason or found).__name__
