"""Taking a run back: look how things stand, send one change set after another, look again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from d365setup.apply.application import Settings
from d365setup.apply.failures import failure_of
from d365setup.dataverse.client import BatchOutcome, ChangeSet, Client, Request
from d365setup.dataverse.errors import (
    BadRequest,
    DataverseError,
    Forbidden,
    NotAnswered,
    NotFound,
    ReadFailed,
    TransportError,
)
from d365setup.dataverse.messages import ChangeSetReply
from d365setup.errors import Unrecorded
from d365setup.journal import Recording
from d365setup.kinds.usage import OPTIONAL, Usage, bot_uses, queue_uses, usage_of, usage_queries, variable_uses
from d365setup.live import path
from d365setup.model import Change, ResourceId, Row
from d365setup.outcome import Outcome, Status
from d365setup.undo import Effect, Now, Step, Undoing, effects, has_landed, traces, verified

_STOPPED = "not tried: the rollback was stopped before"


def look(client: Client, queries: Mapping[str, str]) -> dict[str, Any]:
    """Rows by name: None for one that is not there, a list for a collection. Raises ReadFailed for anything else."""
    found: dict[str, Any] = {}
    errors: dict[int, DataverseError] = {}
    for place, (name, reply) in enumerate(zip(queries, client.ask(list(queries.values())), strict=True)):
        if isinstance(reply.error, NotFound):
            found[name] = None
        elif reply.error is not None:
            errors[place] = reply.error
        elif isinstance(reply.body, Mapping):
            found[name] = reply.body.get("value", reply.body)
        else:
            errors[place] = TransportError(f"the answer to {queries[name]} is no row")
    if errors:
        raise ReadFailed(errors)
    return found


def users_of(client: Client, recording: Recording, now: Now) -> Users:
    """Who uses the rows a run made, whatever else is taken back with them. Raises DataverseError."""
    made = {each.path: each for each in effects(recording) if each.made and not each.is_link}
    if not any(path.startswith(_USED) for path in made):
        return Users(Usage(), made, now, {})
    queues = [path for path in made if path.startswith("queues(")]
    names = {path: f"{path}/queuemembership_association?$select=systemuserid,fullname" for path in queues}
    members = look(client, names)
    return Users(_usage(client), made, now, {path: members[path] or () for path in queues})


_USED = ("queues(", "msdyn_ocliveworkstreamcontextvariables(", "systemusers(")


def _usage(client: Client) -> Usage:
    """What uses what; of an environment that does not tell all of it, what it tells."""
    without: frozenset[str] = frozenset()
    while True:
        queries = list(usage_queries(without))
        rows: dict[str, list[Row]] = {}
        try:
            for each, found in zip(queries, client.read([path(each) for each in queries]), strict=True):
                rows.setdefault(each.label, []).extend(found)
        except ReadFailed as error:
            closed = {queries[place].label for place in error.errors} - without
            is_closed = all(isinstance(each, BadRequest | Forbidden | NotFound) for each in error.errors.values())
            if not (is_closed and closed and closed <= set(OPTIONAL)):
                raise
            without |= closed
            continue
        return usage_of(rows)


@dataclass(frozen=True)
class Users:
    """What uses the rows a run made: `of` answers for one, `people` are the members of its queues by name."""

    usage: Usage
    made: Mapping[str, Effect]
    now: Now
    members: Mapping[str, Sequence[Row]]

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody the reasons may name."""
        return tuple(str(row.get("fullname") or "") for rows in self.members.values() for row in rows)

    def of(self, row: str, after: Mapping[str, Row | None]) -> Sequence[str]:
        """Why a row must stay, once the rows in ``after`` are as they will be."""
        entity_set, _, row_id = row.rstrip(")").partition("(")
        texts = dict(self._after(after, "msdyn_decisionrulesets(", "msdyn_rulesetdefinition"))
        if entity_set == "queues":
            bound = self._after(after, "msdyn_liveworkstreams(", "msdyn_defaultqueue@odata.bind")
            fallbacks = {stream: queue.rpartition("(")[2].rstrip(")") for stream, queue in bound}
            stay = [each for each in self.members.get(row, ()) if after.get(_link(row, each), each) is not None]
            names = [str(each.get("fullname") or each["systemuserid"]) for each in stay]
            return queue_uses(row_id, self.usage, texts=texts, fallbacks=fallbacks, members=names)
        if entity_set == "systemusers":
            return bot_uses(row_id, self.usage)
        if entity_set == "msdyn_ocliveworkstreamcontextvariables":
            name = str(self.made[row].wrote.get("msdyn_name") or "")
            stream = (self.now[row].get("msdyn_liveworkstreamid") or {}).get("msdyn_name") or ""
            return variable_uses(row_id, stream, name, self.usage, texts=texts)
        return ()

    @staticmethod
    def _after(after: Mapping[str, Row | None], start: str, column: str) -> Iterator[tuple[str, str]]:
        for name, row in after.items():
            if name.startswith(start) and (row is None or column in row):
                yield name[len(start) : -1], str((row or {}).get(column) or "")


