"""What is known of the environment while an apply is under way: the scope, made newer by every read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from d365setup.apply.parcels import Parcel, readback, rows_of
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import DataverseError
from d365setup.kinds import Kinds
from d365setup.live import merged, path, state
from d365setup.model import Action, Change, Note, Query, ResourceId, Write
from d365setup.plan import writes_of
from d365setup.scope import Scope


class Known:
    """The scope a plan was made in, kept up to date. Reading raises DataverseError."""

    def __init__(self, client: Client, kinds: Kinds, scope: Scope) -> None:
        self.client, self.kinds, self.scope = client, kinds, scope

    def look(self, queries: Sequence[Query], replaced: frozenset[ResourceId] = frozenset()) -> None:
        """Read these, and know it; lives of the replaced ids are what was read now, or gone."""
        distinct = list(dict.fromkeys(queries))
        if distinct:
            self.learn(distinct, self.client.read([path(each) for each in distinct]), replaced)

    def look_again(self, parcel: Parcel) -> None:
        """Read how the things of a parcel stand now."""
        self.look(list(readback(parcel.changes, self.kinds)), parcel.ids)

    def hear(self, parcel: Parcel, replies: Sequence[Any]) -> None:
        """Know what the reads behind a change set show; asked again where one was not answered in full."""
        rows = [rows_of(reply) for reply in replies]
        found = [each for each in rows if each is not None]
        if len(found) == len(parcel.queries):
            self.learn(parcel.queries, found, parcel.ids)
        else:
            self.look(parcel.queries, parcel.ids)

    def learn(self, queries: Sequence[Query], found: Sequence[Any], replaced: frozenset[ResourceId]) -> None:
        """Put what was read in front of what was known."""
        fresh = state(self.kinds, self.scope.live.environment, queries, found)
        live = merged(self.scope.live, fresh, replaced)
        self.scope = replace(self.scope, live=live, ids=replace(self.scope.ids, live=live))

    def difference(self, change: Change) -> Change | None:
        """What of this change still is to be done."""
        kind = self.kinds[change.id.kind]
        spec: Any = change.desired
        live = self.scope.live.find(spec.kind, spec.identity)
        if change.action is Action.DELETE:
            return kind.diff(None, live) if live else None
        return kind.diff(kind.settled(spec, self.scope), live)

    def blocked(self, change: Change) -> str:
        """Why this change cannot be written yet; empty when it can."""
        return self.kinds[change.id.kind].blocked(change, self.scope)

    def gate(self, changes: Sequence[Change]) -> list[Query]:
        """What to read to see whether these changes still are blocked."""
        return [each for name in self.kinds for each in self.kinds[name].gate(_own(name, changes))]

    def writes(self, changes: Sequence[Change]) -> tuple[Write, ...]:
        """The writes for these changes, with ids and versions as known now."""
        return tuple(writes_of(changes, self.kinds, self.scope))

    def afterwards(self, changes: Sequence[Change]) -> tuple[Write, ...]:
        """The writes that turn out to be needed now that these changes have landed."""
        return tuple(
            each
            for name, kind in self.kinds.items()
            if _own(name, changes)
            for each in kind.afterwards(_own(name, changes), self.scope)
        )

    def doubts(self, change: Change) -> Iterator[Note]:
        """What the read-back shows that is no difference and yet worth telling."""
        yield from self.kinds[change.id.kind].doubts(change, self.scope)

    def twins(self, change: Change) -> Iterator[str]:
        """That somebody made another thing of this name at the same time, where somebody did."""
        spec: Any = change.desired
        rows = sorted(self.scope.live.rows_named(spec.kind, spec.identity)) if spec else []
        if len(rows) > 1:
            cure = "somebody made one at the same time; delete or rename all but one in the admin centre"
            yield f"{len(rows)} things bear this name now ({' and '.join(rows)}): {cure}"

    def taken(self, changes: Sequence[Change]) -> tuple[Change, str] | None:
        """A change whose row's id is taken, and what that row is called now: made by this playbook, renamed by hand."""
        for change in changes:
            for write in self.writes([change]) if change.action is Action.CREATE else ():
                name = self._name_of(write.path) if write.condition.get("If-None-Match") == "*" else ""
                if name:
                    return change, name
        return None

    def _name_of(self, row: str) -> str:
        try:
            body = self.client.get(row).body
        except DataverseError:
            return ""
        names = [body.get(column) for column in ("fullname", "name", "msdyn_name") if isinstance(body, dict)]
        return next((name for name in names if name), "a row without a name")


def _own(kind: str, changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if change.id.kind == kind]
