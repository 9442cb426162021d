"""Reading many paths in one wave: batches of GETs side by side, then the pages that are left."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from d365setup.dataverse.address import Address
from d365setup.dataverse.batch import MAX_REQUESTS, decode, reply_of
from d365setup.dataverse.errors import DataverseError, ReadFailed, Throttled, UnexpectedAnswer
from d365setup.dataverse.http import LONGEST_PLAIN_URL, RawReply, Transport
from d365setup.dataverse.messages import Reply, Request
from d365setup.dataverse.payload import one_line
from d365setup.dataverse.sidebyside import side_by_side

Row = dict[str, Any]
T = TypeVar("T")
PAGE = 5000  # rows the service puts on a page, and into an expanded collection, at most
MAX_PAGES = 1000  # of one path: five million rows are a mistake
_NEXT = "@odata.nextLink"


class Reader:
    """Reads over a transport; the client's `get`, `rows` and `read`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._address: Address = transport.address

    def get(self, request: Request) -> Reply:
        """One answer; inside a batch where the address is too long to travel alone. Raises DataverseError."""
        if len(self._address.absolute(request.path)) > LONGEST_PLAIN_URL:
            return self._transport.batch([request], lambda raw: _lone_reply(raw, request))
        raw = self._transport.send(request)
        return reply_of(raw.status, raw.headers, raw.body)

    def rows(self, path: str) -> list[Row]:
        """All rows of a collection, expanded collections complete; raises DataverseError."""
        return self._all_rows(path, self.get(Request("GET", path)))

    def read(self, paths: Sequence[str]) -> list[list[Row]]:
        """The rows of each path, in order; raises ReadFailed with the errors of all that failed."""
        found = self.gather(paths)
        errors = {i: outcome for i, outcome in enumerate(found) if isinstance(outcome, DataverseError)}
        if errors:
            raise ReadFailed(errors)
        return [outcome for outcome in found if not isinstance(outcome, DataverseError)]

    def gather(self, paths: Sequence[str]) -> list[list[Row] | DataverseError]:
        """The rows of each path or what went wrong with it, in order."""
        for path in paths:
            self._address.below(path)  # an address that is wrong is told before anything is sent
        chunks = spread(range(len(paths)), self._transport.width)
        waves = side_by_side(lambda chunk: self._first([paths[i] for i in chunk]), chunks, self._transport.width)
        replies = {i: r for chunk, wave in zip(chunks, waves, strict=True) for i, r in zip(chunk, wave, strict=True)}
        return side_by_side(
            lambda i: _caught(lambda: self._all_rows(paths[i], replies[i])), range(len(paths)), self._transport.width
        )

    def pages(self, path: str, size: int = 0) -> Iterator[list[Row]]:
        """A collection page by page, each asked for when the one before is done with; raises DataverseError.

        ``size`` is how many rows a page may have, 0 for as many as the service likes.
        """
        headers = {"Prefer": f"odata.maxpagesize={size}"} if size else {}  # to be said again with every page
        link: str | None = path
        seen = {path}
        while link is not None:
            rows, following = _page(link, self.get(Request("GET", link, headers)))
            self._complete(rows)
            yield rows
            del rows  # whoever goes page by page holds one at a time
            if following is not None:
                self._check_link(following, seen)
            link = following

    def ask(self, paths: Sequence[str]) -> list[Reply]:
        """The answer to each path, in order; what went wrong with one is in its reply, never raised."""
        chunks = spread(range(len(paths)), self._transport.width)
        waves = side_by_side(lambda chunk: self._first([paths[i] for i in chunk]), chunks, self._transport.width)
        return [reply for wave in waves for reply in wave]

    def _first(self, paths: Sequence[str]) -> list[Reply]:
        """The first page of each path, one round trip unless something must be asked again."""
        requests = [Request("GET", path) for path in paths]
        if len(requests) == 1:
            return [self._alone(requests[0])]
        try:
            raw = self._transport.batch(requests, lambda raw: raw, continue_on_error=True)
        except DataverseError as error:
            return [Reply(error.status or 0, error=error)] * len(requests)
        return [self._again(request, reply) for request, reply in zip(requests, _replies(raw, requests), strict=True)]

    def _again(self, request: Request, reply: Reply) -> Reply:
        """The reply, or a second one where the first was lost or put off; GETs may be repeated."""
        if reply.error is None or not reply.error.may_repeat:
            return reply
        if isinstance(reply.error, Throttled) and reply.error.retry_after:
            self._transport.hold(reply.error.retry_after)
        return self._alone(request)

    def _alone(self, request: Request) -> Reply:
        try:
            return self.get(request)
        except DataverseError as error:
            return Reply(error.status or 0, error=error)

    def _all_rows(self, path: str, reply: Reply) -> list[Row]:
        if reply.error is not None:
            raise reply.error
        rows: list[Row] = []
        seen = {path}
        found, link = _page(path, reply)
        while True:
            rows += found
            if link is None:
                break
            self._check_link(link, seen)
            found, link = _page(link, self.get(Request("GET", link)))
        self._complete(rows)
        return rows

    def _check_link(self, link: str, seen: set[str]) -> None:
        if link in seen or len(seen) >= MAX_PAGES:
            why = "leads back to a page already read" if link in seen else f"goes on after {MAX_PAGES} pages"
            raise UnexpectedAnswer(f"reading {one_line(link, 200)} {why}")
        seen.add(link)

    def _complete(self, rows: Sequence[Row]) -> None:
        """Read on where an expanded collection stopped at a full page.

        On one level its link is the whole relationship from the start; only a link with a `$skiptoken`
        (nested expand) goes on behind the rows that are there. learn.microsoft.com, "Join tables".
        """
        for holder, name in list(_unfinished(rows)):
            link = holder.pop(name + _NEXT)
            more = self.rows(link)
            holder[name] = [*holder[name], *more] if "$skiptoken" in link else more


