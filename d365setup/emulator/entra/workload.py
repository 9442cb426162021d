"""What runners and hosts offer on plain HTTP: managed identities, GitHub and Azure Pipelines, a token file."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from .certificates import write_private
from .directory import TOKEN_EXCHANGE, Application
from .errors import SignInError
from .fixture import (
    GITHUB,
    GITHUB_SUBJECT,
    KUBERNETES,
    KUBERNETES_SUBJECT,
    PIPELINE,
    PIPELINES,
    PIPELINES_SUBJECT,
    SERVICE_CONNECTION,
)

if TYPE_CHECKING:
    from .office import Entra

Answer = tuple[int, Mapping[str, Any]]
_MAX_DIGITS = 4  # of a body's length: nobody has much to say here
_APP_SERVICE = "/msi/token"
_MACHINE = "/metadata/identity/oauth2/token"
_GITHUB = "/github/idtoken"
_PIPELINES = "/pipelines/oidctoken"


class Workload:
    """One such place; its methods return the environment variables a program there would find."""

    def __init__(self, office: Entra) -> None:
        self.office = office
        self.system_identity = PIPELINE
        """The application that is the place's own identity."""
        self.github_subject = GITHUB_SUBJECT
        self.pipelines_subject = PIPELINES_SUBJECT
        self.key = secrets.token_urlsafe(24)
        """What a caller here must know: identity header, request token, job token."""
        self.requests: list[tuple[str, str, int]] = []
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen on a loopback port."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
        self._server = self._thread = None

    @property
    def url(self) -> str:
        """Where it listens; raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("The place is not listening: call start() first.")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def app_service(self) -> dict[str, str]:
        """As in App Service and Functions."""
        return {"IDENTITY_ENDPOINT": self.url + _APP_SERVICE, "IDENTITY_HEADER": self.key}

    def virtual_machine(self) -> dict[str, str]:
        """As on a virtual machine; the variable replaces the link-local address."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url}

    def github(self) -> dict[str, str]:
        """As in a GitHub Actions job with `id-token: write`."""
        address = f"{self.url}{_GITHUB}?api-version=2.0"
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": address,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.key,
        }

    def azure_pipelines(self) -> dict[str, str]:
        """As in an Azure Pipelines job with a service connection."""
        return {
            "TF_BUILD": "True",
            "SYSTEM_OIDCREQUESTURI": self.url + _PIPELINES,
            "SYSTEM_ACCESSTOKEN": self.key,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": SERVICE_CONNECTION,
        }

    def kubernetes(self, path: Path) -> dict[str, str]:
        """As in a pod with workload identity: a token is written to `path`."""
        write_private(path, self.office.assertion(KUBERNETES, KUBERNETES_SUBJECT, TOKEN_EXCHANGE).encode())
        return {
            "AZURE_FEDERATED_TOKEN_FILE": str(path),
            "AZURE_CLIENT_ID": PIPELINE,
            "AZURE_TENANT_ID": self.office.directory.tenant_id,
            "AZURE_AUTHORITY_HOST": self.office.url + "/",
        }

    def answer(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        """Return status and body for a request; header names in lower case."""
        parts = urlsplit(url)
        ways = {
            ("GET", _APP_SERVICE): self._app_service,
            ("GET", _MACHINE): self._machine,
            ("GET", _GITHUB): self._github,
            ("POST", _PIPELINES): self._pipelines,
        }
        way = ways.get((method, parts.path))
        try:
            query = dict(parse_qsl(parts.query, max_num_fields=50))
        except ValueError:
            query = {}
        status, body = way(query, headers) if way else (404, {"message": "There is nothing here."})
        self.requests.append((method, parts.path, status))
        return status, body

    def _app_service(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """Microsoft's "REST endpoint reference" of managed identities in App Service."""
        if not _same(headers.get("x-identity-header", ""), self.key):
            return 401, {"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."}
        if query.get("api-version") != "2019-08-01" or not query.get("resource"):
            return 400, {"statusCode": 400, "message": "api-version 2019-08-01 and resource are needed."}
        application = self._identity(query, ("client_id", "object_id", "mi_res_id"))
        if application is None:
            return 400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found."}
        try:
            body = self._token(application, query["resource"])
        except SignInError as refused:
            return 500, {"statusCode": 500, "message": f"AADSTS{refused.number}: {refused.text}"}
        return 200, {name: body[name] for name in ("access_token", "expires_on", "resource", "token_type", "client_id")}

    def _machine(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """The instance metadata service of virtual machines."""
        if headers.get("metadata", "").lower() != "true" or "x-forwarded-for" in headers:
            return 400, _refusal("invalid_request", "Required metadata header not specified")
        if query.get("api-version") != "2018-02-01":
            return 400, _refusal("invalid_request", "Required query variable 'api-version' is missing or not supported")
        if not query.get("resource"):
            return 400, _refusal("invalid_request", "Required query variable 'resource' is missing")
        application = self._identity(query, ("client_id", "object_id", "msi_res_id"))
        if application is None:
            return 400, _refusal("invalid_request", "Identity not found")
        try:
            return 200, self._token(application, query["resource"])
        except SignInError as refused:
            return 400, _refusal(refused.error, f"AADSTS{refused.number}: {refused.text}")

    def _identity(self, query: Mapping[str, str], names: tuple[str, str, str]) -> Application | None:
        """The place's own identity, or the one asked for by client id, object id or resource id (its name here)."""
        asked = [(name, query[name]) for name in names if name in query]
        known = [each for each in self.office.directory.applications.values() if each.managed_identity]
        if not asked:
            return next((each for each in known if each.client_id == self.system_identity), None)
        name, value = asked[0]
        shown = {names[0]: "client_id", names[1]: "principal", names[2]: "name"}[name]
        return next((each for each in known if str(getattr(each, shown)).lower() == value.lower()), None)

    def _token(self, application: Application, resource: str) -> dict[str, Any]:
        office = self.office
        now = office.clock()
        token = office.grants.identity(office.url, application.client_id, resource, now)
        ends = int(now) + office.directory.lifetime
        lifetime = str(office.directory.lifetime)
        told = {"access_token": token, "client_id": application.client_id, "token_type": "Bearer", "resource": resource}
        return {**told, "expires_in": lifetime, "expires_on": str(ends), "not_before": str(int(now))}

    def _github(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if not self._knows(headers):
            return 401, {"message": "The job's token is missing or wrong."}
        audience = query.get("audience", "https://github.com/contoso")
        return 200, {"value": self.office.assertion(GITHUB, self.github_subject, audience)}

    def _pipelines(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        if not self._knows(headers):
            return 401, {"message": "The job's token is missing or wrong."}
        if query.get("api-version") is None or query.get("serviceConnectionId") != SERVICE_CONNECTION:
            return 404, {"message": "There is no such service connection, or api-version is missing."}
        return 200, {"oidcToken": self.office.assertion(PIPELINES, self.pipelines_subject, TOKEN_EXCHANGE)}

    def _knows(self, headers: Mapping[str, str]) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and _same(key, self.key)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _refusal(error: str, text: str) -> dict[str, str]:
    return {"error": error, "error_description": text}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: Workload) -> None:
        self.place = place
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Keep quiet: `Workload.requests` is the log."""

    def _answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > _MAX_DIGITS:
            self.send_error(400)
            return
        self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, body = self.server.place.answer(self.command, self.path, headers)
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer  # noqa: N815  # the base class's names
