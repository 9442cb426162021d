"""One apply under way: what is sent, what is made of the answers, and what became of each change."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from d365setup.apply.failures import failure_of
from d365setup.apply.known import Known
from d365setup.apply.parcels import Parcel, loaded
from d365setup.dataverse.client import BatchOutcome, Client
from d365setup.dataverse.errors import (
    BadRequest,
    DataverseError,
    NotFound,
    PreconditionFailed,
    Throttled,
    TransportError,
)
from d365setup.dataverse.messages import ChangeSetReply
from d365setup.errors import Refused, Unrecorded
from d365setup.kinds import Kinds
from d365setup.model import Change, Note, ResourceId, Stage, Write
from d365setup.outcome import Failure, Outcome, Status
from d365setup.plan import Decision

MOST_RETRIES = 2  # read again, drop what is satisfied, send again: at most twice
MOST_MERGES = 10  # for rule sets: somebody else may be writing rules of the same work stream at the same time
MERGE_PAUSE = 0.1  # seconds at most before the second try to write rules, twice that before the third, and so on
GATE_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # between looks at a contract that does not show a variable yet

Told = Iterator[Outcome | Note]


class Recorder(Protocol):
    """Who is told of every change set, before it goes out and after its answer came. Raises Unrecorded."""

    def sending(self, change_sets: Sequence[Sequence[Write]], /) -> Sequence[int]:
        """These go out now, side by side; the answer numbers them. What it raises keeps them from being sent."""

    def answered(self, number: int, /, *, landed: bool | None) -> None:
        """Whether that one landed; None where nobody knows."""


class Unrecording:
    """For applies that nobody keeps a journal of."""

    def sending(self, change_sets: Sequence[Sequence[Write]], /) -> Sequence[int]:
        """All the same number."""
        return [0] * len(change_sets)

    def answered(self, number: int, /, *, landed: bool | None) -> None:
        """Forget it."""


@dataclass(frozen=True)
class Settings:
    """How to apply: one change set a stage whatever its size, and how many seconds to wait for a contract.

    ``stopping`` is asked before anything more is sent, and once a second while waiting.
    """

    whole_stages: bool = False
    contract_wait: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random  # 0 up to 1
    stopping: Callable[[], bool] = lambda: False
    recorder: Recorder = field(default_factory=Unrecording)


def apply_plan(decision: Decision, client: Client, kinds: Kinds, settings: Settings | None = None) -> Told:
    """Write, read back, compare: one outcome for each change, and a note for what else is worth knowing.

    Nothing is raised for what the service refuses: it is the outcome. A change set lands whole or not at all, and what
    depends on one that did not land is not tried. When it is to stop, what is under way is finished and read back.
    Where an answer was lost and nothing can be read any more, nobody knows what became of it: such changes get no
    outcome, and DataverseError is raised after all others have theirs.
    """
    yield from _Application(decision, client, kinds, settings or Settings()).run()


_STOPPED = "not tried: the apply was stopped before"


class _Application:
    def __init__(self, decision: Decision, client: Client, kinds: Kinds, settings: Settings) -> None:
        self.decision, self.client, self.settings = decision, client, settings
        self.load = loaded(decision, kinds)
        self.known = Known(client, kinds, decision.scope)
        self.missed: set[ResourceId] = set()  # changes that did not land, as far as we can tell
        self.unread: DataverseError | None = None  # why it cannot be told what became of some

    def run(self) -> Told:
        for stage in self.load.stages(self.client.width, whole=self.settings.whole_stages):
            yield from self._stage(stage)
        written = {each for write in self.decision.writes for each in write.changes}
        for change in self.decision.plan.changes:
            if change.id not in written:
                yield Outcome(change, Status.MANUAL, change.manual)
        if self.unread is not None:
            raise self.unread

    def _stage(self, parcels: Sequence[Parcel]) -> Told:
        self._await_gate([change for parcel in parcels for change in self._hopeful(parcel)])
        ready = []
        for parcel in parcels:
            reasons = self._hopeless(parcel)
            yield from self._not_written(parcel, reasons)
            left = _without(parcel, reasons)
            if left.writes:
                ready.append(left)
        yield from self._send(ready)

    # -- before sending

    def _await_gate(self, changes: Sequence[Change]) -> None:
        """Look again, for a bounded time, while something these changes wait for does not show."""
        waited = 0.0
        for pause in GATE_PAUSES:
            blocked = [change for change in changes if self.known.blocked(change)]
            if not blocked or waited + pause > self.settings.contract_wait or self._waited_in_vain(pause):
                return
            waited += pause
            with contextlib.suppress(DataverseError):  # still blocked then: the outcome says what was waited for
                self.known.look(self.known.gate(blocked))

    def _waited_in_vain(self, seconds: float) -> bool:
        """Wait; true when the apply is to stop meanwhile."""
        left = seconds
        while left > 0 and not self.settings.stopping():
            self.settings.sleep(min(left, 1.0))
            left -= 1.0
        return self.settings.stopping()

    def _hopeful(self, parcel: Parcel) -> list[Change]:
        """Changes that lack nothing but what a gate shows: for the others there is nothing to wait for."""
        lacking = {each for write in parcel.writes if self._lacking(write) for each in write.changes}
        return [change for change in parcel.changes if change.id not in lacking]

    def _hopeless(self, parcel: Parcel) -> dict[ResourceId, str]:
        """Why some changes of a parcel cannot be written: blocked, or they depend on one that did not land."""
        reasons: dict[ResourceId, str] = {}
        for write in parcel.writes:
            lacking = self._lacking(write)
            blocked = (self.known.blocked(change) for change in parcel.changes if change.id in write.changes)
            reason = f"not tried: it depends on {', '.join(lacking)}" if lacking else next(filter(None, blocked), "")
            if reason:
                reasons.update(dict.fromkeys(write.changes, reason))
        return reasons

    def _lacking(self, write: Write) -> list[str]:
        return sorted(str(each) for each in write.needs & self.missed)

    def _not_written(self, parcel: Parcel, reasons: dict[ResourceId, str]) -> Told:
        for change in parcel.changes:
            if change.id in reasons:
                self.missed.add(change.id)
                yield Outcome(change, Status.NOT_WRITTEN, reasons[change.id])

    # -- sending and judging

    def _send(self, parcels: Sequence[Parcel]) -> Told:
        waiting = list(parcels)
        while waiting:
            numbered = yield from self._numbered(waiting)
            sent = self.client.send([parcel.parts for parcel in numbered])
            again: list[Parcel] = []
            self._record(numbered, sent)
            for parcel, outcome in zip(numbered, sent, strict=True):
                yield from self._judge(parcel, outcome, again)
            waiting = again

    def _numbered(self, parcels: Sequence[Parcel]) -> Generator[Outcome | Note, None, list[Parcel]]:
        """The parcels as the journal knows them; none where they must not go out, and why is told."""
        told = _STOPPED
        if not self.settings.stopping():
            try:
                numbers = self.settings.recorder.sending([parcel.writes for parcel in parcels])
                return [replace(parcel, number=number) for parcel, number in zip(parcels, numbers, strict=True)]
            except Unrecorded as error:
                told = f"not sent: {error}"
        for parcel in parcels:
            if parcel.second:  # it landed already; only its completion is missing
                yield from self._verdicts(parcel)
            else:
                yield from self._not_written(parcel, dict.fromkeys(parcel.ids, told))
        return []

    def _record(self, parcels: Sequence[Parcel], sent: Sequence[BatchOutcome]) -> None:
        for parcel, outcome in zip(parcels, sent, strict=True):
            reply = outcome.replies[0]
            landed = isinstance(reply, ChangeSetReply) and reply.landed
            self._told(parcel.number, landed=None if outcome.ambiguous and not landed else landed)

    def _told(self, number: int, *, landed: bool | None) -> None:
        with contextlib.suppress(Unrecorded):  # nothing more is sent then; the journal stays open and is settled later
            self.settings.recorder.answered(number, landed=landed)

    def _judge(self, parcel: Parcel, outcome: BatchOutcome, again: list[Parcel]) -> Told:
        reply = outcome.replies[0]
        error = outcome.error or reply.error or TransportError("the change set was not answered")
        parcel = replace(parcel, lost=parcel.number) if outcome.ambiguous else parcel
        if isinstance(reply, ChangeSetReply) and reply.landed:
            yield from self._verify(parcel, outcome.replies[1:], again)
        elif parcel.second:
            yield from self._verdicts(parcel)
        elif isinstance(outcome.error, Throttled):  # the client has waited long enough
            yield from self._failed(parcel, error, reply)
        elif outcome.ambiguous or (parcel.lost and isinstance(error, PreconditionFailed)):
            yield from self._reconcile(parcel, error, reply, again)
        elif parcel.tries >= _patience(parcel, error):
            yield from self._failed(parcel, error, reply)
        elif isinstance(error, BadRequest) and any(write.instead for write in parcel.at_fault(reply)):
            longer = tuple(each for write in parcel.writes for each in (write.instead or (write,)))
            again.append(replace(parcel, writes=longer, tries=parcel.tries + 1))
        elif isinstance(error, PreconditionFailed | NotFound) or error.may_repeat:
            yield from self._reconcile(parcel, error, reply, again)
        else:
            yield from self._failed(parcel, error, reply)

    def _reconcile(self, parcel: Parcel, error: DataverseError, reply: object, again: list[Parcel]) -> Told:
        """Read again, drop what is satisfied, send what still is as planned; anything else is somebody's change."""
        if isinstance(error, PreconditionFailed) and _is_routing(parcel):  # so that two do not keep in step
            self.settings.sleep(self.settings.jitter() * MERGE_PAUSE * (parcel.tries + 1))
        try:
            self.known.look_again(parcel)
        except DataverseError as unread:
            yield from self._unknown(parcel, unread) if parcel.lost else self._failed(parcel, error, reply)
            return
        now = {change.id: self.known.difference(change) for change in parcel.changes}
        left = tuple(each for each in now.values() if each is not None)
        touched = [change for change in parcel.changes if not _as_planned(change, now[change.id])]
        landed = len(touched) == len(left) < len(now)  # all that nobody touched is as wanted
        if parcel.lost and (landed or not touched):  # then it did land, be it later than we last looked, or did not
            self._told(parcel.lost, landed=landed)
        taken = self.known.taken(left) if isinstance(error, PreconditionFailed) and not touched else None
        if touched and parcel.lost and landed:  # whole; somebody changed a part of it since
            yield from self._verdicts(parcel)
        elif touched:
            other = now[touched[0].id] or touched[0]
            told = f"changed by somebody since it was read: now {_shown(other)}; plan again"
            yield from self._stopped(parcel, touched[0], told)
        elif taken:
            told = f"the row this playbook made for it is called {taken[1]!r} now; rename it, or use that name"
            yield from self._stopped(parcel, taken[0], told)
        else:
            yield from (each for c in parcel.changes if now[c.id] is None for each in self._verdict(c))
            parcel = replace(parcel, changes=left)
            if left and parcel.tries >= _patience(parcel, error):
                yield from self._failed(parcel, error, reply)
            elif left:
                again.append(replace(parcel, writes=self.known.writes(left), tries=parcel.tries + 1))

    def _verify(self, parcel: Parcel, replies: Sequence[Any], again: list[Parcel]) -> Told:
        try:
            self.known.hear(parcel, replies)
        except DataverseError as error:
            yield from self._unread(parcel, error)
            return
        more = () if parcel.second else self.known.afterwards(parcel.changes)
        if more:
            again.append(replace(parcel, writes=more, second=True))
        else:
            yield from self._verdicts(parcel)

    def _verdicts(self, parcel: Parcel) -> Told:
        for change in parcel.changes:
            yield from self._verdict(change)

    def _verdict(self, change: Change) -> Told:
        left = self.known.difference(change)
        notes = list(self.known.doubts(change)) if left is None else []
        yield from (note for note in notes if note.severity == "warning")
        doubts = "; ".join((*(note.message for note in notes if note.severity == "error"), *self.known.twins(change)))
        if left is None:
            yield Outcome(change, Status.NOT_VERIFIED if doubts else Status.VERIFIED, doubts)
        elif left.manual and {each.field for each in left.fields} == {"enabled"}:
            yield Outcome(change, Status.MANUAL, left.manual)
        else:
            self.missed.add(change.id)
            yield Outcome(change, Status.NOT_VERIFIED, f"written, but read back as {_shown(left)}")

    # -- what did not work

    def _failed(self, parcel: Parcel, error: DataverseError, reply: object) -> Told:
        culprits = {each for write in parcel.at_fault(reply) for each in write.changes}
        told, failure = str(error), failure_of(error)
        if isinstance(error, PreconditionFailed) and _is_routing(parcel) and parcel.tries >= MOST_MERGES:
            told = f"somebody else kept changing these rules: {parcel.tries + 1} tries came too late; apply again later"
            failure = replace(failure, message=told, exit_code=Refused.exit_code)
        yield from self._rolled_back(parcel, culprits, told, failure)

    def _stopped(self, parcel: Parcel, culprit: Change, told: str) -> Told:
        yield from self._rolled_back(parcel, {culprit.id}, told, Failure(told))

    def _rolled_back(self, parcel: Parcel, culprits: set[ResourceId], told: str, failure: Failure) -> Told:
        names = ", ".join(str(change.id) for change in parcel.changes if change.id in culprits)
        for change in parcel.changes:
            self.missed.add(change.id)
            if change.id in culprits:
                yield Outcome(change, Status.FAILED, told, failure)
            else:
                yield Outcome(change, Status.NOT_WRITTEN, f"rolled back with its change set: {names} failed")

    def _unknown(self, parcel: Parcel, error: DataverseError) -> Told:
        """Nothing to tell yet: the answer was lost, and what became of it cannot be read."""
        self.missed |= parcel.ids
        self.unread = self.unread or error
        self._told(parcel.lost, landed=None)
        yield from ()

    def _unread(self, parcel: Parcel, error: DataverseError) -> Told:
        for change in parcel.changes:
            self.missed.add(change.id)
            told = f"written, but could not be read back: {error}"
            yield Outcome(change, Status.NOT_VERIFIED, told, failure_of(error))


def _without(parcel: Parcel, left_out: dict[ResourceId, str]) -> Parcel:
    writes = tuple(write for write in parcel.writes if not set(write.changes) & set(left_out))
    return replace(parcel, writes=writes, changes=tuple(each for each in parcel.changes if each.id not in left_out))


def _as_planned(planned: Change, now: Change | None) -> bool:
    """True when what is left to do is nothing but what was planned."""
    if now is None:
        return True
    intended = {each.field: (each.before, each.after) for each in planned.fields}
    return now.action is planned.action and all(
        intended.get(each.field) == (each.before, each.after) for each in now.fields if each.field != "position"
    )  # places are counted among all rules of a work stream, and other people's come and go


def _is_routing(parcel: Parcel) -> bool:
    return any(write.stage is Stage.ROUTES for write in parcel.writes)


def _patience(parcel: Parcel, error: DataverseError) -> int:
    return MOST_MERGES if isinstance(error, PreconditionFailed) and _is_routing(parcel) else MOST_RETRIES


def _shown(change: Change) -> str:
    return ", ".join(f"{each.field} {each.before!r}" for each in change.fields) or "missing"
