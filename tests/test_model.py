"""Values: ids that never change, keys that can be taken apart, names that could be confused, exit codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.errors import PlaybookError, PlaybookMistake, Refused, Unresolvable
from d365setup.model import (
    Action,
    Change,
    Cost,
    Desired,
    Environment,
    FieldChange,
    Live,
    LiveState,
    Note,
    Place,
    Plan,
    Query,
    ResourceId,
    Source,
    Spec,
    canonical_guid,
    fold,
    join_key,
)
from d365setup.outcome import Failure, Outcome, Run, Status
from d365setup.scope import Ids

ORGANIZATION = "0f0f0f0f-0000-4000-8000-00000000000a"
ENVIRONMENT = Environment("https://contoso.crm.dynamics.com", ORGANIZATION)


class Thing(Spec):
    kind = "thing"
    place = Place("things")


def thing(name: str) -> Thing:
    return Thing(name=name)


def ids(*lives: Live[Thing]) -> Ids:
    return Ids(ORGANIZATION, "contoso-health-bot", LiveState(ENVIRONMENT, lives))


class TestIds:
    """A golden test: these ids are in people's environments, and must never come out otherwise."""

    @pytest.mark.parametrize(
        ("kind", "identity", "expected"),
        [
            ("bot_user", "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f", "090ff72b-f85b-583d-8578-8c8babc27bf2"),
            ("queue", "Nurses", "97685349-20ff-515a-9fa7-f60a2e4afd25"),
            ("context_variable", "Patient chat/BotHandOffTopic", "593eb8ed-e503-500a-bcbb-de7b85b5f7e4"),
            ("routing_rule", "Patient chat/Hand off to a nurse", "1c95031f-4efb-5d24-9375-9f74a88c6207"),
            ("queue", "Ärzte", "f12f885c-e84e-57fb-9493-f862e5b8815a"),
        ],
    )
    def test_golden(self, kind: str, identity: str, expected: str) -> None:
        assert ids().made(kind, identity) == expected

    def test_unicode_form_and_case_of_the_organization_do_not_matter(self) -> None:
        assert ids().made("queue", "A\u0308rzte") == ids().made("queue", "Ärzte")
        upper = Ids(ORGANIZATION.upper(), "contoso-health-bot", LiveState(ENVIRONMENT))
        assert upper.made("queue", "Nurses") == ids().made("queue", "Nurses")

    def test_a_live_row_keeps_its_own(self) -> None:
        assert ids(Live(thing("Nurses"), "row")).of("thing", "Nurses") == "row"
        assert ids().of("thing", "Nurses") == ids().made("thing", "Nurses")

    @given(st.text(), st.text())
    def test_another_identity_is_another_row(self, one: str, other: str) -> None:
        same = fold(one) == fold(other)
        assert same or ids().made("queue", one) != ids().made("queue", other)


