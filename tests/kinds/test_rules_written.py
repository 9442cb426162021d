"""Rules that are written: beside those of others, on the platform's own time, while somebody else is at work."""

# ruff: noqa: E501  # messages are compared whole

from __future__ import annotations

import pytest

from d365setup.emulator import Fault
from d365setup.emulator import fixtures as names
from d365setup.model import Action, Change, Desired, Environment, FieldChange, LiveState
from d365setup.outcome import Status
from d365setup.scope import Ids, Scope

from .rules import DECLARED, IDS, KEY, equals, order_of, rule, rule_set, text_of
from .site import KINDS, Site, desired, site

ALWAYS_FIRST = (
    ": it stands behind an undeclared rule without a condition, whose queue is always tried first; give that one a "
    "condition, or move it to the end, in the admin centre"
)


def test_a_rule_behind_an_undeclared_one_without_condition(clinic: Site) -> None:
    """A new rule goes before the undeclared one; one that stands behind it stays, and is warned of."""
    clinic.rules(rule_set(rule(1, "All"), rule(2, "Nurse", equals("Nurse"))))
    found = clinic.warnings(DECLARED)
    assert found[0] == KEY + ALWAYS_FIRST
    clinic.apply(DECLARED)
    assert order_of(text_of(clinic)) == ["All", "Nurse", "Bill"]


def test_undeclared_rules_stay_byte_for_byte(clinic: Site) -> None:
    foreign = [
        rule(1, "Split", "<logical  operator='OR' >" + equals("a") + "<!-- why -->\r\n</logical>"),
        rule(2, "Dates", '<condition operator="begins-with"><lhs type="attribute">x.y</lhs></condition>'),
    ]
    clinic.rules(rule_set(*foreign, rule(3, "Bill", equals("Bill"), names.BILLING)))
    clinic.apply(DECLARED)
    text = text_of(clinic)
    assert all(each in text for each in foreign)
    assert order_of(text) == ["Split", "Dates", "Nurse", "Bill"]


def test_a_configuration_of_somebody_else_gets_one_more_step(clinic: Site) -> None:
    configuration = clinic.configuration()
    clinic.step(configuration, clinic.rule_set(rule_set()), kind=192350000, order=4)
    clinic.apply(DECLARED)
    steps = "SELECT msdyn_type, msdyn_steporder, msdyn_routingconfigurationid FROM msdyn_routingconfigurationstep ORDER BY 2"
    assert clinic.emulator.sql(steps) == [(192350000, 4, configuration), (192350002, 5, configuration)]
    assert len(clinic.emulator.sql("SELECT * FROM msdyn_routingconfiguration")) == 1


@pytest.mark.parametrize("text", [None, "", rule_set()])
def test_an_empty_rule_set_is_filled(clinic: Site, text: str | None) -> None:
    row = clinic.rules(rule_set())
    clinic.emulator.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [text])
    clinic.apply(DECLARED)
    assert order_of(text_of(clinic)) == ["Nurse", "Bill"]
    assert clinic.one("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset") == row


def test_a_rule_that_does_something_else_is_made_to_route(clinic: Site) -> None:
    clinic.variable("Topic")
    clinic.rules(
        rule_set(rule(1, "Nurse", equals("Nurse")).replace("assign_to.queue", "assign_to.agent"), rule(2, "Bill"))
    )
    fields = clinic.changes(DECLARED)[KEY].fields
    assert fields == (FieldChange("queue", "sets assign_to.agent", "Nurses"),)
    clinic.apply(DECLARED)


def test_a_rule_whose_queue_is_gone_shows_the_id(clinic: Site) -> None:
    clinic.rules(rule_set(rule(1, "Nurse", equals("Nurse"), IDS[9])))
    assert clinic.changes(DECLARED)[KEY].fields == (FieldChange("queue", IDS[9], "Nurses"),)


def test_rules_take_each_others_places_only(clinic: Site) -> None:
    swapped = [rule(1, "Bill", equals("Bill"), names.BILLING), rule(2, "Mine"), rule(3, "Nurse", equals("Nurse"))]
    clinic.rules(rule_set(*swapped))
    assert [each.fields for each in clinic.changes(DECLARED).values() if each.action is Action.UPDATE] == [
        (FieldChange("position", 1, 2),)
    ]
    clinic.apply(DECLARED)
    assert order_of(text_of(clinic)) == ["Nurse", "Mine", "Bill"]


