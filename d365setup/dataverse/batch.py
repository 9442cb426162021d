"""$batch: requests to text, text to replies. Pure.

Shape and rules: learn.microsoft.com, "Execute batch operations using the Web API"; OData 4.0 part 1, 11.7.
The layout of a failed change set differs between the OData text and the live service; both are read.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from d365setup.dataverse.address import Address
from d365setup.dataverse.errors import DataverseError, ForeignAddress, UnexpectedAnswer, from_reply
from d365setup.dataverse.messages import (
    ChangeSet,
    ChangeSetReply,
    Headers,
    Part,
    PartReply,
    Reply,
    Request,
    requests_of,
    unanswered,
)
from d365setup.dataverse.multipart import Entity, http_answer, is_multipart, split
from d365setup.dataverse.payload import parse_json

__all__ = ["ChangeSet", "ChangeSetReply", "Part", "PartReply", "Reply", "Request", "decode", "encode"]

MAX_REQUESTS = 1000  # members of change sets counted
MAX_URL = 64 * 1024  # bytes, inside a batch; outside it is half of that
METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})

_REFERENCE = re.compile(r"\$[1-9][0-9]*(/[^\s]*)?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"host", "authorization", "content-length", "content-id", "transfer-encoding"}
_OURS |= {"x-http-method", "x-http-method-override"}  # would turn a GET of a read-only client into a write
_EOL = "\r\n"


def encode(parts: Sequence[Part], service_root: str) -> tuple[str, bytes]:
    """Content type and body of one $batch; raises ValueError for what no batch can hold.

    Members of a change set get Content-IDs 1, 2, … in order. The same parts always give the same bytes.
    """
    _check_shape(parts)
    address = Address.parse(service_root)
    blocks = [_block(part, address) for part in parts]
    boundary = "batch_" + _mark(blocks)
    return f'multipart/mixed; boundary="{boundary}"', _joined(boundary, blocks).encode("ascii")


def decode(content_type: str, body: bytes, parts: Sequence[Part]) -> list[PartReply]:
    """One reply per part, in order; a part the service never came to gets a NotAnswered error.

    Raises UnexpectedAnswer when the answer is torn, garbled, or does not fit what was asked.
    """
    if not is_multipart(content_type):
        raise UnexpectedAnswer("the answer to a batch is not multipart/mixed")
    entities = split(content_type, body)
    if len(entities) > len(parts):
        raise UnexpectedAnswer(f"the batch answer has {len(entities)} parts for {len(parts)} asked")
    found = [_part_reply(entity, part) for entity, part in zip(entities, parts, strict=False)]
    failed = bool(found) and found[-1].error is not None
    reason = "not tried: the batch ended at an error before it" if failed else "the batch answer ends before it"
    return found + [unanswered(part, reason) for part in parts[len(found) :]]


def body_of(request: Request, address: Address) -> bytes:
    """The JSON text of a request's body, ASCII only, its relative `@odata.id` values made absolute."""
    if request.body is None:
        return b""
    try:
        return json.dumps(_absolute_ids(request.body, address), allow_nan=False).encode("ascii")
    except TypeError as problem:
        raise ValueError(f"the body for {request.path} cannot be written as JSON: {problem}") from None


def check_request(request: Request) -> None:
    """Raises ValueError for what would break, or smuggle something into, the text of a request."""
    if request.method not in METHODS:
        raise ValueError(f"{request.method!r} is none of {', '.join(sorted(METHODS))}")
    if request.method == "GET" and request.body is not None:
        raise ValueError(f"a GET carries no body: {request.path}")
    for name, value in request.headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"{name!r} is not a header a request may set")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the value of header {name} holds control or non-ASCII characters")


def default_headers(request: Request) -> dict[str, str]:
    """What every request sends unless it says otherwise."""
    headers = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}
    if request.method == "GET":
        headers["If-None-Match"] = "null"  # the documented word against stale expanded data; means "no condition"
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    given = {name.lower() for name in request.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in given}
    return kept | dict(request.headers)


def _check_shape(parts: Sequence[Part]) -> None:
    requests = requests_of(parts)
    if not requests:
        raise ValueError("a batch needs at least one request")
    if len(requests) > MAX_REQUESTS:
        raise ValueError(f"{len(requests)} requests in one batch; the service takes {MAX_REQUESTS}: split it")
    for part in parts:
        if isinstance(part, ChangeSet):
            _check_change_set(part)
    for request in requests:
        check_request(request)


def _check_change_set(part: ChangeSet) -> None:
    if not part.requests:
        raise ValueError("a change set needs at least one request")
    reads = [request.path for request in part.requests if request.method == "GET"]
    if reads:
        raise ValueError(f"a change set holds writes only, not GET {reads[0]}")


