"""Queues: Omnichannel private queues, found by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from d365setup.kinds import users
from d365setup.kinds.base import Column, TableKind, distinct, stays, taken_away
from d365setup.kinds.fields import Flag, Name200, Priority, Text2000
from d365setup.kinds.filters import alternatives, named
from d365setup.kinds.leaving import afterwards, is_ours, marked, routes_to, strangers
from d365setup.kinds.nearest import did_you_mean, has_twins, is_confused
from d365setup.kinds.usage import known_usage, queue_uses, usage_of, usage_queries
from d365setup.model import (
    Change,
    Desired,
    FieldChange,
    Live,
    Mistake,
    Named,
    Note,
    Place,
    Query,
    Row,
    Rows,
    Spec,
    Stage,
    Write,
    hidden,
)
from d365setup.scope import Scope


@dataclass(frozen=True)
class Members:
    """Who a queue's members are; ``include`` only adds, ``exact`` also removes."""

    users: tuple[Name200, ...]
    mode: Literal["include", "exact"] = "include"


def _members(value: Any) -> Any:
    return {"users": value} if isinstance(value, list) else value


MembersField = Annotated[Members, BeforeValidator(_members)]


@dataclass(frozen=True, kw_only=True)
class Queue(Spec):
    """An Omnichannel private queue."""

    kind: ClassVar[str] = "queue"
    place: ClassVar[Place] = Place("queues")

    name: Name200
    description: Text2000 | None = None
    type: Literal["messaging", "record", "voice"] | None = None
    priority: Priority | None = None
    assignment: Literal["highest capacity", "advanced round robin", "least active", "no assignment"] | None = None
    members: MembersField | None = None
    existing: Flag = False
    private: bool = hidden(True)  # noqa: FBT003
    omnichannel: bool = hidden(True)  # noqa: FBT003
    active: bool = hidden(True)  # noqa: FBT003

    def check(self, desired: Desired) -> Iterator[Mistake]:
        """What only applies to a queue of ours is not said of one that is only referred to."""
        del desired
        for name in ("description", "priority", "assignment"):
            if self.existing and getattr(self, name) is not None:
                told = f"existing: true only refers to the queue and never changes it: leave out {name}, or existing"
                yield Mistake((name,), told)


TYPES = {"messaging": 192350000, "record": 192350001, "voice": 192350002}
METHODS = {  # queue.msdyn_assignmentstrategy; 192350002 is a custom configuration, which only the admin centre can make
    "highest capacity": 192350000,
    "advanced round robin": 192350001,
    "custom": 192350002,
    "least active": 192350003,
    "no assignment": 192350005,
}
SELECT = (
    "queueid",
    "name",
    "description",
    "queueviewtype",
    "msdyn_isomnichannelqueue",
    "msdyn_queuetype",
    "msdyn_priority",
    "msdyn_assignmentstrategy",
    "statecode",
)
PRIVATE = 1  # queueviewtype; Omnichannel hands out work from private queues only
IN_USE = {"statecode": 0, "statuscode": 1}
OUT_OF_USE = {"statecode": 1, "statuscode": 2}  # closed conversations refer to queues, so none is ever deleted


