"""Where conversations go that no rule matches."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_workstream, check, finding
from d365setup.audit.findings import Unchecked


@check("R12")
def fallback_queue(seen: Seen) -> Iterator[Result]:
    """Every work stream needs a fallback queue with a person in it."""
    for stream in seen.center.workstreams:
        subject = about_workstream(stream)
        queue = seen.center.queue(stream.fallback_id) if stream.fallback_id else None
        if not stream.fallback_read:
            yield Unchecked("R12", "the work stream's fallback queue could not be read", subject)
        elif not stream.fallback_id:
            yield finding("R12", subject, "it has no fallback queue")
        elif queue is None or queue.members is None:
            yield Unchecked("R12", "the fallback queue's members could not be read", subject)
        elif queue.is_bot_only:
            yield finding("R12", subject, f"its fallback queue {queue.name} has bots and no person", queue=queue.name)
        elif not queue.staff.enabled:
            yield finding("R12", subject, f"nobody is in its fallback queue {queue.name}", queue=queue.name)
