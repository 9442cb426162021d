"""What to read again through the kinds' own queries, so that an export speaks of what a plan will look at."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.center import ContactCenter
from d365setup.exporting.fitting import guid_problem
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.workstream import Workstream
from d365setup.model import Desired, Spec


def seeds(center: ContactCenter) -> Desired:
    """Specs that name everything in it, and say nothing: their queries find the rows."""
    return Desired(tuple(dict.fromkeys(_seeds(center))))


def _seeds(center: ContactCenter) -> Iterator[Spec]:
    for stream in center.workstreams:
        yield Workstream(name=stream.name)
        yield ContextVariable(workstream=stream.name, name="any")  # asks for all variables, and the rule sets
    for queue in center.queues:
        yield Queue(name=queue.name)
        for member in queue.members or ():
            if member.is_person and member.email:
                yield QueueMember(queue=queue.name, name=member.email.strip())
    for bot in center.bots:
        if not guid_problem(bot.application_id):
            yield BotUser(name=bot.name, application_id=bot.application_id)
