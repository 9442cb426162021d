"""Hard cases of routing rules: the chain to their text, the text itself, what a rule compares."""

# ruff: noqa: E501  # messages are compared whole

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .cases import Case, SetUp, check
from .rules import DECLARED, IDS, KEY, equals, rule, rule_set, text_of
from .site import Site, desired


def _by_hand(*rules: str, **columns: object) -> SetUp:
    return lambda clinic: {"row": clinic.rules(rule_set(*rules), **columns)}


def _two_configurations(clinic: Site) -> dict[str, str]:
    one = clinic.configuration()
    return {"one": one, "two": clinic.configuration(msdyn_uniquename="new_second")}


def _inactive_configuration(clinic: Site) -> dict[str, str]:
    return {"row": clinic.configuration(msdyn_isactiveconfiguration=0)}


def _deactivated_configuration(clinic: Site) -> dict[str, str]:
    row = clinic.configuration()
    clinic.emulator.change("msdyn_routingconfiguration", row, statecode=1, statuscode=2)
    return {"row": row}


def _two_steps(clinic: Site) -> dict[str, str]:
    configuration, row = clinic.configuration(), clinic.rule_set(rule_set())
    return {"one": clinic.step(configuration, row), "two": clinic.step(configuration, row, order=2)}


def _empty_step(clinic: Site) -> dict[str, str]:
    return {"row": clinic.step(clinic.configuration(), None)}


def _foreign_contract(clinic: Site) -> dict[str, str]:
    return {"row": clinic.rules(rule_set(), msdyn_outputcontractid=names.fixed_id("contract", "Patient chat"))}


def _no_output_contract(clinic: Site) -> dict[str, str]:
    return {"row": clinic.rules(rule_set(), msdyn_outputcontractid=None)}


def _unreadable(clinic: Site) -> dict[str, str]:
    row = clinic.rules(rule_set())
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition="<decision><rules>")
    return {"row": row}


def _doctype(clinic: Site) -> dict[str, str]:
    row = clinic.rules(rule_set())
    clinic.emulator.change(
        "msdyn_decisionruleset", row, msdyn_rulesetdefinition='<!DOCTYPE x [<!ENTITY a "b">]><decision/>'
    )
    return {"row": row}


def _inactive_rule_set(clinic: Site) -> dict[str, str]:
    row = clinic.rules(rule_set())
    clinic.emulator.change("msdyn_decisionruleset", row, statecode=1, statuscode=2)
    return {"row": row}


def _without_shipped_contract(clinic: Site) -> dict[str, str]:
    clinic.emulator.execute("DELETE FROM msdyn_decisioncontract WHERE msdyn_uniquename LIKE 'msdyn_demand%'")
    return {}


def _without_own_contract(clinic: Site) -> dict[str, str]:
    clinic.emulator.change("msdyn_liveworkstream", names.PATIENT_CHAT, msdyn_routingcontractid=None)
    return {}


def _broken_own_contract(clinic: Site) -> dict[str, str]:
    own = names.fixed_id("contract", "Patient chat")
    clinic.emulator.change("msdyn_decisioncontract", own, msdyn_contractdefinition="<contract")
    return {}


def _live_number(clinic: Site) -> dict[str, str]:
    clinic.variable("Topic", 192350001)
    return {}


