"""Who uses a queue, a variable, a bot: asked of plain values, as they were read and as they will be."""

from __future__ import annotations

from typing import Any

import pytest

from d365setup.kinds.usage import (
    OPTIONAL,
    Binding,
    KnownText,
    Usage,
    bot_uses,
    queue_uses,
    senders,
    usage_of,
    usage_queries,
    variable_uses,
)

from .rules import equals, rule, rule_set

QUEUE = "1111aaaa-aaaa-4aaa-8aaa-000000000001"
OTHER = "1111aaaa-aaaa-4aaa-8aaa-000000000002"
VARIABLE = "2222aaaa-aaaa-4aaa-8aaa-000000000001"
SETS = "3333aaaa-aaaa-4aaa-8aaa-00000000000"
LEADS = rule_set(rule(1, "First", equals("Nurse"), QUEUE), rule(2, "Second", "", f"{{{QUEUE.upper()}}}"))
READ = Usage(texts=(KnownText(f"{SETS}1", "Route", LEADS, frozenset({"Chat"})),), unread=(), is_known=True)


def test_rules_by_name_and_work_stream() -> None:
    assert queue_uses(QUEUE, READ) == (
        "the rule 'First' of the work stream 'Chat' sends conversations there",
        "the rule 'Second' of the work stream 'Chat' sends conversations there",
    )
    assert queue_uses(OTHER, READ) == ()


def test_with_other_texts_than_were_read() -> None:
    after = {f"{SETS}1": rule_set(rule(1, "First", equals("Nurse"), OTHER))}
    assert queue_uses(QUEUE, READ, texts=after) == ()
    assert queue_uses(OTHER, READ, texts=after) == (
        "the rule 'First' of the work stream 'Chat' sends conversations there",
    )


SPLIT = (
    f'<rule id="{SETS}9" name="Half"><action><upsertrecords><target>percentagebaseddistribution</target><records>'
    '<record><setattribute><lhs type="attribute">queuedetails.queueid</lhs>'
    f'<rhs type="staticvalue">{QUEUE}</rhs></setattribute></record></records></upsertrecords></action></rule>'
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rule_set(SPLIT), "the rule 'Half' sends conversations there"),
        (rule_set(rule(1, "Hidden", "", QUEUE.replace("-", "&#45;"))), "the rule 'Hidden' sends conversations there"),
        (f"<decision><rules/></decision><!-- {QUEUE} -->", "the rule set 'Any' names it"),
        (f"this is no XML {QUEUE.upper()}", "the rule set 'Any' names it"),
        (
            f'<decision><rules><rule id="x" name="y"><odd>{{{QUEUE}}}</odd></rule></rules></decision>',
            "the rule set 'Any' names it",
        ),
    ],
)
def test_whatever_the_text_looks_like(text: str, reason: str) -> None:
    usage = Usage(texts=(KnownText("any", "Any", text),), unread=(), is_known=True)
    assert queue_uses(QUEUE, usage) == (reason,)
    assert QUEUE in senders(text)


def test_fallback_queues_as_they_will_be_and_the_bots_queue() -> None:
    bound = (Binding("s1", "Chat", "msdyn_defaultqueue", QUEUE), Binding("s1", "Chat", "msdyn_bot_queue", QUEUE))
    usage = Usage(bound=bound, unread=(), is_known=True)
    fallback = "it is the fallback queue of the work stream 'Chat'"
    bots = "it is the queue of the bot of the work stream 'Chat'"
    assert queue_uses(QUEUE, usage) == (fallback, bots)
    assert queue_uses(QUEUE, usage, fallbacks={"s1": OTHER}) == (bots,)
    assert queue_uses(OTHER, usage, fallbacks={"s1": OTHER}) == (fallback,)
    assert queue_uses(QUEUE, usage, fallbacks={"s2": OTHER}) == (fallback, bots)


def test_members_and_work() -> None:
    usage = Usage(work={QUEUE: {"queue items": 2}}, legacy={QUEUE: ("Old",)}, unread=(), is_known=True)
    assert queue_uses(QUEUE, usage, members=["Ada", "Ben"]) == (
        "the legacy rule 'Old' sends work there",
        "2 open queue items are in it",
        "Ada is in it, and not by this playbook",
        "Ben is in it, and not by this playbook",
    )


def test_mappings_count_where_the_text_is_not_written_anew() -> None:
    texts = (KnownText("one", "One", ""), KnownText("two", "Two", ""))
    usage = Usage(texts=texts, mapped={QUEUE: frozenset({"one", "two"})}, unread=(), is_known=True)
    noted = "the platform notes that the rule set {!r} refers to it"
    assert queue_uses(QUEUE, usage) == (noted.format("One"), noted.format("Two"))
    assert queue_uses(QUEUE, usage, texts={"one": "<decision/>"}) == (noted.format("Two"),)
    assert variable_uses(QUEUE, "Chat", "Topic", usage, texts={"one": ""}) == (noted.format("Two"),)


