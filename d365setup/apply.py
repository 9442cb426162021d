"""Carry out a plan: stages of change sets, each read back in the same `$batch` and compared. Yields as it goes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from d365setup import staging
from d365setup.dataverse.client import BatchOutcome, ChangeSet, Client, Request
from d365setup.dataverse.errors import (
    AuthError,
    BadRequest,
    DataverseError,
    Forbidden,
    NotFound,
    PreconditionFailed,
    ReadFailed,
    Throttled,
    TransportError,
)
from d365setup.dataverse.messages import ChangeSetReply, Reply
from d365setup.kinds import Kinds
from d365setup.live import merged, path, state
from d365setup.model import (
    Action,
    Change,
    Cost,
    Desired,
    Failure,
    LiveState,
    Note,
    Outcome,
    Query,
    ResourceId,
    Scope,
    Status,
    Write,
)
from d365setup.plan import Decision

MOST_RETRIES = 2  # read again, drop what is satisfied, send again: at most twice
GATE_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # between looks at a contract that does not show a variable yet


@dataclass(frozen=True)
class Settings:
    """How to apply: how many change sets side by side, one a stage or more, and how long to wait for a contract."""

    whole_stages: bool = False
    contract_wait: float = 60.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Parcel:
    """One change set, the changes it carries out, and the reads that show whether it did."""

    writes: tuple[Write, ...]
    changes: tuple[Change, ...]
    queries: tuple[Query, ...]
    tries: int = 0
    second: bool = False  # a write that followed from the read-back: what it carries out has landed already


def estimate(decision: Decision, kinds: Kinds, width: int, reads: int) -> Cost:
    """What applying this plan takes: the reading of a plan, then each stage."""
    writes = list(_writes(decision.plan.changes, kinds, decision.scope))
    waits = _any_blocked(decision.plan.changes, kinds, decision.scope)
    stages = staging.stages(writes, width, waits=waits)
    parcels = [parcel for stage in stages for parcel in _parcels(stage, decision, kinds)]
    operations = reads + sum(len(parcel.writes) + len(parcel.queries) for parcel in parcels)
    return Cost(1 + len(stages), min(width, reads) + len(parcels), operations)


def apply_plan(
    decision: Decision, client: Client, kinds: Kinds, settings: Settings | None = None
) -> Iterator[Outcome | Note]:
    """Write, read back, compare: one outcome for each change, and a note for what else is worth knowing.

    Nothing is raised for what the service refuses: it is the outcome. A change set lands whole or not at all, and what
    depends on one that did not land is not tried.
    """
    yield from _Application(decision, client, kinds, settings or Settings()).run()


def _writes(changes: Sequence[Change], kinds: Kinds, scope: Scope) -> Iterator[Write]:
    for kind in kinds.values():
        own = [change for change in changes if change.id.kind == kind.kind]
        if own:
            yield from kind.writes(own, scope)


def _any_blocked(changes: Sequence[Change], kinds: Kinds, scope: Scope) -> bool:
    return any(kinds[change.id.kind].blocked(change, scope) for change in changes)


def _parcels(change_sets: Iterable[Sequence[Write]], decision: Decision, kinds: Kinds) -> Iterator[Parcel]:
    changes = {change.id: change for change in decision.plan.changes}
    for writes in change_sets:
        ids = dict.fromkeys(each for write in writes for each in write.changes)
        yield _parcel(writes, [changes[each] for each in ids], decision.plan.changes, kinds)


def _parcel(writes: Sequence[Write], changes: Sequence[Change], every: Sequence[Change], kinds: Kinds) -> Parcel:
    queries = (*_readback(changes, kinds), *_gates(writes, every, kinds))
    return Parcel(tuple(writes), tuple(changes), tuple(dict.fromkeys(queries)))


def _readback(changes: Sequence[Change], kinds: Kinds) -> Iterator[Query]:
    changed = Desired(tuple(change.desired for change in changes if change.desired))
    for kind in kinds.values():
        yield from kind.readback(changed)


def _gates(writes: Sequence[Write], every: Sequence[Change], kinds: Kinds) -> Iterator[Query]:
    """Reads that tell whether later changes may go ahead, where these writes are what they wait for."""
    made = {each for write in writes for each in write.changes}
    for kind in kinds.values():
        later = [change for change in every if change.id.kind == kind.kind and change.id not in made]
        if later:
            yield from kind.gate(later)


class _Application:
    """One apply under way: the scope as it comes to be known, and what became of each change."""

    def __init__(self, decision: Decision, client: Client, kinds: Kinds, settings: Settings) -> None:
        self.decision, self.client, self.kinds, self.settings = decision, client, kinds, settings
        self.scope = decision.scope
        self.missed: dict[ResourceId, str] = {}  # changes that did not land, and why

    def run(self) -> Iterator[Outcome | Note]:
        plan = self.decision.plan
        writes = list(_writes(plan.changes, self.kinds, self.scope))
        written = {each for write in writes for each in write.changes}
        waits = _any_blocked(plan.changes, self.kinds, self.scope)
        for change_sets in staging.stages(writes, self.client.width, waits=waits, whole=self.settings.whole_stages):
            yield from self._stage(change_sets)
        for change in plan.changes:
            if change.id not in written:
                yield Outcome(change, Status.MANUAL, change.manual)

    def _stage(self, change_sets: staging.ChangeSets) -> Iterator[Outcome | Note]:
        parcels = list(_parcels(change_sets, self.decision, self.kinds))
        self._await_gate([change for parcel in parcels for change in parcel.changes])
        ready = []
        for parcel in parcels:
            left, outcomes = self._without_hopeless(parcel)
            yield from outcomes
            if left.writes:
                ready.append(left)
        yield from self._send(ready)

    # -- before sending ------------------------------------------------------------------------------------------

    def _await_gate(self, changes: Sequence[Change]) -> None:
        """Look again, for a bounded time, while something these changes wait for does not show."""
        waited = 0.0
        for pause in GATE_PAUSES:
            blocked = [c for c in changes if c.id not in self.missed and self._blocked(c)]
            if not blocked or waited + pause > self.settings.contract_wait:
                return
            self.settings.sleep(pause)
            waited += pause
            with contextlib.suppress(DataverseError):  # still blocked then: the outcome says what was waited for
                self._look(
                    [query for kind in self.kinds.values() for query in kind.gate(self._own(kind.kind, blocked))]
                )

    def _own(self, kind: str, changes: Sequence[Change]) -> list[Change]:
        return [change for change in changes if change.id.kind == kind]

    def _blocked(self, change: Change) -> str:
        return self.kinds[change.id.kind].blocked(change, self.scope)

    def _look(self, queries: Sequence[Query]) -> None:
        distinct = list(dict.fromkeys(queries))
        if distinct:
            found = self.client.read([path(each) for each in distinct])
            self._know(state(self.kinds, self.scope.live.environment, distinct, found), frozenset())

    def _know(self, fresh: LiveState, replaced: frozenset[ResourceId]) -> None:
        live = merged(self.scope.live, fresh, replaced)
        self.scope = replace(self.scope, live=live, ids=replace(self.scope.ids, live=live))

    def _without_hopeless(self, parcel: Parcel) -> tuple[Parcel, list[Outcome]]:
        """Leave out what cannot be written: blocked changes, and what depends on a change that did not land."""
        outcomes: list[Outcome] = []
        reasons: dict[ResourceId, str] = {}
        for write in parcel.writes:
            reason = self._hopeless(write, parcel)
            if reason:
                reasons.update(dict.fromkeys(write.changes, reason))
        for change in parcel.changes:
            if change.id in reasons:
                self.missed[change.id] = reasons[change.id]
                outcomes.append(Outcome(change, Status.NOT_WRITTEN, reasons[change.id]))
        writes = tuple(write for write in parcel.writes if not set(write.changes) & set(reasons))
        changes = tuple(change for change in parcel.changes if change.id not in reasons)
        return replace(parcel, writes=writes, changes=changes), outcomes

    def _hopeless(self, write: Write, parcel: Parcel) -> str:
        lacking = sorted(str(each) for each in write.needs if each in self.missed)
        if lacking:
            return f"not tried: it depends on {', '.join(lacking)}"
        blocked = (self._blocked(change) for change in parcel.changes if change.id in write.changes)
        return next((reason for reason in blocked if reason), "")

    # -- sending and judging -------------------------------------------------------------------------------------

    def _send(self, parcels: Sequence[Parcel]) -> Iterator[Outcome | Note]:
        waiting = list(parcels)
        while waiting:
            sent = self.client.send([_parts(parcel) for parcel in waiting])
            again: list[Parcel] = []
            for parcel, outcome in zip(waiting, sent, strict=True):
                yield from self._judge(parcel, outcome, again)
            waiting = again

    def _judge(self, parcel: Parcel, outcome: BatchOutcome, again: list[Parcel]) -> Iterator[Outcome | Note]:
        reply = outcome.replies[0]
        error = outcome.error or reply.error or TransportError("the change set was not answered")
        if isinstance(reply, ChangeSetReply) and reply.landed:
            yield from self._verify(parcel, outcome.replies[1:], again)
        elif parcel.second:
            yield from self._verdicts(parcel)
        elif parcel.tries >= MOST_RETRIES or isinstance(outcome.error, Throttled):  # the client has waited long enough
            yield from self._failed(parcel, error, reply)
        elif isinstance(error, BadRequest) and any(write.instead for write in _named(parcel, reply)):
            longer = tuple(each for write in parcel.writes for each in (write.instead or (write,)))
            again.append(replace(parcel, writes=longer, tries=parcel.tries + 1))
        elif isinstance(error, PreconditionFailed | NotFound) or outcome.ambiguous or error.may_repeat:
            yield from self._reconciled(parcel, error, reply, again)
        else:
            yield from self._failed(parcel, error, reply)

    def _reconciled(
        self, parcel: Parcel, error: DataverseError, reply: object, again: list[Parcel]
    ) -> Iterator[Outcome | Note]:
        """Read again, drop what is satisfied, send what still is as planned; anything else is somebody's change."""
        try:
            fresh = self._read_again(parcel)
        except DataverseError:
            yield from self._failed(parcel, error, reply)
            return
        self._know(fresh, frozenset(change.id for change in parcel.changes))
        now = {change.id: self._difference(change) for change in parcel.changes}
        touched = [change for change in parcel.changes if not _as_planned(change, now[change.id])]
        if touched:
            yield from self._touched(parcel, touched[0], now[touched[0].id])
            return
        left = tuple(each for each in now.values() if each is not None)
        taken = self._taken(left) if isinstance(error, PreconditionFailed) else None
        if taken:
            yield from self._refused(parcel, *taken)
            return
        for change in parcel.changes:
            if now[change.id] is None:
                yield from self._verdict(change)
        if left:
            writes = tuple(_writes(left, self.kinds, self.scope))
            again.append(replace(parcel, writes=writes, changes=left, tries=parcel.tries + 1))

    def _read_again(self, parcel: Parcel) -> LiveState:
        queries = list(dict.fromkeys(_readback(parcel.changes, self.kinds)))
        found = self.client.read([path(each) for each in queries])
        return state(self.kinds, self.scope.live.environment, queries, found)

    def _difference(self, change: Change) -> Change | None:
        """What still differs, as things are known now."""
        kind = self.kinds[change.id.kind]
        spec: Any = change.desired
        live = self.scope.live.find(spec.kind, spec.identity)
        if change.action is Action.DELETE:
            return kind.diff(None, live) if live else None
        return kind.diff(kind.settled(spec, self.scope), live)

    def _taken(self, left: Sequence[Change]) -> tuple[Change, str] | None:
        """A row that has the id we would choose, and so was ours, but bears another name now."""
        for change in left:
            if change.action is not Action.CREATE:
                continue
            for write in _writes([change], self.kinds, self.scope):
                if write.condition.get("If-None-Match") == "*":
                    name = self._name_of(write.path)
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

    def _verify(self, parcel: Parcel, replies: Sequence[Any], again: list[Parcel]) -> Iterator[Outcome | Note]:
        ids = frozenset(change.id for change in parcel.changes)
        try:
            self._know(self._seen(parcel, replies), ids)
        except DataverseError as error:
            yield from self._unread(parcel, error)
            return
        more = () if parcel.second else self._afterwards(parcel)
        if more:
            again.append(replace(parcel, writes=more, second=True))
        else:
            yield from self._verdicts(parcel)

    def _verdicts(self, parcel: Parcel) -> Iterator[Outcome | Note]:
        for change in parcel.changes:
            yield from self._verdict(change)

    def _seen(self, parcel: Parcel, replies: Sequence[Any]) -> LiveState:
        """What the reads behind the change set show; asked again when one was not answered or had more pages."""
        rows = [_rows(reply) for reply in replies]
        if any(each is None for each in rows):
            rows = list(self.client.read([path(each) for each in parcel.queries]))
        found = [each for each in rows if each is not None]
        return state(self.kinds, self.scope.live.environment, parcel.queries, found)

    def _afterwards(self, parcel: Parcel) -> tuple[Write, ...]:
        found: list[Write] = []
        for kind in self.kinds.values():
            own = self._own(kind.kind, parcel.changes)
            if own:
                found += kind.afterwards(own, self.scope)
        return tuple(found)

    def _verdict(self, change: Change) -> Iterator[Outcome | Note]:
        left = self._difference(change)
        notes = list(self.kinds[change.id.kind].doubts(change, self.scope)) if left is None else []
        yield from (note for note in notes if note.severity == "warning")
        doubts = [note.message for note in notes if note.severity == "error"]
        if left is not None and left.manual and {each.field for each in left.fields} == {"enabled"}:
            yield Outcome(change, Status.MANUAL, left.manual)
        elif left is not None:
            self.missed[change.id] = "not seen in the read-back"
            yield Outcome(change, Status.NOT_VERIFIED, f"written, but read back as {_shown(left)}")
        elif doubts:
            yield Outcome(change, Status.NOT_VERIFIED, "; ".join(doubts))
        else:
            yield Outcome(change, Status.VERIFIED)

    # -- what did not work ---------------------------------------------------------------------------------------

    def _failed(self, parcel: Parcel, error: DataverseError, reply: object) -> Iterator[Outcome]:
        culprits = dict.fromkeys(each for write in _named(parcel, reply) for each in write.changes)
        failure = failure_of(error)
        for change in parcel.changes:
            self.missed[change.id] = str(error)
            if change.id in culprits:
                yield Outcome(change, Status.FAILED, str(error), failure)
            else:
                names = ", ".join(str(each) for each in culprits)
                yield Outcome(change, Status.NOT_WRITTEN, f"rolled back with its change set: {names} failed")

    def _touched(self, parcel: Parcel, changed: Change, now: Change | None) -> Iterator[Outcome]:
        told = f"changed by somebody since it was read: now {_shown(now or changed)}; plan again"
        yield from self._stopped(parcel, changed, told)

    def _refused(self, parcel: Parcel, changed: Change, name: str) -> Iterator[Outcome]:
        told = f"the row this playbook made for it is called {name!r} now; rename it, or use that name"
        yield from self._stopped(parcel, changed, told)

    def _stopped(self, parcel: Parcel, culprit: Change, told: str) -> Iterator[Outcome]:
        for change in parcel.changes:
            self.missed[change.id] = told
            if change.id == culprit.id:
                yield Outcome(change, Status.FAILED, told, Failure(told))
            else:
                yield Outcome(change, Status.NOT_WRITTEN, f"rolled back with its change set: {culprit.id} failed")

    def _unread(self, parcel: Parcel, error: DataverseError) -> Iterator[Outcome]:
        for change in parcel.changes:
            yield Outcome(
                change, Status.NOT_VERIFIED, f"written, but could not be read back: {error}", failure_of(error)
            )


