"""Whether the queues that rules lead to can take a conversation, and whether percentages add up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_rule, check, finding
from d365setup.audit.destinations import live_rules, targets
from d365setup.audit.findings import Unchecked
from d365setup.audit.reading import unreadable
from d365setup.center import Queue, RuleSet, Workstream
from d365setup.ruleset import Rule

RECORDS, VOICE = 192350000, 192440000  # msdyn_streamsource; every other one is a messaging channel
MOST_SHARES = 5
_PERCENTAGE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?")
_CLOSED = (
    "A conversation that this rule sends to a queue without members is closed by the system: the patient is cut off."
)


@check("R09")
def usable_targets(seen: Seen) -> Iterator[Result]:
    """Each rule leads to a queue that is there, in use, of the right type, and has members."""
    for stream in seen.workstreams:
        yield from unreadable("R09", stream)
        routes = stream.routes
        for rule in live_rules(stream) if routes else ():
            assert routes is not None  # rules stand in a rule set  # noqa: S101
            yield from _judged(seen, stream, routes, rule)


def _judged(seen: Seen, stream: Workstream, routes: RuleSet, rule: Rule) -> Iterator[Result]:
    subject = about_rule(stream, routes, rule)
    if not targets(rule):
        yield finding("R09", subject, f"it chooses no queue (its action: {rule.action})", action=rule.action)
    for row_id in dict.fromkeys(targets(rule)):
        queue = seen.center.queue(row_id)
        if queue is None and any(each.table == "queue" for each in seen.center.unread):
            yield Unchecked("R09", f"its queue {row_id} could not be read", subject)
        elif queue is None:
            yield finding("R09", subject, f"it leads to a queue that is not there ({row_id})", queue=row_id)
        elif queue.members is None:
            yield Unchecked("R09", f"the members of its queue {queue.name} could not be read", subject)
        else:
            for told in unusable(queue, stream):
                happens = _CLOSED if not queue.members else ""
                yield finding("R09", subject, f"its queue {queue.name} {told}", consequence=happens, queue=queue.name)


def unusable(queue: Queue, stream: Workstream) -> Iterator[str]:
    """Why a queue can take no conversation of this work stream, each reason as the end of a sentence."""
    wanted = queue_type(stream)
    if not queue.active:
        yield "is inactive"
    if not queue.omnichannel:
        yield "is no Omnichannel queue"
    if wanted and queue.type != wanted:
        yield f"is for {queue.type or 'something else'}, and the work stream needs one for {wanted}"
    if queue.members == () and not queue.staff.people:
        yield "has no members"


def queue_type(stream: Workstream) -> str:
    """The type of queue a work stream's channel needs; "" where the channel is not known."""
    if stream.channel is None:
        return ""
    return {RECORDS: "record", VOICE: "voice"}.get(stream.channel, "messaging")


@check("R13")
def percentages(seen: Seen) -> Iterator[Result]:
    """A percentage split names at most five queues, each once, and its parts make 100."""
    for stream in seen.workstreams:
        yield from unreadable("R13", stream)
        routes = stream.routes
        for rule in routes.rules if routes else ():
            if routes and rule.action == "percentage split":
                told = "; ".join(_odd_shares(seen, rule))
                parts = ", ".join(part for _, part in rule.shares) or "none"
                if told:
                    yield finding("R13", about_rule(stream, routes, rule), told, percentages=parts)


def _odd_shares(seen: Seen, rule: Rule) -> Iterator[str]:
    parts = [part for _, part in rule.shares]
    odd = [part for part in parts if not _PERCENTAGE.fullmatch(part)]
    total = sum(float(part) for part in parts if part not in odd)
    if odd:
        yield f"{odd[0]!r} is no percentage"
    elif total != 100:  # percent
        yield f"its percentages make {total:g}, not 100"
    if len(parts) > MOST_SHARES:
        yield f"it splits over {len(parts)} queues, and the most is {MOST_SHARES}"
    for row_id, count in Counter(queue for queue, _ in rule.shares).items():
        if count > 1:
            queue = seen.center.queue(row_id)
            yield f"it names the queue {queue.name if queue else row_id} {count} times"
