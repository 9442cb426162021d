"""Which queue a conversation is sent to: every choice that is possible, one where nothing is in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from d365setup.center import Overflow
from d365setup.routing.deciding import Answer
from d365setup.routing.hours import is_open, next_opening
from d365setup.routing.matching import Match, Target, target
from d365setup.routing.overflowing import Overflowing, overflowing
from d365setup.routing.setting import Setting
from d365setup.ruleset import Rule

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Choice:
    """One way it may go; ``line`` is the overflow setting that fires, None also where that cannot be told."""

    how: Literal["rule", "overflow", "fallback queue", "nothing"]
    target: Target
    rule: Rule | None = None
    line: Overflow | None = None
    why: str = ""

    @property
    def name(self) -> str:
        """The rule's name, "" without one."""
        return self.rule.name if self.rule else ""


_Settings = tuple[str, str | None]


@dataclass(frozen=True)
class _Option:
    match: Match
    spill: Overflowing

    @property
    def target(self) -> Target:
        return self.match.targets[0]

    @property
    def settings(self) -> _Settings:
        """Whose overflow settings count: the queue's or the rule's own; a queue nobody knows is like no other."""
        return self.target.queue_id if self.target.queue else self.match.rule.name, self.match.rule.overflow

    @property
    def implied(self) -> set[_Settings]:
        """Which settings say that it overflows if these do: also the queue's, if it can only be that it is closed."""
        queue, own = self.settings
        return {(queue, own), (queue, None)} if self.spill.closed_only else {(queue, own)}


def choose(setting: Setting, matches: Sequence[Match], due: Answer, hit_policy: str = "all") -> tuple[Choice, ...]:
    """Every possible choice among rules that match or may match.

    ``due``: whether overflow is looked at now. With a hit policy `first` it is not known whether the rules behind
    the first match still count, with one nobody knows not even that; what may happen then is all followed.
    """
    options = [_Option(match, _spill(setting, match, due)) for match in matches]
    found = list(_possible(setting, options))
    if hit_policy == "first":
        found += _first_alone(setting, options)
    elif hit_policy not in {"all", ""}:
        found += (choice for option in options for choice in _taken(option))
    return tuple({(each.how, each.rule, each.target.queue_id): each for each in found}.values())


def passed_over(setting: Setting, matches: Sequence[Match], due: Answer, chosen: str) -> Iterator[str]:
    """Why each rule that surely matches before the chosen one did not get the conversation."""
    for match in matches:
        if match.rule.name == chosen:
            return
        spill = _spill(setting, match, due)
        if match.certain and spill.answer is True:
            yield f"Rule {match.rule.name} matches, but {spill.why}, so the rules after it are looked at."


def fallback(setting: Setting) -> Choice:
    """Where it goes when no rule matches; overflow settings do not count there."""
    stream = setting.stream
    if not stream.fallback_read:
        return Choice("fallback queue", Target("the fallback queue", why="the fallback queue was not read"))
    if not stream.fallback_id:
        return Choice("nothing", Target("", why="no rule matches and the work stream has no fallback queue"))
    return Choice("fallback queue", target(setting, stream.fallback_id))


def _spill(setting: Setting, match: Match, due: Answer) -> Overflowing:
    place = match.targets[0]
    if due is False:
        return Overflowing(answer=False)
    if place.queue is None:
        return Overflowing(None, why=place.why)
    found = overflowing(setting, place.queue, match.rule)
    return Overflowing(None, found.line, found.why) if due is None and found.answer else found


def _possible(setting: Setting, options: Sequence[_Option]) -> Iterator[Choice]:
    """The first match that does not overflow; else, of all that match and overflow, the one `_preferred`."""
    passed: set[_Settings] = set()  # what overflowed for one rule does so for the next
    for option in options:
        if option.spill.answer is not True and option.settings not in passed:
            yield _by_rule(option)
        if option.match.certain and option.spill.answer is False:
            return
        if option.match.certain:
            passed |= option.implied
    if not any(option.match.certain for option in options):
        yield fallback(setting)
    spilling = [option for option in options if option.spill.answer is not False]
    yield from (_by_overflow(option) for option in _preferred(setting, spilling))


def _first_alone(setting: Setting, options: Sequence[_Option]) -> Iterator[Choice]:
    """What becomes of the first match when no other rule counts."""
    for option in options:
        yield from _taken(option)
        if option.match.certain:
            return
    yield fallback(setting)


def _taken(option: _Option) -> Iterator[Choice]:
    if option.spill.answer is not True:
        yield _by_rule(option)
    if option.spill.answer is not False:
        yield _by_overflow(option)


_Key = tuple[int, datetime, int]


def _preferred(setting: Setting, options: Sequence[_Option]) -> Iterator[_Option]:
    """An open queue, else the one that opens earliest, supposing that every match overflows.

    Several where it is not certain which rules match, or when a queue opens.
    """
    keys = [_keys(setting, option, number) for number, option in enumerate(options)]
    sure = [latest for option, (_, latest) in zip(options, keys, strict=True) if option.match.certain]
    taken: set[str] = set()  # queues that compete for certain: a later rule never comes before an earlier one there
    for option, (earliest, _) in zip(options, keys, strict=True):
        if option.target.queue_id not in taken and (not sure or earliest <= min(sure)):
            yield option
        if option.match.certain:
            taken.add(option.target.queue_id)


def _keys(setting: Setting, option: _Option, number: int) -> tuple[_Key, _Key]:
    """The earliest and the latest place a queue may have among the competing ones."""
    queue = option.target.queue
    open_now = is_open(queue, setting.at) if queue else None
    if queue is None or open_now is None:
        earliest = (1, setting.at, number) if option.spill.closed_only else (0, _NEVER, number)
        return earliest, (1, _NEVER, number)
    key = (0, _NEVER, number) if open_now else (1, next_opening(queue, setting.at) or _NEVER, number)
    return key, key


def _by_rule(option: _Option) -> Choice:
    return Choice("rule", option.target, option.match.rule)


def _by_overflow(option: _Option) -> Choice:
    return Choice("overflow", option.target, option.match.rule, option.spill.line, option.spill.why)
