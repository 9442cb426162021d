"""Which route-to-queue rules match a conversation, and where each of them leads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from d365setup.center import Queue, RuleSet
from d365setup.conditions import describe
from d365setup.routing.comparing import number
from d365setup.routing.deciding import Answer, undecidable
from d365setup.routing.journey import Matched, Reading, RuleResult
from d365setup.routing.setting import Known, Setting
from d365setup.ruleset import Rule


@dataclass(frozen=True)
class Target:
    """A queue a rule leads to; without ``queue`` what happens there cannot be told, and ``why`` says why."""

    name: str
    queue_id: str = ""
    queue: Queue | None = None
    why: str = ""
    share: str = ""  # of a percentage split


@dataclass(frozen=True)
class Match:
    """A rule that matches, or (not ``certain``) may match. ``targets``: the largest share of a split comes first."""

    rule: Rule
    targets: tuple[Target, ...]
    certain: bool = True


def results(setting: Setting, rule_set: RuleSet, known: Known) -> Iterator[tuple[RuleResult, Match | None]]:
    """Every rule in document order with what it says of the conversation."""
    for rule in rule_set.rules:
        answer = None if rule_set.is_disabled(rule) else setting.decide(rule.condition, known)
        targets = _targets(setting, rule)
        result = _result(rule, targets, _word(rule_set, rule, answer), _why(setting, rule, known, answer))
        possible = not rule_set.is_disabled(rule) and answer is not False
        yield result, Match(rule, targets, answer is True) if possible else None


def target(setting: Setting, row_id: str, share: str = "") -> Target:
    """A queue by its id, as a place for this work stream's conversations."""
    queue = setting.center.queue(row_id)
    if queue is None:
        return Target(
            f"queue {row_id}", row_id, why=f"the queue {row_id} is not among those that were read", share=share
        )
    why = f"{queue.name} is inactive" if not queue.active else setting.wrong_type(queue)
    return Target(queue.name, row_id, None if why else queue, why, share)


def _word(rule_set: RuleSet, rule: Rule, answer: Answer) -> Matched:
    if rule_set.is_disabled(rule):
        return "disabled"
    return "cannot decide" if answer is None else "matched" if answer else "not matched"


def _why(setting: Setting, rule: Rule, known: Known, answer: Answer) -> str:
    if answer is not None:
        return ""
    told = list(undecidable(rule.condition))
    if known.doubt.all or known.doubt.names:
        told.append("Classification may have set a variable it compares.")
    if setting.stream.variables is None:
        told.append("The types of the context variables were not read.")
    return " ".join(told)


def _result(rule: Rule, targets: Sequence[Target], word: Matched, why: str) -> RuleResult:
    shown = ", ".join(f"{each.share} % {each.name}" if each.share else each.name for each in targets)
    queue_id = targets[0].queue_id if len(targets) == 1 else ""
    return RuleResult(rule.id, rule.name, word, describe(rule.condition), why, shown, queue_id)


def _targets(setting: Setting, rule: Rule) -> tuple[Target, ...]:
    if rule.queue:
        return (target(setting, rule.queue),)
    weights = [number(text, Reading.LOOSE) for _, text in rule.shares]
    known = [weight for weight in weights if weight is not None]
    if not known or len(known) < len(weights) or max(known) <= 0:
        told = "no percentage in it can be read" if rule.shares else "it names no single queue"
        return (Target(rule.action, why=f"what rule {rule.name} does ({rule.action}) is not understood: {told}"),)
    ordered = sorted(zip(known, rule.shares, strict=True), key=lambda each: -each[0])
    return tuple(target(setting, queue, text.strip()) for weight, (queue, text) in ordered if weight > 0)
