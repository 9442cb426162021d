"""Dependency mappings: the rows the product writes for what a rule set's text refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import plug_in
from .options import Switches
from .store import Row, Rows
from .xml import BadXml, Element, parse

MAPPING = "msdyn_rulesetdependencymapping"
_QUEUE_OUTPUTS = frozenset({"assign_to.queue", "queuedetails.queueid"})
_CONTEXT = "liveworkitemcontext."
_GUID = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")


@dataclass(frozen=True)
class Reference:
    """One thing one rule refers to."""

    rule: str
    rule_name: str
    table: str
    row_id: str


def rebuild(rows: Rows, switches: Switches, ruleset: Row, system: Mapping[str, Any]) -> None:
    """Make the mapping rows of a rule set just written say what its text refers to."""
    wanted = set(_references(rows, ruleset))
    if switches.mappings == "never":
        return
    if switches.mappings == "second write":
        wanted = _seen_before(rows, ruleset["msdyn_decisionrulesetid"], wanted)
    present = {
        _of_row(row): row for row in rows.find(MAPPING, msdyn_referencingrulesetid=ruleset["msdyn_decisionrulesetid"])
    }
    for reference, row in present.items():
        if reference not in wanted:
            rows.delete(MAPPING, row["msdyn_rulesetdependencymappingid"])
    for reference in sorted(wanted - set(present), key=lambda each: (each.rule, each.table, each.row_id)):
        rows.insert(MAPPING, {**system, **_values(reference, ruleset)})


def _references(rows: Rows, ruleset: Row) -> Iterator[Reference]:
    text = ruleset["msdyn_rulesetdefinition"]
    if not text:
        return
    try:
        root = parse(text)
    except BadXml as error:
        raise plug_in(f"The rule set definition cannot be read: {error}") from None
    variables = _variables(rows, ruleset)
    for rule in root.descendants("rule"):
        named = rule.attributes.get("id", ""), rule.attributes.get("name", "")
        for queue_id in _queues(rule):
            if rows.get("queue", queue_id):
                yield Reference(*named, "queue", queue_id)
        for name in _context_names(rule):
            if name in variables:
                yield Reference(*named, "msdyn_ocliveworkstreamcontextvariable", variables[name])


def _variables(rows: Rows, ruleset: Row) -> dict[str, str]:
    sql = """SELECT v.msdyn_name, v.msdyn_ocliveworkstreamcontextvariableid AS id
             FROM msdyn_ocliveworkstreamcontextvariable v JOIN msdyn_liveworkstream s
               ON s.msdyn_liveworkstreamid = v.msdyn_liveworkstreamid
             WHERE s.msdyn_routingcontractid = :contract
                OR s.msdyn_liveworkstreamid IN (
                   SELECT c.msdyn_liveworkstreamid FROM msdyn_routingconfiguration c
                   JOIN msdyn_routingconfigurationstep t
                     ON t.msdyn_routingconfigurationid = c.msdyn_routingconfigurationid
                   WHERE t.msdyn_rulesetid = :ruleset)"""
    known = {"contract": ruleset["msdyn_inputcontractid"], "ruleset": ruleset["msdyn_decisionrulesetid"]}
    return {row["msdyn_name"]: row["id"] for row in rows.select(sql, known)}


def _queues(rule: Element) -> Iterator[str]:
    for setting in rule.descendants("setattribute"):
        left, right = setting.child("lhs"), setting.child("rhs")
        if left is None or right is None or left.text.strip() not in _QUEUE_OUTPUTS:
            continue
        found = _GUID.fullmatch(right.text.strip())
        if found:
            yield found.group(1).lower()


def _context_names(rule: Element) -> Iterator[str]:
    for left in rule.descendants("lhs"):
        if left.text.strip().startswith(_CONTEXT):
            yield left.text.strip().removeprefix(_CONTEXT)


def _seen_before(rows: Rows, ruleset_id: str, wanted: set[Reference]) -> set[Reference]:
    """Return what the last write referred to as well, and remember this one."""
    before = {
        (row["rule"], row["target"])
        for row in rows.select("SELECT rule, target FROM _seen_reference WHERE ruleset = ?", [ruleset_id])
    }
    before |= {
        (row["msdyn_referencingruleid"], row["msdyn_referencedpolymorphicentityid"])
        for row in rows.find(MAPPING, msdyn_referencingrulesetid=ruleset_id)
    }
    rows.connection.execute("DELETE FROM _seen_reference WHERE ruleset = ?", [ruleset_id])
    for each in wanted:
        rows.connection.execute("INSERT INTO _seen_reference VALUES (?, ?, ?)", [ruleset_id, each.rule, each.row_id])
    return {each for each in wanted if (each.rule, each.row_id) in before}


def _of_row(row: Row) -> Reference:
    return Reference(
        row["msdyn_referencingruleid"] or "",
        row["msdyn_referencingrulename"] or "",
        row["msdyn_referencedpolymorphicentityidtype"] or "",
        row["msdyn_referencedpolymorphicentityid"] or "",
    )


def _values(reference: Reference, ruleset: Row) -> Row:
    return {
        "msdyn_name": f"{ruleset['msdyn_name'] or ''}"[:100],
        "msdyn_referencingrulesetid": ruleset["msdyn_decisionrulesetid"],
        "msdyn_referencingruleid": reference.rule,
        "msdyn_referencingrulename": reference.rule_name[:100],
        "msdyn_referencedpolymorphicentityid": reference.row_id,
        "msdyn_referencedpolymorphicentityidtype": reference.table,
        "msdyn_referencedpolymorphiclogicalname": reference.table,
    }
