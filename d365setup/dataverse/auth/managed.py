"""Managed identities: Azure itself vouches for the machine, and nothing needs to be stored.

Azure's own variables (IDENTITY_ENDPOINT and so on) are read by MSAL from the real environment, never from `.env`.
"""

import threading
from typing import Any

import requests

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth.refusal import SignInError, clean, refused
from d365setup.dataverse.auth.wire import Wire

SYSTEM = "system"
_NOT_HERE = "managed identities exist on machines in Azure only; elsewhere sign in in another way"
_TIMEOUT = (3.0, 30.0)  # the metadata service answers at once, or there is none


class ManagedIdentity:
    """The identity of the machine we run on: `system`, or the client id of one assigned by a user."""

    def __init__(self, which: str, environment: str) -> None:
        if not which.strip():
            raise ValueError("say which managed identity: system, or a client id")
        self._which = which.strip()
        self.client_id = "" if self._which.lower() == SYSTEM else self._which
        self._resource = Address.parse(environment).origin
        self._lock = threading.Lock()
        self._client: Any = None

    def token(self, *, force: bool = False) -> str:
        """From memory while it is valid, else from the machine's identity service. Raises SignInError."""
        with self._lock:
            if force:
                self._client = None  # its memory goes with it
            result = self._ask()
        token = result if isinstance(result, SignInError) else result.get("access_token")
        if isinstance(token, str) and token:
            return token
        if isinstance(result, SignInError):
            raise result
        raise refused(f"with the managed identity {self._which}", result, (), "assign the identity to this machine")

    def _ask(self) -> dict[str, Any] | SignInError:
        try:
            if self._client is None:
                self._client = self._made()
            return dict(self._client.acquire_token_for_client(resource=self._resource))
        except requests.RequestException as found:
            told = f"no managed identity can be reached from this machine ({type(found).__name__})"
            return SignInError(told, _NOT_HERE)
        except ValueError as found:  # MSAL's own errors are ValueErrors, and so is JSON that is none
            return SignInError(f"this machine's identity service cannot be used: {clean(str(found), ())}", _NOT_HERE)

    def _made(self) -> Any:
        import msal  # type: ignore[import-untyped]  # noqa: PLC0415  # slow to load; it ships no types

        is_system = self._which.lower() == SYSTEM
        identity = (
            msal.SystemAssignedManagedIdentity()
            if is_system
            else msal.UserAssignedManagedIdentity(client_id=self._which)
        )
        return msal.ManagedIdentityClient(identity, http_client=Wire(direct=True, only_json=True, timeout=_TIMEOUT))