def _block(part: Part, address: Address) -> str:
    if isinstance(part, Request):
        return _http_block(part, address)
    members = [_http_block(request, address, content_id=number) for number, request in enumerate(part.requests, 1)]
    boundary = "changeset_" + _mark(members)
    return f'Content-Type: multipart/mixed; boundary="{boundary}"{_EOL}{_EOL}{_joined(boundary, members)}'


def _http_block(request: Request, address: Address, content_id: int | None = None) -> str:
    mime = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    mime += [] if content_id is None else [f"Content-ID: {content_id}"]
    target = _target(request.path, address, in_change_set=content_id is not None)
    line = f"{request.method} {target} HTTP/1.1"
    headers = [f"{name}: {value}" for name, value in default_headers(request).items()]
    body = body_of(request, address).decode("ascii")
    return _EOL.join([*mime, "", line, *headers, "", body])


def _target(path: str, address: Address, *, in_change_set: bool) -> str:
    if in_change_set and _REFERENCE.fullmatch(path):
        below = address.below(path)  # `$1` must stand alone at the start, not behind the service root
    else:
        below = address.absolute(path)[len(address.origin) :]
    if len(below) > MAX_URL:
        raise ValueError(f"an address of {len(below)} bytes; a batch takes {MAX_URL}: ask for less at once")
    return below


def _joined(boundary: str, blocks: Sequence[str]) -> str:
    opened = "".join(f"--{boundary}{_EOL}{block}{_EOL}" for block in blocks)
    return f"{opened}--{boundary}--{_EOL}"


def _mark(blocks: Sequence[str]) -> str:
    """A boundary no content can hold: made from a hash of that very content."""
    return hashlib.sha256(_EOL.join(blocks).encode("ascii")).hexdigest()[:32]


def _absolute_ids(value: Any, address: Address) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _absolute_id(item, address) if name == "@odata.id" else _absolute_ids(item, address)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_absolute_ids(item, address) for item in value]
    return value


def _absolute_id(value: Any, address: Address) -> Any:
    if not isinstance(value, str) or _REFERENCE.fullmatch(value):
        return value
    try:
        return address.absolute(value if value.startswith(("/api/", "http")) else value.removeprefix("/"))
    except ForeignAddress as problem:
        raise ValueError(f"@odata.id: {problem.message}") from None


def _part_reply(entity: Entity, part: Part) -> PartReply:
    if isinstance(part, Request):
        if entity.is_multipart:
            raise UnexpectedAnswer(f"the batch answered {part.method} {part.path} with a change set")
        return _reply(entity)
    if not entity.is_multipart:
        return _change_set_reply(part, [entity])
    return _change_set_reply(part, split(entity.headers["Content-Type"], entity.content))


def _change_set_reply(part: ChangeSet, entities: Sequence[Entity]) -> ChangeSetReply:
    if any(entity.is_multipart for entity in entities):
        raise UnexpectedAnswer("the batch answer nests change sets")
    numbered = [(_content_id(entity, part), _reply(entity)) for entity in entities]
    for content_id, reply in numbered:
        if reply.error is not None:
            return ChangeSetReply((reply,), reply.error, content_id)
    if len(numbered) != len(part.requests):
        raise UnexpectedAnswer(f"{len(numbered)} replies to a change set of {len(part.requests)} requests")
    return ChangeSetReply(_in_order(numbered), landed=True)


def _in_order(numbered: Sequence[tuple[str | None, Reply]]) -> tuple[Reply, ...]:
    by_id = dict(numbered)
    asked = [str(number) for number in range(1, len(numbered) + 1)]
    if set(by_id) == set(asked):
        return tuple(by_id[content_id] for content_id in asked)
    return tuple(reply for _, reply in numbered)


def _content_id(entity: Entity, part: ChangeSet) -> str | None:
    found = entity.headers.get("Content-ID", "").strip("<> ")
    if re.fullmatch(r"[0-9]{1,4}", found) and 1 <= int(found) <= len(part.requests):
        return found
    return "1" if len(part.requests) == 1 else None


def _reply(entity: Entity) -> Reply:
    answer = http_answer(entity.content)
    return reply_of(answer.status, answer.headers, answer.body)


def reply_of(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """A reply from what came over the wire; raises UnexpectedAnswer when a success holds no readable JSON."""
    known = Headers(headers)
    if status >= 400:
        error: DataverseError = from_reply(status, known, body)
        return Reply(status, known, _json_or_none(body), error)
    if not (200 <= status < 300 or status == 304):
        raise UnexpectedAnswer(f"HTTP {status} is no answer the Web API gives here", status=status)
    try:
        return Reply(status, known, parse_json(body))
    except ValueError as problem:
        raise UnexpectedAnswer(f"the answer is not JSON: {problem}", status=status, may_repeat=True) from None


def _json_or_none(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        return None
