"""`--prune` and `destroy`: what a playbook made and no longer declares goes, and nothing else ever does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from d365setup.apply import Settings, apply_plan
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import DataverseError
from d365setup.emulator import Emulator, Fault, Options, Switches
from d365setup.emulator import fixtures as names
from d365setup.errors import Refused, Unresolvable
from d365setup.model import Action
from d365setup.outcome import Status
from d365setup.plan import Decision, check_limits
from tests.engine.driver import APPLICATION, HEAD, KINDS, applied, changes, put_rules
from tests.engine.driver import decided as decided_without_prune
from tests.engine.test_foreign_rules import THIRTY
from tests.pruning import (
    ALL,
    OTHER_APPLICATION,
    OTHER_BOT_ID,
    WARD,
    bot_id,
    decided,
    destroyed,
    going,
    made,
    members,
    pruned,
    queue_id,
    session,
    stream_id,
    text_of,
    warned,
    without,
)
from tests.test_prune_property import state

WARD_QUEUE = ("  - name: Ward", "    members: [nurse.one@contoso.example, nurse.two@contoso.example]")
WARD_RULES = (
    "      - {name: To the ward, when: {Topic: Ward}, queue: Ward}",
    "      - {name: Urgent, when: {variable: Severity, operator: at least, value: 7}, queue: Ward}",
)
TOPIC = "      - {name: Topic, type: text}"
SEVERITY = "      - {name: Severity, type: number}"
NO_WARD = without(WARD, *WARD_QUEUE, *WARD_RULES)
WARD_LEAVES = {
    "routing_rule:Patient chat/To the ward",
    "routing_rule:Patient chat/Urgent",
    "queue_member:Ward/nurse.one@contoso.example",
    "queue_member:Ward/nurse.two@contoso.example",
    "queue:Ward",
}


@pytest.fixture
def served() -> object:
    started: list[Emulator] = []

    def serve(**options: object) -> Emulator:
        emulator = Emulator(None, Options(**options))  # type: ignore[arg-type]  # told by the caller
        started.append(emulator)
        return emulator.start()

    yield serve
    for emulator in started:
        emulator.close()


@pytest.fixture
def clinic(served: Callable[..., Emulator]) -> Emulator:
    return served()


def foreign(queue: str, condition: str = "", name: str = "Theirs") -> str:
    """A rule set of somebody else's, with one rule that leads to a queue."""
    return (
        '<decision version="1" hit-policy="all">\r\n  <rules>\r\n\r\n'
        f'    <rule name="{name}" id="33333333-cccc-4ccc-8ccc-000000000001">{condition}<action><setattribute>'
        '<lhs type="attribute">assign_to.queue</lhs>'
        f'<rhs type="staticvalue">{{{queue.upper()}}}</rhs></setattribute></action></rule>\r\n  </rules>\r\n</decision>'
    )


def looks_at(variable: str) -> str:
    return f'<condition operator="not-null"><lhs type="attribute">liveworkitemcontext.{variable}</lhs></condition>'


def overflow_rules(emulator: Emulator, text: str) -> str:
    """A rule set that no work stream's step leads to."""
    return emulator.add(
        "msdyn_decisionruleset", msdyn_name="Overflow", msdyn_uniquename="new_overflow", msdyn_rulesetdefinition=text
    )


