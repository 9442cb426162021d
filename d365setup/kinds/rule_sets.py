"""Rule sets as facts: the chain from a work stream to the text that holds its route-to-queue rules.

work stream -> active routing configuration -> its step for route to queue -> rule set (routing facts, section 1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from d365setup.conditions import Foreign, variables
from d365setup.kinds.base import any_name, quoted
from d365setup.model import Query, Row, Rows, canonical_guid
from d365setup.ruleset import Rule, RuleSetError, read

if TYPE_CHECKING:
    from d365setup.kinds.context_variable import ContextVariable

ROUTE_TO_QUEUE = 192350002  # msdyn_routingconfigurationstep.msdyn_type
OUTPUT_CONTRACT = "msdyn_demandqueueidentificationoutput"  # shipped; the same unique name everywhere
_STEP_OF_RULE_SET = "msdyn_decisionruleset_msdyn_routingconfigurationstep_rulesetid"
_MAPPINGS = "msdyn_rulesetdependencymapping_msdyn_decisionruleset_msdyn_referencingrulesetid"
_GUIDS = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class RouteRules:
    """The route-to-queue rules of one work stream, as text and as rules; or why they cannot be worked with."""

    workstream: str
    configuration_id: str = ""  # empty: the work stream has none
    next_step: int = 1
    rule_set_id: str = ""  # empty: there is no step for route to queue
    etag: str = ""
    managed: bool = False
    text: str = ""
    rules: tuple[Rule, ...] = ()
    disabled: frozenset[str] = frozenset()
    mapped: frozenset[str] = frozenset()
    problem: str = ""

    def rules_using(self, variable: ContextVariable) -> Iterator[str]:
        """Names of the rules that look at this variable, also where a condition is foreign to us."""
        if self.workstream != variable.workstream:
            return
        for rule in self.rules:
            if variable.name in variables(rule.condition) or _mentions(rule, variable.name):
                yield rule.name


@dataclass(frozen=True)
class OutputContract:
    """The shipped contract every route-to-queue rule set answers with."""

    row_id: str


def rule_set_queries(workstreams: Iterable[str]) -> Iterator[Query]:
    """Configurations, steps and rule sets of these work streams side by side, by paths instead of ids.

    Rule sets are read with every column: `msdyn_disabledrules` is absent from older environments, and naming an absent
    column is an error.
    """
    names = list(dict.fromkeys(workstreams))
    stream = "msdyn_liveworkstreamid/msdyn_name"
    yield Query(
        "routing configurations",
        "msdyn_routingconfigurations",
        ("msdyn_routingconfigurationid", "msdyn_name", "msdyn_isactiveconfiguration", "statecode"),
        any_name(stream, names),
        ("msdyn_liveworkstreamid($select=msdyn_name)",),
    )
    yield Query(
        "routing steps",
        "msdyn_routingconfigurationsteps",
        ("msdyn_type", "msdyn_steporder", "_msdyn_rulesetid_value", "_msdyn_routingconfigurationid_value"),
        any_name(f"msdyn_routingconfigurationid/{stream}", names),
    )
    terms = " or ".join(f"s/msdyn_routingconfigurationid/{stream} eq {quoted(name)}" for name in names)
    yield Query(
        "rule sets",
        "msdyn_decisionrulesets",
        (),
        f"{_STEP_OF_RULE_SET}/any(s:{terms})",
        (
            "msdyn_outputcontractid($select=msdyn_uniquename)",
            f"{_MAPPINGS}($select=_msdyn_referencedpolymorphicentityid_value,msdyn_referencingruleid)",
        ),
    )
    yield Query(
        "output contract",
        "msdyn_decisioncontracts",
        ("msdyn_decisioncontractid", "msdyn_uniquename"),
        f"msdyn_uniquename eq {quoted(OUTPUT_CONTRACT)}",
    )


def route_rules(rows: Rows) -> Iterator[RouteRules | OutputContract]:
    """One `RouteRules` for each work stream that has a routing configuration."""
    for row in rows.get("output contract", ()):
        yield OutputContract(row["msdyn_decisioncontractid"])
    by_stream: dict[str, list[Row]] = {}
    for row in rows.get("routing configurations", ()):
        by_stream.setdefault((row.get("msdyn_liveworkstreamid") or {}).get("msdyn_name") or "", []).append(row)
    sets = {row["msdyn_decisionrulesetid"]: row for row in rows.get("rule sets", ())}
    for stream, configurations in by_stream.items():
        yield _of_stream(stream, configurations, rows.get("routing steps", ()), sets)


def _of_stream(stream: str, configurations: Sequence[Row], steps: Sequence[Row], sets: Mapping[str, Row]) -> RouteRules:
    active = [each for each in configurations if each.get("msdyn_isactiveconfiguration") and not each.get("statecode")]
    if len(active) != 1:
        ids = ", ".join(each["msdyn_routingconfigurationid"] for each in active or configurations)
        wrong = (
            f"{len(active)} active routing configurations" if active else "a routing configuration, but none is active"
        )
        return RouteRules(stream, problem=f"the work stream has {wrong} ({ids}); leave exactly one active")
    configuration = active[0]["msdyn_routingconfigurationid"]
    own = [step for step in steps if step.get("_msdyn_routingconfigurationid_value") == configuration]
    routing = [step for step in own if step.get("msdyn_type") == ROUTE_TO_QUEUE]
    after = max((step.get("msdyn_steporder") or 0 for step in own), default=0) + 1
    if not routing:
        return RouteRules(stream, configuration, after)
    if len(routing) > 1:
        ids = ", ".join(step["msdyn_routingconfigurationstepid"] for step in routing)
        return RouteRules(stream, configuration, problem=f"it has more than one route-to-queue step ({ids}); leave one")
    row = sets.get(routing[0].get("_msdyn_rulesetid_value") or "")
    if row is None:
        step = routing[0]["msdyn_routingconfigurationstepid"]
        return RouteRules(stream, configuration, problem=f"its route-to-queue step ({step}) has no rule set; delete it")
    return _of_row(stream, configuration, row)


def _of_row(stream: str, configuration: str, row: Row) -> RouteRules:
    row_id = row["msdyn_decisionrulesetid"]
    output = (row.get("msdyn_outputcontractid") or {}).get("msdyn_uniquename") or "none"
    text = row.get("msdyn_rulesetdefinition") or ""
    problem, rules = "", tuple[Rule, ...]()
    if not output.startswith(OUTPUT_CONTRACT):
        problem = f"its rule set ({row_id}) answers with the contract {output}, which does not choose queues"
    try:
        rules = read(text).rules if text else ()
    except RuleSetError as error:
        problem = f"the rules of its rule set ({row_id}) cannot be read: {error}"
    mapped = {each.get("_msdyn_referencedpolymorphicentityid_value") for each in row.get(_MAPPINGS) or ()}
    return RouteRules(
        stream,
        configuration,
        rule_set_id=row_id,
        etag=row.get("@odata.etag", ""),
        managed=bool(row.get("ismanaged")),
        text=text,
        rules=rules,
        disabled=_disabled(row),
        mapped=frozenset(each for each in mapped if each),
        problem=problem,
    )


def _disabled(row: Row) -> frozenset[str]:
    """Rule ids in `msdyn_disabledrules`: a JSON array or separated text, depending on the environment."""
    return frozenset(canonical_guid(each) for each in _GUIDS.findall(str(row.get("msdyn_disabledrules") or "")))


def _mentions(rule: Rule, variable: str) -> bool:
    return any(f"liveworkitemcontext.{variable}" in text for text in _foreign(rule.condition))


def _foreign(condition: object) -> Iterator[str]:
    if isinstance(condition, Foreign):
        yield condition.text
    for part in getattr(condition, "parts", ()):
        yield from _foreign(part)
