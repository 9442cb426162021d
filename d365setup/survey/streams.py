"""Rows to work streams: their settings, variables, contract, routing configurations and rule sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from d365setup.center import Configuration, Question, RoutingStep, RuleSet, StepType, Variable, Workstream
from d365setup.ruleset import RuleSetError, read, read_contract
from d365setup.survey import queries
from d365setup.survey.people import bare

Row = Mapping[str, Any]
Rows = Sequence[Row]
Answers = Mapping[str, Rows | None]

_UNIFIED, _PUSH, _PROFILES, _CLOSEST = 717210001, 192350000, 192360000, 192350001
_STEPS: Mapping[int, StepType] = {  # msdyn_routingconfigurationstep.msdyn_type
    192350000: "classification",
    192350001: "skills",
    192350002: "route to queue",
    192350003: "agent group",
}
_TYPES = {192350000: "text", 192350001: "number", 192350002: "boolean", 192350100: "entity reference"}
_CONSENT = 192350004  # msdyn_surveyquestion.msdyn_answertype; all other answers are text (routing facts, 4.3)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def workstreams(answers: Answers, sets: Mapping[str, RuleSet] | None) -> tuple[Workstream, ...]:
    """Every work stream that was read, by name; ``sets`` are the rule sets by id, None where they could not be read."""
    mapped = _grouped(answers.get(queries.MAPPINGS), "_msdyn_referencingrulesetid_value")
    configurations = _configurations(answers, sets, mapped)
    hanging = _Hanging(
        _grouped(answers.get(queries.VARIABLES), "_msdyn_liveworkstreamid_value"),
        _grouped(answers.get(queries.LEGACY), "_msdyn_liveworkstream_value"),
        _grouped(answers.get(queries.QUESTIONS), "_msdyn_liveworkstreamtochatquestion_value"),
        _grouped(answers.get(queries.STREAM_PROFILES), "_msdyn_workstream_id_value"),
    )
    found = (_workstream(row, hanging, configurations) for row in answers.get(queries.STREAMS) or ())
    return tuple(sorted(found, key=lambda each: (each.name, each.row_id)))


def understood(text: str) -> Mapping[str, Any]:
    """The fields of a rule set that its text alone decides."""
    if not text:
        return {"text": ""}
    try:
        found = read(text)
    except RuleSetError as error:
        return {"text": text, "problem": str(error), "hit_policy": ""}
    return {"text": text, "rules": found.rules, "hit_policy": found.hit_policy}


@dataclass(frozen=True)
class _Hanging:
    """Rows that hang on work streams, by the work stream's id; None where they could not be read."""

    variables: Mapping[str, Rows] | None
    legacy: Mapping[str, Rows] | None
    questions: Mapping[str, Rows] | None
    profiles: Mapping[str, Rows] | None


def _workstream(
    row: Row, hanging: _Hanging, configurations: Mapping[str, tuple[Configuration, ...]] | None
) -> Workstream:
    row_id = bare(row["msdyn_liveworkstreamid"])
    contract, problem = _contract(row)
    return Workstream(
        row_id,
        row.get("msdyn_name") or "",
        unified=row.get("msdyn_mode") == _UNIFIED,
        push=row.get("msdyn_workdistributionmode") == _PUSH,
        active=not row.get("statecode"),
        unit_based=row.get("msdyn_capacityformat") != _PROFILES,
        units=row.get("msdyn_capacityrequired") or 0,
        closest_match=row.get("msdyn_matchinglogic") == _CLOSEST,
        channel=row.get("msdyn_streamsource"),
        fallback_id=bare((row.get("msdyn_defaultqueue") or {}).get("queueid")),
        fallback_read="msdyn_defaultqueue" in row,
        bot_user_id=bare((row.get("msdyn_bot_user") or {}).get("systemuserid")),
        bot_queue_id=bare((row.get("msdyn_bot_queue") or {}).get("queueid")),
        bot_rule=row.get("msdyn_bot_rule") or "",
        variables=_of(hanging.variables, row_id, _variable),
        contract=contract,
        contract_problem=problem,
        configurations=None if configurations is None else configurations.get(row_id, ()),
        legacy_rules=_of(hanging.legacy, row_id, _name),
        questions=_of(hanging.questions, row_id, _question),
        profiles=_of(hanging.profiles, row_id, _profile),
        managed=bool(row.get("ismanaged")),
        modified_on=row.get("modifiedon") or "",
    )


def _of(rows: Mapping[str, Rows] | None, row_id: str, make: Any) -> Any:
    """What the active rows of one work stream amount to; None where they could not be read."""
    if rows is None:
        return None
    active = (row for row in rows.get(row_id, ()) if not row.get("statecode"))
    return tuple(make(row) for row in sorted(active, key=_name))