def failure_of(error: DataverseError) -> Failure:
    """The error as a value, with the exit code it deserves when nothing at all was written."""
    return Failure(error.message, error.code, error.status, error.request_id, _exit_code(error), error.hint)


def _exit_code(error: DataverseError) -> int:
    if isinstance(error, ReadFailed):
        return max((_exit_code(each) for each in error.errors.values()), default=1)
    if isinstance(error, Throttled):
        return 8
    return 6 if isinstance(error, TransportError | AuthError | Forbidden) else 1


def _parts(parcel: Parcel) -> list[ChangeSet | Request]:
    writes = tuple(Request(write.method, write.path, dict(write.condition), write.body) for write in parcel.writes)
    return [ChangeSet(writes), *(Request("GET", path(each)) for each in parcel.queries)]


def _rows(reply: Any) -> list[dict[str, Any]] | None:
    """The rows of a read-back; None when it must be asked again."""
    if not isinstance(reply, Reply) or reply.error is not None or not isinstance(reply.body, dict):
        return None
    rows = reply.body.get("value")
    return rows if isinstance(rows, list) and "@odata.nextLink" not in reply.body else None


def _named(parcel: Parcel, reply: object) -> tuple[Write, ...]:
    """The write the service named as the one at fault; all of them where it named none."""
    place = getattr(reply, "failed_content_id", None)
    if place and place.isdigit() and 0 < int(place) <= len(parcel.writes):
        return (parcel.writes[int(place) - 1],)
    return parcel.writes


def _as_planned(planned: Change, now: Change | None) -> bool:
    """True when what is left to do is nothing but what was planned."""
    if now is None:
        return True
    intended = {each.field: (each.before, each.after) for each in planned.fields}
    return now.action is planned.action and all(
        intended.get(each.field) == (each.before, each.after) for each in now.fields
    )


def _shown(change: Change) -> str:
    return ", ".join(f"{each.field} {each.before!r}" for each in change.fields) or "missing"
