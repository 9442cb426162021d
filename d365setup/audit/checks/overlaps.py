"""Rules that match one conversation at once and lead it to different queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from d365setup.audit.checking import Result, Seen, about_rule, check, finding
from d365setup.audit.destinations import live_rules, targets
from d365setup.audit.findings import Level, Subject, Unchecked
from d365setup.audit.overflowing import spills
from d365setup.audit.overlap import Clauses, clauses, implies, overlap
from d365setup.audit.reading import unreadable
from d365setup.center import ContactCenter, Workstream
from d365setup.conditions import ALWAYS, Condition, describe, normal
from d365setup.ruleset import Rule

_MOST_NAMES = 3


class _Relation(Enum):
    """What a rule means for one behind it that leads to another queue."""

    APART = "they never match at once, or the later one is for what is left"
    UNDECIDED = "a condition is not understood"
    COVERED = "it takes all that the later one matches"
    BESIDE = "they match at once for some conversations"
    SPARE = "the later one matches all that it does, and takes over when its queue overflows"


_TOLD: Mapping[_Relation, tuple[str, str, Level]] = {  # what is said of the later one, the worst first
    _Relation.COVERED: (
        "whatever it matches, {} before it matches too, and leads elsewhere",
        "It is never reached: the queue of the rule before it always takes the conversation.",
        "warning",
    ),
    _Relation.BESIDE: (
        "it can match together with {} before it, which leads elsewhere",
        "Of all rules that match, the first whose queue does not overflow is taken: their order alone decides.",
        "warning",
    ),
    _Relation.SPARE: (
        "it takes over from {} when the queue there overflows",
        "While the queue of the earlier rule is closed or full, its conversations go to the queue of this one.",
        "info",
    ),
}


@dataclass(frozen=True)
class _Route:
    """A rule in use, with its condition taken apart once: every pair asks."""

    rule: Rule
    condition: Condition  # in its normal form
    queues: frozenset[str]
    ways: Clauses | None
    spills: bool | None

    @property
    def is_always(self) -> bool:
        """Whether it has no condition."""
        return self.condition == ALWAYS


@check("R10")
def overlapping_rules(seen: Seen) -> Iterator[Result]:
    """No two rules match at once and lead to different queues, unless the later one is the more general one."""
    for stream in seen.workstreams:
        yield from unreadable("R10", stream)
        routes = tuple(_routes(seen.center, stream))
        shadow = next((at for at, each in enumerate(routes) if each.is_always), len(routes))
        yield from _shadowing(stream, routes, shadow)
        for at, later in enumerate(routes[: shadow + 1]):
            is_last = at == len(routes) - 1
            if not (is_last and later.is_always):
                yield from _judged(stream, routes[:at], later)


def _routes(center: ContactCenter, stream: Workstream) -> Iterator[_Route]:
    numbers = frozenset(each.name for each in stream.variables or () if each.type == "number")
    for rule in live_rules(stream):
        queues, ways = frozenset(targets(rule)), clauses(rule.condition, numbers)
        yield _Route(rule, normal(rule.condition), queues, ways, spills(center, rule))


def _shadowing(stream: Workstream, routes: tuple[_Route, ...], at: int) -> Iterator[Result]:
    """A rule without a condition before others: they are what is left when its queue overflows."""
    behind = [each for each in routes[at + 1 :] if _differ(routes[at], each)]
    if not behind:
        return
    rule = routes[at].rule
    told = f"it has no condition and stands before {_listed(behind)}"
    happens = "It matches every conversation, so the rules behind it are never reached."
    if routes[at].spills is not False:
        happens = "It matches every conversation: the rules behind it are reached only while its queue overflows."
    yield _finding(stream, rule, told, happens, behind)


def _judged(stream: Workstream, earlier: tuple[_Route, ...], later: _Route) -> Iterator[Result]:
    """What the worst of the rules before it means for a rule; one finding, however many there are."""
    found: dict[_Relation, list[_Route]] = {}
    for each in earlier:
        if _differ(each, later):
            found.setdefault(_relation(each, later), []).append(each)
    worst = next((each for each in _TOLD if each in found), None)
    if worst is not None:
        told, happens, level = _TOLD[worst]
        yield _finding(stream, later.rule, told.format(_listed(found[worst])), happens, found[worst], level)
    elif _Relation.UNDECIDED in found:
        others = _listed(found[_Relation.UNDECIDED])
        told = f"cannot decide whether it matches at once with {others}: {describe(later.rule.condition)}"
        yield Unchecked("R10", told, _subject(stream, later.rule))


def _relation(earlier: _Route, later: _Route) -> _Relation:
    if earlier.condition == later.condition:
        return _Relation.SPARE if earlier.spills else _Relation.COVERED
    if earlier.ways is None or later.ways is None:
        return _Relation.UNDECIDED
    both = overlap(earlier.ways, later.ways)
    if both is False:
        return _Relation.APART
    if implies(earlier.ways, later.ways):
        return _Relation.APART if earlier.spills is False else _Relation.SPARE
    return _Relation.UNDECIDED if both is None else _meeting(earlier, later)


def _meeting(earlier: _Route, later: _Route) -> _Relation:
    """They match at once, and the later one is not the more general."""
    if not implies(later.ways or (), earlier.ways or ()):
        return _Relation.BESIDE
    return _Relation.SPARE if earlier.spills else _Relation.COVERED


def _finding(
    stream: Workstream, rule: Rule, told: str, happens: str, others: list[_Route], level: Level = "warning"
) -> Result:
    condition, names, subject = describe(rule.condition), _listed(others), _subject(stream, rule)
    return finding("R10", subject, told, level=level, consequence=happens, condition=condition, others=names)


def _subject(stream: Workstream, rule: Rule) -> Subject:
    assert stream.routes is not None  # its rules were looked at  # noqa: S101
    return about_rule(stream, stream.routes, rule)


def _differ(one: _Route, other: _Route) -> bool:
    return one.queues != other.queues


def _listed(routes: list[_Route]) -> str:
    names = [repr(each.rule.name) for each in routes[:_MOST_NAMES]]
    more = len(routes) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
