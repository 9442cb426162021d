"""Run a playbook's tests: play each conversation on a contact center and hold it against what is expected. Pure.

A test is about rules and people. It says no time of day, so here every queue is open and has room: it would otherwise
pass by day and fail by night. `simulate --live --at` and `audit` look at hours and overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from d365setup.center import ContactCenter, Overflow, Queue
from d365setup.playbook import Expect, Playbook, PlaybookTest, Step
from d365setup.playbook.handoff import NOBODY, PERSON
from d365setup.proof import SKIPPED, Proof, TestResult, Unmet
from d365setup.routing import Ended, Escalated, Event, Leg, NotThere, Simulation, Start, Transferred, simulate

__all__ = ["SKIPPED", "Proof", "TestResult", "Unmet", "prove"]

Simulate: TypeAlias = Callable[[ContactCenter, str, Sequence[Event], datetime], Simulation]
Wanted: TypeAlias = str | bool  # a name, or yes or no
Expected: TypeAlias = tuple[int, Expect, tuple[str | int, ...]]  # which event, what then, where in the test

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)  # any time will do: no queue is closed in a test
_MOST_SHOWN = 5  # people of a queue named in a message


def prove(playbook: Playbook, center: ContactCenter, *, simulated: Simulate = simulate) -> Proof:
    """Run every test. On a playbook's own picture what only an environment can tell stays open; elsewhere it fails."""
    opened = always_open(center)
    results = tuple(_proved(test, opened, simulated) for test in playbook.tests)
    return Proof(results, center.origin)


def always_open(center: ContactCenter) -> ContactCenter:
    """The same without hours and overflow, whether they were read or not."""
    rules = (rule for stream in center.workstreams for rule in (stream.routes.rules if stream.routes else ()))
    overflows: dict[str, tuple[Overflow, ...]] = {rule.overflow: () for rule in rules if rule.overflow}
    return replace(center, queues=tuple(map(_open, center.queues)), overflows=overflows)


def _open(queue: Queue) -> Queue:
    return replace(queue, hours=None, hours_read=True, prequeue=(), inqueue=())


def _proved(test: PlaybookTest, center: ContactCenter, simulated: Simulate) -> TestResult:
    stream = test.workstream or ""
    try:
        found = simulated(center, stream, events_of(test), NOON)
    except NotThere as error:
        return TestResult(test.name, stream, test.source, (Unmet(f"it cannot be played: {error}", test.source),))
    problems: list[Unmet] = []
    undecided: list[Unmet] = []
    for index, expect, path in _expectations(test):
        for name, wanted in expect:
            for message, is_decided in _unmet(found, index, name, wanted):
                told = Unmet(f"{_step(test, index)}{message}", test.place(*path, name))
                (problems if is_decided or center.origin != "playbook" else undecided).append(told)
    return TestResult(test.name, stream, test.source, tuple(problems), tuple(undecided), found)


def events_of(test: PlaybookTest) -> tuple[Event, ...]:
    """What happens in a test. The short form with a bot begins where that bot hands over."""
    if test.steps is not None:
        return tuple(map(_event, test.steps))
    if test.escalated_by is not None:
        return (Escalated(test.given or {}, test.escalated_by),)
    return (Start(test.given or {}),)


def _event(step: Step) -> Event:
    match step.action:
        case "start":
            return Start(step.values)
        case "escalate":
            return Escalated(step.values)
        case "transfer":
            return Transferred(step.transfer.queue if step.transfer else "")
    return Ended()


def _expectations(test: PlaybookTest) -> Iterator[Expected]:
    for index, step in enumerate(test.steps or ()):
        if step.expect is not None:
            yield index, step.expect, ("steps", index, "expect")
    if test.expect is not None:
        yield len(events_of(test)) - 1, test.expect, ("expect",)


def _step(test: PlaybookTest, index: int) -> str:
    return f"step {index + 1} ({test.steps[index].action}): " if test.steps else ""


