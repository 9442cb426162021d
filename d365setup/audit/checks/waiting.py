"""Patients who asked for a person and get no answer.

That nobody is there at all is told by R01, R09, R12 and R31, and is not told twice; what is left is the night.
"""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_queue, check, finding
from d365setup.audit.destinations import destinations, hand_off_destinations
from d365setup.audit.findings import Unchecked
from d365setup.center import Queue


@check("C15")
def answered_out_of_hours(seen: Seen) -> Iterator[Result]:
    """A queue of people that closes says so, or hands on."""
    told: set[str] = set()
    for stream in seen.workstreams:
        if all(each.queue.hours_read and not each.queue.hours for each in destinations(seen.center, stream)):
            continue
        for destination in hand_off_destinations(seen.center, stream):
            queue = destination.queue
            if queue.row_id in told or queue.is_bot_only:
                continue
            told.add(queue.row_id)
            if not queue.hours_read or (queue.hours and queue.prequeue is None):
                yield Unchecked("C15", "its hours or its overflow settings could not be read", about_queue(queue))
            elif queue.hours and not _acts(queue):
                message = f"{destination.by} leads here, and out of hours ({queue.hours.name}) conversations only wait"
                yield finding("C15", about_queue(queue), message, hours=queue.hours.name, workstream=stream.name)


def _acts(queue: Queue) -> bool:
    """Whether something happens out of hours other than that the conversation is put into the queue anyway."""
    settings = [each for each in queue.prequeue or () if each.when == "out of hours"]
    return any(each.action in ("end conversation", "transfer") for each in settings)
