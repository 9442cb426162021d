"""What is drawn where there is more than a page can show: what has problems, what the simulation came by, the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from d365setup.audit.findings import LEVELS
from d365setup.center import ContactCenter, Workstream
from d365setup.model import join_key
from d365setup.report.diagram.marks import Mark, Marks
from d365setup.report.diagram.wording import counted
from d365setup.routing import Simulation
from d365setup.ruleset import Rule

T = TypeVar("T")

MOST_STREAMS, MOST_RULES, MOST_BOTS = 8, 12, 3


def streams(center: ContactCenter, marks: Marks, path: Simulation | None) -> tuple[Workstream, ...]:
    """The work streams to draw, in their order: the simulated one, or those with the worst marks and then the first."""
    if path:
        return tuple(each for each in center.workstreams if each.name == path.workstream)[:1]
    return _most([(each, _stream_marks(center, each, marks)) for each in center.workstreams], MOST_STREAMS)


def rules(stream: Workstream, marks: Marks, used: frozenset[str]) -> tuple[tuple[int, Rule], ...]:
    """The rules to draw with their place in the order; ``used`` are ids of rules that must be among them."""
    routes = stream.routes
    numbered = list(enumerate(routes.rules if routes else (), start=1))
    wanted = [each for each in numbered if each[1].id in used][:MOST_RULES]
    others = [(each, rule_marks(stream, each[1], marks)) for each in numbered if each not in wanted]
    return tuple(sorted((*wanted, *_most(others, MOST_RULES - len(wanted))), key=lambda each: each[0]))


def rule_marks(stream: Workstream, rule: Rule, marks: Marks) -> tuple[Mark, ...]:
    """The marks of one rule."""
    return marks.on("routing_rule", join_key(stream.name, rule.name))


def left_out(center: ContactCenter, drawn: Sequence[Workstream], path: Simulation | None) -> tuple[str, ...]:
    """A sentence about the work streams that are not drawn."""
    count = len(center.workstreams) - len(drawn)
    if not count:
        return ()
    if path:
        return (f"Only the simulated work stream is drawn, out of {len(center.workstreams):,}.",)
    others = counted(count, "other work stream is", "other work streams are")
    return (f"{len(drawn)} of {len(center.workstreams):,} are drawn, those with problems first; {others} not drawn.",)


def not_drawn(count: int, one: str, several: str) -> tuple[str, ...]:
    """A sentence about things beyond what a page can show; none where all are drawn."""
    return (f"{counted(count, one, several)} not drawn.",) if count else ()


def leads_to(stream: Workstream) -> tuple[str, ...]:
    """The ids of the queues that a work stream's rules, its bot and its fallback lead to, each once."""
    routes = stream.routes.rules if stream.routes else ()
    by_rule = (queue for rule in routes for queue in (rule.queue, *(share for share, _ in rule.shares)))
    return tuple(dict.fromkeys(each for each in (stream.bot_queue_id, *by_rule, stream.fallback_id) if each))


def _stream_marks(center: ContactCenter, stream: Workstream, marks: Marks) -> tuple[Mark, ...]:
    own = marks.on("workstream", stream.name, stream.row_id)
    routes = stream.routes.rules if stream.routes else ()
    queues = (center.queue(each) for each in leads_to(stream))
    on_queues = (mark for queue in queues if queue for mark in marks.on("queue", queue.name, queue.row_id))
    return (*own, *(mark for rule in routes for mark in rule_marks(stream, rule, marks)), *on_queues)


def _most(marked: Sequence[tuple[T, tuple[Mark, ...]]], most: int) -> tuple[T, ...]:
    """As many as fit, in the order given; the worst marked go first when not all do."""
    ranked = sorted(range(len(marked)), key=lambda place: (_badness(marked[place][1]), place))
    return tuple(marked[place][0] for place in sorted(ranked[:most]))


def _badness(marks: Sequence[Mark]) -> int:
    return min((LEVELS.index(mark.level) for mark in marks), default=len(LEVELS))
