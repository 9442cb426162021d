"""What evidence says: one command, from what it took in to how it ended, as records. Pure.

A document that a command ended with stands in pieces: its own record, and one for each item of its lists, so that
each change, outcome and finding has bytes of its own. `documents` puts them together again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from d365setup.evidence.chain import SCHEMA, Record

_ITEMS = {
    "changes": "change", "drift": "drift", "outcomes": "outcome", "findings": "finding", "warnings": "warning",
    "problems": "problem", "tests": "test", "unchecked": "unchecked",
}  # fmt: skip


@dataclass(frozen=True)
class Previous:
    """The evidence that this one was written behind: its file's name, and the digest of all its bytes."""

    file: str
    sha256: str

    @classmethod
    def read(cls, value: Any) -> Previous | None:
        """From a record; None where it says that there is none."""
        if not isinstance(value, Mapping):
            return None
        return cls(str(value.get("file", "")), str(value.get("sha256", "")))


@dataclass(frozen=True)
class Input:
    """A file that was read: what for, its name, and its SHA-256."""

    role: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Exchanged:
    """A request that was sent: its own id, and the one the service gave it, which Microsoft's support asks for."""

    method: str
    operations: int
    client_request_id: str
    service_request_id: str
    status: int | None


@dataclass(frozen=True)
class Case:
    """One command, as evidence tells it. Times are UTC, in ISO 8601; no field may hold a secret.

    ``documents`` are JSON values, by what they are: ``result`` is what was printed.
    """

    version: str
    command: str
    options: Mapping[str, Any]
    started: str
    ended: str
    exit_code: int
    documents: tuple[tuple[str, Mapping[str, Any]], ...]
    inputs: tuple[Input, ...] = ()
    sign_in: str = ""
    application: str = ""
    user_id: str = ""
    url: str = ""
    organization_id: str = ""
    organization: str = ""
    exchanged: tuple[Exchanged, ...] = ()
    sent: int = 0  # requests in all; those behind the last thousand are not in `exchanged`
    redacted: bool = False


def records(case: Case, previous: Previous | None = None, signed_by: str = "") -> Iterator[Record]:
    """The records of a case, in their order; the seal is not among them."""
    behind = {"file": previous.file, "sha256": previous.sha256} if previous else None
    yield {"record": "start", "schema": SCHEMA, "previous": behind, "signed_by": signed_by or None}
    yield {
        "record": "call", "version": case.version, "command": case.command, "options": dict(case.options),
        "started": case.started, "redacted": case.redacted,
    }  # fmt: skip
    yield {"record": "identity", "sign_in": case.sign_in, "application": case.application, "user_id": case.user_id}
    yield {
        "record": "environment", "url": case.url, "organization_id": case.organization_id, "name": case.organization,
    }  # fmt: skip
    for each in case.inputs:
        yield {"record": "input", "role": each.role, "name": each.name, "digest": each.sha256}
    yield {"record": "requests", "sent": case.sent, "recorded": len(case.exchanged)}
    for sent in case.exchanged:
        yield {"record": "request", **vars(sent)}
    for role, document in case.documents:
        yield from _document(role, document)
    yield {"record": "end", "ended": case.ended, "exit_code": case.exit_code}


def _document(role: str, document: Mapping[str, Any]) -> Iterator[Record]:
    lists = {name: value for name, value in document.items() if _has_items(value)}
    rest = {name: None if name in lists else value for name, value in document.items()}
    counts = {name: len(value) for name, value in lists.items()}
    yield {"record": "document", "of": role, "document": rest, "lists": counts}
    for name, items in lists.items():
        for value in items:
            yield {"record": "item", "of": role, "list": name, "value": value}


def _has_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def documents(found: Iterable[Record]) -> dict[str, dict[str, Any]]:
    """The documents that stand in these records, whole again, by what they are."""
    whole: dict[str, dict[str, Any]] = {}
    for each in found:
        if each["record"] == "document":
            lists: dict[str, Any] = {name: [] for name in each["lists"]}
            whole[each["of"]] = {name: lists.get(name, value) for name, value in each["document"].items()}
        elif each["record"] == "item":
            whole[each["of"]][each["list"]].append(each["value"])
    return whole


def label(record: Any) -> str:
    """What a record is about, in a word or two."""
    match record:
        case {"record": "item", "list": str(name), "value": dict(value)}:
            return f"{_ITEMS.get(name, name)} {_subject(value)}".strip()
        case {"record": "input", "name": str(name)}:
            return f"input {name}"
        case {"record": "document", "of": str(role)}:
            return f"document {role}"
        case {"record": str(name)}:
            return name
    return "this line"


def _subject(value: Mapping[str, Any]) -> str:
    if isinstance(value.get("kind"), str) and isinstance(value.get("key"), str):
        return f"{value['kind']}:{value['key']}"
    return str(value.get("id") or value.get("name") or "")[:100]
