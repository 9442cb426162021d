"""Applications that sign in by themselves (client credentials): with a secret here, with other proofs in subclasses."""

import json
import threading
import time
from abc import ABC, abstractmethod
from typing import Any

import requests

from d365setup.dataverse.auth.directory import Directory
from d365setup.dataverse.auth.refusal import OTHER_CURE, SignInError, clean, refused, unreachable
from d365setup.dataverse.auth.secret import Secret
from d365setup.dataverse.auth.wire import Garbled, Strayed, Wire
from d365setup.dataverse.payload import one_line

FAILED_SECONDS = 30.0  # so long a failure stands for the other workers too, who would only wait for the same one


class Application(ABC):
    """An app registration with some proof that it is the one. Raises ValueError for an empty client id."""

    cure = OTHER_CURE

    def __init__(self, directory: Directory, client_id: str) -> None:
        if not client_id.strip():
            raise ValueError("the client id is empty")
        self.directory = directory
        self.client_id = client_id.strip()
        self._lock = threading.Lock()  # one request for a token at a time; the others find it in MSAL's cache
        self._app: Any = None
        self._failed: tuple[float, SignInError] | None = None

    @abstractmethod
    def _proof(self) -> Any:
        """What MSAL calls the client credential."""

    @abstractmethod
    def _secrets(self) -> tuple[str, ...]:
        """What no message may hold."""

    def token(self, *, force: bool = False) -> str:
        """From MSAL's memory while it is valid, else from the sign-in service."""
        with self._lock:
            error = self._failed[1] if self._failed and time.monotonic() < self._failed[0] else None
            if error is None:
                result = self._ask(force=force)
                token = None if isinstance(result, SignInError) else result.get("access_token")
                if isinstance(token, str) and token:
                    return token
                error = result if isinstance(result, SignInError) else self._refused(result)
                self._failed = time.monotonic() + FAILED_SECONDS, error
        # Raised out here, not inside an `except`: what MSAL and requests raise still holds the request they sent.
        raise SignInError(error.message, error.hint)

    def _refused(self, answer: dict[str, Any]) -> SignInError:
        return refused(f"as {one_line(self.client_id, 100)}", answer, self._secrets(), self.cure)

    def _ask(self, *, force: bool) -> dict[str, Any] | SignInError:
        try:
            app = self._application()
            if force:
                app.remove_tokens_for_client()
            return dict(app.acquire_token_for_client(scopes=[f"{self.directory.resource}/.default"]))
        except SignInError as found:
            return SignInError(found.message, found.hint)  # anew: the old one's context may hold a request
        except (requests.RequestException, ValueError, KeyError) as found:
            return failed(self.directory, found, self._secrets())

    def _application(self) -> Any:
        if self._app is None:
            # Slow to load, and needed by this way of signing in only; it ships no types.
            import msal  # type: ignore[import-untyped]  # noqa: PLC0415

            self._app = msal.ConfidentialClientApplication(
                self.client_id,
                authority=self.directory.authority().url,
                client_credential=self._proof(),
                http_client=self.directory.wire,
                instance_discovery=False,  # the service is one we know or were told; no third party is asked
            )
        return self._app


class ClientSecret(Application):
    """An app registration that signs in with a secret. Raises ValueError for an empty one; `token` raises AuthError."""

    def __init__(self, directory: Directory, client_id: str, secret: str | Secret) -> None:
        super().__init__(directory, client_id)
        self._secret = secret if isinstance(secret, Secret) else Secret(secret)
        if not self._secret.reveal().strip():
            raise ValueError("the secret is empty")

    def _proof(self) -> Any:
        return self._secret.reveal()

    def _secrets(self) -> tuple[str, ...]:
        return (self._secret.reveal(),)


def failed(directory: Directory, found: Exception, secrets: tuple[str, ...] = ()) -> SignInError:
    """The error for what MSAL or requests raised; made anew, so that nothing of the request stays with it."""
    service = directory.authority().url  # known by now, or a SignInError would have come first
    if isinstance(found, Strayed):
        return SignInError(f"the sign-in service {service} sends us elsewhere, where no secret goes: {found}")
    if isinstance(found, Garbled):
        told = f"the sign-in service {service} gave an answer that cannot be read ({found})"
        return SignInError(told, "check that no proxy answers in its place, and D365_AUTHORITY where it is set")
    if isinstance(found, requests.RequestException):
        return unreachable(f"the sign-in service {service}", found)
    said = _last_said(directory.wire)
    if said:  # MSAL raises its own text for a tenant that does not exist; the service said it better
        return refused(f"at {service}", said, secrets)
    told = clean(str(found), secrets) if isinstance(found, ValueError) else type(found).__name__
    return SignInError(f"sign-in at {service} is not possible: {told}", "check tenant, client id and D365_AUTHORITY")


def _last_said(wire: Wire) -> dict[str, Any]:
    try:
        said = json.loads(wire.last.text) if wire.last else {}
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and said.get("error") else {}
