"""Overflow that hands conversations in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from d365setup.audit.checking import Result, Seen, about_queue, check, finding
from d365setup.audit.findings import Finding, Level, Unchecked
from d365setup.center import ContactCenter

Edges = Mapping[str, tuple[str, ...]]

ONCE = (
    "A full or closed queue hands the conversation on, and may get it back. Overflow before a queue happens once in a "
    "conversation, so that it then waits in the very queue that could not take it."
)


@check("R30")
def overflow_cycles(seen: Seen) -> Iterator[Result]:
    """No chain of transfers comes back to a queue it left."""
    center = seen.center
    for queue in center.queues:
        if queue.prequeue is None or queue.inqueue is None:
            yield Unchecked("R30", "the queue's overflow settings could not be read", about_queue(queue))
    endless = tuple(_circles(_edges(center, waited_only=True)))
    among = {row_id for circle in endless for row_id in circle}
    for circle in endless:
        yield _found(center, circle, "error", "")
    for circle in _circles(_edges(center, waited_only=False)):
        if not among.intersection(circle):
            yield _found(center, circle, "warning", ONCE)


def _found(center: ContactCenter, circle: tuple[str, ...], level: Level, consequence: str) -> Finding:
    queues = [queue for row_id in (*circle, circle[0]) if (queue := center.queue(row_id))]
    way = " → ".join(queue.name for queue in queues)
    told = f"overflow hands conversations in a circle: {way}"
    return finding("R30", about_queue(queues[0]), told, level=level, consequence=consequence, transfers=way)


def _edges(center: ContactCenter, *, waited_only: bool) -> Edges:
    """From each queue to those it transfers to. After a transfer only the waiting in a queue counts again."""
    found = {}
    for queue in sorted(center.queues, key=lambda each: (each.name, each.row_id)):
        lines = (*(queue.inqueue or ()), *(() if waited_only else queue.prequeue or ()))
        ids = (each.queue_id for each in lines if each.action == "transfer" and center.queue(each.queue_id))
        found[queue.row_id] = tuple(dict.fromkeys(ids))
    return found


def _circles(edges: Edges) -> Iterator[tuple[str, ...]]:
    """One circle for each group of queues that reach each other; its first queue is the first in order."""
    told: set[str] = set()
    for start in edges:
        if start in told:
            continue
        way = _way_back(edges, start)
        if way:
            told.update(each for each in _reached(edges, start) if start in set(_reached(edges, each)))
            yield way


def _way_back(edges: Edges, start: str) -> tuple[str, ...]:
    """The shortest way from a queue to itself; empty where there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for to in edges.get(way[-1], ()):
            if to == start:
                return way
            if to not in seen:
                seen.add(to)
                ways.append((*way, to))
    return ()


def _reached(edges: Edges, start: str) -> Iterator[str]:
    """Every queue that a chain of transfers from here comes to."""
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            yield each
            waiting += edges.get(each, ())
