"""An emulated Azure AI Health Bot on the emulator's port: portal path, management API, and its resource in Azure.

From the vendor's page on the management API and public clients of it. Bodies of refusals are not published: those here
are made up. What an import does to `active`, `id` and the text of `code` is not published either: `scenario_import`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import bots
from .bearer import Beside, admit
from .bots import Bots, Refused
from .faults import Cut, Faults
from .operation import Operation, Reply
from .options import FaultPlace, Request

SECRET = "only-for-the-emulator-api-jwt-secret"  # noqa: S105  # made up, and worth nothing anywhere else
SUBSCRIPTION = "/subscriptions/00000000-0000-4000-8000-00000000b075"
GROUP = f"{SUBSCRIPTION}/resourceGroups/contoso"
_PREFIXES = ("/account/", "/api/account/", "/subscriptions/")
_API = re.compile(r"/api/account/([^/]+)/(.+)")
_RESOURCES = "/providers/Microsoft.HealthBot/healthBots"
_BY_NAME = {  # documented, and not acted out
    "backup": ("POST",),
    "resources": ("GET", "POST"),
    "localization": ("GET", "POST"),
    "user": ("POST",),
}


class HealthBot:
    """Every bot of one emulator; the faults that strike Dataverse strike here too, by path and method."""

    def __init__(self, kept: Bots, wait: Callable[[float], None], delay: float) -> None:
        self.bots = kept
        self.requests: list[Request] = []
        """What was asked here; `Emulator.requests` has what was asked of Dataverse."""
        self.clock: Callable[[], float] = time.time
        self._wait, self._delay = wait, delay

    @property
    def secret(self) -> str:
        """The signing secret of every bot here."""
        return SECRET

    def portal(self, root: str, tenant: str = "") -> str:
        """The portal link of a bot on the emulator at that address; the bot is made when it is new."""
        name = tenant or bots.TENANT
        self.bots.ensure(name)
        return f"{root}/account/{name}"

    @staticmethod
    def owns(url: str) -> bool:
        """Whether a request for this path is the bot's, not the environment's."""
        return url.partition("?")[0].startswith(_PREFIXES)

    def handle(self, operation: Operation, faults: Faults, beside: Beside) -> Reply:
        """Carry out a request that is the bot's; raises Cut when a fault says so."""
        self._wait(self._delay)
        try:
            self._meet(operation, faults)
            path = operation.url.partition("?")[0]
            if path.startswith("/subscriptions/"):
                return self._azure(operation, path, beside)
            return self._api(operation, path)
        except Refused as refused:
            return _said(refused.status, refused.message, refused.headers)

    def _meet(self, operation: Operation, faults: Faults) -> None:
        slow = faults.take("slow", operation.method, operation.url)
        self._wait(slow.seconds if slow else 0)
        if faults.take("drop-midway", operation.method, operation.url) is not None:
            raise Cut
        places: tuple[FaultPlace, ...] = ("request", "operation")
        for where in places:
            fault = faults.take(where, operation.method, operation.url)
            if fault is not None:
                wait = (("Retry-After", str(fault.retry_after)),) if fault.retry_after is not None else ()
                raise Refused(fault.status, fault.message, wait)

    # the management API

    def _api(self, operation: Operation, path: str) -> Reply:
        found = _API.fullmatch(path)
        tenant = found[1] if found else path.removeprefix("/account/").strip("/")
        if tenant not in self.bots.tenants():
            raise Refused(404, "There is no such tenant.")
        if found is None:
            return Reply(200, b"<!doctype html><title>Emulated Health Bot</title>", "text/html")
        self._admit(operation, tenant)
        return self._act(operation, tenant, found[2])

    def _act(self, operation: Operation, tenant: str, name: str) -> Reply:
        if operation.method in _BY_NAME.get(name, ()):
            raise Refused(501, f"The emulator does not act out {operation.method} {name}.")
        acts: Mapping[tuple[str, str], Callable[[], Any]] = {
            ("GET", "scenarios"): lambda: self.bots.exports(tenant),
            ("GET", "backup"): lambda: self.bots.backup(tenant),
            ("POST", "scenarios"): lambda: self.bots.take(tenant, _array(operation)),
        }
        act = acts.get((operation.method, name))
        if act is None:
            raise Refused(404, f"There is no {operation.method} {name}.")
        return _json(200, act())

    def _admit(self, operation: Operation, tenant: str) -> None:
        """Raises Refused(401) for a token this bot would not take."""
        scheme, _, token = operation.headers.get("authorization", "").partition(" ")
        claims = _claims(token.strip()) if scheme.lower() == "bearer" else None
        if claims is None:
            raise Refused(401, "The token is missing, or its signature is wrong.")
        if claims.get("tenantName") != tenant:
            raise Refused(401, "The token is another tenant's.")
        issued = claims.get("iat")  # the page shows it as text and as a number
        if isinstance(issued, bool) or not re.fullmatch(r"[0-9]{1,12}", str(issued)):
            raise Refused(401, "The token does not say when it was issued.")
        if int(str(issued)) > self.clock():
            raise Refused(401, "The token was issued in the future.")

    # the resource in Azure

    def _azure(self, operation: Operation, path: str, beside: Beside) -> Reply:
        bearer = admit(operation, beside)
        if isinstance(bearer, Reply):
            return bearer
        if "api-version=" not in operation.url:
            raise Refused(400, "The api-version query parameter is required.")
        known = {self.resource(tenant).lower(): tenant for tenant in self.bots.tenants()}
        if operation.method == "GET" and path.lower() == f"{SUBSCRIPTION}{_RESOURCES}".lower():
            return _json(200, {"value": [self._described(tenant, operation.root) for tenant in known.values()]})
        resource, _, act = path.lower().partition("/listsecrets")
        tenant = known.get(resource)
        if tenant is None or act:
            raise Refused(404, "The resource was not found.")
        if operation.method == "POST" and resource != path.lower():
            names = {"WEBCHAT_SECRET": "made-up", "AUTH_JWT_SECRET": "made-up", "API_JWT_SECRET": SECRET}
            return _json(200, {"secrets": [{"keyName": name, "value": value} for name, value in names.items()]})
        if operation.method == "GET" and resource == path.lower():
            return _json(200, self._described(tenant, operation.root))
        raise Refused(405, f"{operation.method} is not served here.")

    @staticmethod
    def resource(tenant: str = bots.TENANT) -> str:
        """The id of a bot's resource. A real one bears the bot's name, without the ending of the tenant name."""
        return f"{GROUP}{_RESOURCES}/{tenant}"

    def _described(self, tenant: str, root: str) -> dict[str, Any]:
        resource = self.resource(tenant)
        properties = {"provisioningState": "Succeeded", "botManagementPortalLink": f"{root}/account/{tenant}"}
        return {
            "id": resource,
            "name": resource.rpartition("/")[2],
            "type": "Microsoft.HealthBot/healthBots",
            "location": "eastus",
            "sku": {"name": "C0"},
            "properties": {**properties, "accessControlMethod": "EntraID"},
        }