def _name(row: Row) -> str:
    return row.get("msdyn_name") or ""


def _variable(row: Row) -> Variable:
    row_id = bare(row["msdyn_ocliveworkstreamcontextvariableid"])
    return Variable(_name(row), _TYPES.get(row.get("msdyn_datatype") or 0, ""), row_id)


def _question(row: Row) -> Question:
    return Question(_name(row), "boolean" if row.get("msdyn_answertype") == _CONSENT else "text")


def _profile(row: Row) -> str:
    return _name(row.get("msdyn_capacityProfile_id") or {})


def _contract(row: Row) -> tuple[Mapping[str, str] | None, str]:
    """The contract's variables, or why they are not known."""
    if "msdyn_routingcontractid" not in row:
        return None, ""
    text = (row["msdyn_routingcontractid"] or {}).get("msdyn_contractdefinition")
    if not text:
        return None, "it has no routing contract"
    try:
        return dict(read_contract(text)), ""
    except RuleSetError as error:
        return None, f"its routing contract cannot be read: {error}"


def _configurations(
    answers: Answers, sets: Mapping[str, RuleSet] | None, mapped: Mapping[str, Rows] | None
) -> Mapping[str, tuple[Configuration, ...]] | None:
    """Configurations by work stream; None where any link of the chain could not be read."""
    rows = answers.get(queries.CONFIGURATIONS)
    steps = _grouped(answers.get(queries.STEPS), "_msdyn_routingconfigurationid_value")
    if rows is None or steps is None or sets is None:
        return None
    complete = {row_id: _with_mappings(each, mapped) for row_id, each in sets.items()}
    found: dict[str, list[Configuration]] = {}
    for row in rows:
        row_id = bare(row["msdyn_routingconfigurationid"])
        made = tuple(_step(each, complete) for each in steps.get(row_id, ()))
        active = bool(row.get("msdyn_isactiveconfiguration")) and not row.get("statecode")
        configuration = Configuration(row_id, active, tuple(sorted(made, key=_place)), bool(row.get("ismanaged")))
        found.setdefault(bare(row.get("_msdyn_liveworkstreamid_value")), []).append(configuration)
    return {stream: tuple(sorted(made, key=lambda each: each.row_id)) for stream, made in found.items()}


def _with_mappings(each: RuleSet, mapped: Mapping[str, Rows] | None) -> RuleSet:
    return each if mapped is None else replace(each, mappings=frozenset(_mappings(mapped.get(each.row_id, ()))))


def _place(step: RoutingStep) -> tuple[int, str]:
    return step.order, step.row_id


def _step(row: Row, sets: Mapping[str, RuleSet]) -> RoutingStep:
    led_to = bare(row.get("_msdyn_rulesetid_value"))
    gone = RuleSet(led_to, problem="the rule set is not there, or cannot be read") if led_to else None
    return RoutingStep(
        bare(row["msdyn_routingconfigurationstepid"]),
        _STEPS.get(row.get("msdyn_type") or 0, "unknown"),
        row.get("msdyn_steporder") or 0,
        not row.get("statecode"),
        sets.get(led_to, gone),
    )


def rule_set(row: Row) -> RuleSet:
    """The rule set a row describes; its dependency mappings are rows of their own."""
    row_id = bare(row["msdyn_decisionrulesetid"])
    customizable = row.get("iscustomizable")
    return RuleSet(
        row_id,
        row.get("msdyn_name") or "",
        output_contract=(row.get("msdyn_outputcontractid") or {}).get("msdyn_uniquename") or "",
        disabled=_disabled(row),
        managed=bool(row.get("ismanaged")),
        customizable=bool(customizable.get("Value", True)) if isinstance(customizable, dict) else True,
        modified_on=row.get("modifiedon") or "",
        **understood(row.get("msdyn_rulesetdefinition") or ""),
    )


def _disabled(row: Row) -> frozenset[str] | None:
    """Rule ids in `msdyn_disabledrules`: a JSON array or separated text, depending on the environment."""
    if "msdyn_disabledrules" not in row:
        return None
    return frozenset(each.lower() for each in _GUID.findall(str(row["msdyn_disabledrules"] or "")))


def _mappings(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        referenced = bare(row.get("_msdyn_referencedpolymorphicentityid_value"))
        if referenced:
            yield bare(row.get("msdyn_referencingruleid")), referenced


def _grouped(rows: Rows | None, column: str) -> Mapping[str, Rows] | None:
    if rows is None:
        return None
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(bare(row.get(column)), []).append(row)
    return found
