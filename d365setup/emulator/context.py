"""An operation on its way: the transaction it runs in, the tools it uses, the forms its replies share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .address import Address, key_id, parse_address, segments_of, split_url
from .conditions import Caller
from .errors import bad_query, no_row
from .guarded import GuardedReader
from .operation import Operation, Reply, json_reply
from .options import Options
from .payload import Parsed, Reference, parse_body, parse_json
from .platform import Platform
from .privileges import Rights
from .query import Options as Query
from .query import parse_options, split_query
from .schema import Schema, Table
from .store import Row, Rows
from .write import Writer


@dataclass
class Session:
    """One transaction of one request: what operations in it share."""

    rows: Rows
    schema: Schema
    options: Options
    caller: Row
    in_batch: bool = False
    contracts_read: set[str] = field(default_factory=set)
    rights: Rights | None = None
    """What the caller may do; None where nothing is asked."""
    made: dict[str, str] = field(default_factory=dict)
    """Content-ID to the address of the row it made, in this change set."""

    def replaced(self, url: str, root: str) -> str:
        """Return a URL with its leading `$1` replaced by the row that part of the change set made."""
        head, slash, rest = url.partition("/")
        if not head.startswith("$") or head in {"$metadata", "$batch"}:
            return url
        if head[1:] not in self.made:
            message = f"Content-ID Reference: '{head}' does not exist in the batch context."
            raise bad_query(message)
        return f"{root}{self.made[head[1:]]}{slash}{rest}"

    def reference(self, address: str) -> Reference:
        """Return the row a bind value or `@odata.id` names."""
        url = self.replaced(address, "")
        path = split_url(url)[0]
        segments = parse_address(url).segments if "/api/data/" in path else segments_of(path)
        if len(segments) != 1 or segments[0].key is None:
            raise bad_query(f"Invalid reference '{address}'.")
        table = self.schema.sets.get(segments[0].name)
        if table is None:
            raise bad_query(f"Resource not found for the segment '{segments[0].name}'.")
        return Reference(table.name, key_id(self.rows, table, segments[0].key))


@dataclass
class Work:
    """One operation with what is needed to carry it out."""

    session: Session
    operation: Operation
    address: Address

    def __post_init__(self) -> None:
        self.rows = self.session.rows
        self.schema = self.session.schema
        self.base = f"{self.operation.root}/api/data/{self.address.version}/"
        switches = self.session.options.switches
        self.writer = Writer(
            self.rows, self.schema, Platform(self.rows, switches, self.session.caller, self.session.rights)
        )
        annotations = self.operation.annotations
        self.caller = Caller(self.session.caller["systemuserid"], self.session.caller["businessunitid"])
        seen = self.session.contracts_read
        self.reader = GuardedReader(
            self.rows, self.schema, switches, self.base, annotations, seen, self.caller, rights=self.session.rights
        )

    def may_read(self, table: str) -> None:
        """Refuse a caller who may not read a table."""
        if self.session.rights is not None:
            self.session.rights.need("Read", table)

    def existing(self, table: Table, row_id: str) -> Row:
        """Return a row, or raise the 404 for one that is not there."""
        row = self.rows.get(table.name, row_id)
        if row is None:
            raise no_row(table.name, row_id)
        return row

    def options(self, table: Table) -> Query:
        """Return the query options of the URL."""
        return parse_options(split_query(self.address.query), table, self.schema)

    def parsed(self, table: Table, *, creating: bool) -> Parsed:
        """Return what the body sets."""
        body = parse_json(self.operation.body, table.entity_set)
        return parse_body(body, table, self.session.reference, self.schema, creating=creating)

    def written(self, table: Table, row_id: str, *, created: bool) -> Reply:
        """Return the reply to a create or update."""
        path = f"/api/data/{self.address.version}/{table.entity_set}({row_id})"
        address = f"{self.operation.root}{path}"
        headers = [("OData-EntityId", address), ("Location", address)]
        if not self.operation.wants_row:
            if self.operation.content_id is not None:
                self.session.made[self.operation.content_id] = path
            return Reply(204, headers=tuple(headers))
        query = self.options(table)
        if not created:
            query = Query(select=query.select)
        shown = self.reader.shown(table, [self.existing(table, row_id)], query)[0]
        body = {"@odata.context": self.context(table, query, "/$entity"), **shown}
        return json_reply(201 if created else 200, body, [*headers, *self.applied("return")])

    def applied(self, *names: str) -> Iterable[tuple[str, str]]:
        """Return the Preference-Applied header for the preferences honoured."""
        known = {
            "return": "return=representation",
            "odata.include-annotations": f'odata.include-annotations="{",".join(self.operation.annotations)}"',
            "odata.maxpagesize": f"odata.maxpagesize={self.operation.preferences.get('odata.maxpagesize', '')}",
        }
        wanted = {*names, "odata.include-annotations", "odata.maxpagesize"} & set(self.operation.preferences)
        applied = ",".join(known[name] for name in known if name in wanted)
        return [("Preference-Applied", applied)] if applied else []

    def context(self, table: Table, query: Query, suffix: str = "") -> str:
        """Return the `@odata.context` of rows of a table."""
        return f"{self.base}$metadata#{table.entity_set}{_fragment(query)}{suffix}"


def _fragment(query: Query) -> str:
    parts = _shown(query)
    return f"({','.join(parts)})" if parts else ""


def _shown(query: Query) -> list[str]:
    """Return what a context names: columns and what is expanded, each with what is shown of it."""
    parts = list(query.select or ())
    for each in query.expand:
        parts += _references(each.navigation) if each.reference else [f"{each.navigation}{_inner(each.options)}"]
    return parts


def _references(navigation: str) -> list[str]:
    return [navigation, f"{navigation}/$ref()"]


def _inner(query: Query) -> str:
    return f"({','.join(_shown(query))})"
