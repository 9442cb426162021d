"""Rule sets as facts: the chain from a work stream to the text that holds its route-to-queue rules.

work stream -> active routing configuration -> its step for route to queue -> rule set (routing facts, section 1.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from d365setup.conditions import Foreign, variables
from d365setup.kinds.base import distinct
from d365setup.kinds.filters import alternatives, named, quoted
from d365setup.model import LiveState, Query, Row, Rows, canonical_guid
from d365setup.ruleset import Rule, RuleSetError, read

CLASSIFICATION, ROUTE_TO_QUEUE = 192350000, 192350002  # msdyn_routingconfigurationstep.msdyn_type
OUTPUT_CONTRACT = "msdyn_demandqueueidentificationoutput"  # shipped; the same unique name everywhere
_STREAM = "msdyn_liveworkstreamid/msdyn_name"
STEP_OF_RULE_SET = "msdyn_decisionruleset_msdyn_routingconfigurationstep_rulesetid"
_MAPPINGS = "msdyn_rulesetdependencymapping_msdyn_decisionruleset_msdyn_referencingrulesetid"
_REFERENCED = "_msdyn_referencedpolymorphicentityid_value"
_CONFIGURATIONS, _STEPS, _SETS = "routing configurations", "routing steps", "rule sets"
EVERY_RULE_SET = f"every {_SETS}"
GUIDS = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


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
    mapped: frozenset[tuple[str, str]] = frozenset()  # rule id (empty: not said which), and what it refers to
    problem: str = ""

    def is_mapped(self, rule_id: str, row_id: str) -> bool:
        """Whether the platform has noted that this rule refers to this row."""
        return not self.mapped.isdisjoint({(rule_id, row_id), ("", row_id)})


@dataclass(frozen=True)
class RuleText:
    """A rule set of any of a work stream's steps, whatever it decides; without rules where it cannot be read."""

    workstream: str
    name: str
    text: str
    rules: tuple[Rule, ...] = ()
    row_id: str = ""
    step_type: int | None = None  # msdyn_routingconfigurationstep.msdyn_type
    step_order: int = 0

    def users_of(self, variable: str) -> Iterator[str]:
        """The rules that look at this variable, also where a condition is foreign to us; else the rule set itself."""
        rules = [rule.name for rule in self.rules if _looks_at(rule, variable)]
        yield from rules
        if not rules and _mentions(self.text, variable):
            yield self.name


@dataclass(frozen=True)
class OutputContract:
    """The shipped contract every route-to-queue rule set answers with."""

    row_id: str


def rules_of(live: LiveState, workstream: str) -> RouteRules:
    """The rules of a work stream; empty facts where it has no routing configuration."""
    found = (each for each in live.known(RouteRules) if each.workstream == workstream)
    return next(found, RouteRules(workstream))


def rule_set_queries(workstreams: Iterable[str]) -> Iterator[Query]:
    """Configurations, steps and rule sets of these work streams side by side, by paths instead of ids.

    Rule sets are read with every column: `msdyn_disabledrules` is absent from older environments, and naming an absent
    column is an error.
    """
    names = list(dict.fromkeys(workstreams))
    for where in named(_STREAM, names):
        yield _configurations(where)
    for where in named(f"msdyn_routingconfigurationid/{_STREAM}", names):
        yield _steps(where)
    for where in alternatives(f"s/msdyn_routingconfigurationid/{_STREAM} eq {quoted(name)}" for name in names):
        yield _sets(where)


def every_rule_set_queries() -> Iterator[Query]:
    """All configurations, steps and rule sets, whatever they decide: to know who uses a queue or a variable."""
    yield _configurations("", f"every {_CONFIGURATIONS}")
    yield _steps("", f"every {_STEPS}")
    yield _sets("", f"every {_SETS}")


def output_contract_query() -> Query:
    """The shipped contract, wanted once: no write of ours changes it."""
    columns = ("msdyn_decisioncontractid", "msdyn_uniquename")
    return Query(
        "output contract", "msdyn_decisioncontracts", columns, f"msdyn_uniquename eq {quoted(OUTPUT_CONTRACT)}"
    )


def _configurations(where: str, label: str = _CONFIGURATIONS) -> Query:
    columns = ("msdyn_routingconfigurationid", "msdyn_name", "msdyn_isactiveconfiguration", "statecode")
    expand = ("msdyn_liveworkstreamid($select=msdyn_name)",)
    return Query(label, "msdyn_routingconfigurations", columns, where, expand)


def _steps(where: str, label: str = _STEPS) -> Query:
    columns = (
        "msdyn_routingconfigurationstepid",
        "msdyn_type",
        "msdyn_steporder",
        "_msdyn_rulesetid_value",
        "_msdyn_routingconfigurationid_value",
    )
    return Query(label, "msdyn_routingconfigurationsteps", columns, where)


def _sets(where: str, label: str = _SETS) -> Query:
    expand = (
        "msdyn_outputcontractid($select=msdyn_uniquename)",
        f"{_MAPPINGS}($select={_REFERENCED},msdyn_referencingruleid)",
    )
    where = f"{STEP_OF_RULE_SET}/any(s:{where})" if where else ""
    return Query(label, "msdyn_decisionrulesets", (), where, expand, "msdyn_decisionrulesetid")


def read_of(rows: Rows, label: str) -> list[Row]:
    """What was read under this label, for some work streams or for all."""
    return [*rows.get(label, ()), *rows.get(f"every {label}", ())]


