"""Where conversations go that no rule matches."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_workstream, check, finding
from d365setup.audit.checks.targets import unusable
from d365setup.audit.findings import Unchecked
from d365setup.center import Queue, Workstream

_BOT_FIRST = (
    "A conversation whose rules failed, or that the bot handed over and no rule caught, comes to the queue that was "
    "made for the bot; people there take what the bot should have had."
)


@check("R12")
def fallback_queue(seen: Seen) -> Iterator[Result]:
    """Every work stream needs a fallback queue with a person in it, and not the bot's."""
    for stream in seen.workstreams:
        subject = about_workstream(stream)
        queue = seen.center.queue(stream.fallback_id) if stream.fallback_id else None
        if not stream.fallback_read:
            yield Unchecked("R12", "the work stream's fallback queue could not be read", subject)
        elif not stream.fallback_id:
            yield finding("R12", subject, "it has no fallback queue")
        elif queue is None and any(each.table == "queue" for each in seen.center.unread):
            yield Unchecked("R12", "the fallback queue could not be read", subject)
        elif queue is None:
            told = f"its fallback queue is not there ({stream.fallback_id})"
            yield finding("R12", subject, told, queue=stream.fallback_id)
        elif queue.members is None:
            yield Unchecked("R12", f"the members of its fallback queue {queue.name} could not be read", subject)
        else:
            yield from _unhelpful(stream, queue)


def _unhelpful(stream: Workstream, queue: Queue) -> Iterator[Result]:
    subject, named = about_workstream(stream), f"its fallback queue {queue.name}"
    reasons = list(unusable(queue, stream))
    if queue.is_bot_only:
        reasons.append("has bots and no person")
    elif queue.members and not queue.staff.enabled:
        reasons.append("has nobody in it who is enabled")
    if reasons:
        yield finding("R12", subject, f"{named} {' and '.join(reasons)}", queue=queue.name)
    elif queue.row_id == stream.bot_queue_id:
        told = f"{named} is also the queue of its own bot"
        yield finding("R12", subject, told, level="warning", consequence=_BOT_FIRST, queue=queue.name)
