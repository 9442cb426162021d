"""Which queues a work stream's conversations can come to, and what leads there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from d365setup.center import ContactCenter, Overflow, Queue, Workstream
from d365setup.conditions import NEVER, normal
from d365setup.routing import Reading
from d365setup.routing.contexts import minimal_escalations
from d365setup.routing.deciding import decide
from d365setup.routing.journey import Value
from d365setup.ruleset import Rule


@dataclass(frozen=True)
class Destination:
    """One queue of a work stream, and the first thing that leads there: ``rule Urgent``, ``the fallback queue``."""

    queue: Queue
    by: str


def live_rules(stream: Workstream) -> Iterator[Rule]:
    """The rules that choose a queue and can match something, in their order."""
    routes = stream.routes
    for rule in routes.rules if routes else ():
        if not (routes and routes.is_disabled(rule)) and normal(rule.condition) != NEVER:
            yield rule


def targets(rule: Rule) -> tuple[str, ...]:
    """The ids of the queues a rule leads to: one, or those of a percentage split."""
    return (rule.queue,) if rule.queue else tuple(queue for queue, _ in rule.shares)


def destinations(center: ContactCenter, stream: Workstream) -> tuple[Destination, ...]:
    """Every known queue that rules, the fallback or an overflow's transfer lead to, each once, nearest first."""
    return _followed(center, stream, tuple(live_rules(stream)))


def hand_off_destinations(center: ContactCenter, stream: Workstream) -> tuple[Destination, ...]:
    """As `destinations`, less what only the rules lead to that no handed-over conversation comes to.

    A hand-over that sets any variable stops at the first rule that surely matches and whose queue does not overflow;
    the rules up to the last such stop are the ones that count.
    """
    rules = tuple(live_rules(stream))
    contexts = tuple(minimal_escalations(stream)) or ({},)
    stops = (_stop(center, stream, rules, context) for context in contexts)
    return _followed(center, stream, rules[: max(stops, default=-1) + 1])


def _stop(center: ContactCenter, stream: Workstream, rules: Sequence[Rule], context: Mapping[str, Value]) -> int:
    """The place of the rule beyond which this hand-over never goes; behind the last one where none is sure."""
    for place, rule in enumerate(rules):
        queue = center.queue(rule.queue) if rule.queue else None
        is_sure = queue is not None and queue.prequeue == () and not rule.overflow
        if is_sure and decide(rule.condition, context, stream.variables, Reading.STRICT):
            return place
    return len(rules)


def _followed(center: ContactCenter, stream: Workstream, rules: Sequence[Rule]) -> tuple[Destination, ...]:
    found: dict[str, Destination] = {}
    waiting = list(_named(stream, rules))
    while waiting:
        row_id, by = waiting.pop(0)
        queue = center.queue(row_id)
        if queue is None or row_id in found:
            continue
        found[row_id] = Destination(queue, by)
        waiting += [(each.queue_id, f"overflow of {queue.name}") for each in transfers(queue)]
    return tuple(found.values())


def transfers(queue: Queue) -> Iterator[Overflow]:
    """The overflow settings that hand conversations to another queue."""
    for each in (*(queue.prequeue or ()), *(queue.inqueue or ())):
        if each.action == "transfer" and each.queue_id:
            yield each


def _named(stream: Workstream, rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    for rule in rules:
        for queue_id in targets(rule):
            yield queue_id, f"rule {rule.name}"
    if stream.fallback_id:
        yield stream.fallback_id, "the fallback queue"
