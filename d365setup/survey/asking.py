"""Asking an environment that may refuse: what it lacks is noted and left out, never an error of the whole.

An organization without a column, a table or a privilege answers an error. The column is dropped and the question put
again, one column at a time (routing facts, section 8); a table that cannot be read at all has no rows, but None.
Failures of transport, sign-in and throttling are raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from d365setup.center import Unread
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import BadRequest, DataverseError, Forbidden, NotFound, ServerFault
from d365setup.survey.queries import Expand, Query

Row: TypeAlias = dict[str, Any]
Answers: TypeAlias = dict[str, list[Row] | None]  # by label; None: it could not be read

_REFUSALS = (BadRequest, Forbidden, NotFound, ServerFault)
_NO_PROPERTY = re.compile(r"property named '([^']{1,200})'(?: on type '[\w.]{0,100}?(\w{1,100})')?")
_NO_PRIVILEGE = re.compile(r"prvRead(\w{1,200})", re.IGNORECASE)
_LONGEST_REASON = 300


class Inquiry:
    """Questions to one environment, and what it did not tell."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unread: dict[tuple[str, str], Unread] = {}

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What was not told, each thing once, in the order of its tables."""
        return tuple(self._unread[key] for key in sorted(self._unread))

    def ask(self, queries: Iterable[Query]) -> Answers:
        """The rows of every label, in as few round trips as the refusals allow."""
        found: Answers = {}
        open_ones = list(queries)
        while open_ones:
            outcomes = self._client.gather([each.path for each in open_ones if not each.page])
            plain = iter(outcomes)
            again: list[Query] = []
            for each in open_ones:
                outcome = self._paged(each) if each.page else next(plain)
                again += self._settle(each, outcome, found)
            open_ones = again
        return found

    def pages(self, asked: Query) -> Iterator[list[Row] | None]:
        """The rows of one query page by page; None, and nothing more, where they cannot be read."""
        remaining: Query | None = asked
        while remaining is not None:
            pages = self._client.pages(remaining.path, remaining.page)
            try:
                first = next(pages)
            except _REFUSALS as error:
                remaining = self._weaker(remaining, error)
                continue
            yield first
            del first  # one page at a time
            yield from pages
            return
        yield None

    def _paged(self, asked: Query) -> list[Row] | DataverseError:
        try:
            return [row for page in self._client.pages(asked.path, asked.page) for row in page]
        except DataverseError as error:
            return error

    def _settle(self, asked: Query, outcome: list[Row] | DataverseError, found: Answers) -> Sequence[Query]:
        """Keep the rows, or say what to ask instead; nothing where the table cannot be read."""
        if isinstance(outcome, list):
            have = found.setdefault(asked.label, [])
            if have is not None:
                have += outcome
            return ()
        if asked.needed or not isinstance(outcome, _REFUSALS):
            raise outcome
        weaker = self._weaker(asked, outcome)
        if weaker is None:
            found[asked.label] = None
            return ()
        return (weaker,)

    def _weaker(self, asked: Query, error: DataverseError) -> Query | None:
        """The query without what the environment refuses; None where all of it is refused. Either way it is noted."""
        weaker = _without_property(asked, error) or _without_table(asked, error)
        if weaker is None:
            self.note(asked.table, "", _told(error))
            return None
        smaller, table, column = weaker
        self.note(table, column, _told(error))
        return smaller

    def note(self, table: str, column: str, reason: str) -> None:
        """Say that something was not read."""
        self._unread[table, column] = Unread(table, column, reason)


def _told(error: DataverseError) -> str:
    return error.message[:_LONGEST_REASON] + (f" ({error.code})" if error.code else "")


def _without_property(asked: Query, error: DataverseError) -> tuple[Query, str, str] | None:
    """Without the column or navigation the message names, with where it was."""
    named = _NO_PROPERTY.search(error.message)
    name, table = (named.group(1), (named.group(2) or "").lower()) if named else ("", "")
    if table in {"", asked.table}:
        for each in asked.expand:
            if name == each.navigation:
                return _without(asked, each), asked.table, name
        if name in asked.select[1:]:  # without the first one, its id, a row is of no use
            return replace(asked, select=_less(asked.select, name)), asked.table, name
    for each in asked.expand:
        if name in each.select and table in {"", each.table}:
            return _narrowed(asked, each, name), each.table, name
    return None


def _without_table(asked: Query, error: DataverseError) -> tuple[Query, str, str] | None:
    """Without the navigation to a table the caller may not read."""
    if not isinstance(error, Forbidden):
        return None
    named = _NO_PRIVILEGE.search(error.message)
    table = named.group(1).lower() if named else ""
    for each in asked.expand:
        if table in {each.table, each.table.removeprefix("system")} and table != asked.table:
            return _without(asked, each), each.table, ""
    return None


def _without(asked: Query, gone: Expand) -> Query:
    return replace(asked, expand=tuple(each for each in asked.expand if each is not gone))


def _narrowed(asked: Query, expand: Expand, name: str) -> Query:
    less = _less(expand.select, name)
    if not less:
        return _without(asked, expand)
    narrower = replace(expand, select=less)
    return replace(asked, expand=tuple(narrower if each is expand else each for each in asked.expand))


def _less(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(each for each in names if each != name)