TWO_RULES = f"2 rules bear this name ({IDS[1]} and {IDS[2]}); rename all but one in the admin centre"
RENAMED = DECLARED.replace("type: text", "existing: true")
CASES = {
    "two active configurations": Case(
        _two_configurations,
        DECLARED,
        KEY + ": the work stream has 2 active routing configurations ({ids}); leave exactly one active",
    ),
    "an inactive configuration only": Case(
        _inactive_configuration,
        DECLARED,
        KEY + ": the work stream has a routing configuration, but none is active ({row}); leave exactly one active",
    ),
    "a deactivated configuration only": Case(
        _deactivated_configuration,
        DECLARED,
        KEY + ": the work stream has a routing configuration, but none is active ({row}); leave exactly one active",
    ),
    "two route steps": Case(
        _two_steps, DECLARED, KEY + ": it has more than one route-to-queue step ({ids}); leave one"
    ),
    "a step without rule set": Case(
        _empty_step, DECLARED, KEY + ": its route-to-queue step ({row}) has no rule set; delete it"
    ),
    "a foreign output contract": Case(
        _foreign_contract,
        DECLARED,
        KEY
        + f": its rule set ({{row}}) answers with the contract new_{names.fixed_id('contract', 'Patient chat').replace('-', '_')}, "
        "which does not choose queues; give its route-to-queue step a rule set of its own in the admin centre",
    ),
    "no output contract": Case(
        _no_output_contract,
        DECLARED,
        KEY
        + ": its rule set ({row}) answers with the contract none, which does not choose queues; give its route-to-queue "
        "step a rule set of its own in the admin centre",
    ),
    "text that is no XML": Case(
        _unreadable,
        DECLARED,
        KEY
        + ": the rules of its rule set ({row}) cannot be read: The rule set is not well-formed XML: no element found, "
        "line 1, column 18. Mend them in the admin centre",
    ),
    "text with entities": Case(
        _doctype,
        DECLARED,
        KEY
        + ": the rules of its rule set ({row}) cannot be read: The rule set has a DOCTYPE, line 1, column 13; no rule "
        "set needs one and none is accepted. Mend them in the admin centre",
    ),
    "an inactive rule set": Case(_inactive_rule_set, DECLARED, KEY + ": its rule set ({row}) is inactive; activate it"),
    "a managed rule set with a rule to change": Case(
        _by_hand(rule(1, "Nurse", equals("Doctor")), rule(2, "Bill", equals("Bill"), names.BILLING), ismanaged=1),
        DECLARED,
        KEY + ": the rule set ({row}) is managed by a solution: change its rules there",
        exit_code=5,
    ),
    "a managed rule set without the rule": Case(
        _by_hand(rule(2, "Bill", equals("Bill"), names.BILLING), ismanaged=1),
        DECLARED,
        KEY + ": the rule set ({row}) is managed by a solution: change its rules there",
        exit_code=5,
    ),
    "two rules of one name": Case(
        _by_hand(rule(1, "Nurse"), rule(2, "Nurse", equals("x"))), DECLARED, f"{KEY}: {TWO_RULES}"
    ),
    "two rules of one name, the second declared": Case(
        _by_hand(rule(1, "Bill"), rule(2, "Bill", equals("x"))),
        DECLARED,
        f"routing_rule:Patient chat/Bill: {TWO_RULES}",
    ),
    "a rule in other case": Case(
        _by_hand(rule(1, "nurse")),
        DECLARED,
        KEY + f": the environment has 'Patient chat/nurse' ({IDS[1]}), which differs from 'Patient chat/Nurse' only by "
        "case, blanks or Unicode form; write the same name here, or rename it there",
    ),
    "something unknown in a declared rule": Case(
        _by_hand(rule(1, "Nurse", "<surprise/>")),
        DECLARED,
        KEY
        + ": the rules cannot be written: Rule 'Nurse' holds <surprise>, line 1, column 108, which this tool does not "
        "know: take it out in the admin center, or the rule out of the playbook.",
    ),
    "no shipped contract": Case(
        _without_shipped_contract,
        DECLARED,
        KEY + ": the environment lacks the shipped contract for route to queue; install unified routing first",
    ),
    "no contract of its own": Case(
        _without_own_contract,
        DECLARED,
        KEY + ": the work stream cannot have rules: it has no routing contract; make it anew in the admin centre",
    ),
    "a contract that cannot be read": Case(
        _broken_own_contract,
        DECLARED,
        KEY
        + ": the work stream cannot have rules: its routing contract cannot be read: The contract is not well-formed "
        "XML: unclosed token, line 1, column 1.; make it anew in the admin centre",
    ),
    "a value that does not fit the live variable": Case(
        _live_number,
        DECLARED.replace("type: text", "existing: true").replace(
            "      - {name: Bill, when: {Topic: Bill}, queue: Billing}\n", ""
        ),
        KEY + ": Topic is a number and can never equal 'Nurse': write digits without quotes",
    ),
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES.values() if "{ids}" not in case.line],
    ids=[n for n, c in CASES.items() if "{ids}" not in c.line],
)
def test_refused(clinic: Site, case: Case) -> None:
    check(clinic, case)


