"""Operators that no rule set has been seen to work with."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_rule, check, finding
from d365setup.audit.comparisons import comparisons
from d365setup.audit.reading import rule_sets, unreadable
from d365setup.center import ContactCenter, RuleSet, Workstream

# In rule sets that the designer itself had stored, and (the last one) in a tool that reads them (routing facts, 1.3).
SEEN = frozenset({"==", ">", ">=", "not-null", "in"})
# Written by one demonstration script that was never shown to route: that other rule sets have it too proves nothing.
DOUBTFUL = frozenset({"equals"})


@check("R14")
def known_operators(seen: Seen) -> Iterator[Result]:
    """Each operator was seen in captured rule sets, or stands in a rule set of another work stream here."""
    used = _by_stream(seen.center)
    for stream in seen.workstreams:
        yield from unreadable("R14", stream)
        elsewhere = frozenset().union(*(found for row_id, found in used.items() if row_id != stream.row_id))
        known = SEEN | (elsewhere - DOUBTFUL)
        for rule_set in rule_sets(stream):
            yield from _unknown(stream, rule_set, known)


def _unknown(stream: Workstream, rule_set: RuleSet, known: frozenset[str]) -> Iterator[Result]:
    found: dict[int, list[str]] = {}
    for each in comparisons(rule_set):
        if each.operator not in known and each.operator not in found.setdefault(each.rule, []):
            found[each.rule].append(each.operator)
    for place, operators in found.items():
        if operators:
            subject = about_rule(stream, rule_set, rule_set.rules[place])
            told = f"it compares with {', '.join(map(repr, operators))}, which no rule set elsewhere here uses"
            yield finding("R14", subject, told, operators=", ".join(operators), known=", ".join(sorted(known)))


def _by_stream(center: ContactCenter) -> dict[str, frozenset[str]]:
    """The operators in use, by work stream."""
    return {
        stream.row_id: frozenset(each.operator for rule_set in rule_sets(stream) for each in comparisons(rule_set))
        for stream in center.workstreams
    }
