"""One operation and its reply: the same thing alone, in a batch and in a change set."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .errors import ServiceError

JSON = "application/json; odata.metadata=minimal"
WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


@dataclass(frozen=True)
class Operation:
    """What is asked; header names in lower case, `root` the service's origin."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    root: str = ""
    content_id: str | None = None

    @property
    def is_write(self) -> bool:
        """Whether it may change rows."""
        return self.method in WRITES

    @cached_property
    def preferences(self) -> dict[str, str]:
        """The Prefer header by preference name."""
        found = {}
        for part in _split_preferences(self.headers.get("prefer", "")):
            name, _, value = part.partition("=")
            found[name.strip().lower()] = value.strip().strip('"')
        return found

    @property
    def annotations(self) -> tuple[str, ...]:
        """Annotation patterns the caller wants."""
        wanted = self.preferences.get("odata.include-annotations", "")
        return tuple(part.strip() for part in wanted.split(",") if part.strip())

    @property
    def wants_row(self) -> bool:
        """Whether the row is to come back from a write."""
        return self.preferences.get("return") == "representation"


def _split_preferences(text: str) -> list[str]:
    parts, quote, start = [], False, 0
    for index, sign in enumerate(text):
        if sign == '"':
            quote = not quote
        elif sign in ",;" and not quote:
            parts.append(text[start:index])
            start = index + 1
    return [part for part in (*parts, text[start:]) if part.strip()]


@dataclass(frozen=True)
class Reply:
    """What is answered; a body is JSON already written."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it reports an error."""
        return self.status >= 400

    def header(self, name: str) -> str | None:
        """Return a header's first value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def json_reply(status: int, value: Mapping[str, Any], headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """Return a reply with a JSON body."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Reply(status, body, JSON, tuple(headers))


def error_reply(error: ServiceError, annotations: Iterable[str] = ()) -> Reply:
    """Return the reply that carries an error."""
    shown: dict[str, Any] = {"code": error.code, "message": error.message}
    if "*" in annotations:
        shown["@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionHttpStatusCode"] = str(error.status)
        shown["@Microsoft.PowerApps.CDS.TraceText"] = ""
    headers = (("REQ_ID", str(uuid.uuid4())), *error.headers)
    return json_reply(error.status, {"error": shown}, headers)
