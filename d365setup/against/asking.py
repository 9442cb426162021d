"""What is kept of an environment for plans: what the kinds would ask about anything, asked once about everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from d365setup.against.answering import answers_for, shape
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import BadRequest, DataverseError, Forbidden, NotFound, ReadFailed, ServerFault
from d365setup.kinds import Kinds, widened
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.role_assignment import RoleAssignment
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.users import user
from d365setup.kinds.workstream import Workstream
from d365setup.live import path, read_environment, wanted
from d365setup.model import Desired, Query, Row
from d365setup.survey import Answer, Kept

_LONGEST_REASON = 300
_NOBODY = "00000000-0000-0000-0000-000000000000"
# something of each kind: their queries show which tables and columns matter, whatever it is called
_ANYTHING = Desired(
    (
        BotUser(name="any", application_id=_NOBODY, bot_application_id=_NOBODY),
        RoleAssignment(name="any", user="any", application_id=_NOBODY),
        Queue(name="any"),
        Workstream(name="any"),
        ContextVariable(name="any", workstream="any"),
        RoutingRule(name="any", workstream="any", queue="any"),
    )
)
# Tables of which not every row matters. A queue the platform made for one user or team is called `<Nurse One>`: there
# are as many as users, and no playbook is about them, unless a bot is in one.
_PARTS = {
    "systemusers": (
        "(applicationid ne null or msdyn_botapplicationid ne null) and (deletedstate eq 0 or deletedstate eq 1)",
    ),
    "queues": (
        "msdyn_isomnichannelqueue eq true or not startswith(name,'<')",
        "queuemembership_association/any(m:m/applicationid ne null)",
    ),
}


def keep(client: Client, kinds: Kinds, desired: Desired | None = None) -> Kept:
    """The rows that any playbook's plan compares with; of people those in queues, and those ``desired`` names.

    What the environment refuses is noted in its place. Raises DataverseError where it cannot be reached, Unresolvable
    where it is no such environment.
    """
    environment = read_environment(client)
    answers = _asked(client, everything(kinds))
    people = tuple(QueueMember(name=each, queue="any") for each in _addresses(answers, desired or Desired()))
    answers += _asked(client, list(wanted(kinds, Desired(people))))
    return Kept(environment, tuple(answers), client.width)


def everything(kinds: Kinds) -> list[Query]:
    """As few queries as answer whatever these kinds ask, about things and for pruning; not about people."""
    general = [each for asked in wanted(kinds, _ANYTHING) for each in _in_general(asked)]
    for_pruning = (replace(each, label="") for each in wanted(widened(kinds), Desired()))
    found = list(dict.fromkeys((*general, *for_pruning)))
    return [each for each in found if not any(answers_for(other, each) for other in found if other != each)]


def _in_general(asked: Query) -> Iterator[Query]:
    """The query, about everything of its table; one that is always the same as it is."""
    if "'any'" not in asked.filter and _NOBODY not in asked.filter:
        yield replace(asked, label="")
        return
    for part in _PARTS.get(asked.entity_set, ("",)):
        yield replace(shape(asked), filter=part)


def _addresses(answers: Sequence[Answer], desired: Desired) -> Iterable[str]:
    """Of those who are in a queue, and of those a playbook wants there."""
    members = (member for each in answers for row in each.rows or () for member in _members(row))
    people = (user(member) for member in members)
    there = (each.email.strip() for each in people if each.is_person and each.email.strip())
    named = (each.name for each in desired.of(QueueMember) if each.is_person)
    return {each.casefold(): each for each in (*there, *named)}.values()


def _members(row: Row) -> Sequence[Row]:
    found = row.get("queuemembership_association")
    return found if isinstance(found, list) else ()


def _asked(client: Client, asked: Sequence[Query]) -> list[Answer]:
    outcomes = client.gather([path(each) for each in asked])
    lost = {i: each for i, each in enumerate(outcomes) if isinstance(each, DataverseError) and not _is_refusal(each)}
    if lost:
        raise ReadFailed(lost)
    return [_answer(replace(each, label=""), outcome) for each, outcome in zip(asked, outcomes, strict=True)]


def _is_refusal(error: DataverseError) -> bool:
    return isinstance(error, BadRequest | Forbidden | NotFound | ServerFault)


def _answer(query: Query, outcome: Sequence[Row] | DataverseError) -> Answer:
    if isinstance(outcome, DataverseError):
        return Answer(query, None, str(outcome)[:_LONGEST_REASON])
    return Answer(query, tuple(outcome))
