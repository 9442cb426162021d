"""Signed tokens: making them, reading them back, and the keys the rest of the world checks them with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from .certificates import key_pem, new_key, unpadded, write_private

MAX_TOKEN = 16 * 1024
ALGORITHMS = ("RS256", "PS256")  # MSAL signs assertions with either
SKEW = 300  # seconds that clocks may differ, as Microsoft's libraries allow


class Untrusted(Exception):
    """Not a token, or not signed by whom it should be."""


class Keys:
    """A key pair that signs tokens."""

    def __init__(self, private: rsa.RSAPrivateKey | None = None) -> None:
        self._private = private or new_key()
        self.public = self._private.public_key()
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = unpadded(hashlib.sha256(self.public.public_bytes(*form)).digest()[:20])

    @classmethod
    def kept_in(cls, path: Path) -> Keys:
        """The pair of a file, made when there is none: tokens then outlive the process that gave them."""
        try:
            found = _parsed(path.read_bytes())
        except FileNotFoundError:
            keys = cls()
            write_private(path, key_pem(keys._private))
            return keys
        if not isinstance(found, rsa.RSAPrivateKey):
            raise TypeError(f"{path} holds no RSA key")
        return cls(found)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a token."""
        return jwt.encode(dict(claims), self._private, "RS256", {"kid": self.id})

    def read(self, token: str) -> dict[str, Any]:
        """Return a token's claims; raises Untrusted unless it was signed with this pair. Times are not looked at."""
        return verified(token, self.public, ("RS256",))

    def public_set(self, issuer: str) -> dict[str, Any]:
        """The public key as `/discovery/v2.0/keys` shows it."""
        numbers = self.public.public_numbers()
        shown = {name: unpadded(value.to_bytes((value.bit_length() + 7) // 8)) for name, value in _numbers(numbers)}
        return {"keys": [{"kty": "RSA", "use": "sig", "kid": self.id, "x5t": self.id, **shown, "issuer": issuer}]}


@lru_cache(maxsize=8)
def _parsed(pem: bytes) -> PrivateKeyTypes:
    """A pair from its file. Checking one takes a thirtieth of a second, and each start of an office asks for two."""
    return serialization.load_pem_private_key(pem, None)


def _numbers(numbers: rsa.RSAPublicNumbers) -> tuple[tuple[str, int], ...]:
    return (("n", numbers.n), ("e", numbers.e))


def verified(token: str, key: Any, algorithms: Sequence[str] = ALGORITHMS) -> dict[str, Any]:
    """Return the claims of a token signed with that key; raises Untrusted. Times and names are not looked at."""
    _check_size(token)
    if not isinstance(key, rsa.RSAPublicKey):
        raise Untrusted("no RSA key is known to check it with")
    try:
        return dict(jwt.decode(token, key, algorithms=list(algorithms), options=_SIGNATURE_ONLY))
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Untrusted(str(error)) from None


def unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token nobody has checked; raises Untrusted when it has none."""
    _check_size(token)
    try:
        header = jwt.get_unverified_header(token)
        return dict(header), dict(jwt.decode(token, options={"verify_signature": False}))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Untrusted(str(error)) from None


def is_current(claims: Mapping[str, Any], now: float) -> bool:
    """Whether `nbf` and `exp` allow the moment, with the usual allowance for clocks."""
    starts, ends = claims.get("nbf", 0), claims.get("exp")
    if not _is_number(starts) or not _is_number(ends):
        return False
    return starts - SKEW <= now < ends + SKEW


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_size(token: str) -> None:
    if len(token) > MAX_TOKEN:
        raise Untrusted(f"longer than {MAX_TOKEN} characters")


_SIGNATURE_ONLY: Any = {
    f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")
}  # the caller looks at those itself, with its own clock and its own words
