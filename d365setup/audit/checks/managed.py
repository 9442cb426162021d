"""Rows that a solution keeps, and a playbook wants to change."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, Seen, about_workstream, check, finding
from d365setup.audit.findings import Subject
from d365setup.center import Workstream
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.workstream import Workstream as WorkstreamSpec


@check("R27")
def managed_rows(seen: Seen) -> Iterator[Result]:
    """What a playbook declares in full is not a managed row; without a playbook nothing is about to be written."""
    if seen.playbook is None:
        return
    desired = seen.playbook.desired
    for each in desired.of(WorkstreamSpec):
        stream = seen.center.workstream(each.name)
        if stream and stream.managed and each.fallback_queue:
            told = "the playbook sets this work stream's fallback queue, and the work stream is managed"
            yield finding("R27", about_workstream(stream), told, managed="yes")
    streams = dict.fromkeys(rule.workstream for rule in desired.of(RoutingRule))
    for found in filter(None, map(seen.center.workstream, streams)):
        yield from _rule_set(found)


def _rule_set(stream: Workstream) -> Iterator[Result]:
    rules = stream.routes
    if rules and (rules.managed or not rules.customizable):
        how = "managed" if rules.managed else "not customizable"
        subject = Subject("rule_set", rules.name, rules.row_id, "msdyn_decisionruleset", stream.source)
        told = f"the playbook declares rules of {stream.name}, and its rule set is {how}"
        yield finding("R27", subject, told, workstream=stream.name, managed=how)
