"""Hard cases of queues, work streams and context variables."""

# ruff: noqa: E501  # messages are compared whole

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .cases import Case, check, nothing
from .site import BOT, Site, site

CLINIC = "queues: [{name: Night clinic}]"
STREAM = "workstreams: [{name: Patient chat}]"
TOPIC = "workstreams: [{name: Patient chat, context_variables: [{name: Topic, type: text}]}]"
NUMBER = TOPIC.replace("type: text", "type: number")
RULE = """<decision hit-policy="all" version="1"><rules><rule id="10000000-0000-4000-8000-000000000001" name="By hand">
{condition}<action><setattribute><lhs type="attribute">assign_to.queue</lhs><rhs type="staticvalue">{queue}</rhs>
</setattribute></action></rule></rules></decision>"""
EQUALS = (
    '<condition operator="=="><lhs type="attribute">liveworkitemcontext.{name}</lhs>'
    '<rhs type="staticvalue">x</rhs></condition>'
)
BEGINS = EQUALS.replace('"=="', '"begins-with"')
NEAR = (
    "{kind}:{key}: the environment has {shown!r} ({{row}}), which differs from {key!r} only by case, blanks or Unicode "
    "form; write the same name here, or rename it there"
)


def _queue(name: str = "Night clinic", **columns: object):  # a set-up
    return lambda clinic: {"row": clinic.queue(name, **columns)}


def _two_queues(clinic: Site) -> dict[str, str]:
    one, two = sorted([clinic.queue("Night clinic"), clinic.queue("Night clinic", msdyn_isomnichannelqueue=0)])
    return {"one": one, "two": two}


def _two_streams(clinic: Site) -> dict[str, str]:
    one, two = sorted([names.PATIENT_CHAT, clinic.stream("Patient chat", msdyn_mode=717210000)])
    return {"one": one, "two": two}


def _two_variables(clinic: Site) -> dict[str, str]:
    one, two = sorted([clinic.variable("Topic"), clinic.variable("Topic", 192350002)])
    return {"one": one, "two": two}


def _inactive(clinic: Site) -> dict[str, str]:
    row = clinic.queue("Night clinic")
    clinic.emulator.change("queue", row, statecode=1, statuscode=2)
    return {"row": row}


def _stream(**columns: object):  # a set-up
    def change(clinic: Site) -> dict[str, str]:
        clinic.emulator.change("msdyn_liveworkstream", names.PATIENT_CHAT, **columns)
        return {"row": names.PATIENT_CHAT}

    return change


def _variable(name: str = "Topic", data_type: int = 192350000, **columns: object):  # a set-up
    return lambda clinic: {"row": clinic.variable(name, data_type, **columns)}


def _inactive_variable(clinic: Site) -> dict[str, str]:
    row = clinic.variable("Topic")
    clinic.emulator.change("msdyn_ocliveworkstreamcontextvariable", row, statecode=1, statuscode=2)
    return {"row": row}


def _used(condition: str, **step: int):  # a set-up
    def change(clinic: Site) -> dict[str, str]:
        row = clinic.variable("Topic")
        text = RULE.format(condition=condition, queue=names.NURSES)
        clinic.step(clinic.configuration(), clinic.rule_set(text), **step)
        return {"row": row}

    return change


def _near(kind: str, key: str, shown: str) -> str:
    return NEAR.format(kind=kind, key=key, shown=shown)


USED = "context_variable:Patient chat/Topic: its type is text, and {0} uses it; take it out of the rules first, or say type: text"