@pytest.mark.parametrize("name", ["two active configurations", "two route steps"])
def test_refused_with_two_ids(clinic: Site, name: str) -> None:
    case = CASES[name]
    ids = case.set_up(clinic).values()
    found = clinic.refusal(case.text)
    lines = [f"{note.id}: {note.message}" for note in found.notes]
    assert lines in ([case.line.format(ids=", ".join(order))] for order in (ids, reversed(list(ids))))


def test_a_managed_rule_set_that_is_as_declared_is_no_matter(clinic: Site) -> None:
    clinic.apply(DECLARED)
    clinic.emulator.execute("UPDATE msdyn_decisionruleset SET ismanaged = 1")
    assert clinic.plan(DECLARED).changes == ()
    rule_id = text_of(clinic).split('<rule id="')[1][:36]
    clinic.emulator.execute("UPDATE msdyn_decisionruleset SET msdyn_disabledrules = ?", [rule_id])
    assert [change.manual != "" for change in clinic.plan(DECLARED).changes] == [True]


def test_a_rule_that_took_our_id_under_another_name(clinic: Site) -> None:
    """Renamed in the designer: the id stays, so a new rule cannot have it."""
    clinic.apply(DECLARED)
    row = clinic.one("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset")
    renamed = text_of(clinic).replace('name="Nurse"', 'name="Night nurse"')
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=renamed)
    (note,) = clinic.refusal(DECLARED).notes
    assert "is that of rule 'Night nurse', which was probably renamed" in note.message


@pytest.mark.parametrize("operator", ["more than", "at least"])
@pytest.mark.parametrize("stated", ["", ", type: text"])
def test_a_variable_to_be_made_as_text_is_not_compared_as_a_number(clinic: Site, operator: str, stated: str) -> None:
    text = DECLARED.replace(", type: text", stated).replace(
        "{Topic: Nurse}", f"{{variable: Topic, operator: {operator}, value: 7}}"
    )
    if stated:
        with pytest.raises(Exception, match=f"'{operator}' compares numbers, and Topic is a text"):
            desired(text)
        return
    (note,) = clinic.refusal(text).notes
    assert note.message == f"'{operator}' compares numbers, and Topic is a text"


@pytest.mark.parametrize(
    ("when", "kind", "message"),
    [
        ("{Topic: 7}", "text", "Topic is a text: write the value in quotes, '7'"),
        ("{Topic: Seven}", "number", "Topic is a number and can never equal 'Seven': write digits without quotes"),
        (
            "{any: [{variable: Topic, operator: is one of, value: [1, two]}]}",
            "number",
            "Topic is a number and can never equal 'two': write digits without quotes",
        ),
        ("{all: [{Topic: 7}, {Topic: x}]}", "text", "Topic is a text: write the value in quotes, '7'"),
    ],
)
def test_what_a_variable_is_compared_with_fits_its_type(when: str, kind: str, message: str) -> None:
    text = DECLARED.replace("type: text", f"type: {kind}").replace("{Topic: Nurse}", when)
    with pytest.raises(Exception, match=message.replace("'", ".")):
        desired(text.replace("      - {name: Bill, when: {Topic: Bill}, queue: Billing}\n", ""))
