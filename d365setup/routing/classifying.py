"""Work classification: rule sets that run before routing and fill context variables (routing facts, section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from d365setup.center import RuleSet
from d365setup.routing.deciding import Answer, Doubt
from d365setup.routing.journey import Value
from d365setup.routing.setting import Known, Setting
from d365setup.ruleset import Rule

_VARIABLE = "liveworkitemcontext."


@dataclass(frozen=True)
class Classified:
    """What is known of a conversation after classification, with sentences for people."""

    known: Known
    notes: tuple[str, ...] = ()


def classify(setting: Setting, known: Known) -> Classified:
    """Run every classification rule set in order; what one sets the next ones see."""
    found = Classified(known)
    for rule_set in setting.stream.classifications:
        step = _run(setting, rule_set, found.known)
        found = Classified(step.known, (*found.notes, *step.notes))
    return found


def _run(setting: Setting, rule_set: RuleSet, known: Known) -> Classified:
    if rule_set.problem:
        told = f"Classification {rule_set.name} cannot be read ({rule_set.problem}), so no variable is certain."
        return Classified(replace(known, doubt=Doubt(all=True)), (told,))
    enabled = [rule for rule in rule_set.rules if not rule_set.is_disabled(rule)]
    answers = [(rule, setting.decide(rule.condition, known)) for rule in enabled]
    if rule_set.hit_policy == "all":
        return Classified(_all(answers, known), (f"Classification {rule_set.name} applies every rule that matches.",))
    if rule_set.hit_policy in {"first", ""}:
        return _first(rule_set, answers, known)
    possible = [rule for rule, answer in answers if answer is not False]
    told = f"Classification {rule_set.name} has the hit policy {rule_set.hit_policy!r}, which is not known here."
    return Classified(_doubted(known, possible), (told,))


def _first(rule_set: RuleSet, answers: Iterable[tuple[Rule, Answer]], known: Known) -> Classified:
    """The first true rule applies; where one before it cannot be decided, neither is certain."""
    possible = list(_until_true(answers))
    if not possible:
        return Classified(known)
    rule, answer = possible[0]
    if answer is True:
        return Classified(_applied(known, rule), (f"Classification {rule_set.name}: rule {rule.name} applies.",))
    told = f"Classification {rule_set.name}: whether rule {rule.name} applies cannot be decided."
    return Classified(_doubted(known, [each for each, _ in possible]), (told,))


def _until_true(answers: Iterable[tuple[Rule, Answer]]) -> Iterator[tuple[Rule, Answer]]:
    for rule, answer in answers:
        if answer is not False:
            yield rule, answer
        if answer is True:
            return


def _all(answers: Sequence[tuple[Rule, Answer]], known: Known) -> Known:
    """Each rule that matches applies, a later one over an earlier one."""
    for rule, answer in answers:
        if answer is True:
            known = _applied(known, rule)
        elif answer is None:
            known = _doubted(known, [rule])
    return known


def _applied(known: Known, rule: Rule) -> Known:
    for name, value in _outputs(rule):
        known = _doubted_names(known, {name}) if value is None else _set(known, name, value)
    return known


def _set(known: Known, name: str, value: Value) -> Known:
    return Known({**known.context, name: value}, replace(known.doubt, names=known.doubt.names - {name}))


def _doubted(known: Known, rules: Iterable[Rule]) -> Known:
    return _doubted_names(known, {name for rule in rules for name, _ in _outputs(rule)})


def _doubted_names(known: Known, names: set[str]) -> Known:
    return replace(known, doubt=replace(known.doubt, names=known.doubt.names | names))


def _outputs(rule: Rule) -> Iterator[tuple[str, str | None]]:
    """The context variables a rule fills; other attributes matter to nothing that is simulated."""
    for attribute, value in rule.sets:
        if attribute.startswith(_VARIABLE):
            yield attribute.removeprefix(_VARIABLE), value
