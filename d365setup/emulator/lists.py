"""Lists: a set or a row's collection, paged, sorted and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .apply import apply_rows
from .context import Work
from .errors import not_served
from .fetch import fetch_rows
from .operation import Reply, json_reply
from .paging import next_link
from .query import Options as Query
from .query import parse_options, split_query
from .read import Owner, page_number, skip_token
from .schema import Table
from .sql import sql_rows


def list_rows(work: Work, table: Table, owner: Owner | None) -> Reply:
    """Answer GET of a set, or of the collection of `owner`."""
    given = split_query(work.address.query)
    if "odata.track-changes" in work.operation.preferences:
        raise not_served("change tracking (Prefer: odata.track-changes)")
    if owner is None:
        special = next((answer for name, answer in _SPECIAL.items() if name in given), None)
        if special is not None:
            return special(work, table, given)
    query = parse_options(given, table, work.schema)
    size = page_size(work, query)
    query = replace(query, page=page_number(given["$skiptoken"]) if "$skiptoken" in given else 1)
    page = work.reader.page(table, query, size, owner)
    body: dict[str, Any] = {"@odata.context": work.context(table, query)}
    if page.total is not None:
        body["@odata.count"] = page.total
    if work.operation.annotations:
        body["@Microsoft.Dynamics.CRM.totalrecordcount"] = -1 if page.total is None else page.total
        body["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] = (page.total or 0) >= 5000
    body["value"] = page.values
    if page.more and not is_top(work, query):
        body["@odata.nextLink"] = next_link(work, given, skip_token(query.page, table, page.values))
    return json_reply(200, body, work.applied())


_SPECIAL: Mapping[str, Callable[[Work, Table, Mapping[str, str]], Reply]] = {
    "fetchXml": fetch_rows,
    "$apply": apply_rows,
    "sql": sql_rows,
}
"""Query options that stand for a whole query of their own."""


def count_rows(work: Work, table: Table, owner: Owner | None) -> Reply:
    """Answer GET of `/$count`."""
    query = work.options(table)
    count = work.reader.count(table, query, owner)
    return Reply(200, str(count).encode(), "text/plain")


def is_top(work: Work, query: Query) -> bool:
    """$top counts only when no page size is asked for."""
    return query.top is not None and "odata.maxpagesize" not in work.operation.preferences


def page_size(work: Work, query: Query) -> int:
    """Return how many rows one page of the reply holds."""
    limit = work.session.options.page_size
    if query.top is not None and is_top(work, query):
        return min(query.top, limit)
    asked = work.operation.preferences.get("odata.maxpagesize", "")
    return min(int(asked), limit) if asked.isascii() and asked.isdigit() and int(asked) > 0 else limit
