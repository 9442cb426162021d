"""What the platform noted that rules refer to."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_rule, about_workstream, check, finding
from d365setup.audit.comparisons import comparisons
from d365setup.audit.destinations import targets
from d365setup.audit.findings import Unchecked
from d365setup.audit.reading import rule_sets, unreadable
from d365setup.center import ContactCenter, RuleSet, Workstream


@check("R08")
def noted_references(seen: Seen) -> Iterator[Result]:
    """Each queue and variable of a rule has its dependency mapping row."""
    for stream in seen.workstreams:
        yield from unreadable("R08", stream)
        for rule_set in rule_sets(stream):
            if rule_set.mappings is None:
                told = f"the dependency mappings of the rule set {rule_set.name} could not be read"
                yield Unchecked("R08", told, about_workstream(stream))
            else:
                yield from _not_noted(seen.center, stream, rule_set, rule_set.mappings)


def _not_noted(
    center: ContactCenter, stream: Workstream, rule_set: RuleSet, noted: frozenset[tuple[str, str]]
) -> Iterator[Result]:
    looked_at = _variables(stream, rule_set)
    for place, rule in enumerate(rule_set.rules):
        queues = (queue for queue in map(center.queue, targets(rule)) if queue)
        referred = {queue.row_id: f"queue {queue.name}" for queue in queues} | looked_at.get(place, {})
        # a mapping that does not say which rule it is for counts for all of them
        missing = [name for row, name in referred.items() if not {(rule.id, row), ("", row)} & noted]
        if missing:
            told = f"the platform has not noted that it refers to {', '.join(missing)}"
            yield finding("R08", about_rule(stream, rule_set, rule), told, missing=", ".join(missing))


def _variables(stream: Workstream, rule_set: RuleSet) -> dict[int, dict[str, str]]:
    """For each rule, the rows of the declared variables it looks at (R05 tells of the others)."""
    found: dict[int, dict[str, str]] = {}
    for each in comparisons(rule_set):
        known = stream.variable(each.variable) if each.variable else None
        if known and known.row_id:
            found.setdefault(each.rule, {})[known.row_id] = f"variable {known.name}"
    return found
