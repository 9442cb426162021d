"""`$batch`: multipart text to operations, replies to multipart text. Pure."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import pairwise
from urllib.parse import quote

from .errors import ServiceError, bad_query, payload
from .operation import Operation, Reply

MAX_OPERATIONS = 1000
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_REST_OF_LINE = re.compile(r"(--)?[ \t]*\r?(?:\n|\Z)")


@dataclass(frozen=True)
class ChangeSet:
    """Writes that land together or not at all."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class ChangeSetReply:
    """The replies of a change set, with the Content-ID of each; a failed one holds the error alone."""

    parts: tuple[tuple[str | None, Reply], ...]
    failed: bool


Item = Operation | ChangeSet
ItemReply = Reply | ChangeSetReply


def parse_batch(body: bytes, content_type: str, root: str, service: str) -> list[Item]:
    """Return what a batch asks for; `service` is the service root relative part URLs start from."""
    text = body.decode("utf-8", "strict") if _is_utf8(body) else None
    if text is None or not text.strip():
        raise payload("$batch", "Stream was not readable.")
    items = [_item(headers, rest, root, service) for headers, rest in _parts(text, _boundary(content_type))]
    count = sum(len(item.operations) if isinstance(item, ChangeSet) else 1 for item in items)
    if count > MAX_OPERATIONS:
        raise bad_query(f"The batch holds {count} operations; at most {MAX_OPERATIONS} are allowed.")
    return items


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _boundary(content_type: str) -> str:
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/mixed") or found is None:
        raise ServiceError(415, "0x80060888", "A batch must be multipart/mixed with a boundary.")
    return found.group(1) or found.group(2)


def _parts(text: str, boundary: str) -> Iterator[tuple[dict[str, str], str]]:
    """Yield header block and rest of each part; a delimiter is a line of its own, LF or CRLF."""
    marks = list(_delimiters(text, f"--{boundary}"))
    if not marks or not marks[-1][1].group(1):
        raise payload("$batch", "Stream was not readable.")
    for (_, line), (following, _) in pairwise(marks):
        if line.group(1):
            break
        inner = text[line.end() : following]
        yield _headers_and_rest(inner.removesuffix("\n").removesuffix("\r"))


def _delimiters(text: str, delimiter: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Where each line begins that is a delimiter, and its rest; every batch's is another, so no pattern is compiled."""
    found = text.find(delimiter)
    while found >= 0:
        rest = _REST_OF_LINE.match(text, found + len(delimiter))
        if rest and (found == 0 or text[found - 1] == "\n"):
            yield found, rest
        found = text.find(delimiter, found + len(delimiter))


def _headers_and_rest(text: str) -> tuple[dict[str, str], str]:
    blank = re.search(r"^\r?\n", text, re.MULTILINE)
    if blank is None:
        return _header_lines(text), ""
    return _header_lines(text[: blank.start()]), text[blank.end() :]


def _header_lines(text: str) -> dict[str, str]:
    headers = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers


def _item(headers: Mapping[str, str], rest: str, root: str, service: str) -> Item:
    kind = headers.get("content-type", "")
    if kind.lower().startswith("multipart/mixed"):
        return ChangeSet(tuple(_member(*part, root, service) for part in _parts(rest, _boundary(kind))))
    if not kind.lower().startswith("application/http"):
        raise bad_query(f"The content type '{kind}' of a batch part is not supported.")
    return _operation(headers, rest, root, service)


def _member(headers: Mapping[str, str], rest: str, root: str, service: str) -> Operation:
    operation = _operation(headers, rest, root, service)
    if operation.content_id is None:
        raise bad_query("Content-ID is missing: every operation of a change set needs one.")
    if not operation.is_write:
        raise bad_query(f"{operation.method} cannot stand in a change set.")
    return operation


def _operation(headers: Mapping[str, str], rest: str, root: str, service: str) -> Operation:
    line, _, remainder = rest.lstrip("\r\n").partition("\n")
    words = line.strip().split(" ")
    if len(words) < 3 or not words[-1].startswith("HTTP/"):
        raise payload("$batch", f"The request line '{line.strip()[:200]}' is not valid.")
    own, body = _headers_and_rest(remainder)
    operation = Operation(
        method=words[0].upper(),
        url=_rooted(" ".join(words[1:-1]).strip(), service),
        headers=own,
        body=body.strip("\r\n").encode(),
        root=root,
        content_id=headers.get("content-id", own.get("content-id")),
    )
    return replace(operation, url=operation.url.replace(" ", "%20"))


def _rooted(url: str, service: str) -> str:
    if re.match(r"https?://|/|\$(?!metadata|batch)\w", url):
        return url
    return f"{service}{url}"


def write_batch(replies: Iterable[ItemReply], single: bool) -> tuple[bytes, str]:  # noqa: FBT001  # the switch itself
    """Return body and content type of a batch reply; `single` gives a failed change set no wrapper."""
    boundary = f"batchresponse_{uuid.uuid4()}"
    text = "".join(f"--{boundary}\r\n{_reply(each, single=single)}" for each in replies)
    return f"{text}--{boundary}--\r\n".encode(), f"multipart/mixed; boundary={boundary}"


def _reply(reply: ItemReply, *, single: bool) -> str:
    if isinstance(reply, Reply):
        return _part(reply, None)
    if reply.failed and single:
        return _part(reply.parts[0][1], reply.parts[0][0])
    boundary = f"changesetresponse_{uuid.uuid4()}"
    parts = "".join(f"--{boundary}\r\n{_part(each, content_id)}" for content_id, each in reply.parts)
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{parts}--{boundary}--\r\n"


def _part(reply: Reply, content_id: str | None) -> str:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {quote(content_id)}")
    lines += ["", f"HTTP/1.1 {reply.status} {reason(reply.status)}"]
    if reply.content_type:
        lines.append(f"Content-Type: {reply.content_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    lines += ["OData-Version: 4.0", "", reply.body.decode()]
    return "\r\n".join(lines) + "\r\n"


def reason(status: int) -> str:
    """Return the words after a status; letters and spaces only."""
    return HTTPStatus(status).phrase.replace("-", " ") if status in HTTPStatus._value2member_map_ else "Unknown"