class TestWhatGoes:
    def test_nothing_without_being_asked(self, clinic: Emulator) -> None:
        made(clinic)
        assert changes(clinic, NO_WARD) == {}
        assert applied(clinic, NO_WARD).writes == []

    def test_what_is_no_longer_declared(self, clinic: Emulator) -> None:
        links = made(clinic)
        found = going(clinic, NO_WARD, links)
        assert set(found) == WARD_LEAVES
        assert {change.action for change in found.values()} == {Action.DELETE}
        assert found["queue:Ward"].reason == (
            "this playbook made it and no longer declares it; it is deactivated, not deleted"
        )
        done = pruned(clinic, NO_WARD, links)
        assert done.statuses == dict.fromkeys(WARD_LEAVES, Status.VERIFIED)
        assert clinic.sql("SELECT statecode, statuscode FROM queue WHERE name = 'Ward'") == [(1, 2)]
        assert members(clinic, "Ward") == []
        assert going(clinic, NO_WARD, links) == {}

    @pytest.mark.parametrize(
        ("lines", "gone"),
        [
            ([WARD_RULES[0]], {"routing_rule:Patient chat/To the ward"}),
            ([WARD_RULES[0], TOPIC], {"routing_rule:Patient chat/To the ward", "context_variable:Patient chat/Topic"}),
            ([WARD_RULES[1], SEVERITY], {"routing_rule:Patient chat/Urgent", "context_variable:Patient chat/Severity"}),
        ],
    )
    def test_rules_and_variables(self, clinic: Emulator, lines: list[str], gone: set[str]) -> None:
        links = made(clinic)
        text = without(WARD, *lines)
        done = pruned(clinic, text, links)
        assert done.statuses == dict.fromkeys(gone, Status.VERIFIED)
        assert applied(clinic, text).decision.plan.changes == ()

    def test_a_member_that_is_no_longer_listed(self, clinic: Emulator) -> None:
        links = made(clinic)
        text = WARD.replace(
            "members: [nurse.one@contoso.example, nurse.two@contoso.example]", "members: [nurse.one@contoso.example]"
        )
        done = pruned(clinic, text, links)
        assert done.statuses == {"queue_member:Ward/nurse.two@contoso.example": Status.VERIFIED}
        assert members(clinic, "Ward") == ["Nurse One"]

    def test_a_member_nobody_recorded_stays(self, clinic: Emulator) -> None:
        made(clinic)
        text = WARD.replace(", nurse.two@contoso.example]", "]")
        assert going(clinic, text) == {}

    def test_a_role_that_is_no_longer_listed(self, clinic: Emulator) -> None:
        text = WARD.replace(
            "    email: health-bot@contoso.example\n",
            "    email: health-bot@contoso.example\n    roles: [Omnichannel agent, Omnichannel supervisor]\n",
        )
        links = made(clinic, text)
        done = pruned(clinic, WARD, links)
        assert done.statuses == {"role_assignment:Contoso Health Bot/Omnichannel supervisor": Status.VERIFIED}
        held = clinic.sql(
            "SELECT r.name FROM systemuserroles x JOIN role r ON r.roleid = x.roleid WHERE x.systemuserid = ?",
            [bot_id(clinic)],
        )
        assert held == [("Omnichannel agent",)]

    def test_a_bot_is_disabled_and_unlinked_never_deleted(self, clinic: Emulator) -> None:
        links = made(clinic)
        row = bot_id(clinic)
        text = WARD[: WARD.index("bot_users")] + WARD[WARD.index("queues:") :].replace(
            "    members: [Contoso Health Bot]\n", ""
        )
        done = pruned(clinic, text, links)
        assert set(done.statuses) == {
            "bot_user:Contoso Health Bot",
            "role_assignment:Contoso Health Bot/Omnichannel agent",
            "queue_member:Health bot/Contoso Health Bot",
        }
        assert clinic.sql("SELECT isdisabled, deletedstate FROM systemuser WHERE systemuserid = ?", [row]) == [(1, 0)]
        assert "DELETE" not in {method for method, path, _ in done.writes if "$ref" not in path}
        assert clinic.sql("SELECT count(*) FROM systemuserroles WHERE systemuserid = ?", [row]) == [(0,)]

    def test_the_last_rule_leaves_an_empty_rule_set_and_its_chain(self, clinic: Emulator) -> None:
        links = made(clinic)
        chain = ("msdyn_decisionruleset", "msdyn_routingconfiguration", "msdyn_routingconfigurationstep")
        destroyed(clinic, WARD, links)
        assert [clinic.sql(f"SELECT count(*) FROM {table}") for table in chain] == [[(1,)]] * 3  # noqa: S608
        assert "<rule " not in text_of(clinic)
        made(clinic)
        assert text_of(clinic).count("<rule ") == 3

    def test_one_change_set_when_it_is_small_and_the_price_is_what_it_takes(
        self, served: Callable[..., Emulator]
    ) -> None:
        clinic = served(rtt=0.15)
        links = made(clinic)
        done = pruned(clinic, NO_WARD, links)
        cost = done.decision.plan.cost
        sent = sum(len(request.operations) or 1 for request in done.requests)
        assert done.rounds == 2
        assert (cost.round_trips, cost.requests, cost.operations) == (done.rounds, len(done.requests), sent)

    def test_new_things_come_before_the_old_ones_go(self, clinic: Emulator) -> None:
        """The ward gets another name: the new queue is there and routed to before anybody leaves the old one."""
        links = made(clinic)
        text = WARD.replace("Ward\n", "Station\n").replace("queue: Ward", "queue: Station")
        done = pruned(clinic, text, links, whole_stages=True)
        assert set(done.statuses.values()) == {Status.VERIFIED}
        assert clinic.sql("SELECT name, statecode FROM queue WHERE name IN ('Ward', 'Station') ORDER BY 1") == [
            ("Station", 0), ("Ward", 1),
        ]  # fmt: skip
        steps = [
            f"{method} {'link' if '$ref' in path else path.partition('(')[0].rpartition('/')[2]}"
            for method, path, _ in done.writes
        ]
        assert steps == [
            "PATCH queues",
            *["POST link"] * 2,
            "PATCH msdyn_decisionrulesets",
            *["DELETE link"] * 2,
            "PATCH queues",
        ]
        assert changes(clinic, text) == {}

    def test_a_bot_may_take_the_place_of_another(self, clinic: Emulator) -> None:
        """`highest` need not beat a bot that the same apply disables."""
        links = made(clinic)
        text = (
            WARD.replace(APPLICATION, OTHER_APPLICATION)
            .replace("9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01", OTHER_BOT_ID)
            .replace("Contoso Health Bot", "Second Bot")
        )
        done = pruned(clinic, text, links)
        assert set(done.statuses.values()) == {Status.VERIFIED}
        assert members(clinic, "Health bot") == ["Second Bot"]
        assert changes(clinic, text) == {}

    def test_two_things_of_one_name_do_not_go_and_come_in_one_plan(self, clinic: Emulator) -> None:
        links = made(clinic)
        text = WARD.replace(APPLICATION, OTHER_APPLICATION).replace(
            "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01", OTHER_BOT_ID
        )
        decision = decided(clinic, text.replace("    email", "    capacity: 2000\n    email"), links)
        told = warned(decision)["bot_user:Contoso Health Bot"]
        assert told.startswith(f"this playbook made it ({bot_id(clinic)}), and it stays: this plan has another thing")
        assert Action.DELETE not in {change.action for change in decision.plan.changes}