def test_the_column_of_disabled_rules_may_be_absent() -> None:
    with site(disabled_rules_column="absent") as found:
        found.apply(DECLARED)
        assert order_of(text_of(found)) == ["Nurse", "Bill"]


def test_line_ends_that_come_back_as_crlf() -> None:
    with site(memo_line_ends="crlf") as found:
        found.apply(DECLARED)


# The contract and the mappings: what the platform does on its own time.

NEVER = (
    "the routing contract of 'Patient chat' does not show Topic, which 'Nurse' looks at: it would never match. Wait (up "
    "to 15 minutes) and apply again, or remove and add the variable by hand: Workstreams > the work stream > Advanced "
    "settings > Context variables"
)


def test_a_contract_that_comes_late_is_waited_for() -> None:
    with site(contract="late") as found:
        outcomes = found.run(DECLARED)[0]
        assert {each.status for each in outcomes.values()} == {Status.VERIFIED}
        assert sum(found.pauses) <= 60
        assert order_of(text_of(found)) == ["Nurse", "Bill"]


def test_a_contract_that_never_comes_stops_the_rules_that_use_it() -> None:
    with site(contract="never") as found:
        outcomes, _ = found.run(DECLARED)
        assert {key: each.status for key, each in outcomes.items()} == {
            "context_variable:Patient chat/Topic": Status.VERIFIED,
            KEY: Status.NOT_WRITTEN,
            "routing_rule:Patient chat/Bill": Status.NOT_WRITTEN,
        }
        assert outcomes[KEY].detail == NEVER
        assert found.emulator.sql("SELECT * FROM msdyn_decisionruleset") == []
        assert sum(found.pauses) <= 60


def test_rules_without_variables_need_no_contract_entry() -> None:
    text = """
queues: [{name: Nurses}]
workstreams: [{name: Patient chat, context_variables: [{name: Topic}], routing_rules: [{name: All, queue: Nurses}]}]
"""
    with site(contract="never") as found:
        found.apply(text)
        assert found.pauses == []


def test_an_unchanged_rule_whose_variable_left_the_contract_holds_nothing_up(clinic: Site) -> None:
    clinic.apply(DECLARED)
    own = names.fixed_id("contract", "Patient chat")
    bare = '<contract version="1"><complex key="liveworkitemcontext" /></contract>'
    clinic.emulator.change("msdyn_decisioncontract", own, msdyn_contractdefinition=bare)
    clinic.apply(DECLARED + "      - {name: All, queue: Nurses}\n")
    assert order_of(text_of(clinic)) == ["Nurse", "Bill", "All"]


def test_mappings_that_take_a_second_write_get_one() -> None:
    with site(mappings="second write") as found:
        found.emulator.reset_log()
        found.apply(DECLARED)
        writes = [
            path
            for request in found.emulator.requests
            for method, path, _ in request.operations
            if method == "PATCH" and "msdyn_decisionrulesets(" in path
        ]
        assert len(writes) == 2
        assert found.warnings(DECLARED) == []
        mapped = "SELECT msdyn_referencingrulename FROM msdyn_rulesetdependencymapping ORDER BY 1"
        assert found.column(mapped) == ["Bill", "Bill", "Nurse", "Nurse"]


def test_a_new_rule_is_mapped_even_where_another_refers_to_the_same() -> None:
    with site(mappings="second write") as found:
        found.apply(DECLARED)
        found.apply(DECLARED + "      - {name: More, when: {Topic: More}, queue: Nurses}\n")
        mapped = "SELECT count(*) FROM msdyn_rulesetdependencymapping WHERE msdyn_referencingrulename = 'More'"
        assert found.one(mapped) == 2


