"""Where tokens come from. MSAL is loaded when the first token is asked for, not before.

Certificate, federated token, managed identity and device code are further classes here: each is a TokenSource.
"""

import re
import threading
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

import requests

from d365setup.dataverse.address import Address
from d365setup.dataverse.errors import AuthError
from d365setup.dataverse.payload import one_line

PUBLIC_CLOUD = "https://login.microsoftonline.com"
_TIMEOUT = 30  # seconds, per request to the sign-in service

# learn.microsoft.com, "Microsoft Entra authentication and authorization error codes"
_CURES = {
    "AADSTS7000215": "use the secret's value, not its id, as the portal showed it when the secret was made",
    "AADSTS7000222": "the secret has expired: make a new one for the app registration",
    "AADSTS700016": "check the client id, and that the app is registered in this tenant",
    "AADSTS90002": "check the tenant id or domain",
    "AADSTS900023": "check the tenant id or domain",
    "AADSTS500011": "check the environment's address; the tenant knows no such environment",
    "AADSTS53003": "a conditional access policy blocks this app: ask the tenant's administrator",
}
_OTHER_CURE = "check tenant, client id and secret"


class Secret:
    """Text that shows as *** wherever it is printed, formatted or logged; `reveal` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: only for the request that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, _spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be stored: pass its `env:` reference instead")


class TokenSource(Protocol):
    """Gives bearer tokens; `force` asks for one that is newly made. Raises AuthError; called by many threads."""

    def token(self, *, force: bool = False) -> str:
        """A token that is valid now."""
        ...


class StaticToken:
    """A token from elsewhere; it cannot be renewed."""

    def __init__(self, token: str | Secret) -> None:
        self._token = token if isinstance(token, Secret) else Secret(token)
        text = self._token.reveal()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("the access token is empty or holds characters no token has")

    def token(self, *, force: bool = False) -> str:
        """Always the same one."""
        del force
        return self._token.reveal()


class ClientSecret:
    """An app registration that signs in with a secret (client credentials flow).

    `resource_url` is the environment's address, `authority_host` the cloud's sign-in service.
    Raises ValueError for arguments that cannot be right; `token` raises AuthError.
    """

    def __init__(
        self,
        tenant: str,
        client_id: str,
        secret: str | Secret,
        resource_url: str,
        authority_host: str = PUBLIC_CLOUD,
    ) -> None:
        self._secret = secret if isinstance(secret, Secret) else Secret(secret)
        self._client_id = client_id
        self._authority = _authority(authority_host, tenant)
        self._scope = f"{Address.parse(resource_url).origin}/.default"
        self._lock = threading.Lock()  # one request for a token at a time; the others find it in MSAL's cache
        self._app: Any = None

    def token(self, *, force: bool = False) -> str:
        """From MSAL's memory while it is valid, else from the sign-in service."""
        with self._lock:
            result, problem = self._ask(force=force)
        token = result.get("access_token")
        if isinstance(token, str) and token:
            return token
        # Raised out here, not inside an `except`: what MSAL and requests raise still holds the request they sent.
        raise AuthError(problem or self._refusal(result), code="")

    def _ask(self, *, force: bool) -> tuple[dict[str, Any], str]:
        try:
            app = self._application()
            if force:
                app.remove_tokens_for_client()
            return dict(app.acquire_token_for_client(scopes=[self._scope])), ""
        except requests.RequestException as found:
            return (
                {},
                f"the sign-in service {self._authority} cannot be reached ({type(found).__name__}): check the network",
            )
        except ValueError as found:
            return {}, f"sign-in at {self._authority} is not possible: {self._clean(str(found))}; {_OTHER_CURE}"

    def _application(self) -> Any:
        if self._app is None:
            # Slow to load, and needed by this way of signing in only; it ships no types.
            import msal  # type: ignore[import-untyped]  # noqa: PLC0415

            self._app = msal.ConfidentialClientApplication(
                self._client_id,
                authority=self._authority,
                client_credential=self._secret.reveal(),
                timeout=_TIMEOUT,
            )
        return self._app

    def _refusal(self, result: dict[str, Any]) -> str:
        said = self._clean(str(result.get("error_description") or result.get("error") or "no reason given"))
        code = re.search(r"AADSTS[0-9]+", said)
        cure = _CURES.get(code[0], _OTHER_CURE) if code else _OTHER_CURE
        return f"sign-in as {one_line(self._client_id, 100)} failed: {said}; {cure}"

    def _clean(self, text: str) -> str:
        secret = self._secret.reveal()
        return one_line(text.replace(secret, "***") if secret else text, 600)


def _authority(host: str, tenant: str) -> str:
    parts = urlsplit(host)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise ValueError(f"the sign-in service's address must be like {PUBLIC_CLOUD}")
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.-]{0,253}", tenant):
        raise ValueError("the tenant must be an id or a domain like contoso.onmicrosoft.com")
    return f"https://{parts.netloc}/{tenant}"
