"""Who a request speaks for: what stands beside the service on its port, what a token proves, and the 401."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Protocol

from .functions import TENANT
from .operation import Operation, Reply
from .store import Rows

PUBLIC_AUTHORITY = f"https://login.microsoftonline.com/{TENANT}"


@dataclass(frozen=True)
class Bearer:
    """What a token proves; without application and person it stands for the emulator's own caller."""

    token: str
    application_id: str = ""
    object_id: str = ""
    """The person's, when one signed in through the application."""


class Unproven(Exception):
    """The token is not accepted; the text says why, for the header `401_error_reason`."""


class Beside(Protocol):
    """What stands beside the service on the same port: how connections are made, and who issues tokens."""

    scheme: str

    def wrap(self, listening: socket.socket) -> socket.socket:
        """Return the socket to accept connections from."""
        ...

    def authority_for(self, root: str) -> str:
        """Return the address of the tenant that issues tokens for the service at `root`."""
        ...

    def answer(self, operation: Operation) -> Reply | None:
        """Return the reply to a request that is not the service's own, None for one that is."""
        ...

    def check(self, token: str, root: str) -> Bearer:
        """Return what a token proves to the service at `root`; raises Unproven."""
        ...


class AnyToken:
    """Nothing stands beside it: plain HTTP, and any token will do."""

    scheme = "http"

    def wrap(self, listening: socket.socket) -> socket.socket:
        """The socket as it is."""
        return listening

    def authority_for(self, _root: str) -> str:
        """The public cloud's."""
        return PUBLIC_AUTHORITY

    def answer(self, _operation: Operation) -> Reply | None:
        """Every request is the service's own."""
        return None

    def check(self, token: str, _root: str) -> Bearer:
        """Whatever it is."""
        return Bearer(token)


def admit(operation: Operation, beside: Beside) -> Bearer | Reply:
    """Return what the request's token proves, or the 401 that names authority and resource."""
    authorization = operation.headers.get("authorization", "")
    token = authorization[7:].strip()
    if not authorization.lower().startswith("bearer ") or not token:
        return _challenge(operation, beside, "Authorization header is missing.")
    try:
        return beside.check(token, operation.root)
    except Unproven as refused:
        return _challenge(operation, beside, str(refused))


def _challenge(operation: Operation, beside: Beside, reason: str) -> Reply:
    """Values unquoted, comma-separated, no body (seen in Microsoft's guide to the discovery of the authority)."""
    authority = f"{beside.authority_for(operation.root)}/oauth2/authorize"
    challenge = f"Bearer authorization_uri={authority}, resource_id={operation.root}/"
    return Reply(401, headers=(("WWW-Authenticate", challenge), ("401_error_reason", reason)))


def user_of(rows: Rows, bearer: Bearer) -> str:
    """Return the id of the user row a token stands for; empty when the organization has none."""
    column = "azureactivedirectoryobjectid" if bearer.object_id else "applicationid"
    found = rows.find("systemuser", **{column: bearer.object_id or bearer.application_id})
    return str(found[0]["systemuserid"]) if found else ""