def _link(queue: str, member: Row) -> str:
    return f"{queue}/queuemembership_association({member['systemuserid']})/$ref"


def take_back(undoing: Undoing, client: Client, settings: Settings) -> Iterator[Outcome]:
    """Send the steps in order and say what became of each change; after one that failed nothing more is sent."""
    changes = {change.id: change for change in undoing.plan.changes}
    stopped = ""
    for step in undoing.steps:
        own = [changes[each] for each in step.changes if each in changes]
        if settings.stopping():
            stopped = stopped or _STOPPED
        if stopped:
            yield from (Outcome(each, Status.NOT_WRITTEN, stopped) for each in own)
            continue
        outcomes = list(_sent(step, own, undoing, client, settings))
        yield from outcomes
        if any(each.status is not Status.VERIFIED for each in outcomes):
            stopped = "not tried: what comes before it in the rollback did not work"


def _sent(
    step: Step, changes: Sequence[Change], undoing: Undoing, client: Client, settings: Settings
) -> Iterator[Outcome]:
    try:
        (number,) = settings.recorder.sending([step.writes])
    except Unrecorded as error:
        yield from (Outcome(each, Status.NOT_WRITTEN, f"not sent: {error}") for each in changes)
        return
    requests = tuple(Request(each.method, each.path, dict(each.condition), each.body) for each in step.writes)
    (outcome,) = client.send([[ChangeSet(requests)]])
    landed, refusal = _became(outcome)
    wrong = _wrong(step, undoing, client) if landed is not False else None
    if landed is None and wrong is not None:  # the answer was lost: what the rows hold tells
        landed = not wrong
    with suppress(Unrecorded):  # the journal stays open then, and is settled later
        settings.recorder.answered(number, landed=landed)
    for change in changes:
        if not landed and refusal is not None:
            yield Outcome(change, Status.FAILED, str(refusal), failure_of(refusal))
        elif wrong is None:
            yield Outcome(change, Status.NOT_VERIFIED, "written, but could not be read back")
        elif change.id in wrong:
            yield Outcome(change, Status.NOT_VERIFIED, f"written, but {wrong[change.id]} reads back otherwise")
        else:
            yield Outcome(change, Status.VERIFIED)


def _became(outcome: BatchOutcome) -> tuple[bool | None, DataverseError | None]:
    reply = outcome.replies[0]
    if isinstance(reply, ChangeSetReply) and reply.landed:
        return True, None
    error = outcome.error or reply.error or TransportError("the change set was not answered")
    return (None if outcome.ambiguous or isinstance(reply.error, NotAnswered) else False), error


def _wrong(step: Step, undoing: Undoing, client: Client) -> dict[ResourceId, str] | None:
    """Changes whose rows do not hold what they should, with the row; None where they cannot be read."""
    rows = {_named(write.path, write.body): write.changes for write in step.writes}
    queries = {row: _query(row, undoing.expected.get(row)) for row in rows}
    try:
        now = look(client, queries)
    except DataverseError:
        return None
    return {
        change: row
        for row, changes in rows.items()
        if not verified(undoing.expected.get(row), now[row], row)
        for change in changes
    }


def _named(row: str, body: Mapping[str, Any] | None) -> str:
    """A link as `Undoing.expected` names it, whichever way it is written."""
    if row.endswith("/$ref") and body:
        other = str(body.get("@odata.id", ""))
        return f"{row.removesuffix('/$ref')}({other[other.rfind('(') + 1 : -1]})/$ref"
    return row


def _query(row: str, expected: Mapping[str, Any] | None) -> str:
    if row.endswith("/$ref"):
        return row[: row.rindex("(")]
    bound = [name.partition("@")[0] for name in expected or () if "@" in name]
    return f"{row}?$expand={','.join(bound)}" if bound else row


def settled(client: Client, recording: Recording) -> dict[int, bool | None]:
    """Of each change set without an answer whether it landed, as the rows tell; None where they say neither.

    Raises ReadFailed.
    """
    now = look(client, {name: query for sent in recording.unknown for name, query in traces(sent).items()})
    return {sent.number: has_landed(sent, now) for sent in recording.unknown}
