"""Federated credentials: an assertion of another issuer stands in for a secret, so that none needs to be stored.

Each class here fetches such an assertion: from a file (Kubernetes), from GitHub Actions, from Azure Pipelines.
Facts: docs.github.com, "OpenID Connect reference"; learn.microsoft.com, "Workload identity federation" and the Azure
DevOps REST page "Oidctoken - Create".
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import requests

from d365setup.dataverse.address import is_loopback
from d365setup.dataverse.auth.application import Application
from d365setup.dataverse.auth.directory import Directory
from d365setup.dataverse.auth.refusal import SignInError, unreachable
from d365setup.dataverse.auth.secret import Secret
from d365setup.dataverse.auth.wire import Answer, Wire

AUDIENCE = "api://AzureADTokenExchange"
MAX_BYTES = 64 * 1024
Assertion = Callable[[], Secret]


class Federated(Application):
    """An app registration with a federated credential; `assertion` fetches a fresh one whenever one is needed."""

    cure = "check tenant and client id, and the app registration's federated credential"

    def __init__(self, directory: Directory, client_id: str, assertion: Assertion) -> None:
        super().__init__(directory, client_id)
        self._assertion = assertion
        self._newest = Secret("")

    def _proof(self) -> Any:
        return {"client_assertion": self._fresh}  # called by MSAL for each request: an assertion lives for minutes

    def _fresh(self) -> str:
        self._newest = self._assertion()
        return self._newest.reveal()

    def _secrets(self) -> tuple[str, ...]:
        return (self._newest.reveal(),)


class TokenFile:
    """An assertion some other program keeps fresh in a file. Raises SignInError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> Secret:
        """Read anew each time: the file is rewritten before it expires."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            told = f"the federated token file {self._path} cannot be read: {error.strerror}"
            raise SignInError(told, "check D365_FEDERATED_TOKEN_FILE, and that the token is mounted there") from None
        return _assertion(data.decode("ascii", "replace").strip(), f"the file {self._path}")


class GitHubActions:
    """The identity of a GitHub Actions job. Raises ValueError for an address that cannot be."""

    def __init__(self, url: str, token: str | Secret, *, ca_bundle: str | Path | None = None) -> None:
        self._url = _checked(url, "ACTIONS_ID_TOKEN_REQUEST_URL")
        self._token = token if isinstance(token, Secret) else Secret(token)
        self._wire = Wire(ca_bundle)

    def __call__(self) -> Secret:
        """Raises SignInError."""
        url = _with(self._url, audience=AUDIENCE)
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Accept": "application/json"}
        cure = "give the job `permissions: id-token: write`"
        return _fetched("GitHub Actions", lambda: self._wire.get(url, headers=headers), "value", cure)


class AzurePipelines:
    """The identity of a service connection in Azure Pipelines. Raises ValueError for an address that cannot be."""

    def __init__(self, url: str, token: str | Secret, connection: str, *, ca_bundle: str | Path | None = None) -> None:
        self._url = _checked(url, "SYSTEM_OIDCREQUESTURI")
        self._token = token if isinstance(token, Secret) else Secret(token)
        self._connection = connection
        self._wire = Wire(ca_bundle)

    def __call__(self) -> Secret:
        """Raises SignInError."""
        url = _with(self._url, **{"api-version": "7.1", "serviceConnectionId": self._connection})
        headers = {
            "Authorization": f"Bearer {self._token.reveal()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        cure = "map SYSTEM_ACCESSTOKEN into the step, and check the service connection's id"
        return _fetched("Azure Pipelines", lambda: self._wire.post(url, data="{}", headers=headers), "oidcToken", cure)


def _fetched(issuer: str, ask: Callable[[], Answer], name: str, cure: str) -> Secret:
    try:
        answer = ask()
    except requests.RequestException as found:
        error = unreachable(f"the token service of {issuer}", found)
    else:
        if answer.status_code == 200:
            return _assertion(_member(answer.text, name), issuer)
        error = SignInError(f"{issuer} gave no identity token (HTTP {answer.status_code})", cure)
    raise error  # out here, or its context would hold the request with the token in it


def _member(text: str, name: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _assertion(text: str, where: str) -> Secret:
    is_token = text.count(".") == 2 and text.isascii() and text.isprintable() and " " not in text
    if not is_token or len(text) > MAX_BYTES:
        raise SignInError(f"{where} holds no identity token (a JSON web token)", "check who writes it, and for whom")
    return Secret(text)


def _checked(url: str, name: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"{name} holds no address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not is_safe or not parts.hostname or parts.username is not None:
        raise ValueError(f"{name} holds no https:// address")
    return url


def _with(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*query, *parameters.items()], quote_via=quote)))