def test_mappings_that_never_come_are_told_and_not_chased() -> None:
    told = (
        "the platform noted no dependency mapping for {0}, Topic; if the rule does not route, open and save it in the "
        "admin centre"
    )
    expected = [f"{KEY}: {told.format('Nurses')}", f"routing_rule:Patient chat/Bill: {told.format('Billing')}"]
    with site(mappings="never") as found:
        outcomes, notes = found.run(DECLARED)
        assert {each.status for each in outcomes.values()} == {Status.VERIFIED}
        assert [f"{note.id}: {note.message}" for note in notes] == expected
        assert found.plan(DECLARED).changes == ()
        assert sorted(found.warnings(DECLARED)) == sorted(expected)


def test_mapping_rows_that_do_not_say_which_rule_count_for_all(clinic: Site) -> None:
    clinic.apply(DECLARED)
    clinic.emulator.execute("UPDATE msdyn_rulesetdependencymapping SET msdyn_referencingruleid = NULL")
    assert clinic.warnings(DECLARED) == []
    clinic.emulator.execute(
        "DELETE FROM msdyn_rulesetdependencymapping WHERE msdyn_referencedpolymorphicentityid = ?", [names.BILLING]
    )
    assert [line.partition(":")[0] for line in clinic.warnings(DECLARED)] == ["routing_rule"]


def test_a_missing_mapping_on_a_rule_about_to_change_is_not_worth_a_word(clinic: Site) -> None:
    clinic.variable("Topic")
    clinic.rules(rule_set(rule(1, "Nurse", equals("Doctor")), rule(2, "Bill", equals("Bill"), names.BILLING)))
    clinic.emulator.execute("DELETE FROM msdyn_rulesetdependencymapping")
    assert [line.partition(": ")[0] for line in clinic.warnings(DECLARED)] == ["routing_rule:Patient chat/Bill"]


# Somebody else at work between the plan and its writes.


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        ("<decision", "cannot be read"),
        (rule_set(rule(1, "Bill"), rule(2, "Bill")), "two rules of one name"),
        (rule_set(rule(1, "Bill", equals("Other"))), "changed by somebody"),
    ],
)
def test_rules_that_somebody_breaks_meanwhile_are_left_alone(clinic: Site, rules: str, word: str) -> None:
    row = clinic.rules(rule_set())
    clinic.variable("Topic")
    decision = clinic.decide(DECLARED)
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=rules)
    outcomes, _ = clinic.carry_out(decision)
    assert Status.VERIFIED not in {each.status for each in outcomes.values()}
    assert any(word in each.detail for each in outcomes.values())
    assert text_of(clinic) == rules


def test_a_rule_somebody_added_meanwhile_is_kept(clinic: Site) -> None:
    row = clinic.rules(rule_set())
    clinic.variable("Topic")
    decision = clinic.decide(DECLARED)
    clinic.emulator.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=rule_set(rule(1, "Mine", equals("x"))))
    outcomes, _ = clinic.carry_out(decision)
    assert {each.status for each in outcomes.values()} == {Status.VERIFIED}
    assert order_of(text_of(clinic)) == ["Mine", "Nurse", "Bill"]


def test_a_refused_rule_set_leaves_nothing_behind(clinic: Site) -> None:
    clinic.emulator.fail(
        Fault(method="PATCH", path=r"msdyn_routingconfigurationsteps\(", status=403, code="0x80040220")
    )
    outcomes, _ = clinic.run(DECLARED)
    assert outcomes[KEY].status is Status.FAILED
    for table in ("msdyn_decisionruleset", "msdyn_routingconfiguration", "msdyn_routingconfigurationstep"):
        assert clinic.emulator.sql(f"SELECT * FROM {table}") == []  # noqa: S608  # the test's own names
    clinic.apply(DECLARED)


def test_what_is_asked_of_a_change_of_another_kind_is_nothing() -> None:
    """The engine asks each kind about its own changes only; any other has nothing to wait for."""
    kind = KINDS["routing_rule"]
    (queue,) = desired("queues: [{name: Nurses}]").specs
    change = Change(Action.CREATE, queue.id, queue)
    live = LiveState(Environment("", ""))
    scope = Scope(Desired(), live, Ids("", "", live))
    assert kind.blocked(change, scope) == ""
    assert list(kind.doubts(change, scope)) == []
    assert kind.diff(None, None) is None
