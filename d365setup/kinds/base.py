"""What a kind of thing is: queries in, specs out, writes out. Nothing here or in any kind does I/O.

A new kind is one file in this folder: a `Spec`, and a `Kind` (or `TableKind`, for rows of a table) for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from d365setup.model import (
    Action,
    Change,
    Desired,
    FieldChange,
    Live,
    Note,
    Query,
    ResourceId,
    Row,
    Rows,
    Spec,
    Stage,
    Write,
)
from d365setup.scope import Scope

S = TypeVar("S", bound=Spec)


class Kind(ABC, Generic[S]):
    """One kind of thing. Every method is pure; the engine (`live`, `plan`, `apply`) does the talking."""

    kind: ClassVar[str]
    spec: ClassVar[type[Spec]]
    after: ClassVar[tuple[str, ...]] = ()  # kinds that are resolved and written before this one
    stage: ClassVar[Stage] = Stage.THINGS
    changes_users: ClassVar[bool] = False  # the platform takes so many of these in a quarter of an hour
    fate: ClassVar[str] = ""  # what becomes of one that is taken away, where it is more than gone
    unmarked: ClassVar[str] = "this playbook did not make it"  # why `destroy` leaves one alone

    widely: bool = False  # of an instance: it also asks for what nobody declares (`d365setup.kinds.widened`)
    unanswered: frozenset[str] = frozenset()  # then: labels of queries that this environment does not answer

    @abstractmethod
    def queries(self, wanted: Desired) -> Iterable[Query]:
        """What must be read to know how the wanted things stand; none when nothing of this kind is wanted."""

    @abstractmethod
    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Turn what was read into `Live` values of this kind and facts; rows of other labels are ignored."""

    def resolve(self, desired: S, scope: Scope) -> Iterator[S | Note]:
        """Settle what only the environment can tell. Yields the settled spec, or notes that say why not, or both."""
        del scope
        yield desired

    def removals(self, scope: Scope) -> Iterator[Live[S]]:
        """Live things that the playbook asks by name to be taken away."""
        del scope
        yield from ()

    def strays(self, scope: Scope) -> Iterator[Live[S] | Note]:
        """What this playbook made and no longer declares, to be taken away; or a warning that says why it stays."""
        del scope
        yield from ()

    @abstractmethod
    def diff(self, desired: S | None, live: Live[S] | None) -> Change | None:
        """What must change; None when all is as it should be.

        Nothing desired asks for the removal of what is there: None once it is gone or out of use.
        """

    @abstractmethod
    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """The writes that carry out these changes; several changes may share one write."""

    def readback(self, changed: Desired) -> Iterable[Query]:
        """What must be read again to see that these things are as wanted."""
        return self.queries(changed)

    def settled(self, desired: S, scope: Scope) -> S:
        """The spec to compare with a read-back: for what a spec says only relative to the live state."""
        del scope
        return desired

    def gate(self, changes: Sequence[Change]) -> Iterable[Query]:
        """What must be read to answer `blocked` for these changes."""
        del changes
        return ()

    def blocked(self, change: Change, scope: Scope) -> str:
        """Why this change cannot be written yet, with the step a person can take; empty when it can."""
        del change, scope
        return ""

    def afterwards(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """Writes that turn out to be needed once these changes have landed and were read back (``scope.live``)."""
        del changes, scope
        yield from ()

    def doubts(self, change: Change, scope: Scope) -> Iterator[Note]:
        """What the read-back shows beside differences: an error means not verified, a warning is told."""
        del change, scope
        yield from ()


def made(desired: Spec, fields: Mapping[str, Any], reason: str = "") -> Change:
    """A change that creates a thing with these fields."""
    shown = tuple(FieldChange(name, None, value) for name, value in fields.items() if value is not None)
    return Change(Action.CREATE, desired.id, desired, shown, reason)


def taken_away(live: Live[Any], fields: Mapping[str, tuple[Any, Any]]) -> Change:
    """A change that takes a live thing away; ``fields`` are what is lost or put out of use, before and after."""
    shown = tuple(FieldChange(name, before, after) for name, (before, after) in fields.items())
    return Change(Action.DELETE, live.spec.id, live.spec, shown, "", live.row_id, live.etag)


def stays(live: Live[Any], reasons: Iterable[str]) -> Note:
    """That something this playbook made is left alone, and why."""
    return Note("warning", live.spec.id, f"this playbook made it, and it stays: {'; '.join(reasons)}")


@dataclass(frozen=True)
class Column:
    """How one field of a spec is kept: the column, words for option values, what a new row gets when left out."""

    name: str
    codes: Mapping[str, int] = field(default_factory=dict)
    created: Any = None

    def to_value(self, field_value: Any) -> Any:
        """The column's value for a field's value."""
        return self.codes[field_value] if self.codes and field_value is not None else field_value

    def from_value(self, value: Any) -> Any:
        """The field's value; an option value nobody knows is shown as its number, in words."""
        if not self.codes or value is None:
            return value
        return next((word for word, code in self.codes.items() if code == value), f"option {value}")


class TableKind(Kind[S]):
    """A kind whose things are rows of one table, field by column."""

    entity_set: ClassVar[str]
    row_key: ClassVar[str]
    label: ClassVar[str]
    columns: ClassVar[Mapping[str, Column]]
    compared: ClassVar[tuple[str, ...]]
    fixed: ClassVar[Mapping[str, Any]] = {}  # what every row we create also gets

    def to_row(self, spec: S, scope: Scope) -> dict[str, Any]:
        """The body that creates this thing."""
        del scope
        return {**self.cells(spec, tuple(self.columns), new=True), **self.fixed}

    @abstractmethod
    def from_row(self, row: Row) -> S | None:
        """The spec this row amounts to; None when the row is not ours to manage."""

    def cells(self, spec: S, fields: Iterable[str], *, new: bool = False) -> dict[str, Any]:
        """Column values for these fields; a new row also gets the creation value of fields left out."""
        values = {name: getattr(spec, name) for name in fields}
        if new:
            values = {name: self.columns[name].created if v is None else v for name, v in values.items()}
        return {
            self.columns[name].name: self.columns[name].to_value(value)
            for name, value in values.items()
            if value is not None
        }

    def read(self, row: Row) -> dict[str, Any]:
        """Field values of a row, for the constructor of the spec."""
        return {name: column.from_value(row.get(column.name)) for name, column in self.columns.items()}

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """One `Live` for each row that is ours to manage."""
        for row in distinct(rows.get(self.label, ()), self.row_key):
            spec = self.from_row(row)
            if spec is not None:
                yield Live(spec, row[self.row_key], row.get("@odata.etag", ""), bool(row.get("ismanaged")), row)

    def diff(self, desired: S | None, live: Live[S] | None) -> Change | None:
        """Compare the fields the playbook states."""
        if desired is None or desired.only_refers:
            return None
        if live is None:
            return made(desired, {name: self.shown_new(desired, name) for name in self.compared})
        fields = tuple(self.differences(desired, live))
        if not fields:
            return None
        return Change(Action.UPDATE, desired.id, desired, fields, "", live.row_id, live.etag)

    def shown_new(self, desired: S, name: str) -> Any:
        """What a plan shows for a field of a thing to be created."""
        value = getattr(desired, name)
        column = self.columns.get(name)
        return column.created if value is None and column else value

    def differences(self, desired: S, live: Live[S]) -> Iterator[FieldChange]:
        """Fields stated in the playbook whose live value is another."""
        for name in self.compared:
            want, have = getattr(desired, name), getattr(live.spec, name)
            if want is not None and not self.agree(name, want, have):
                yield FieldChange(name, have, want)

    def agree(self, name: str, want: Any, have: Any) -> bool:
        """Whether two values of a field are the same to the service; text counts exactly, line ends alike."""
        del name
        return same_text(want) == same_text(have) or (want == "" and have is None)

    def writes(self, changes: Sequence[Change], scope: Scope) -> Iterator[Write]:
        """Create by id where nothing may be there yet; update only the version that was read."""
        for change in changes:
            spec: Any = change.desired
            if change.action is Action.CREATE:
                yield self.create(change, self.to_row(spec, scope), scope)
            elif change.action is Action.UPDATE:
                yield self.update(change, self.cells(spec, (f.field for f in change.fields)), scope)
            else:
                yield from self.remove(change, scope)

    def create(self, change: Change, body: Mapping[str, Any], scope: Scope) -> Write:
        """The write that makes a row under the id we choose."""
        spec: Any = change.desired
        path = f"{self.entity_set}({scope.ids.made(self.kind, spec.identity)})"
        return Write(
            self.stage, "PATCH", path, body, (change.id,), {"If-None-Match": "*"}, self.needs(spec), self.group(spec)
        )

    def update(self, change: Change, body: Mapping[str, Any], scope: Scope) -> Write:
        """The write that alters a row, if it still is the version that was read."""
        spec: Any = change.desired
        live = scope.live.find(self.kind, spec.identity)
        before = {column: live.row.get(column) for column in body} if live else None
        path = f"{self.entity_set}({change.row_id})"
        when = {"If-Match": change.etag or "*"}
        needs, group = self.needs(spec), self.group(spec)
        return Write(self.stage, "PATCH", path, body, (change.id,), when, needs, group, before=before)

    def remove(self, change: Change, scope: Scope) -> Iterator[Write]:
        """The write that takes a row away, or out of use; a kind that says nothing never loses one."""
        del change, scope
        yield from ()

    def needs(self, spec: S) -> frozenset[ResourceId]:
        """Changes without which a write for this spec must not be tried."""
        del spec
        return frozenset()

    def group(self, spec: S) -> str:
        """Writes with the same group go out together."""
        return str(spec.id)


def same_text(value: Any) -> Any:
    """CRLF and LF alike (Dataverse hands memo text back with CRLF); anything but text unchanged."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def distinct(rows: Iterable[Row], key: str) -> Iterator[Row]:
    """Each row once: what was asked for in several queries may come more than once."""
    return iter({row[key]: row for row in rows}.values())
