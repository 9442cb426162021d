"""A person signs in with a code, on any device with a browser; later runs take the token from a cache."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from d365setup.dataverse.auth.application import failed
from d365setup.dataverse.auth.cache import opened
from d365setup.dataverse.auth.directory import Directory
from d365setup.dataverse.auth.refusal import SignInError, clean, refused
from d365setup.dataverse.payload import one_line

# Microsoft's public client for trying things with Dataverse (learn.microsoft.com, "Quick start with Web API");
# an app registration of one's own is better, and some tenants insist on it.
SAMPLE_CLIENT = "51f81489-12ee-4a9e-aaae-a2591f45987d"
_SLOWER = 5  # seconds more when the service asks to slow down (RFC 8628, 3.5)


class DeviceCode:
    """`tell` gets the text that asks a person to sign in, once; `cache` is the folder tokens are kept in.

    Raises ValueError for an empty client id; `token` raises SignInError when nobody signs in within the time allowed.
    """

    def __init__(  # all but three are keyword-only settings
        self,
        directory: Directory,
        client_id: str,
        tell: Callable[[str], None],
        *,
        cache: Path,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not client_id.strip():
            raise ValueError("the client id is empty")
        self.directory = directory
        self.client_id = client_id.strip()
        self._tell, self._cache, self._sleep, self._clock = tell, cache, sleep, clock
        self._lock = threading.Lock()  # a person is asked once, however many workers wait
        self._app: Any = None
        self._gave_up: SignInError | None = None

    def token(self, *, force: bool = False) -> str:
        """From the cache while it is valid or can be renewed; else a person is asked."""
        with self._lock:
            result = self._gave_up or self._ask(force=force)
            token = None if isinstance(result, SignInError) else result.get("access_token")
            if isinstance(token, str) and token:
                return token
            error = result if isinstance(result, SignInError) else refused("with a device code", result, ())
            self._gave_up = error  # the other workers need not ask the same person again
        raise SignInError(error.message, error.hint)

    def _ask(self, *, force: bool) -> dict[str, Any] | SignInError:
        try:
            app = self._application()
            return self._silent(app, force=force) or self._asked(app)
        except SignInError as found:
            return SignInError(found.message, found.hint)
        except OSError as found:  # a requests.RequestException is one too
            if isinstance(found, requests.RequestException):
                return failed(self.directory, found)
            told = f"the token cache in {self._cache} cannot be used: {found.strerror or type(found).__name__}"
            return SignInError(told, "delete the folder, or set XDG_CACHE_HOME to one that can be written")
        except (ValueError, KeyError) as found:
            return failed(self.directory, found)

    def _application(self) -> Any:
        if self._app is None:
            import msal  # type: ignore[import-untyped]  # noqa: PLC0415  # slow to load; it ships no types

            authority = self.directory.authority().url
            cache, _ = opened(self._cache, self.directory.resource, authority, self.client_id)
            self._app = msal.PublicClientApplication(
                self.client_id,
                authority=authority,
                http_client=self.directory.wire,
                token_cache=cache,
                instance_discovery=False,
            )
        return self._app

    def _silent(self, app: Any, *, force: bool) -> dict[str, Any] | None:
        """A token of the person who signed in last; the cache is this environment's and this client's alone."""
        for account in app.get_accounts():
            found = app.acquire_token_silent(self._scopes, account, force_refresh=force)
            if found and found.get("access_token"):
                return dict(found)
        return None

    def _asked(self, app: Any) -> dict[str, Any]:
        flow = app.initiate_device_flow(scopes=self._scopes)
        if "user_code" not in flow:
            return dict(flow)
        before = list(app.get_accounts())
        self._tell(one_line(clean(str(flow.get("message") or _message(flow)), ()), 500))
        result = self._polled(app, flow)
        if result.get("access_token"):
            name = (result.get("id_token_claims") or {}).get("preferred_username")
            for old in before:
                if old.get("username") != name:
                    app.remove_account(old)
        return result

    def _polled(self, app: Any, flow: dict[str, Any]) -> dict[str, Any]:
        """Ask until somebody has signed in, or the code is too old; MSAL itself would wait in a loop of its own."""
        interval = min(max(int(flow.get("interval", 5)), 1), 60)
        until = self._clock() + min(int(flow.get("expires_in", 900)), 3600)
        while True:
            result = dict(app.acquire_token_by_device_flow(flow, exit_condition=lambda _flow: True))
            error = result.get("error")
            if error not in ("authorization_pending", "slow_down"):
                return result
            if self._clock() + interval > until:
                return {"error": "expired_token", "error_description": "nobody signed in with the code in time"}
            interval += _SLOWER if error == "slow_down" else 0
            self._sleep(interval)

    @property
    def _scopes(self) -> list[str]:
        return [f"{self.directory.resource}/user_impersonation"]


def _message(flow: dict[str, Any]) -> str:
    return f"To sign in, open {flow.get('verification_uri', 'the page named by Entra')} and enter {flow['user_code']}"