@given(
    st.lists(st.text(alphabet="ab/\\", min_size=1), min_size=2, max_size=2),
    st.lists(st.text(alphabet="ab/\\", min_size=1), min_size=2, max_size=2),
)
def test_keys_of_different_names_differ(one: list[str], other: list[str]) -> None:
    if not any(name.endswith("\\") for name in (*one, *other)):
        assert (join_key(*one) == join_key(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Nurses", "nurses"), ("Night desk", "Night  desk "), ("Ärzte", "A\u0308rzte"), ("Nurses", "Ｎurses")],
)
def test_confusable_names_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize("text", ["{0F0F0F0F-0000-4000-8000-00000000000A}", ORGANIZATION])
def test_canonical_guid(text: str) -> None:
    assert canonical_guid(text) == ORGANIZATION


@pytest.mark.parametrize("text", ["", "0f0f", ORGANIZATION + "0", "g" + ORGANIZATION[1:]])
def test_not_a_guid(text: str) -> None:
    with pytest.raises(ValueError, match="is not a GUID"):
        canonical_guid(text)


def change(name: str = "Nurses", *fields: FieldChange, action: Action = Action.UPDATE) -> Change:
    return Change(action, ResourceId("queue", name), None, fields)


def test_versions_of_the_rows_a_query_found() -> None:
    query = Query("queues", "queues", ("queueid", "name"))
    rows = [{"queueid": "1", "@odata.etag": 'W/"7"'}, {"queueid": "2"}, {"name": "x", "@odata.etag": 'W/"8"'}]
    assert dict(query.versions(rows)) == {"queues(1)": 'W/"7"'}
    assert (
        Query("rule sets", "msdyn_decisionrulesets", key="msdyn_decisionrulesetid").row_key == "msdyn_decisionrulesetid"
    )
    assert Query("what a function returns", "WhoAmI").row_key == ""


class TestPlan:
    def test_equal_plans_have_one_fingerprint(self) -> None:
        one = Plan(ENVIRONMENT, "p", "sha", (change("A", FieldChange("priority", 1, 2)),))
        assert one.fingerprint == one.with_cost(Cost(1, 1, 1)).fingerprint
        other = Plan(ENVIRONMENT, "p", "sha", (change("A", FieldChange("priority", 1, 3)),))
        assert one.fingerprint != other.fingerprint
        assert one.fingerprint.startswith("sha256:")

    def test_exit_code(self) -> None:
        assert Plan(ENVIRONMENT, "p", "sha").exit_code == 0
        assert Plan(ENVIRONMENT, "p", "sha", (change(),)).exit_code == 3


class TestRun:
    @pytest.mark.parametrize(
        ("outcomes", "expected"),
        [
            ([], 0),
            ([(Status.VERIFIED, None)], 0),
            ([(Status.VERIFIED, None), (Status.MANUAL, None)], 3),
            ([(Status.VERIFIED, None), (Status.NOT_VERIFIED, None)], 1),
            ([(Status.VERIFIED, None), (Status.FAILED, Failure("no"))], 7),
            ([(Status.NOT_VERIFIED, None), (Status.NOT_WRITTEN, None)], 7),
            ([(Status.FAILED, Failure("no")), (Status.NOT_WRITTEN, None)], 1),
            ([(Status.NOT_WRITTEN, None)], 1),
            ([(Status.FAILED, Failure("no way", exit_code=6))], 6),
            ([(Status.FAILED, Failure("wait", exit_code=8))], 8),
        ],
    )
    def test_exit_code(self, outcomes: list[tuple[Status, Failure | None]], expected: int) -> None:
        plan = Plan(ENVIRONMENT, "p", "sha")
        told = tuple(Outcome(change(str(n)), status, "", failure) for n, (status, failure) in enumerate(outcomes))
        assert Run(plan, told).exit_code == expected


class TestSpec:
    def test_what_it_says_of_itself(self) -> None:
        spec = thing("a/b")
        assert (spec.key, spec.identity, str(spec.id)) == ("a\\/b", "a\\/b", "thing:a\\/b")
        assert not spec.only_refers
        assert list(spec.references()) == []
        assert list(spec.check(Desired())) == []
        with pytest.raises(TypeError, match="is not derived"):
            next(Thing.derive(spec, lambda *_: Source("f", 1, 1)))

    def test_a_change_knows_its_line(self) -> None:
        spec = Thing(name="x", source=Source("f.yaml", 3, 5))
        assert str(Change(Action.CREATE, spec.id, spec).source) == "f.yaml:3:5"
        assert change().source.line == 0

    def test_desired(self) -> None:
        desired = Desired((thing("a"), thing("b")))
        assert desired.find("thing", "b") is desired.specs[1]
        assert desired.find("thing", "c") is None
        assert desired.of(Thing) == desired.specs
        assert desired.only(frozenset({thing("a").id})).specs == (thing("a"),)

    def test_live_state(self) -> None:
        live = LiveState(ENVIRONMENT, (Live(thing("a"), "1"), Live(thing("a"), "2")), ("fact", 7))
        found = live.find("thing", "a")
        assert found is not None
        assert found.row_id == "1"
        assert len(live.of(Thing)) == 2
        assert live.known(str) == ("fact",)


class TestErrors:
    def test_every_mistake_and_reason_is_told(self) -> None:
        source = Source("p.yaml", 2, 3)
        wrong = PlaybookError([PlaybookMistake(source, "one"), PlaybookMistake(source, "two")])
        assert str(wrong) == "p.yaml:2:3: one\np.yaml:2:3: two"
        note = Note("error", ResourceId("queue", "A"), "is public", source)
        unresolved = Unresolvable([note, Note("error", ResourceId("queue", "B"), "is managed", refused=True)])
        assert str(unresolved) == "p.yaml:2:3: queue:A: is public\nqueue:B: is managed"
        assert unresolved.exit_code == 1
        assert Unresolvable([Note("error", ResourceId("queue", "B"), "x", refused=True)]).exit_code == 5
        assert Refused("no").exit_code == 5
