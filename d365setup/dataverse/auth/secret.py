"""Secrets that cannot be printed, what a token source is, and the simplest of them."""

import base64
import binascii
import json
from typing import Any, NoReturn, Protocol


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

    @property
    def expires(self) -> float | None:
        """When the token says it ends, in seconds since 1970; None for a token that cannot be read."""
        expires = claims(self._token.reveal()).get("exp")
        is_time = isinstance(expires, int | float) and not isinstance(expires, bool) and 0 < expires < 1e11
        return float(expires) if is_time and expires is not None else None


def claims(token: str) -> dict[str, Any]:
    """What a JSON web token says of itself, unproven; empty for any other text. To tell people, never to decide."""
    pieces = token.split(".")
    if len(pieces) != 3:
        return {}
    try:
        text = base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4))
        found = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
