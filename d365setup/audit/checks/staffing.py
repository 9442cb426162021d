"""Whether somebody who may and can take a handed-over conversation is in the queue it goes to."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_queue, check, finding
from d365setup.audit.destinations import Destination, destinations, hand_off_destinations
from d365setup.audit.findings import Finding, Unchecked
from d365setup.center import AGENT_ROLE, ContactCenter, Queue, Workstream


@check("R31")
def somebody_can_serve(seen: Seen) -> Iterator[Result]:
    """A queue with people in it has one who is enabled, has the agent role, and units enough."""
    for stream in seen.workstreams:
        for destination in _doubtful(seen.center, stream):
            queue = destination.queue
            if queue.members is None:
                yield Unchecked("R31", "its members could not be read", about_queue(queue))
                continue
            told = unable(queue, stream)
            if told:
                yield _found(destination, stream, told)
            elif queue.staff.people and queue.staff.without_role is None:
                yield Unchecked("R31", "the roles of its people could not be read", about_queue(queue))


def _doubtful(center: ContactCenter, stream: Workstream) -> tuple[Destination, ...]:
    """Where hand-offs lead, looked at closely only if any queue at all may be one nobody can serve."""
    every = destinations(center, stream)
    is_sound = all(
        each.queue.members is not None and each.queue.staff.without_role is not None and not unable(each.queue, stream)
        for each in every
    )
    return () if is_sound else hand_off_destinations(center, stream)


def cost(stream: Workstream) -> int:
    """The units one conversation takes; none where capacity goes by profiles."""
    return stream.units if stream.unit_based else 0


def unable(queue: Queue, stream: Workstream) -> str:
    """Why none of the queue's people can ever be given a conversation; "" where somebody can, or nobody is in it."""
    staff = queue.staff
    if not staff.people or staff.serving(cost(stream)):
        return ""
    if not staff.enabled:
        return "everybody in it is disabled"
    if not staff.able:
        return f"nobody in it who is enabled holds the role {AGENT_ROLE}"
    return f"nobody in it has the {cost(stream)} units that a conversation costs: the most are {staff.most_units}"


def _found(destination: Destination, stream: Workstream, told: str) -> Finding:
    queue, message = destination.queue, f"{destination.by} leads here, and {told}"
    return finding(
        "R31",
        about_queue(queue),
        message,
        workstream=stream.name,
        people=queue.staff.people,
        enabled=queue.staff.enabled,
        cost=cost(stream),
    )
