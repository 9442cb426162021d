"""The rule sets of a work stream as checks look at them, and what cannot be said where one cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from d365setup.audit.checking import about_workstream
from d365setup.audit.findings import Unchecked
from d365setup.center import RuleSet, Workstream
from d365setup.ruleset import Rule

RuleSeen: TypeAlias = tuple[Rule, str]  # a rule, and a name that stands in it


def rule_sets(stream: Workstream) -> tuple[RuleSet, ...]:
    """The rule sets that decide where conversations go: classification first, then the routes."""
    found = (*stream.classifications, *(filter(None, (stream.routes,))))
    return tuple({each.row_id: each for each in found}.values())


def unreadable(finding_id: str, stream: Workstream) -> Iterator[Unchecked]:
    """That a check cannot decide, once for each rule set that cannot be read (R15 tells of it as a finding)."""
    if stream.configurations is None:
        yield Unchecked(
            finding_id, "the work stream's routing configuration could not be read", about_workstream(stream)
        )
    for each in rule_sets(stream):
        if each.problem:
            told = f"cannot decide: the rule set {each.name or each.row_id} cannot be read ({each.problem})"
            yield Unchecked(finding_id, told, about_workstream(stream))