def route_rules(rows: Rows) -> Iterator[RouteRules | RuleText | OutputContract]:
    """One `RouteRules` for each work stream that has a routing configuration, and every rule set of its steps."""
    for row in rows.get("output contract", ()):
        yield OutputContract(row["msdyn_decisioncontractid"])
    steps = list(distinct(read_of(rows, _STEPS), "msdyn_routingconfigurationstepid"))
    sets = {row["msdyn_decisionrulesetid"]: row for row in read_of(rows, _SETS)}
    for stream, configurations in _by_stream(rows).items():
        yield _of_stream(stream, configurations, steps, sets)
        yield from _texts(stream, configurations, steps, sets)


def streams_of(rows: Rows) -> Mapping[str, frozenset[str]]:
    """The work streams whose steps lead to a rule set, by the rule set's id."""
    found: dict[str, frozenset[str]] = {}
    steps = read_of(rows, _STEPS)
    for stream, configurations in _by_stream(rows).items():
        for row_id in _used(configurations, steps):
            found[row_id] = found.get(row_id, frozenset()) | {stream}
    return found


def mappings_of(row: Row) -> Iterator[tuple[str, str]]:
    """What the platform noted that a rule set refers to: the rule's id (empty: not said which), and the row's."""
    for each in row.get(_MAPPINGS) or ():
        if each.get(_REFERENCED):
            yield _bare(each.get("msdyn_referencingruleid")), each[_REFERENCED]


def _by_stream(rows: Rows) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in distinct(read_of(rows, _CONFIGURATIONS), "msdyn_routingconfigurationid"):
        if row.get("msdyn_liveworkstreamid"):  # the others route records
            found.setdefault(row["msdyn_liveworkstreamid"].get("msdyn_name") or "", []).append(row)
    return found


def _used(configurations: Sequence[Row], steps: Sequence[Row]) -> Iterator[str]:
    ids = {each["msdyn_routingconfigurationid"] for each in configurations}
    used = (s.get("_msdyn_rulesetid_value") for s in steps if s.get("_msdyn_routingconfigurationid_value") in ids)
    return iter(dict.fromkeys(each for each in used if each))


def _texts(
    stream: str, configurations: Sequence[Row], steps: Sequence[Row], sets: Mapping[str, Row]
) -> Iterator[RuleText]:
    ids = {each["msdyn_routingconfigurationid"] for each in configurations}
    own = {s.get("_msdyn_rulesetid_value"): s for s in steps if s.get("_msdyn_routingconfigurationid_value") in ids}
    for row in filter(None, map(sets.get, _used(configurations, steps))):
        text, row_id = row.get("msdyn_rulesetdefinition") or "", row["msdyn_decisionrulesetid"]
        kind, order = own[row_id].get("msdyn_type"), own[row_id].get("msdyn_steporder") or 0
        yield RuleText(stream, row.get("msdyn_name") or row_id, text, _read(text)[0], row_id, kind, order)


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
    text = row.get("msdyn_rulesetdefinition") or ""
    rules, unreadable = _read(text)
    return RouteRules(
        stream,
        configuration,
        rule_set_id=row["msdyn_decisionrulesetid"],
        etag=row.get("@odata.etag", ""),
        managed=bool(row.get("ismanaged")),
        text=text,
        rules=rules,
        disabled=_disabled(row),
        mapped=frozenset(mappings_of(row)),
        problem=_problem(row, unreadable),
    )


def _problem(row: Row, unreadable: str) -> str:
    row_id = row["msdyn_decisionrulesetid"]
    output = (row.get("msdyn_outputcontractid") or {}).get("msdyn_uniquename") or "none"
    if unreadable:
        return f"the rules of its rule set ({row_id}) cannot be read: {unreadable} Mend them in the admin centre"
    if row.get("statecode"):
        return f"its rule set ({row_id}) is inactive; activate it"
    if not output.startswith(OUTPUT_CONTRACT):
        return (
            f"its rule set ({row_id}) answers with the contract {output}, which does not choose queues; give its "
            "route-to-queue step a rule set of its own in the admin centre"
        )
    return ""


def rules_in(text: str) -> tuple[Rule, ...]:
    """The rules of a text; none where it cannot be read."""
    return _read(text)[0]


def _read(text: str) -> tuple[tuple[Rule, ...], str]:
    try:
        return (read(text).rules if text else ()), ""
    except RuleSetError as error:
        return (), str(error)


def _bare(rule_id: str | None) -> str:
    return (rule_id or "").strip().strip("{}").lower()


def _disabled(row: Row) -> frozenset[str]:
    """Rule ids in `msdyn_disabledrules`: a JSON array or separated text, depending on the environment."""
    return frozenset(canonical_guid(each) for each in GUIDS.findall(str(row.get("msdyn_disabledrules") or "")))


def _looks_at(rule: Rule, variable: str) -> bool:
    return variable in variables(rule.condition) or any(_mentions(text, variable) for text in _foreign(rule.condition))


def _mentions(text: str, variable: str) -> bool:
    """Whether the name stands in a text, as it is or as XML writes it, and not only as the start of a longer one."""
    forms = "|".join(re.escape(each) for each in (variable, escape(variable)))
    return re.search(rf"liveworkitemcontext\.(?:{forms})(?!\w)", text) is not None


def _foreign(condition: object) -> Iterator[str]:
    if isinstance(condition, Foreign):
        yield condition.text
    for part in getattr(condition, "parts", ()):
        yield from _foreign(part)