CASES = {
    "two queues of one name": Case(
        _two_queues,
        CLINIC,
        "queue:Night clinic: 2 things bear this name ({one} and {two}); rename all but one",
    ),
    "two work streams of one name": Case(
        _two_streams,
        STREAM,
        "workstream:Patient chat: 2 things bear this name ({one} and {two}); rename all but one",
    ),
    "two variables of one name": Case(
        _two_variables,
        TOPIC,
        "context_variable:Patient chat/Topic: 2 things bear this name ({one} and {two}); rename all but one",
    ),
    "queue in other case": Case(_queue("night Clinic"), CLINIC, _near("queue", "Night clinic", "night Clinic")),
    "queue with a blank at the end": Case(
        _queue("Night clinic "), CLINIC, _near("queue", "Night clinic", "Night clinic ")
    ),
    "queue with two blanks inside": Case(
        _queue("Night  clinic"), CLINIC, _near("queue", "Night clinic", "Night  clinic")
    ),
    "queue with a no-break space": Case(
        _queue("Night\u00a0clinic"), CLINIC, _near("queue", "Night clinic", "Night\u00a0clinic")
    ),
    "queue in full-width letters": Case(
        _queue("\uff2eight clinic"), CLINIC, _near("queue", "Night clinic", "\uff2eight clinic")
    ),
    "queue in another Unicode form": Case(
        _queue("Cafe\u0301"), 'queues: [{name: "Caf\\u00e9"}]', _near("queue", "Caf\u00e9", "Cafe\u0301")
    ),
    "existing queue in other case": Case(
        _queue("night clinic"),
        "queues: [{name: Night clinic, existing: true}]",
        _near("queue", "Night clinic", "night clinic"),
    ),
    "public queue": Case(
        _queue(queueviewtype=0),
        CLINIC,
        (
            "queue:Night clinic: the queue of this name ({row}) is public, not private; choose another name, or remake it"
        ),
    ),
    "not an Omnichannel queue": Case(
        _queue(msdyn_isomnichannelqueue=0),
        CLINIC,
        (
            "queue:Night clinic: the queue of this name ({row}) is not an Omnichannel queue; choose another name, or "
            "remake it"
        ),
    ),
    "queue of another type": Case(
        _queue(msdyn_queuetype=192350002),
        "queues: [{name: Night clinic, type: messaging}]",
        (
            "queue:Night clinic: the queue of this name ({row}) is a voice queue, and a queue's type cannot be changed; "
            "choose another name, or say type: voice"
        ),
    ),
    "inactive queue": Case(
        _inactive,
        CLINIC,
        "queue:Night clinic: the queue of this name ({row}) is inactive; activate it or choose another name",
    ),
    "existing queue that is not there": Case(
        nothing,
        "queues: [{name: Zebra, existing: true}]",
        "queue:Zebra: there is no queue of this name; leave out existing: true so that it is made",
    ),
    "existing queue misspelt": Case(
        nothing,
        "queues: [{name: Nursse, existing: true}]",
        "queue:Nursse: there is no queue of this name; did you mean 'Nurses'?",
    ),
    "no such work stream": Case(
        nothing,
        "workstreams: [{name: Zebra}]",
        (
            "workstream:Zebra: there is no work stream of this name; make it in the admin centre first (this tool only "
            "adds to it)"
        ),
    ),
    "work stream misspelt": Case(
        nothing,
        "workstreams: [{name: Pateint chat}]",
        "workstream:Pateint chat: there is no work stream of this name; did you mean 'Patient chat'?",
    ),
    "work stream in other case": Case(
        lambda _: {"row": names.PATIENT_CHAT},
        "workstreams: [{name: Patient Chat}]",
        _near("workstream", "Patient Chat", "Patient chat"),
    ),
    "legacy mode": Case(
        _stream(msdyn_mode=717210000),
        STREAM,
        "workstream:Patient chat: the work stream ({row}) is in legacy mode; migrate it to unified routing first",
    ),
    "picking": Case(
        _stream(msdyn_workdistributionmode=192350001),
        STREAM,
        (
            "workstream:Patient chat: the work stream ({row}) lets people pick their work, and bots get work from push "
            "ones only"
        ),
    ),
    "inactive work stream": Case(
        _stream(statecode=1, statuscode=2),
        STREAM,
        "workstream:Patient chat: the work stream ({row}) is inactive; activate it first",
    ),
    "managed work stream": Case(
        _stream(ismanaged=1),
        "queues: [{name: Nurses}]\nworkstreams: [{name: Patient chat, fallback_queue: Nurses}]",
        "workstream:Patient chat: the row ({row}) is managed by a solution: change it there, or leave the field out",
        exit_code=5,
    ),
    "variable in other case": Case(
        _variable("topic"), TOPIC, _near("context_variable", "Patient chat/Topic", "Patient chat/topic")
    ),
    "boolean variable": Case(
        _variable(data_type=192350002),
        TOPIC,
        (
            "context_variable:Patient chat/Topic: the variable of this name ({row}) is of type boolean, which a bot cannot "
            "fill and a rule of ours cannot use; choose another name"
        ),
    ),
    "entity reference": Case(
        _variable(data_type=192350100),
        TOPIC.replace(", type: text", ""),
        (
            "context_variable:Patient chat/Topic: the variable of this name ({row}) is of type entity reference, which a "
            "bot cannot fill and a rule of ours cannot use; choose another name"
        ),
    ),
    "variable without a type": Case(
        _variable(msdyn_datatype=None),
        TOPIC,
        (
            "context_variable:Patient chat/Topic: the variable of this name ({row}) is of type unknown, which a bot cannot "
            "fill and a rule of ours cannot use; choose another name"
        ),
    ),
    "inactive variable": Case(
        _inactive_variable,
        TOPIC,
        (
            "context_variable:Patient chat/Topic: the variable of this name ({row}) is inactive; activate it or choose "
            "another name"
        ),
    ),
    "existing variable that is not there": Case(
        nothing,
        TOPIC.replace("type: text", "existing: true"),
        (
            "context_variable:Patient chat/Topic: the work stream has no context variable of this name; leave out "
            "existing: true so that it is made"
        ),
    ),
    "existing variable misspelt": Case(
        _variable("Topics"),
        TOPIC.replace("type: text", "existing: true"),
        (
            "context_variable:Patient chat/Topic: the work stream has no context variable of this name; did you mean "
            "'Topics'?"
        ),
    ),
    "existing variable in other case": Case(
        _variable("topic"),
        TOPIC.replace("type: text", "existing: true"),
        _near("context_variable", "Patient chat/Topic", "Patient chat/topic"),
    ),
    "existing variable of another type": Case(
        _variable(),
        TOPIC.replace("type: text", "type: number, existing: true"),
        (
            "context_variable:Patient chat/Topic: its type is text, and existing: true never changes it; say type: text, or "
            "leave out existing"
        ),
    ),
    "existing variable of a work stream that is not there": Case(
        nothing,
        "workstreams: [{name: Zebra, context_variables: [{name: Topic, existing: true}]}]",
        (
            "workstream:Zebra: there is no work stream of this name; make it in the admin centre first (this tool only "
            "adds to it)"
        ),
    ),
    "managed variable": Case(
        _variable(ismanaged=1),
        TOPIC.replace("type: text", "display_name: Ours"),
        (
            "context_variable:Patient chat/Topic: the row ({row}) is managed by a solution: change it there, or leave the "
            "field out"
        ),
        exit_code=5,
    ),
    "type of a variable that an undeclared rule uses": Case(
        _used(EQUALS.format(name="Topic")), NUMBER, USED.format("'By hand'")
    ),
    "type of a variable inside a foreign condition": Case(
        _used(BEGINS.format(name="Topic")), NUMBER, USED.format("'By hand'")
    ),
    "type of a variable deep inside a foreign condition": Case(
        _used(f'<logical operator="OR">{BEGINS.format(name="Other")}{BEGINS.format(name="Topic")}</logical>'),
        NUMBER,
        USED.format("'By hand'"),
    ),
    "type of a variable in a classification rule": Case(
        _used(EQUALS.format(name="Topic"), kind=192350000), NUMBER, USED.format("'By hand'")
    ),
    "type of a variable in a rule's outcome": Case(
        _used("<action><setattribute><lhs type='attribute'>liveworkitemcontext.Topic</lhs></setattribute></action>"),
        NUMBER,
        USED.format("'Rules by hand'"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_refused(clinic: Site, case: Case) -> None:
    check(clinic, case)


@pytest.mark.parametrize("name", ["Topics", "Topic2", "topic"])
def test_a_type_changes_while_rules_use_other_variables_only(clinic: Site, name: str) -> None:
    """A longer name, and one in other case, are other variables."""
    _used(BEGINS.format(name=name))(clinic)
    clinic.apply(NUMBER)
    assert clinic.one("SELECT msdyn_datatype FROM msdyn_ocliveworkstreamcontextvariable") == 192350001


def test_a_type_is_kept_while_an_unreadable_rule_set_mentions_the_variable(clinic: Site) -> None:
    clinic.variable("Topic")
    clinic.rules("<decision><rules/></decision>")
    broken = "<decision> liveworkitemcontext.Topic "
    clinic.emulator.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [broken])
    assert "'Rules by hand' uses it" in str(clinic.refusal(NUMBER))


def test_a_variable_that_a_declared_rule_uses_keeps_its_type(clinic: Site) -> None:
    text = (
        TOPIC.rstrip("}]")
        + "}], routing_rules: [{name: Any, when: {variable: Topic, operator: has a value}, queue: Nurses}]}]"
        + "\nqueues: [{name: Nurses}]"
    )
    clinic.apply(text)
    found = clinic.refusal(text.replace("type: text", "type: number"))
    assert [note.message for note in found.notes] == [
        "its type is text, and 'Any' uses it; take it out of the rules first, or say type: text"
    ]


def test_a_confusable_twin_beside_the_right_row_is_a_warning(clinic: Site) -> None:
    clinic.queue("Night clinic")
    twin = clinic.queue("NIGHT CLINIC")
    assert clinic.warnings(CLINIC) == [
        (
            f"queue:Night clinic: easily confused with 'NIGHT CLINIC' ({twin}), which differs only by case, blanks or Unicode "
            "form"
        )
    ]


def test_a_queue_without_a_name_disturbs_nobody(clinic: Site) -> None:
    row = clinic.queue("Nameless")
    clinic.emulator.change("queue", row, name=None)
    clinic.emulator.link("queue", row, "queuemembership_association", clinic.bot())
    clinic.apply(BOT + CLINIC)


def test_an_existing_queue_is_never_written(clinic: Site) -> None:
    clinic.emulator.change("queue", names.NURSES, msdyn_priority=44)
    clinic.apply("queues: [{name: Nurses, existing: true, type: messaging}]")
    assert clinic.one("SELECT msdyn_priority FROM queue WHERE queueid = ?", names.NURSES) == 44


def test_an_existing_variable_is_never_written(clinic: Site) -> None:
    clinic.variable("Topic", msdyn_displayname="By hand")
    clinic.apply(TOPIC.replace("type: text", "type: text, existing: true"))
    assert clinic.one("SELECT msdyn_displayname FROM msdyn_ocliveworkstreamcontextvariable") == "By hand"


def test_a_variable_of_another_work_stream_is_another_variable(clinic: Site) -> None:
    clinic.variable("Topic", 192350002, stream=clinic.stream("Other chat"))
    clinic.apply(TOPIC)
    found = clinic.column("SELECT msdyn_datatype FROM msdyn_ocliveworkstreamcontextvariable")
    assert sorted(found) == [192350000, 192350002]


def test_capacity_by_profiles_is_a_warning(clinic: Site) -> None:
    clinic.emulator.change("msdyn_liveworkstream", names.PATIENT_CHAT, msdyn_capacityformat=192360000)
    assert clinic.warnings(STREAM) == [
        "workstream:Patient chat: capacity is counted by profiles here: the capacity number of a bot decides nothing"
    ]


def test_a_fallback_queue_shows_where_its_column_is_missing() -> None:
    """`_msdyn_defaultqueue_value` is missing in some environments (routing facts, section 1.2)."""
    text = "queues: [{name: Nurses}]\nworkstreams: [{name: Patient chat, fallback_queue: Nurses}]"
    with site(default_queue_column="missing") as found:
        found.apply(text)
        assert found.one("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == names.NURSES


CONTRACT = names.fixed_id("contract", "Patient chat")
UNSHOWN = (
    "context_variable:Patient chat/Topic: the routing contract of the work stream does not show it: rules that use it "
    "cannot be written until it does (it can take 15 minutes; otherwise remove and add the variable in the admin centre)"
)
OTHERWISE = (
    "context_variable:Patient chat/Topic: the routing contract of the work stream holds it as number, the variable says "
    "text"
)


@pytest.mark.parametrize(
    ("variables", "warnings"),
    [
        ("", [UNSHOWN]),
        ('<variable name="topic" data-type="string" />', [UNSHOWN]),
        ('<variable name="Topic" data-type="number" />', [OTHERWISE]),
        ('<variable name="Topic" data-type="string" />', []),
    ],
)
def test_a_contract_that_differs_from_the_variables_is_a_warning(
    clinic: Site, variables: str, warnings: list[str]
) -> None:
    clinic.variable("Topic")
    text = f'<contract version="1"><complex key="liveworkitemcontext">{variables}</complex></contract>'
    clinic.emulator.change("msdyn_decisioncontract", CONTRACT, msdyn_contractdefinition=text)
    assert clinic.warnings(TOPIC) == warnings


@pytest.mark.parametrize("text", [None, "<contract", "<!DOCTYPE x><contract/>"])
def test_a_contract_that_cannot_be_read_matters_to_rules_only(clinic: Site, text: str | None) -> None:
    clinic.variable("Topic")
    clinic.emulator.change("msdyn_decisioncontract", CONTRACT, msdyn_contractdefinition=text)
    assert clinic.warnings(TOPIC) == []
