"""The HTTP client MSAL gets: TLS always verified, bounded in time and size, no redirect, no cookie, no .netrc."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from d365setup.dataverse.address import is_loopback
from d365setup.dataverse.auth.authority import shown

TIMEOUT = (10, 30)  # seconds to connect, and between two bytes
WHOLE = 60  # seconds for a whole answer, however steadily it drips
MAX_BYTES = 1024 * 1024


class Strayed(requests.RequestException):
    """An address our secrets must not go to; nothing was sent there."""


class Garbled(requests.RequestException):
    """An answer that is no JSON; MSAL would write it into its log as it is, whatever it holds."""


@dataclass(frozen=True)
class Answer:
    """What MSAL reads of an answer, and we."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """As MSAL wants it: for what is no success."""
        if self.status_code >= 400:
            raise requests.HTTPError(f"HTTP {self.status_code}")


class Wire:
    """Sends what a sign-in needs. `may_go` answers for each address whether it may be spoken to at all.

    With `only_json` an answer that is no JSON object raises Garbled.
    `last` is the newest answer that was no success: MSAL keeps some of them to itself.
    """

    def __init__(
        self,
        ca_bundle: str | Path | None = None,
        may_go: Callable[[str], bool] = lambda _url: True,
        *,
        direct: bool = False,
        only_json: bool = False,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        self.last: Answer | None = None
        self._ca_bundle = str(ca_bundle) if ca_bundle else None
        self._may_go = may_go
        self._direct = direct
        self._only_json = only_json
        self._timeout = timeout

    def get(self, url: str, *, params: Any = None, headers: Any = None, **_: Any) -> Answer:
        """Raises requests.RequestException."""
        return self._send("GET", url, params=params, headers=headers)

    def post(self, url: str, *, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> Answer:
        """Raises requests.RequestException."""
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        """Nothing stays open between two requests."""

    def _send(self, method: str, url: str, **what: Any) -> Answer:
        if not self._may_go(url):
            raise Strayed(f"{shown(url)} is not the sign-in service")
        try:
            answer = self._answer(method, url, what)
        except urllib3.exceptions.HTTPError as found:  # some pass through requests as they are
            raise requests.ConnectionError(type(found).__name__) from None
        if 300 <= answer.status_code < 400:
            raise Strayed(f"{shown(url)} sends us elsewhere")
        if self._only_json and not _is_json(answer.text):
            raise Garbled(f"HTTP {answer.status_code} without JSON")
        if answer.status_code >= 400:
            self.last = answer
        return answer

    def _answer(self, method: str, url: str, what: Mapping[str, Any]) -> Answer:
        with requests.Session() as session:
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            # No proxy stands between us and our own machine, or a metadata service beside it.
            session.trust_env = not (self._direct or is_loopback(urlsplit(url).hostname or ""))
            with session.request(
                method,
                url,
                **what,
                auth=_as_it_is,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                verify=self._ca_bundle,  # given per request: a variable would win over the session's
            ) as found:
                return Answer(found.status_code, _bounded(found), dict(found.headers))


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Given as `auth`: keeps .netrc from adding a password."""
    return request


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _bounded(answer: requests.Response) -> str:
    body = bytearray()
    until = time.monotonic() + WHOLE
    for chunk in answer.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES or time.monotonic() > until:
            raise requests.Timeout("the answer is too large or too slow")
    return body.decode("utf-8", "replace")