def spread(indexes: Sequence[int], width: int) -> list[Sequence[int]]:
    """Neighbouring indexes in at most `width` groups of nearly one size; more where a batch would be too large."""
    count = len(indexes)
    groups = max(min(width, count), -(-count // MAX_REQUESTS))
    bounds = [count * number // groups for number in range(groups + 1)] if groups else []
    return [indexes[start:end] for start, end in pairwise(bounds)]


def _replies(raw: RawReply, requests: Sequence[Request]) -> list[Reply]:
    try:
        return _decoded(raw, requests)
    except UnexpectedAnswer as error:
        error.may_repeat = True  # these are GETs: each is asked once more by itself
        return [Reply(0, error=error)] * len(requests)


def _decoded(raw: RawReply, requests: Sequence[Request]) -> list[Reply]:
    parts = decode(raw.headers.get("Content-Type", ""), raw.body, requests)
    return [part for part in parts if isinstance(part, Reply)]  # all are: no change set was asked for


def _lone_reply(raw: RawReply, request: Request) -> Reply:
    (reply,) = _decoded(raw, [request])
    if reply.error is not None:
        raise reply.error
    return reply


def _page(path: str, reply: Reply) -> tuple[list[Row], str | None]:
    body = reply.body
    if isinstance(body, dict) and body and "value" not in body:
        return [body], None  # one row, or what a function such as WhoAmI returns
    rows = body.get("value") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnexpectedAnswer(f"the answer to {one_line(path, 200)} is not a list of rows", status=reply.status)
    link = body.get(_NEXT)
    if link is not None and not isinstance(link, str):
        raise UnexpectedAnswer(f"the next page of {one_line(path, 200)} has no readable address")
    return rows, link


def _unfinished(rows: Sequence[Any]) -> Iterator[tuple[Row, str]]:
    """Each expanded collection with rows left, and the row that holds it; `rows` come from JSON of bounded depth."""
    for row in rows:
        if not isinstance(row, dict):
            continue
        for name, value in row.items():
            if isinstance(value, list):
                if _has_more(value, row.get(name + _NEXT)):
                    yield row, name
                else:
                    yield from _unfinished(value)
            elif isinstance(value, dict):
                yield from _unfinished([value])


def _has_more(collection: Sequence[Any], link: Any) -> bool:
    # The link stands beside complete and empty collections too.
    return isinstance(link, str) and (len(collection) >= PAGE or "$skiptoken" in link)


def _caught(act: Callable[[], T]) -> T | DataverseError:
    try:
        return act()
    except DataverseError as error:
        return error
