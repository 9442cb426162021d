"""Taking a run back: look how things stand, send one change set after another, look again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from d365setup.apply.application import Settings
from d365setup.apply.failures import failure_of
from d365setup.dataverse.client import BatchOutcome, ChangeSet, Client, Request
from d365setup.dataverse.errors import DataverseError, NotAnswered, NotFound, ReadFailed, TransportError
from d365setup.dataverse.messages import ChangeSetReply
from d365setup.errors import Unrecorded
from d365setup.journal import Recording
from d365setup.model import Change, Outcome, ResourceId, Status
from d365setup.undo import Step, Undoing, Users, Uses, effects, has_landed, traces, verified

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


_TEXTS = "msdyn_decisionrulesets?$select=msdyn_decisionrulesetid,msdyn_name,msdyn_rulesetdefinition"
_STREAMS = (
    "msdyn_liveworkstreams?$select=msdyn_liveworkstreamid,msdyn_name&$expand=msdyn_defaultqueue($select=queueid,name)"
)


def users_of(client: Client, recording: Recording) -> Uses:
    """Who uses the rows a run made, whatever else is taken back with them. Raises DataverseError."""
    made = {each.path: each for each in effects(recording) if each.made and not each.is_link}
    queues = [path for path in made if path.startswith("queues(")]
    if not any(path.startswith(("queues(", "msdyn_ocliveworkstreamcontextvariables(")) for path in made):
        return lambda _path, _after: ()
    members = {path: f"{path}/queuemembership_association?$select=systemuserid,fullname" for path in queues}
    found = look(client, {"texts": _TEXTS, "streams": _STREAMS, **members})
    return Users(found["texts"], found["streams"], {path: found[path] or () for path in queues}, made).of


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
    queries = {path: _query(path, undoing.expected.get(path)) for path in rows}
    try:
        now = look(client, queries)
    except DataverseError:
        return None
    return {
        change: path
        for path, changes in rows.items()
        if not verified(undoing.expected.get(path), now[path], path)
        for change in changes
    }


def _named(path: str, body: Mapping[str, Any] | None) -> str:
    """A link as `Undoing.expected` names it, whichever way it is written."""
    if path.endswith("/$ref") and body:
        other = str(body.get("@odata.id", ""))
        return f"{path.removesuffix('/$ref')}({other[other.rfind('(') + 1 : -1]})/$ref"
    return path


def _query(path: str, expected: Mapping[str, Any] | None) -> str:
    if path.endswith("/$ref"):
        return path[: path.rindex("(")]
    bound = [name.partition("@")[0] for name in expected or () if "@" in name]
    return f"{path}?$expand={','.join(bound)}" if bound else path


def settled(client: Client, recording: Recording) -> dict[int, bool | None]:
    """Of each change set without an answer whether it landed, as the rows tell; None where they say neither.

    Raises ReadFailed.
    """
    now = look(client, {name: query for sent in recording.unknown for name, query in traces(sent).items()})
    return {sent.number: has_landed(sent, now) for sent in recording.unknown}