LOOKS = rule_set(rule(1, "Nurse", equals("Nurse"), OTHER))  # at Topic


@pytest.mark.parametrize(
    ("stream", "name", "uses"),
    [
        ("Chat", "Topic", ("the rule 'Nurse' looks at it",)),
        ("Chat", "topic", ()),  # case counts when a conversation is routed
        ("Chat", "Top", ()),
        ("Other", "Topic", ()),  # a name of another work stream's own
    ],
)
def test_variables(stream: str, name: str, uses: tuple[str, ...]) -> None:
    usage = Usage(texts=(KnownText("one", "One", LOOKS, frozenset({"Chat"})),), unread=(), is_known=True)
    assert variable_uses(VARIABLE, stream, name, usage) == uses
    assert variable_uses(VARIABLE, stream, name, usage, texts={"one": rule_set()}) == ()


def test_a_rule_set_of_no_work_stream_may_be_anybodys() -> None:
    usage = Usage(texts=(KnownText("one", "One", LOOKS),), unread=(), is_known=True)
    assert variable_uses(VARIABLE, "Any", "Topic", usage) == ("the rule 'Nurse' looks at it",)


def test_what_nobody_asked_for_is_not_known_and_nothing_is_free() -> None:
    assert usage_of({}) == Usage()
    assert not Usage().is_known
    assert len(queue_uses(QUEUE, Usage())) == 1 + len(OPTIONAL)
    assert variable_uses(VARIABLE, "Chat", "Topic", Usage()) == ("which rules look at it is not known",)
    assert bot_uses("u1", Usage()) == ("which work streams have it as their bot could not be read",)


@pytest.mark.parametrize("label", OPTIONAL)
def test_each_optional_query_can_be_left_out_and_is_missed(label: str) -> None:
    asked = {query.label for query in usage_queries()}
    left = {query.label for query in usage_queries(without=[label])}
    assert asked - left == {label}
    rows: dict[str, list[dict[str, Any]]] = {each: [] for each in left}
    usage = usage_of(rows)
    assert usage.unread == (label,)
    assert queue_uses(QUEUE, usage) == (f"{OPTIONAL[label]} could not be read",)
    assert variable_uses(VARIABLE, "Chat", "Topic", usage) == ()


def test_rows_become_a_picture() -> None:
    rows: dict[str, list[dict[str, Any]]] = {query.label: [] for query in usage_queries()}
    step = {"msdyn_routingconfigurationstepid": "t", "_msdyn_rulesetid_value": "one"}
    rows["every routing configurations"] = [
        {"msdyn_routingconfigurationid": "c", "msdyn_liveworkstreamid": {"msdyn_name": "Chat"}},
        {"msdyn_routingconfigurationid": "records", "msdyn_liveworkstreamid": None},
    ]
    rows["every routing steps"] = [
        {**step, "_msdyn_routingconfigurationid_value": "c"},
        {**step, "msdyn_routingconfigurationstepid": "u", "_msdyn_routingconfigurationid_value": "records"},
    ]
    rows["every rule sets"] = [
        {
            "msdyn_decisionrulesetid": "one",
            "msdyn_name": "Route",
            "msdyn_rulesetdefinition": LEADS,
            "msdyn_rulesetdependencymapping_msdyn_decisionruleset_msdyn_referencingrulesetid": [
                {"_msdyn_referencedpolymorphicentityid_value": None, "msdyn_referencingruleid": "r"},
                {"_msdyn_referencedpolymorphicentityid_value": OTHER, "msdyn_referencingruleid": None},
            ],
        },
        {"msdyn_decisionrulesetid": "two", "msdyn_name": None, "msdyn_rulesetdefinition": None},
    ]
    rows["every work stream"] = [
        {
            "msdyn_liveworkstreamid": "s",
            "msdyn_name": "Chat",
            "msdyn_defaultqueue": {"queueid": OTHER},
            "msdyn_bot_queue": None,
            "msdyn_bot_user": {"systemuserid": "u"},
        }
    ]
    rows["queue items"] = [{"_queueid_value": OTHER}, {"_queueid_value": OTHER}]
    rows["conversations"] = [{"_msdyn_cdsqueueid_value": OTHER}]
    rows["legacy rules"] = [{"msdyn_name": "Old", "_msdyn_cdsqueueassignid_value": QUEUE}]
    usage = usage_of(rows)
    assert usage.texts == (
        KnownText("one", "Route", LEADS, frozenset({"Chat"})),
        KnownText("two", "two", ""),
    )
    assert usage.mapped == {OTHER: frozenset({"one"})}
    assert usage.bound == (Binding("s", "Chat", "msdyn_defaultqueue", OTHER),)
    assert usage.work == {OTHER: {"queue items": 2, "conversations": 1}}
    assert queue_uses(QUEUE, usage)[-1] == "the legacy rule 'Old' sends work there"
    assert bot_uses("u", usage) == ("it is the bot of the work stream 'Chat'",)
    assert bot_uses("v", usage) == ()
    assert usage.unread == ()
