"""What is asked about work streams: their settings, what hangs on them, and rule sets. Pure.

Without names everything is asked for; with them, what belongs to the work streams of these names, found by paths
instead of ids. Tables, columns and navigation names: `docs/dataverse.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from d365setup.dataverse.odata import quote_string
from d365setup.survey.queries import (
    CONFIGURATIONS,
    LEGACY,
    MAPPINGS,
    QUESTIONS,
    RULE_SETS,
    STEPS,
    STREAM_PROFILES,
    STREAMS,
    VARIABLES,
    Expand,
    Query,
    by_ids,
    either,
)

_MANY_SETS = 250  # on a page: a rule set's text may have a megabyte, and an answer is bounded


def of_streams(names: Sequence[str] | None) -> Iterator[Query]:
    """Work streams and what hangs on them; without names all of it, and dependency mappings too."""
    yield from (_rule_sets(each) for each in _any_step(names))
    if names is None:
        yield _mappings("")
    stream = "msdyn_liveworkstreamid/msdyn_name"
    found = (
        (_streams(), "msdyn_name"),
        (_variables(), stream),
        (_configurations(), stream),
        (_steps(), f"msdyn_routingconfigurationid/{stream}"),
        (_stream_profiles(), "msdyn_workstream_id/msdyn_name"),
        (_questions(), "msdyn_LiveWorkStreamToChatQuestion/msdyn_name"),
        (_legacy(), "msdyn_liveworkstream/msdyn_name"),
    )
    for each, path in found:
        if names is None:
            yield each
        else:
            terms = (f"{path} eq {quote_string(name)}" for name in names)
            yield from (replace(each, where=where) for where in either(terms))


def _streams() -> Query:
    columns = (
        "msdyn_liveworkstreamid",
        "msdyn_name",
        "msdyn_mode",
        "msdyn_workdistributionmode",
        "msdyn_capacityformat",
        "msdyn_capacityrequired",
        "msdyn_matchinglogic",
        "msdyn_streamsource",
        "msdyn_bot_rule",
        "statecode",
        "ismanaged",
        "modifiedon",
    )
    expand = (  # the bare column of the first was seen missing without a word (routing facts, section 1.2)
        Expand("msdyn_defaultqueue", "queue", ("queueid",)),
        Expand("msdyn_bot_user", "systemuser", ("systemuserid",)),
        Expand("msdyn_bot_queue", "queue", ("queueid",)),
        Expand("msdyn_routingcontractid", "msdyn_decisioncontract", ("msdyn_contractdefinition",)),
    )
    return Query(STREAMS, "msdyn_liveworkstream", "msdyn_liveworkstreams", columns, "", expand)


def _variables() -> Query:
    table = "msdyn_ocliveworkstreamcontextvariable"
    columns = (f"{table}id", "msdyn_name", "msdyn_datatype", "_msdyn_liveworkstreamid_value", "statecode")
    return Query(VARIABLES, table, f"{table}s", columns)


def _configurations() -> Query:
    table = "msdyn_routingconfiguration"
    columns = (
        f"{table}id",
        "msdyn_isactiveconfiguration",
        "_msdyn_liveworkstreamid_value",
        "statecode",
        "ismanaged",
    )
    return Query(CONFIGURATIONS, table, f"{table}s", columns)


def _steps() -> Query:
    table = "msdyn_routingconfigurationstep"
    columns = (
        f"{table}id",
        "msdyn_type",
        "msdyn_steporder",
        "_msdyn_rulesetid_value",
        "_msdyn_routingconfigurationid_value",
        "statecode",
    )
    return Query(STEPS, table, f"{table}s", columns)


def _stream_profiles() -> Query:
    table = "msdyn_liveworkstreamcapacityprofile"
    columns = (f"{table}id", "_msdyn_workstream_id_value", "statecode")
    profile = Expand("msdyn_capacityProfile_id", "msdyn_capacityprofile", ("msdyn_name",))
    return Query(STREAM_PROFILES, table, f"{table}s", columns, "", (profile,))


def _questions() -> Query:
    table = "msdyn_surveyquestion"
    columns = (f"{table}id", "msdyn_name", "msdyn_answertype", "_msdyn_liveworkstreamtochatquestion_value", "statecode")
    return Query(QUESTIONS, table, f"{table}s", columns)


def _legacy() -> Query:
    columns = ("msdyn_ocruleitemid", "msdyn_name", "_msdyn_liveworkstream_value", "statecode")
    return Query(LEGACY, "msdyn_ocruleitem", "msdyn_ocruleitems", columns)


def _any_step(names: Sequence[str] | None) -> Iterator[str]:
    if names is None:
        yield ""
        return
    path = "s/msdyn_routingconfigurationid/msdyn_liveworkstreamid/msdyn_name"
    for where in either(f"{path} eq {quote_string(name)}" for name in names):
        yield f"msdyn_decisionruleset_msdyn_routingconfigurationstep_rulesetid/any(s:{where})"


def _rule_sets(where: str) -> Query:
    """With every column: one of them is missing in older environments, and naming a missing column is an error."""
    output = Expand("msdyn_outputcontractid", "msdyn_decisioncontract", ("msdyn_uniquename",))
    table = "msdyn_decisionruleset"
    return Query(RULE_SETS, table, f"{table}s", (), where, (output,), _MANY_SETS)


def rule_sets(ids: Iterable[str]) -> Iterator[Query]:
    """Rule sets by id."""
    yield from (_rule_sets(where) for where in by_ids("msdyn_decisionrulesetid", ids))


def _mappings(where: str) -> Query:
    table = "msdyn_rulesetdependencymapping"
    columns = (
        f"{table}id",
        "msdyn_referencingruleid",
        "_msdyn_referencingrulesetid_value",
        "_msdyn_referencedpolymorphicentityid_value",
    )
    return Query(MAPPINGS, table, f"{table}s", columns, where)


def mappings(rule_sets: Iterable[str]) -> Iterator[Query]:
    """The dependency mappings of these rule sets."""
    yield from (_mappings(where) for where in by_ids("_msdyn_referencingrulesetid_value", rule_sets))
