"""Taking multipart/mixed apart (RFC 2046, 5.1), line ends of either kind. Pure.

Everything here comes from outside: what does not hold together raises UnexpectedAnswer, never half a result.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from d365setup.dataverse.errors import UnexpectedAnswer
from d365setup.dataverse.messages import Headers
from d365setup.dataverse.payload import one_line

MAX_ENTITIES = 2000  # a batch holds 1000 requests; a change set adds one wrapper at most per request
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_DELIMITER_END = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r?\Z)")
_STATUS_LINE = re.compile(rb"HTTP/[0-9](?:\.[0-9])? ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n?")


@dataclass(frozen=True)
class Entity:
    """One part: its MIME headers and what follows them."""

    headers: Headers
    content: bytes

    @property
    def is_multipart(self) -> bool:
        """Whether the content is a multipart body of its own."""
        return is_multipart(self.headers.get("Content-Type", ""))


@dataclass(frozen=True)
class HttpAnswer:
    """An HTTP response written out as text."""

    status: int
    headers: Headers
    body: bytes


def is_multipart(content_type: str) -> bool:
    """Whether a Content-Type value names multipart/mixed."""
    return content_type.partition(";")[0].strip().lower() == "multipart/mixed"


def split(content_type: str, body: bytes) -> list[Entity]:
    """The parts in order; raises UnexpectedAnswer when the boundary is missing or the closing one did not come."""
    found: list[Entity] = []
    start: int | None = None
    for at, mark in _marks(body, b"--" + _boundary(content_type)):
        if start is not None:
            found.append(_entity(body[start:at]))
        if len(found) > MAX_ENTITIES:
            raise UnexpectedAnswer(f"the batch answer has more than {MAX_ENTITIES} parts")
        if mark[1]:
            return found
        start = mark.end()
    raise UnexpectedAnswer(f"the batch answer is torn: it ends after {len(found)} whole parts", may_repeat=True)


def http_answer(content: bytes) -> HttpAnswer:
    """The response an `application/http` part holds."""
    text = content.lstrip(b"\r\n")
    line = _STATUS_LINE.match(text)
    if line is None:
        excerpt = one_line(text[:100].decode("utf-8", "replace"))
        raise UnexpectedAnswer(f"a part of the batch answer does not start with an HTTP status line: {excerpt!r}")
    headers, body = _headers(text[line.end() :])
    return HttpAnswer(int(line[1]), headers, body)


def _boundary(content_type: str) -> bytes:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise UnexpectedAnswer(f"the batch answer names no boundary: {one_line(content_type, 200)!r}")
    return (found[1] or found[2]).encode("utf-8")


def _marks(body: bytes, delimiter: bytes) -> Iterator[tuple[int, re.Match[bytes]]]:
    """Where delimiter lines begin, and their ends.

    No pattern is made for it: each answer has a boundary of its own, and compiling costs more than reading the answer.
    """
    at = body.find(delimiter)
    while at >= 0:
        end = _DELIMITER_END.match(body, at + len(delimiter))
        if end is not None and (at == 0 or body[at - 1 : at] == b"\n"):
            yield at, end
        at = body.find(delimiter, at + len(delimiter))


def _entity(text: bytes) -> Entity:
    headers, content = _headers(text)
    return Entity(headers, content)


def _headers(text: bytes) -> tuple[Headers, bytes]:
    """Header lines up to the first empty one, and what follows, the line end before a boundary taken off."""
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        end = text.find(b"\n", position)
        end = len(text) if end < 0 else end
        line = text[position:end].rstrip(b"\r").decode("latin-1")
        position = end + 1
        if not line:
            break
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise UnexpectedAnswer(f"a header line of the batch answer is garbled: {one_line(line, 100)!r}")
        pairs.append((name.strip(), value.strip()))
    return Headers(pairs), text[position:]
