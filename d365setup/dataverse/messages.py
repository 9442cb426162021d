"""Requests and replies as values: what a batch is made of and what comes back. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from d365setup.dataverse.errors import DataverseError, NotAnswered


class Headers(Mapping[str, str]):
    """Headers of an answer; names are compared without case, the first of several equal ones counts."""

    def __init__(self, items: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._items: dict[str, str] = {}
        for name, value in pairs:
            self._items.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"


@dataclass(frozen=True)
class Request:
    """One request: `path` is relative to the service root and percent-encoded, `body` is sent as JSON."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", dict(self.headers))


@dataclass(frozen=True)
class ChangeSet:
    """Writes that land together or not at all."""

    requests: tuple[Request, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "requests", tuple(self.requests))


Part = Request | ChangeSet


@dataclass(frozen=True)
class Reply:
    """The answer to one request; `error` is set for every status of 400 and above, and when none came (status 0)."""

    status: int
    headers: Mapping[str, str] = field(default_factory=Headers)
    body: Any = None
    error: DataverseError | None = None


@dataclass(frozen=True)
class ChangeSetReply:
    """The answer to a change set: one reply per request when it `landed`, else the error that undid it.

    `failed_content_id` is the 1-based place of the request at fault, as text, where the service names it.
    """

    replies: tuple[Reply, ...]
    error: DataverseError | None = None
    failed_content_id: str | None = None
    landed: bool = False


PartReply = Reply | ChangeSetReply


def unanswered(part: Part, reason: str) -> PartReply:
    """What stands for a part the service gave no answer to; its error is NotAnswered."""
    error = NotAnswered(reason)
    return ChangeSetReply((), error) if isinstance(part, ChangeSet) else Reply(0, error=error)


def requests_of(parts: Sequence[Part]) -> list[Request]:
    """Every single request, those inside change sets too."""
    found: list[Request] = []
    for part in parts:
        found.extend(part.requests if isinstance(part, ChangeSet) else (part,))
    return found


def only_reads(parts: Sequence[Part]) -> bool:
    """Whether nothing here can change anything."""
    return all(request.method == "GET" for request in requests_of(parts))
