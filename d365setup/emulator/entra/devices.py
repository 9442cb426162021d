"""Device codes: asked for by a program, answered by a person elsewhere."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace

from .directory import Directory, Person
from .errors import SignInError

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
_MAX_WAITING = 1000


@dataclass(frozen=True)
class DeviceCode:
    """One request; `person` once somebody has said yes."""

    user_code: str
    client_id: str
    scope: str
    ends: float
    person: Person | None = None
    declined: bool = False


class Devices:
    """The device codes of one office; safe to use from many threads."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._codes: dict[str, DeviceCode] = {}

    def begin(self, client_id: str, scope: str, now: float) -> tuple[str, DeviceCode]:
        """Return a new device code, and what it stands for."""
        user_code = "".join(secrets.choice(_LETTERS) for _ in range(9))
        made = DeviceCode(user_code, client_id, scope, now + self._directory.device_code_lifetime)
        with self._lock:
            if len(self._codes) >= _MAX_WAITING:
                self._codes.pop(next(iter(self._codes)))
            device_code = secrets.token_urlsafe(64)
            self._codes[device_code] = made
        return device_code, made

    def waiting(self) -> list[str]:
        """The user codes nobody has answered yet."""
        with self._lock:
            return [each.user_code for each in self._codes.values() if each.person is None and not each.declined]

    def answer(self, user_code: str, person: Person | None) -> None:
        """Let a person say yes (or, with None, no). Raises KeyError for a code nobody waits for."""
        with self._lock:
            for key, each in self._codes.items():
                if each.user_code == user_code.strip().upper() and each.person is None and not each.declined:
                    self._codes[key] = replace(each, person=person, declined=person is None)
                    return
        raise KeyError(f"no sign-in waits for the code {user_code!r}")

    def redeem(self, device_code: str, client_id: str, now: float) -> tuple[DeviceCode, Person]:
        """Return what a code has come to, once; raises SignInError while it waits, or for good."""
        with self._lock:
            found = self._codes.get(device_code)
            if found is None or found.client_id.lower() != client_id.lower():
                told = "The provided value for the input parameter 'device_code' is not valid."
                raise SignInError(70000, "bad_verification_code", told)
            if now >= found.ends:
                raise self._expired()
            if found.declined:
                raise SignInError(70017, "authorization_declined", "The end user denied the authorization request.")
            if found.person is None:
                told = "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
                raise SignInError(70016, "authorization_pending", told)
            del self._codes[device_code]
            return found, found.person

    def _expired(self) -> SignInError:
        if self._directory.expired_device_code == 70019:
            return SignInError(70019, "expired_token", "Verification code expired. Have the user retry the sign-in.")
        told = "The provided value for the input parameter 'device_code' is not valid. This device code has expired."
        return SignInError(70020, "expired_token", told)