class TestReading:
    def test_one_wave(self, served: Callable[..., Emulator]) -> None:
        clinic = served(rtt=0.15)
        links = made(clinic)
        clinic.reset_log()
        decided(clinic, NO_WARD, links)
        assert len(clinic.requests) == 4
        assert max(each.started for each in clinic.requests) < min(each.ended for each in clinic.requests)

    def test_without_prune_the_reads_are_the_same_as_ever(self, clinic: Emulator) -> None:
        made(clinic)
        clinic.reset_log()
        decided_without_prune(clinic, WARD)
        asked = [path for request in clinic.requests for _, path, _ in request.operations]
        assert len(asked) == 16
        assert not any("queueitems" in path or "ocliveworkitems" in path for path in asked)


class TestWhatStays:
    def test_another_playbooks_things(self, clinic: Emulator) -> None:
        theirs = WARD.replace("contoso-health-bot", "another-playbook")
        links = made(clinic, theirs)
        before = text_of(clinic)
        assert links
        assert going(clinic, HEAD + "queues: [{name: Health bot, existing: true}]\n") == {}
        done = destroyed(clinic, WARD, ())
        assert done.writes == []
        assert set(warned(done.decision)) >= {"queue:Ward", "bot_user:Contoso Health Bot"}
        assert text_of(clinic) == before

    def test_somebody_elses_rules_byte_for_byte(self, clinic: Emulator) -> None:
        rules = put_rules(clinic, THIRTY)
        links = made(clinic)
        assert text_of(clinic) != THIRTY
        destroyed(clinic, WARD, links)
        found = clinic.sql(
            "SELECT msdyn_rulesetdefinition FROM msdyn_decisionruleset WHERE msdyn_decisionrulesetid = ?", [rules]
        )
        assert found == [(THIRTY,)]

    def test_a_queue_somebody_elses_rule_leads_to(self, clinic: Emulator) -> None:
        put_rules(clinic, foreign(names.NURSES))
        links = made(clinic)
        clinic.change(
            "msdyn_decisionruleset",
            clinic.sql("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset")[0][0],
            msdyn_rulesetdefinition=text_of(clinic).replace(names.NURSES.upper(), queue_id(clinic, "Ward").upper()),
        )
        decision = decided(clinic, NO_WARD, links)
        told = warned(decision)
        reason = "the rule 'Theirs' of the work stream 'Patient chat' sends conversations there"
        assert told["queue:Ward"].startswith(f"this playbook made it, and it stays: {reason}")
        nobody = f"this playbook made it, and it stays: nobody else would be left in the queue 'Ward': {reason}"
        assert told["queue_member:Ward/nurse.one@contoso.example"] == nobody
        assert {str(change.id) for change in decision.plan.changes} == {
            "routing_rule:Patient chat/To the ward",
            "routing_rule:Patient chat/Urgent",
        }

    def test_with_somebody_else_in_it_our_members_leave_a_queue_that_stays(self, clinic: Emulator) -> None:
        links = made(clinic)
        ward = queue_id(clinic, "Ward")
        clinic.link(
            "queue", ward, "queuemembership_association", names.fixed_id("systemuser", "billing.one@contoso.example")
        )
        decision = decided(clinic, NO_WARD, links)
        assert warned(decision) == {
            "queue:Ward": "this playbook made it, and it stays: Billing One is in it, and not by this playbook"
        }
        assert {str(change.id) for change in decision.plan.changes} == WARD_LEAVES - {"queue:Ward"}

    def test_a_queue_with_people_whose_links_no_journal_has(self, clinic: Emulator) -> None:
        made(clinic)
        told = warned(decided(clinic, NO_WARD))
        assert told["queue:Ward"] == (
            "this playbook made it, and it stays: Nurse One is in it, and not by this playbook; "
            "Nurse Two is in it, and not by this playbook"
        )

    def test_a_bot_of_ours_keeps_no_queue(self, clinic: Emulator) -> None:
        """Its membership need not be recorded: nobody loses anything when it is disabled."""
        made(clinic)
        found = going(clinic, WARD, everything=True)
        assert {"queue:Health bot", "bot_user:Contoso Health Bot"} <= set(found)

    def test_a_bot_that_a_queue_needs_stays_with_its_link_and_role(self, clinic: Emulator) -> None:
        put_rules(clinic, foreign(names.NURSES))
        links = made(clinic)
        text = text_of(clinic).replace(names.NURSES.upper(), queue_id(clinic, "Health bot"))
        clinic.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [text])
        done = destroyed(clinic, WARD, links)
        told = warned(done.decision)
        assert "nobody else would be left in the queue 'Health bot'" in told["bot_user:Contoso Health Bot"]
        assert "its bot stays too" in told["role_assignment:Contoso Health Bot/Omnichannel agent"]
        assert "queue_member:Health bot/Contoso Health Bot" in told
        assert "queue:Health bot" in told
        assert clinic.sql("SELECT isdisabled FROM systemuser WHERE applicationid = ?", [APPLICATION]) == [(0,)]
        assert "queue:Ward" in done.statuses

    def test_the_bot_of_a_work_stream(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.change("msdyn_liveworkstream", stream_id(clinic), msdyn_bot_user=bot_id(clinic))
        told = warned(decided(clinic, WARD, links, everything=True))
        assert told["bot_user:Contoso Health Bot"].endswith("it is the bot of the work stream 'Patient chat'")

    def test_a_queue_a_declared_queue_of_that_name_is_never_held(self, clinic: Emulator) -> None:
        """What the playbook says of its own queue holds, also that nobody is in it."""
        links = made(clinic)
        text = without(WARD, WARD_QUEUE[1])
        done = pruned(clinic, text, links)
        assert set(done.statuses) == {each for each in WARD_LEAVES if each.startswith("queue_member")}
        assert members(clinic, "Ward") == []

    @pytest.mark.parametrize(
        ("column", "reason"),
        [
            ("msdyn_defaultqueue", "it is the fallback queue of the work stream 'Patient chat'"),
            ("msdyn_bot_queue", "it is the queue of the bot of the work stream 'Patient chat'"),
        ],
    )
    def test_a_queue_a_work_stream_names(self, clinic: Emulator, column: str, reason: str) -> None:
        links = made(clinic)
        clinic.change("msdyn_liveworkstream", stream_id(clinic), **{column: queue_id(clinic, "Ward")})
        assert reason in warned(decided(clinic, NO_WARD, links))["queue:Ward"]

    def test_a_fallback_queue_goes_once_another_is_declared(self, clinic: Emulator) -> None:
        text = WARD.replace("    context_variables:", "    fallback_queue: Ward\n    context_variables:")
        links = made(clinic, text)
        assert "fallback queue" in warned(decided(clinic, NO_WARD, links))["queue:Ward"]
        other = NO_WARD.replace("    context_variables:", "    fallback_queue: Nurses\n    context_variables:").replace(
            "workstreams:", "  - {name: Nurses, existing: true}\nworkstreams:"
        )
        done = pruned(clinic, other, links)
        assert set(done.statuses.values()) == {Status.VERIFIED}
        assert "queue:Ward" in done.statuses

    def test_the_fallback_we_set_is_not_undone(self, clinic: Emulator) -> None:
        text = WARD.replace("    context_variables:", "    fallback_queue: Ward\n    context_variables:")
        links = made(clinic, text)
        done = destroyed(clinic, text, links)
        assert "queue:Ward" not in done.statuses
        assert "fallback queue stays as it is" in warned(done.decision)["workstream:Patient chat"]
        assert clinic.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == [(queue_id(clinic, "Ward"),)]

    def test_a_legacy_rule_and_an_overflow_rule_set(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.add("msdyn_ocruleitem", msdyn_name="Old", msdyn_cdsqueueassignid=queue_id(clinic, "Ward"))
        overflow_rules(clinic, foreign(queue_id(clinic, "Ward"), name="Full"))
        told = warned(decided(clinic, NO_WARD, links))["queue:Ward"]
        assert "the legacy rule 'Old' sends work there" in told
        assert "the rule 'Full' sends conversations there" in told

    def test_a_rule_set_that_routes_records(self, clinic: Emulator) -> None:
        links = made(clinic)
        rules = overflow_rules(clinic, foreign(queue_id(clinic, "Ward"), name="Cases"))
        known = {"msdyn_name": "Cases", "msdyn_uniquename": "new_cases"}
        configuration = clinic.add("msdyn_routingconfiguration", **known, msdyn_isactiveconfiguration=True)
        where = {"msdyn_rulesetid": rules, "msdyn_routingconfigurationid": configuration}
        clinic.add("msdyn_routingconfigurationstep", **known, msdyn_type=192350002, msdyn_steporder=1, **where)
        assert "the rule 'Cases' sends conversations there" in warned(decided(clinic, NO_WARD, links))["queue:Ward"]

    def test_what_the_environment_cannot_resolve_is_told_as_ever(self, clinic: Emulator) -> None:
        links = made(clinic)
        rule = foreign(names.NURSES, name="Everyone meets the bot first")
        rule = rule[rule.index("<rule ") : rule.index("</rule>") + 7]
        known = text_of(clinic).replace("  </rules>", f"  {rule}</rules>")
        clinic.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [known])
        with pytest.raises(Unresolvable, match="2 rules bear this name"):
            decided(clinic, NO_WARD, links)

    def test_a_queue_that_a_mapping_notes(self, clinic: Emulator) -> None:
        """Of a rule set that nobody rewrites, what the platform noted counts, whatever its text says."""
        links = made(clinic)
        rules = overflow_rules(clinic, foreign(names.NURSES))
        clinic.add(
            "msdyn_rulesetdependencymapping",
            msdyn_name="noted",
            msdyn_referencingrulesetid=rules,
            msdyn_referencedpolymorphicentityid=queue_id(clinic, "Ward"),
            msdyn_referencedpolymorphicentityidtype="queue",
        )
        told = warned(decided(clinic, NO_WARD, links))["queue:Ward"]
        assert "the platform notes that the rule set 'Overflow' refers to it" in told

    @pytest.mark.parametrize(
        ("columns", "open_work"),
        [
            ({"statuscode": 1}, True),
            ({"statuscode": 2}, True),
            ({"statuscode": 3}, True),
            ({"statuscode": 5}, True),
            ({"statecode": 3, "statuscode": 7}, True),
            ({"statecode": 1, "statuscode": 4}, False),
            ({"statecode": 2, "statuscode": 6}, False),
        ],
    )
    def test_a_queue_with_conversations_in_it(
        self, clinic: Emulator, columns: dict[str, int], *, open_work: bool
    ) -> None:
        links = made(clinic)
        for _ in range(3):
            clinic.add("msdyn_ocliveworkitem", subject="Hello", msdyn_cdsqueueid=queue_id(clinic, "Ward"), **columns)
        decision = decided(clinic, NO_WARD, links)
        if open_work:
            assert "3 conversations that are not over are in it" in warned(decision)["queue:Ward"]
        else:
            assert {str(change.id) for change in decision.plan.changes} == WARD_LEAVES

    @pytest.mark.parametrize(("state", "stays"), [(0, True), (1, False)])
    def test_a_queue_with_open_items(self, clinic: Emulator, state: int, *, stays: bool) -> None:
        links = made(clinic)
        clinic.add("queueitem", title="A case", queueid=queue_id(clinic, "Ward"), statecode=state)
        decision = decided(clinic, NO_WARD, links)
        assert ("1 open queue item is in it" in warned(decision).get("queue:Ward", "")) is stays
        assert ("queue:Ward" in {str(change.id) for change in decision.plan.changes}) is not stays

    @pytest.mark.parametrize("where", ["condition", "comment", "no work stream"])
    def test_a_variable_a_rule_still_looks_at(self, clinic: Emulator, where: str) -> None:
        put_rules(clinic, foreign(names.NURSES))
        links = made(clinic)
        text = without(WARD, WARD_RULES[0], TOPIC)
        if where == "no work stream":
            overflow_rules(clinic, foreign(names.NURSES, looks_at("Topic")))
        else:
            condition = looks_at("Topic") if where == "condition" else f"<!-- {looks_at('Topic')} -->"
            known = text_of(clinic).replace('000000000001">', f'000000000001">{condition}')
            clinic.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [known])
        decision = decided(clinic, text, links)
        assert "looks at it" in warned(decision)["context_variable:Patient chat/Topic"]
        assert {str(change.id) for change in decision.plan.changes} == {"routing_rule:Patient chat/To the ward"}

    def test_managed_rows(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.execute("UPDATE msdyn_ocliveworkstreamcontextvariable SET ismanaged = 1")
        clinic.execute("UPDATE msdyn_decisionruleset SET ismanaged = 1")
        decision = decided(clinic, WARD, links, everything=True)
        told = warned(decision)
        assert "is managed by a solution" in told["routing_rule:Patient chat/Urgent"]
        assert "is managed by a solution" in told["context_variable:Patient chat/Topic"]
        assert "the rule 'Urgent' of the work stream" in told["queue:Ward"]
        assert decision.plan.changes == ()

    @pytest.mark.parametrize("trouble", ["2 active routing configurations", "is inactive; activate it"])
    def test_rules_in_a_work_stream_that_cannot_be_worked_with(self, clinic: Emulator, trouble: str) -> None:
        links = made(clinic)
        if "inactive" in trouble:
            clinic.execute("UPDATE msdyn_decisionruleset SET statecode = 1")
        else:
            known = {"msdyn_name": "Second", "msdyn_uniquename": "new_second", "msdyn_isactiveconfiguration": True}
            clinic.add("msdyn_routingconfiguration", **known, msdyn_liveworkstreamid=stream_id(clinic))
        decision = decided(clinic, WARD, links, everything=True)
        told = [note for note in decision.plan.warnings if str(note.id) == "routing_rule:Patient chat/Urgent"]
        assert len(told) == 1
        assert trouble in told[0].message
        assert {"queue:Ward", "context_variable:Patient chat/Severity"} <= set(warned(decision))
        assert "routing_rule" not in {change.id.kind for change in decision.plan.changes}

    def test_what_somebody_renamed_is_no_longer_ours(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.change("queue", queue_id(clinic, "Ward"), name="Their ward")
        clinic.execute(
            "UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?",
            [text_of(clinic).replace('"Urgent"', '"My own"')],
        )
        found = going(clinic, NO_WARD, links)
        assert "queue:Ward" not in found
        assert {each for each in found if each.startswith("routing_rule")} == {"routing_rule:Patient chat/To the ward"}

    def test_one_of_two_of_a_name(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.add("queue", name="Ward", msdyn_isomnichannelqueue=True, queueviewtype=1)
        rule = foreign(names.NURSES, name="Urgent")
        rule = rule[rule.index("<rule ") : rule.index("</rule>") + 7]
        known = text_of(clinic).replace("  </rules>", f"  {rule}</rules>")
        clinic.execute("UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ?", [known])
        clinic.add(
            "msdyn_ocliveworkstreamcontextvariable",
            msdyn_name="Severity",
            msdyn_datatype=192350001,
            msdyn_liveworkstreamid=stream_id(clinic),
        )
        told = warned(decided(clinic, WARD, links, everything=True))
        assert "two rules are called 'Urgent'" in told["routing_rule:Patient chat/Urgent"]
        assert "another queue bears the same name" in told["queue:Ward"]
        assert "another variable of the work stream" in told["context_variable:Patient chat/Severity"]


UNREADABLE = [
    Fault(
        path="msdyn_ocliveworkitems",
        status=404,
        code="0x80060888",
        message="Resource not found for the segment",
        times=0,
    ),
    Fault(path="queueitems", status=403, code="0x80040220", message="is missing prvReadQueueItem privilege", times=0),
    Fault(
        path="msdyn_ocruleitems", status=404, code="0x80060888", message="Resource not found for the segment", times=0
    ),
    Fault(path="msdyn_bot_queue", status=400, code="0x80060888", message="Could not find a property named", times=0),
]


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("fault", UNREADABLE, ids=["conversations", "items", "legacy", "bot columns"])
    def test_no_queue_is_deactivated_and_it_is_told_why(self, clinic: Emulator, fault: Fault) -> None:
        links = made(clinic)
        clinic.fail(fault)
        decision = decided(clinic, WARD, links, everything=True)
        gone = {str(change.id) for change in decision.plan.changes}
        told = warned(decision)
        assert "could not be read" in told["queue:Ward"]
        assert "could not be read" in told["queue:Health bot"]
        assert {each for each in gone if each.startswith("queue:")} == set()
        assert {each for each in gone if each.startswith("routing_rule:")}
        assert {each for each in gone if each.startswith("context_variable:")}

    def test_everything_at_once(self, clinic: Emulator) -> None:
        links = made(clinic)
        for fault in UNREADABLE:
            clinic.fail(fault)
        clinic.reset_log()
        decision = decided(clinic, WARD, links, everything=True)
        assert not {change.id.kind for change in decision.plan.changes} & {"queue", "bot_user", "queue_member"}
        assert len(clinic.requests) == 8  # the wave, and once more without what is closed

    def test_a_service_that_is_only_busy_is_no_reason(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.fail(Fault(path="queueitems", status=503, message="busy"))
        assert set(going(clinic, NO_WARD, links)) == WARD_LEAVES

    def test_an_omnichannel_administrator_may_look_at_enough(self, served: Callable[..., Emulator]) -> None:
        clinic = served(users={"anything": "Ada:Omnichannel administrator"})
        clinic.add_role("Binds users", ["prvAppendToBusinessUnit"])
        ada = clinic.sql("SELECT systemuserid FROM systemuser WHERE fullname = 'Ada'")[0][0]
        role = clinic.sql("SELECT roleid FROM role WHERE name = 'Binds users' AND parentroleid IS NULL")[0][0]
        clinic.link("systemuser", ada, "systemuserroles_association", role)
        links = made(clinic)
        assert set(destroyed(clinic, WARD, links).statuses) == ALL

    def test_a_rule_set_that_cannot_be_read_is_an_error(self, clinic: Emulator) -> None:

        links = made(clinic)
        clinic.fail(Fault(path="msdyn_decisionrulesets", status=403, code="0x80040220", times=0))
        with pytest.raises(DataverseError):
            decided(clinic, NO_WARD, links)


MANY = (
    HEAD
    + "queues:\n"
    + "".join(f"  - {{name: Queue {n:02}, members: [Contoso Health Bot]}}\n" for n in range(1, 13))
    + (
        "workstreams:\n  - name: Patient chat\n    context_variables: [{name: Topic}]\n    routing_rules:\n"
        + "".join(
            f"      - {{name: Rule {n:02}, when: {{Topic: '{n}'}}, queue: 'Queue {n:02}'}}\n" for n in range(1, 13)
        )
    )
)


class TestOrder:
    def test_nothing_goes_that_a_rule_leads_to_which_could_not_be_taken_out(self, clinic: Emulator) -> None:
        links = made(clinic, MANY)
        clinic.fail(Fault(method="PATCH", path="msdyn_decisionrulesets", status=403, code="0x80040220", times=0))
        done = pruned(clinic, MANY, links, everything=True)
        assert set(done.statuses.values()) == {Status.FAILED, Status.NOT_WRITTEN}
        assert clinic.sql("SELECT count(*) FROM queue WHERE name LIKE 'Queue %' AND statecode = 0") == [(12,)]
        assert clinic.sql("SELECT count(*) FROM queuemembership WHERE systemuserid = ?", [bot_id(clinic)]) == [(12,)]
        assert clinic.sql("SELECT isdisabled FROM systemuser WHERE applicationid = ?", [APPLICATION]) == [(0,)]
        assert clinic.sql("SELECT count(*) FROM msdyn_ocliveworkstreamcontextvariable") == [(1,)]

    def test_a_queue_stays_active_when_a_member_could_not_leave(self, clinic: Emulator) -> None:
        links = made(clinic, MANY)
        one = queue_id(clinic, "Queue 07")
        clinic.fail(Fault(method="DELETE", path=one, status=403, code="0x80040220", times=0))
        done = pruned(clinic, MANY, links, everything=True)
        assert done.statuses["queue:Queue 07"] is Status.NOT_WRITTEN
        assert clinic.sql("SELECT statecode FROM queue WHERE queueid = ?", [one]) == [(0,)]

    def test_nobody_leaves_before_the_new_member_is_in(self, clinic: Emulator) -> None:
        links = made(clinic)
        clinic.fail(Fault(method="POST", path="queuemembership", status=403, code="0x80040220", times=0))
        text = WARD.replace("[nurse.one@contoso.example, nurse.two@contoso.example]", "[billing.one@contoso.example]")
        pruned(clinic, text, links)
        assert members(clinic, "Ward") == ["Nurse One", "Nurse Two"]

    def test_all_of_it_in_stages(self, clinic: Emulator) -> None:
        links = made(clinic, MANY)
        done = pruned(clinic, MANY, links, everything=True)
        assert set(done.statuses.values()) == {Status.VERIFIED}
        assert len(done.statuses) == 39
        assert destroyed(clinic, MANY, links).writes == []

    @pytest.mark.parametrize("where", ["drop-after", "drop-midway", "torn"])
    def test_a_lost_answer_is_looked_up(self, clinic: Emulator, where: str) -> None:
        links = made(clinic)
        clinic.fail(Fault(method="DELETE|PATCH|POST", path=queue_id(clinic, "Ward"), where=where))  # type: ignore[arg-type]
        done = pruned(clinic, NO_WARD, links)
        assert set(done.statuses.values()) == {Status.VERIFIED}
        assert going(clinic, NO_WARD, links) == {}

    def test_a_rule_somebody_adds_meanwhile_stays(self, clinic: Emulator) -> None:

        links = made(clinic)
        with Client(clinic.url, StaticToken("anything")) as client:
            working = session(client, without(WARD, WARD_RULES[0]), links)
            decision = working.decide(working.look())
            rule = foreign(names.NURSES)
            rule = rule[rule.index("<rule ") : rule.index("</rule>") + 7]
            row = clinic.sql("SELECT msdyn_decisionrulesetid FROM msdyn_decisionruleset")[0][0]
            with_theirs = text_of(clinic).replace("  </rules>", f"  {rule}\n  </rules>")
            clinic.change("msdyn_decisionruleset", row, msdyn_rulesetdefinition=with_theirs)
            told = list(apply_plan(decision, client, KINDS, Settings(sleep=lambda _: None)))
        assert [each.status for each in told if hasattr(each, "status")] == [Status.VERIFIED]
        assert "Theirs" in text_of(clinic)
        assert "To the ward" not in text_of(clinic)


class TestComingBack:
    def test_destroy_then_apply_converges(self, clinic: Emulator) -> None:
        links = made(clinic)
        rows = clinic.sql("SELECT queueid, name FROM queue ORDER BY 1"), bot_id(clinic)
        done = destroyed(clinic, WARD, links)
        assert set(done.statuses) == ALL
        assert destroyed(clinic, WARD, links).writes == []
        again = applied(clinic, WARD)
        assert set(again.statuses.values()) == {Status.VERIFIED}
        assert (clinic.sql("SELECT queueid, name FROM queue ORDER BY 1"), bot_id(clinic)) == rows
        assert clinic.sql("SELECT statecode, statuscode FROM queue WHERE name = 'Ward'") == [(0, 1)]
        assert applied(clinic, WARD).decision.plan.changes == ()

    def test_an_inactive_queue_of_ours_is_drift(self, clinic: Emulator) -> None:
        made(clinic)
        clinic.change("queue", queue_id(clinic, "Ward"), statecode=1, statuscode=2)
        (change,) = decided_without_prune(clinic, WARD).plan.changes
        assert [(each.field, each.before, each.after) for each in change.fields] == [("active", False, True)]
        (write,) = decided_without_prune(clinic, WARD).writes
        assert write.body == {"statecode": 0, "statuscode": 1}
        assert write.before == {"statecode": 1, "statuscode": 2}

    @pytest.mark.parametrize("ours", [True, False])
    def test_one_that_is_only_referred_to_is_never_activated(self, clinic: Emulator, *, ours: bool) -> None:

        made(clinic)
        name = "Ward" if ours else "Billing"
        clinic.change("queue", queue_id(clinic, name), statecode=1, statuscode=2)
        text = without(WARD, *WARD_QUEUE, *WARD_RULES).replace(
            "workstreams:", f"  - {{name: {name}, existing: true}}\nworkstreams:"
        )
        with pytest.raises(Unresolvable, match="is inactive; activate it"):
            decided_without_prune(clinic, text)

    def test_what_is_only_referred_to_now_is_not_taken_away(self, clinic: Emulator) -> None:
        links = made(clinic)
        text = WARD.replace(
            "  - name: Ward\n    members: [nurse.one@contoso.example, nurse.two@contoso.example]",
            "  - {name: Ward, existing: true}",
        )
        assert {each for each in going(clinic, text, links) if each.startswith("queue:")} == set()
        decision = decided(clinic, text, links, everything=True)
        assert "queue:Ward" not in {str(change.id) for change in decision.plan.changes}
        assert warned(decision)["queue:Ward"] == "stays: the playbook only refers to it (existing: true)"

    def test_what_was_there_before_is_told_by_destroy(self, clinic: Emulator) -> None:
        text = WARD.replace("Ward", "Nurses")
        links = made(clinic, text)
        told = warned(destroyed(clinic, text, links).decision)
        assert told["queue:Nurses"] == "stays: this playbook did not make it"
        assert told["queue_member:Nurses/nurse.one@contoso.example"] == (
            "stays: no journal kept here says that this playbook made the link"
        )
        assert members(clinic, "Nurses") == ["Former Nurse", "Nurse One", "Nurse Two"]

    @pytest.mark.parametrize("mappings", ["complete", "second write", "never"])
    @pytest.mark.parametrize("contract", ["at once", "late"])
    def test_under_the_switches_that_matter(
        self, served: Callable[..., Emulator], mappings: str, contract: str
    ) -> None:
        switches = Switches(mappings=mappings, contract=contract, memo_line_ends="crlf", failed_changeset="single")  # type: ignore[arg-type]
        clinic = served(switches=switches)
        links = made(clinic)
        assert set(destroyed(clinic, WARD, links).statuses) == ALL
        assert destroyed(clinic, WARD, links).writes == []
        made(clinic)
        assert changes(clinic, WARD) == {}


class TestLimits:
    def plan(self, clinic: Emulator, count: int, *, of: int) -> Decision:
        text = HEAD + "queues:\n" + "".join(f"  - {{name: Queue {n:02}}}\n" for n in range(1, of + 1))
        made(clinic, text)
        left = HEAD + "queues:\n" + "".join(f"  - {{name: Queue {n:02}}}\n" for n in range(count + 1, of + 1))
        return decided(clinic, left)

    @pytest.mark.parametrize(
        ("count", "of", "told"),
        [
            (10, 36, None),
            (11, 36, "11 of queue, more than 10"),
            (2, 5, None),  # nine live ones, with the four of the fixture
            (3, 6, "3 of queue, of which there are 10: 30 % or more"),
            (2, 6, None),
            (3, 7, None),  # 27 % of eleven
        ],
    )
    def test_ten_at_once_or_thirty_percent(self, clinic: Emulator, count: int, of: int, told: str | None) -> None:
        decision = self.plan(clinic, count, of=of)
        if told is None:
            check_limits(decision.plan, {}, decision.scope.live)
            return
        with pytest.raises(Refused) as caught:
            check_limits(decision.plan, {}, decision.scope.live)
        assert str(caught.value) == f"this plan takes away {told}; if that is meant, add --allow-delete queue:{count}"
        with pytest.raises(Refused):
            check_limits(decision.plan, {"queue": count - 1, "bot_user": 99}, decision.scope.live)
        check_limits(decision.plan, {"queue": count}, decision.scope.live)


DISTURBANCES = {
    "refused": Fault(status=403, code="0x80040220", message="no privilege"),
    "failed": Fault(status=500, code="0x80044150", message="SQL Number: 1205"),
    "dropped before": Fault(where="drop-before"),
    "dropped midway": Fault(where="drop-midway"),
    "dropped after": Fault(where="drop-after"),
    "torn": Fault(where="torn"),
}


@pytest.mark.no_cover  # tracing would double the time; what it runs is measured above
class TestDisturbed:
    @pytest.mark.parametrize("name", DISTURBANCES)
    def test_whatever_one_write_meets_a_second_prune_ends_in_the_same_rows(
        self, served: Callable[..., Emulator], name: str
    ) -> None:
        """Every fourth of the 28 writes of a whole destroy, in stages; the outcome list tells the truth each time."""
        clinic = served()
        links = made(clinic, MANY)
        steps = len(destroyed(clinic, MANY, links).writes)
        assert steps == 28
        expected = state(clinic, frozenset())
        for skip in range(0, steps, 4):
            clinic.reset("clinic")
            links = made(clinic, MANY)
            clinic.fail(replace(DISTURBANCES[name], method="PATCH|POST|DELETE", path=r"\(", skip=skip))
            first = pruned(clinic, MANY, links, everything=True)
            left = set(going(clinic, MANY, links, everything=True))
            landed = {key for key, status in first.statuses.items() if status is Status.VERIFIED}
            assert left.isdisjoint(landed), (name, skip)
            assert left | landed == set(first.statuses), (name, skip)
            destroyed(clinic, MANY, links)
            assert state(clinic, frozenset()) == expected, (name, skip)