def _unmet(found: Simulation, index: int, name: str, wanted: Wanted) -> Iterator[tuple[str, bool]]:
    """What is wrong with one expectation, and whether that is certain; once, where both readings say the same."""
    strict = _judged(found.strict.legs[index], name, wanted)
    loose = _judged(found.loose.legs[index], name, wanted)
    if strict == loose:
        yield from [strict] if strict else []
        return
    if strict:
        yield f"{strict[0]}, if upper and lower case count when texts are compared", strict[1]
    if loose:
        yield f"{loose[0]}, if upper and lower case do not count when texts are compared", loose[1]


def _judged(leg: Leg, name: str, wanted: Wanted) -> tuple[str, bool] | None:
    """None where it is met."""
    if _is_open(leg, name):
        return f"expected {_said(name, wanted)}, which cannot be decided: {_reason(leg, name)}", False
    got = _got(leg, name)
    if got == wanted:
        return None
    told = "".join(_told_of_rule(leg, wanted)) if name == "rule" else ""
    return f"expected {_said(name, wanted)}, got {_said(name, got)}: {told}{_reason(leg, name)}", True


def _is_open(leg: Leg, name: str) -> bool:
    if name in ("queue", "rule"):
        return leg.chosen_by == "cannot decide"
    return leg.answer == "unknown"


def _got(leg: Leg, name: str) -> Wanted:
    match name:
        case "queue":
            return leg.queue
        case "rule":
            return leg.rule
        case "closed":
            return leg.closed
        case "waits":
            return leg.waits
    return {"person": PERSON, "bot": leg.answered_by}.get(leg.answer, NOBODY)


def _said(name: str, value: Wanted) -> str:
    match name:
        case "queue" | "rule":
            return f"the {name} {value!r}" if value else f"no {name}"
        case "closed":
            return "that it is closed" if value else "that it is not closed"
        case "waits":
            return "that it waits for ever" if value else "that it does not wait for ever"
    return f"{value} to answer"


def _reason(leg: Leg, name: str) -> str:
    """Who chose the queue and, where that matters, who is in it."""
    people = () if name in ("queue", "rule") else _told_of_candidates(leg)
    told = "; ".join((_chosen(leg), *people))
    return ". ".join(each.rstrip(".") for each in (told, *leg.notes))


def _told_of_rule(leg: Leg, wanted: Wanted) -> Iterator[str]:
    """What the expected rule itself said."""
    for rule in leg.rules:
        if rule.name == wanted:
            why = f" ({rule.why.rstrip('.')})" if rule.why else ""
            yield f"{wanted!r} {_RESULTS[rule.result]}{why}; "


_RESULTS = {
    "matched": "matched too, but another came first or its queue did not take it",
    "not matched": "did not match",
    "disabled": "is switched off in the environment",
    "cannot decide": "cannot be decided",
}
_CHOSEN = {
    "rule": "the rule {rule!r} leads to {queue!r}",
    "fallback queue": "no rule matched, so it went to the fallback queue {queue!r}",
    "work stream bot": "the work stream has a bot of its own, which comes first",
    "overflow": "the queue of its rule overflowed, and {queue!r} took it",
    "transfer": "somebody sent it to {queue!r}",
    "end": "somebody closed it",
    "nothing": "no rule matched, and there is no fallback queue",
    "cannot decide": "a rule or queue on the way cannot be decided",
}


def _chosen(leg: Leg) -> str:
    return _CHOSEN[leg.chosen_by].format(rule=leg.rule, queue=leg.queue)


def _told_of_candidates(leg: Leg) -> Iterator[str]:
    shown = [f"{each.name}: {each.why}".rstrip(".") for each in leg.candidates[:_MOST_SHOWN]]
    if shown:
        more = len(leg.candidates) - len(shown)
        yield f"in the queue are {', '.join(shown)}{f' and {more} more' if more > 0 else ''}"
