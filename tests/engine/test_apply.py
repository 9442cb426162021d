"""An apply from end to end over HTTP: what lands, what it costs, and what a refusal leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from d365setup.emulator import Emulator, Fault, Switches
from d365setup.errors import Unresolvable
from d365setup.outcome import Status
from tests.engine.driver import APPLICATION, HAND_OFF, HEAD, applied, applied_after, changes, converged, decided, rounds

WORK_STREAM = "SELECT msdyn_liveworkstreamid FROM msdyn_liveworkstream WHERE msdyn_name = 'Patient chat'"
TWENTY = HEAD + "queues:\n" + "".join(f"  - {{name: Queue {n:02}, priority: {n}}}\n" for n in range(1, 20))
THIRTY = (
    HEAD + "queues:\n" + "".join(f"  - {{name: Queue {n:02}, members: [Contoso Health Bot]}}\n" for n in range(1, 31))
)
NO_RULES = HEAD + "queues:\n  - {name: Health bot, members: [Contoso Health Bot]}\n"
OLD_VARIABLES = HAND_OFF.replace(
    "      - {name: BotHandOffTopic, type: text}", "      - {name: Known, type: text}"
).replace("BotHandOffTopic", "Known")


def names(emulator: Emulator, table: str, column: str) -> set[str]:
    return {row[0] for row in emulator.sql(f"SELECT {column} FROM {table}")}  # noqa: S608  # literals of this file


class TestRoundTrips:
    """DESIGN: a plan takes one round trip in a row, an apply two, or three with new variables, four when it splits."""

    def test_the_hand_off(self, slow: Emulator) -> None:
        decision = decided(slow, HAND_OFF)
        assert rounds(tuple(slow.requests)) == 1
        first = applied(slow, HAND_OFF)
        assert first.rounds == 3
        assert (decision.plan.cost.round_trips, decision.plan.cost.requests) == (3, len(first.requests))
        again = applied(slow, HAND_OFF)
        assert (again.rounds, again.writes) == (1, [])

    def test_latency_changes_nothing_that_is_sent(self, slow: Emulator, emulator: Emulator) -> None:
        with_latency, without = applied(slow, HAND_OFF), applied(emulator, HAND_OFF)
        assert sorted(with_latency.writes) == sorted(without.writes)
        assert len(with_latency.requests) == len(without.requests)

    def test_without_new_variables_everything_is_one_change_set(self, slow: Emulator) -> None:
        emulator = slow
        stream = emulator.sql(WORK_STREAM)[0][0]
        emulator.add(
            "msdyn_ocliveworkstreamcontextvariable",
            msdyn_name="Known",
            msdyn_datatype=192350000,
            msdyn_liveworkstreamid=stream,
        )
        first = applied(emulator, OLD_VARIABLES)
        assert set(first.statuses.values()) == {Status.VERIFIED}
        assert first.rounds == 2

    def test_without_rules(self, slow: Emulator) -> None:
        assert applied(slow, NO_RULES).rounds == 2

    def test_the_price_of_a_plan_is_what_applying_it_takes(self, slow: Emulator) -> None:
        for text in (HAND_OFF, THIRTY):
            first = applied(slow, text)
            cost = first.decision.plan.cost
            sent = sum(len(request.operations) or 1 for request in first.requests)
            assert (cost.round_trips, cost.requests, cost.operations) == (first.rounds, len(first.requests), sent)


class TestChangeSets:
    def test_up_to_twenty_writes_are_one(self, emulator: Emulator) -> None:
        first = applied(emulator, TWENTY)  # a bot, 19 queues, a role: 21 things
        smaller = applied(emulator, TWENTY.replace("contoso-health-bot", "other"))
        assert len([r for r in first.requests if any(o[0] == "PATCH" for o in r.operations)]) > 1
        assert smaller.decision.plan.changes == ()

    def test_more_are_split_no_wider_than_the_hint(self, served: Callable[..., Emulator]) -> None:
        for hint, expected in ((2, 2), (4, 4), (48, 8)):
            emulator = served(dop_hint=hint)
            first = applied(emulator, THIRTY)
            assert set(first.statuses.values()) == {Status.VERIFIED}
            things = [r for r in first.requests if any(o[0] == "PATCH" for o in r.operations)]
            assert len(things) == expected

    def test_transaction_stage_keeps_a_stage_whole(self, emulator: Emulator) -> None:
        first = applied(emulator, THIRTY, whole_stages=True)
        writing = [r for r in first.requests if any(o[0] != "GET" for o in r.operations)]
        assert set(first.statuses.values()) == {Status.VERIFIED}
        assert len(writing) == 1

    @pytest.mark.parametrize("layout", ["wrapper", "single"])
    @pytest.mark.parametrize("place", range(8))
    def test_a_write_refused_leaves_nothing_of_its_change_set(
        self, served: Callable[..., Emulator], place: int, layout: str
    ) -> None:
        emulator = served(switches=Switches(failed_changeset=layout))
        before = names(emulator, "queue", "queueid"), names(emulator, "systemuser", "systemuserid")
        emulator.fail(Fault(method="PATCH|POST", status=403, code="0x80040220", message="no privilege", skip=place))
        first = applied(emulator, HAND_OFF)
        assert Status.FAILED in first.statuses.values()
        landed = {key for key, status in first.statuses.items() if status is Status.VERIFIED}
        if place < 5:  # the first change set: bot, queue, role, member, variable
            assert landed <= {"workstream:Patient chat"}  # its fallback queue was there before
            assert (names(emulator, "queue", "queueid"), names(emulator, "systemuser", "systemuserid")) == before
            assert "context_variable:Patient chat/BotHandOffTopic" in first.statuses
            assert not any("decisionruleset" in path for method, path, _ in first.writes if method != "GET")
        else:
            assert "queue:Health bot" in landed
            assert names(emulator, "msdyn_routingconfiguration", "msdyn_name") == set()
        repaired = converged(emulator, HAND_OFF)
        assert repaired.decision.plan.changes

    def test_a_failure_leaves_the_other_change_sets_whole(self, emulator: Emulator) -> None:
        emulator.fail(
            Fault(method="PATCH", path="queues", status=400, code="0x80040265", message="plug-in says no", skip=9)
        )
        first = applied(emulator, THIRTY)
        made = names(emulator, "queue", "name")
        for key, status in first.statuses.items():
            if key.startswith("queue:"):
                assert (status is Status.VERIFIED) == (key.removeprefix("queue:") in made), key
        failed = {key for key, status in first.statuses.items() if status is not Status.VERIFIED}
        hopeless = {
            f"queue_member:{key.removeprefix('queue:')}/Contoso Health Bot"
            for key in failed
            if key.startswith("queue:")
        }
        assert hopeless
        assert hopeless <= failed
        assert 0 < len(made & {f"Queue {n:02}" for n in range(1, 31)}) < 30
        converged(emulator, THIRTY)


class TestConditions:
    """DESIGN section 1: creates by id with If-None-Match, updates with the ETag, links proved by reading."""

    def test_a_link_made_meanwhile_is_dropped_and_the_rest_sent_again(self, served: Callable[..., Emulator]) -> None:
        emulator = served(switches=Switches(repeated_link="412"))
        applied(emulator, HAND_OFF)
        bot, queue = (
            _row(emulator, "systemuser", "applicationid", APPLICATION),
            _row(emulator, "queue", "name", "Health bot"),
        )
        emulator.unlink("queue", queue, "queuemembership_association", bot)
        emulator.change("queue", queue, msdyn_priority=7)
        text = HAND_OFF.replace("- name: Health bot", "- name: Health bot\n    priority: 1")
        decision = decided(emulator, text)
        assert len(decision.plan.changes) == 2
        raced = applied_after(emulator, text, lambda: emulator.link("queue", queue, "queuemembership_association", bot))
        assert set(raced.values()) == {Status.VERIFIED}
        assert emulator.sql("SELECT msdyn_priority FROM queue WHERE queueid = ?", [queue]) == [(1,)]

    def test_a_row_changed_to_something_else_meanwhile_is_not_overwritten(self, emulator: Emulator) -> None:
        applied(emulator, HAND_OFF)
        queue = _row(emulator, "queue", "name", "Health bot")
        emulator.change("queue", queue, msdyn_priority=7)
        text = HAND_OFF.replace("- name: Health bot", "- name: Health bot\n    priority: 1")
        raced = applied_after(emulator, text, lambda: emulator.change("queue", queue, msdyn_priority=9))
        assert raced == {"queue:Health bot": Status.FAILED}
        assert emulator.sql("SELECT msdyn_priority FROM queue WHERE queueid = ?", [queue]) == [(9,)]

    def test_a_row_touched_in_another_column_is_written_with_its_new_version(self, emulator: Emulator) -> None:
        applied(emulator, HAND_OFF)
        queue = _row(emulator, "queue", "name", "Health bot")
        emulator.change("queue", queue, msdyn_priority=7)
        text = HAND_OFF.replace("- name: Health bot", "- name: Health bot\n    priority: 1")
        raced = applied_after(emulator, text, lambda: emulator.change("queue", queue, description="by hand"))
        assert raced == {"queue:Health bot": Status.VERIFIED}

    def test_a_row_renamed_by_hand_is_named(self, emulator: Emulator) -> None:
        applied(emulator, HAND_OFF)
        emulator.change("queue", _row(emulator, "queue", "name", "Health bot"), name="Robots")
        result = applied(emulator, HAND_OFF)
        failed = [each for each in result.outcomes if each.status is Status.FAILED]
        assert [str(each.change.id) for each in failed] == ["queue:Health bot"]
        assert "'Robots'" in failed[0].detail

    @pytest.mark.parametrize("where", ["drop-before", "drop-after"])
    def test_a_lost_answer_is_settled_by_reading(self, emulator: Emulator, where: str) -> None:
        # 4 batches of reading come first; the fifth request is the first change set
        emulator.fail(Fault(method="POST", path=r"\$batch", where=where, skip=4))  # type: ignore[arg-type]
        first = applied(emulator, HAND_OFF)
        assert set(first.statuses.values()) == {Status.VERIFIED}
        assert len(emulator.sql("SELECT 1 FROM queue WHERE name = 'Health bot'")) == 1
        assert applied(emulator, HAND_OFF).writes == []


class TestPlatform:
    @pytest.mark.parametrize(
        "switches",
        [
            Switches(),
            Switches(repeated_link="412", failed_changeset="single"),
            Switches(contract="late"),
            Switches(mappings="second write"),
            Switches(bot_columns="refused"),
            Switches(default_queue_column="missing", disabled_rules_column="absent"),
            Switches(memo_line_ends="crlf"),
        ],
        ids=lambda switches: (
            ",".join(f"{k}={v}" for k, v in vars(switches).items() if v != getattr(Switches(), k)) or "plain"
        ),
    )
    def test_the_hand_off_converges(self, served: Callable[..., Emulator], switches: Switches) -> None:
        converged(served(switches=switches), HAND_OFF)

    def test_a_variable_the_contract_never_shows_stops_the_rules(self, served: Callable[..., Emulator]) -> None:
        emulator = served(switches=Switches(contract="never"))
        first = applied(emulator, HAND_OFF)
        rules = [each for each in first.outcomes if each.change.id.kind == "routing_rule"]
        assert {each.status for each in rules} == {Status.NOT_WRITTEN}
        assert all("BotHandOffTopic" in each.detail and "by hand" in each.detail for each in rules)
        assert first.statuses["context_variable:Patient chat/BotHandOffTopic"] is Status.VERIFIED
        assert sum(first.slept) <= 60
        assert emulator.sql("SELECT 1 FROM msdyn_decisionruleset WHERE msdyn_name LIKE 'Patient chat%'") == []

    def test_missing_mappings_lead_to_one_second_write(self, served: Callable[..., Emulator]) -> None:
        emulator = served(switches=Switches(mappings="second write"))
        first = applied(emulator, HAND_OFF)
        texts = [path for method, path, _ in first.writes if method == "PATCH" and "msdyn_decisionrulesets(" in path]
        assert len(texts) == 2
        assert first.notes == ()

    def test_mappings_that_never_come_are_told_and_not_tried_for_ever(self, served: Callable[..., Emulator]) -> None:
        emulator = served(switches=Switches(mappings="never"))
        first = applied(emulator, HAND_OFF)
        assert set(first.statuses.values()) == {Status.VERIFIED}
        assert {note.severity for note in first.notes} == {"warning"}
        again = applied(emulator, HAND_OFF)
        assert (again.writes, len(again.decision.plan.warnings)) == ([], 3)


def test_a_plan_sends_no_write(emulator: Emulator) -> None:
    emulator.reset_log()
    assert len(changes(emulator, HAND_OFF)) == 9
    assert {each[0] for request in emulator.requests for each in request.operations} == {"GET"}


def _row(emulator: Emulator, table: str, column: str, value: str) -> str:
    found = emulator.sql(f"SELECT {table}id FROM {table} WHERE {column} = ?", [value])  # noqa: S608  # literals
    return str(found[0][0])


def test_an_environment_with_two_root_units_is_told(emulator: Emulator) -> None:
    emulator.execute("UPDATE businessunit SET parentbusinessunitid = NULL")
    with pytest.raises(Unresolvable, match="expected one organization and one root business unit, found 1 and 2"):
        decided(emulator, HAND_OFF)
