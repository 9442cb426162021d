"""The client: rows, waves of reads, batches of writes, for one environment."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from d365setup.dataverse.address import Address
from d365setup.dataverse.auth import TokenSource
from d365setup.dataverse.batch import decode, encode
from d365setup.dataverse.errors import DataverseError, NotAnswered, Throttled
from d365setup.dataverse.exchanges import Exchange
from d365setup.dataverse.http import RawReply, Transport
from d365setup.dataverse.messages import ChangeSet, Part, PartReply, Reply, Request, only_reads, unanswered
from d365setup.dataverse.reading import Reader
from d365setup.dataverse.sidebyside import side_by_side
from d365setup.dataverse.waiting import Policy, Stats

__all__ = ["BatchOutcome", "ChangeSet", "Client", "Reply", "Request"]


@dataclass(frozen=True)
class BatchOutcome:
    """What came of one batch: a reply per part, in order.

    `error` is set when the whole request failed; the replies then hold NotAnswered.
    `ambiguous` says that parts without a reply may have been carried out all the same: read before sending again.
    """

    replies: list[PartReply]
    error: DataverseError | None = None
    ambiguous: bool = False


class Client:
    """One environment's Web API. Safe to use from several threads; use it as a context manager to close it.

    `tokens` gives bearers (auth.py), `product` names the program in the User-Agent, `limit` caps how many requests
    run side by side, `max_wait` the seconds one request may wait in all; `on_wait(seconds, reason)` hears of
    each wait, from the thread that waits. With `read_only` nothing but GET is ever sent. With a `gate_folder` (best
    `shared_gate.default_folder`) all processes that name it and sign in as the same user wait when one is told to;
    `on_note` hears why that is not possible. Raises ValueError for an address that is none, or http:// beyond this
    machine.
    """

    def __init__(  # noqa: PLR0913  # all but two are keyword-only settings with defaults
        self,
        url: str,
        tokens: TokenSource,
        *,
        read_only: bool = False,
        product: str = "",
        limit: int = 8,
        ca_bundle: str | Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        max_wait: float = 300.0,
        on_wait: Callable[[float, str], None] | None = None,
        gate_folder: Path | None = None,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        self._address = Address.parse(url)
        policy = Policy(max_wait=max_wait, sleep=sleep, clock=clock, on_wait=on_wait)
        self._transport = Transport(
            self._address,
            tokens,
            policy,
            read_only=read_only,
            product=product,
            limit=limit,
            ca_bundle=ca_bundle,
            gate_folder=gate_folder,
            on_note=on_note,
        )
        self._reader = Reader(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client may still be used and opens new ones."""
        self._transport.close()

    @property
    def url(self) -> str:
        """The environment's address, in one spelling."""
        return self._address.origin

    @property
    def origin(self) -> str:
        """Scheme, host and port: the only place tokens go to."""
        return self._address.origin

    @property
    def service_root(self) -> str:
        """Where paths start, with a slash at the end."""
        return self._address.service_root

    @property
    def stats(self) -> Stats:
        """Requests, operations, retries and seconds waited so far."""
        return self._transport.stats

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The last thousand requests, each with the id the service gave it."""
        return self._transport.exchanges.kept()

    @property
    def width(self) -> int:
        """How many requests run side by side now: 4 until the service hints at a number, never above `limit`."""
        return self._transport.width

    def get(self, path: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> Reply:
        """One row or the result of one function; raises DataverseError."""
        return self._reader.get(Request("GET", path, dict(headers)))

    def rows(self, path: str) -> list[dict[str, Any]]:
        """All rows of a collection, over all pages; raises DataverseError."""
        return self._reader.rows(path)

    def read(self, paths: Sequence[str]) -> list[list[dict[str, Any]]]:
        """The rows of each path, in one round trip as long as no page is left over.

        A path of one row, or of a function such as WhoAmI, gives that as its only row.
        Raises ReadFailed, whose `errors` tell by index what went wrong with which path.
        """
        return self._reader.read(paths)

    def gather(self, paths: Sequence[str]) -> list[list[dict[str, Any]] | DataverseError]:
        """As `read`, but what went wrong with a path stands in its place, beside the rows of the others."""
        return self._reader.gather(paths)

    def pages(self, path: str, size: int = 0) -> Iterator[list[dict[str, Any]]]:
        """The rows of a collection page by page, each asked for when the one before is done with.

        ``size`` is how many rows a page may have, 0 for as many as the service likes. Raises DataverseError.
        """
        return self._reader.pages(path, size)

    def ask(self, paths: Sequence[str]) -> list[Reply]:
        """The answer to each path, in one round trip; errors (a row that is not there) are in the replies.

        Of a collection only the first page.
        """
        return self._reader.ask(paths)

    def send(self, batches: Sequence[Sequence[Part]]) -> list[BatchOutcome]:
        """Each batch as one $batch, side by side; what failed is told in its outcome, never raised.

        Sent again by itself only when the service surely did not act (429, no connection). Raises ValueError for a
        batch that cannot be written down and ReadOnlyViolation, both before anything is sent.
        """
        for parts in batches:
            self._transport.check_allowed(parts)
            encode(parts, self.service_root)
        return side_by_side(self._outcome, batches, self.width)

    def _outcome(self, parts: Sequence[Part]) -> BatchOutcome:
        try:
            raw = self._transport.batch(parts, lambda raw: raw)
            replies = _decoded(raw, parts)
        except DataverseError as error:
            lost: list[PartReply] = [unanswered(part, "the batch as a whole failed") for part in parts]
            return BatchOutcome(lost, error, ambiguous=error.may_have_acted and not only_reads(parts))
        self._obey(replies)
        return BatchOutcome(replies, ambiguous=_ends_short(replies, parts))

    def _obey(self, replies: Sequence[PartReply]) -> None:
        """A Retry-After inside a part holds all workers, though the part is the caller's to repeat."""
        for reply in replies:
            if isinstance(reply.error, Throttled) and reply.error.retry_after:
                self._transport.hold(reply.error.retry_after)


def _decoded(raw: RawReply, parts: Sequence[Part]) -> list[PartReply]:
    return decode(raw.headers.get("Content-Type", ""), raw.body, parts)


def _ends_short(replies: Sequence[PartReply], parts: Sequence[Part]) -> bool:
    """Whether writes are left without an answer although no error before them explains it."""
    for index, (reply, previous) in enumerate(zip(replies, [None, *replies], strict=False)):
        if isinstance(reply.error, NotAnswered):
            explained = previous is not None and previous.error is not None
            return not explained and not only_reads(parts[index:])
    return False