class Queues(TableKind[Queue]):
    """Rows of the queue table."""

    kind = Queue.kind
    spec = Queue
    entity_set = "queues"
    row_key = "queueid"
    label = "queues"
    columns = {
        "name": Column("name"),
        "description": Column("description"),
        "type": Column("msdyn_queuetype", TYPES, "messaging"),
        "priority": Column("msdyn_priority", created=1),
        "assignment": Column("msdyn_assignmentstrategy", METHODS, "highest capacity"),
    }
    compared = ("description", "type", "priority", "assignment")
    fixed = {"queueviewtype": PRIVATE, "msdyn_isomnichannelqueue": True}
    fate = "it is deactivated, not deleted"

    def queries(self, wanted: Desired) -> Iterable[Query]:
        """The declared queues with their members; every queue a declared bot is in; all Omnichannel queues by name.

        For pruning: all Omnichannel queues in full, and everything that may use one.
        """
        bots = [spec.identity for spec in wanted.specs if spec.kind == "bot_user"]
        joined = (f"queuemembership_association/any(m:m/applicationid eq {bot})" for bot in bots)
        for where in (*named("name", (queue.name for queue in wanted.of(Queue))), *alternatives(joined)):
            yield queue_query(where)
        if wanted.of(Queue):
            yield Query("queue names", "queues", ("queueid", "name"), "msdyn_isomnichannelqueue eq true")
        if self.widely:
            yield queue_query("msdyn_isomnichannelqueue eq true")
            yield from usage_queries(without=self.unanswered)

    def readback(self, changed: Desired) -> Iterable[Query]:
        """The queues themselves."""
        return map(queue_query, named("name", (queue.name for queue in changed.of(Queue))))

    def from_rows(self, rows: Rows) -> Iterator[Any]:
        """Lives of the queues read in full, names of all, and who is in them."""
        yield from super().from_rows(rows)
        for row in distinct((*rows.get(self.label, ()), *rows.get("queue names", ())), self.row_key):
            yield Named(self.kind, Queue(name=row["name"] or "").identity, row["name"] or "", row["queueid"])
        for row in distinct(rows.get(self.label, ()), self.row_key):
            for member in row.get("queuemembership_association") or ():
                yield users.Membership(row["name"] or "", row["queueid"], users.user(member))
        usage = usage_of(rows)
        if usage.is_known:
            yield usage

    def from_row(self, row: Row) -> Queue:
        """Every queue read is described, whatever it is; `resolve` says which are refused."""
        return Queue(
            **{**self.read(row), "name": row.get("name") or ""},
            private=row.get("queueviewtype") == PRIVATE,
            omnichannel=bool(row.get("msdyn_isomnichannelqueue")),
            active=not row.get("statecode"),
        )

    def resolve(self, desired: Queue, scope: Scope) -> Iterator[Queue | Note]:
        """A live queue of that name must be one Omnichannel can use."""
        yield desired
        live = scope.live.find(self.kind, desired.identity)
        if live is None:
            if desired.existing and not is_confused(desired, scope.live):
                hint = did_you_mean(
                    desired.name, (each.shown for each in scope.live.known(Named) if each.kind == self.kind)
                )
                message = f"there is no queue of this name{hint or '; leave out existing: true so that it is made'}"
                yield Note("error", desired.id, message, desired.source)
            return
        for problem in () if has_twins(desired, scope.live) else unusable(desired, live, scope):
            yield Note("error", desired.id, problem, desired.source)

    def strays(self, scope: Scope) -> Iterator[Live[Queue] | Note]:
        """Queues of ours that are in use; one that something still uses, or that has other members, stays."""
        after, usage = afterwards(scope), known_usage(scope.live)
        for live in marked(self.kind, scope):
            if not live.spec.active:
                continue
            if has_twins(live.spec, scope.live):
                yield stays(live, ["another queue bears the same name; rename one of them"])
                continue
            left = [user.shown for user in strangers(live.row_id, scope)]
            uses = queue_uses(live.row_id, usage, texts=after.texts, fallbacks=after.fallbacks, members=left)
            yield stays(live, uses) if uses else live

    def diff(self, desired: Queue | None, live: Live[Queue] | None) -> Change | None:
        """Nothing desired: a queue is gone when it is inactive."""
        if desired is None:
            return taken_away(live, {"active": (True, False)}) if live and live.spec.active else None
        return super().diff(desired, live)

    def differences(self, desired: Queue, live: Live[Queue]) -> Iterator[FieldChange]:
        """An inactive queue of ours is taken into use again; `resolve` has refused any other."""
        yield from super().differences(desired, live)
        if not live.spec.active:
            yield FieldChange("active", before=False, after=True)

    def cells(self, spec: Queue, fields: Iterable[str], *, new: bool = False) -> dict[str, Any]:
        """A state and its reason go together."""
        wanted = tuple(fields)
        values = super().cells(spec, (name for name in wanted if name != "active"), new=new)
        return values | (IN_USE if "active" in wanted else {})

    def update(self, change: Change, body: Mapping[str, Any], scope: Scope) -> Write:
        """The reason of a state is not read: each state of a queue has only one."""
        write = super().update(change, body, scope)
        if "statuscode" in body and write.before is not None:
            write = replace(write, before={**write.before, **OUT_OF_USE})
        return write

    def remove(self, change: Change, scope: Scope) -> Iterator[Write]:
        """Deactivate it, once nothing leads there any more and the members that were ours are out."""
        members = (each for each in (scope.prune.going if scope.prune else None) or () if each.kind == "queue_member")
        ours = frozenset(each for each in members if each.key.startswith(f"{change.id.key}/"))
        needs = routes_to(change.row_id, scope) | ours
        when = {"If-Match": change.etag or "*"}
        path = f"{self.entity_set}({change.row_id})"
        yield Write(Stage.REMOVED, "PATCH", path, OUT_OF_USE, (change.id,), when, needs, before=IN_USE)


def queue_query(where: str, label: str = "queues") -> Query:
    """Queues in full, with their members as facts."""
    expand = f"queuemembership_association($select={','.join(users.COLUMNS)})"
    return Query(label, "queues", SELECT, where, (expand,))


def unusable(desired: Queue, live: Live[Any], scope: Scope) -> Iterator[str]:
    """Why a live queue cannot serve, each with the cure. One that we made and deactivated can: it is activated."""
    have: Queue = live.spec
    if not have.active and (desired.existing or not is_ours(live, scope)):
        yield f"the queue of this name ({live.row_id}) is inactive; activate it or choose another name"
    if not have.omnichannel:
        yield f"the queue of this name ({live.row_id}) is not an Omnichannel queue; choose another name, or remake it"
    elif not have.private:
        yield f"the queue of this name ({live.row_id}) is public, not private; choose another name, or remake it"
    if desired.type and have.type and have.type != desired.type and have.omnichannel:
        yield (
            f"the queue of this name ({live.row_id}) is a {have.type} queue, and a queue's type cannot be changed; "
            f"choose another name, or say type: {have.type}"
        )