def _claims(token: str) -> dict[str, Any] | None:
    """What a token of ours says; None for one with another signature or algorithm (RFC 7515, 7519)."""
    pieces = token.split(".")
    if len(pieces) != 3:
        return None
    proof = hmac.new(SECRET.encode(), f"{pieces[0]}.{pieces[1]}".encode(), hashlib.sha256).digest()
    try:
        header, claims, signature = (base64.urlsafe_b64decode(each + "=" * (-len(each) % 4)) for each in pieces)
        said, told = json.loads(header), json.loads(claims)
    except (binascii.Error, ValueError, RecursionError):
        return None
    is_good = isinstance(said, dict) and said.get("alg") == "HS256" and hmac.compare_digest(proof, signature)
    return told if is_good and isinstance(told, dict) else None


def _array(operation: Operation) -> list[Any]:
    """The array an import must be (the documented form)."""
    if not operation.headers.get("content-type", "").lower().startswith("application/json"):
        raise Refused(415, "The body must be declared as JSON.")
    try:
        found = json.loads(operation.body)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is no JSON.") from None
    if not isinstance(found, list):
        raise Refused(400, "The body must be an array of scenarios.")
    return found


def _json(status: int, value: Any) -> Reply:
    body = json.dumps(value, ensure_ascii=True).encode("ascii")
    return Reply(status, body, "application/json; charset=utf-8")


def _said(status: int, message: str, headers: tuple[tuple[str, str], ...]) -> Reply:
    reply = _json(status, {"error": message})
    return Reply(reply.status, reply.body, reply.content_type, headers)
