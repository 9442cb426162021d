"""Snapshots: what is dumped comes back the same, what is none is refused with what and where."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from d365setup.center import (
    Configuration,
    ContactCenter,
    HeldRole,
    Hours,
    Overflow,
    Question,
    Queue,
    RoutingStep,
    RuleSet,
    Staff,
    Unread,
    User,
    Variable,
    Workstream,
)
from d365setup.errors import UsageError
from d365setup.survey import Snapshot, dump, load, open_snapshot, save
from d365setup.survey import snapshot as module
from d365setup.survey.streams import understood

from .rule_text import equals, rule, sends, splits, text
from .site import BERLIN, Site

SCHEMA = Path(module.__file__).parent.parent / "report" / "schemas" / "snapshot.json"

texts = st.text(max_size=12)
ids = st.uuids(version=4).map(str)
some_id = st.just("") | ids
moments = st.just("") | st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z")
whole = st.integers(-(2**53), 2**53)


def several(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


roles = st.builds(HeldRole, texts, some_id, some_id)
users = st.builds(
    User, ids, texts, texts, enabled=st.booleans(), application_id=some_id, bot_id=texts, agent_type=optional(whole),
    capacity=whole, business_unit=some_id, roles=optional(several(roles)), team_roles=optional(several(texts)),
    profiles=optional(several(texts)), modified_on=texts,
)  # fmt: skip
overflows = st.builds(
    Overflow, st.sampled_from(["out of hours", "work items", "unknown"]), st.sampled_from(["transfer", "unknown"]),
    optional(whole), some_id, texts, texts,
)  # fmt: skip
spans = st.tuples(st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440))
hours = st.builds(Hours, ids, texts, texts, several(spans), several(texts), texts)
staff = st.builds(Staff, whole, whole, optional(whole), several(st.tuples(whole, whole)))
RULES = [
    "",
    "<decision",
    "<contract/>",
    text([], "first"),
    text([rule("To <a> nurse", equals("Töpic", "Nurse & Co"), sends("0a000000-0000-4000-8000-000000000001"))]),
    text([rule("Split", None, splits([("0a000000-0000-4000-8000-000000000001", 100)]))]),
]


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    said = dict(understood(draw(st.sampled_from(RULES))))
    if not said["text"] and draw(st.booleans()):
        said["problem"] = "the rule set is not there, or cannot be read"
    return RuleSet(
        draw(ids), draw(texts), output_contract=draw(texts), disabled=draw(optional(st.frozensets(ids, max_size=2))),
        mappings=draw(optional(st.frozensets(st.tuples(texts, ids), max_size=2))), managed=draw(st.booleans()),
        customizable=draw(st.booleans()), modified_on=draw(texts), **said,
    )  # fmt: skip


steps = st.builds(
    RoutingStep, ids, st.sampled_from(["route to queue", "classification", "unknown"]), whole, st.booleans(),
    optional(rule_sets()),
)  # fmt: skip
configurations = st.builds(Configuration, ids, st.booleans(), several(steps, 2), st.booleans())
streams = st.builds(
    Workstream, ids, texts, unified=st.booleans(), push=st.booleans(), active=st.booleans(), unit_based=st.booleans(),
    units=whole, closest_match=st.booleans(), channel=optional(whole), fallback_id=some_id, fallback_read=st.booleans(),
    bot_user_id=some_id, bot_queue_id=some_id, bot_rule=texts,
    variables=optional(several(st.builds(Variable, texts, texts, some_id))),
    contract=optional(st.dictionaries(texts, texts, max_size=3)), contract_problem=texts,
    configurations=optional(several(configurations, 2)), legacy_rules=optional(several(texts)),
    questions=optional(several(st.builds(Question, texts, texts))), profiles=optional(several(texts)),
    managed=st.booleans(), modified_on=texts,
)  # fmt: skip


@st.composite
def centers(draw: st.DrawFn) -> ContactCenter:
    """A contact center in which every user is the same person wherever he or she is met."""
    people = draw(st.lists(users, max_size=4, unique_by=lambda each: each.row_id))
    some = st.lists(st.sampled_from(people), max_size=4).map(tuple) if people else st.just(())
    queues = st.builds(
        Queue, ids, texts, type=texts, priority=whole, assignment=texts, active=st.booleans(), private=st.booleans(),
        omnichannel=st.booleans(), members=optional(some), left_out=whole, staff=staff, hours=optional(hours),
        hours_read=st.booleans(), prequeue=optional(several(overflows)), inqueue=optional(several(overflows)),
        managed=st.booleans(), is_default=st.booleans(), modified_on=texts,
    )  # fmt: skip
    return ContactCenter(
        draw(several(streams, 2)), draw(several(queues)), draw(some), "live", draw(moments), draw(texts), draw(some_id),
        draw(texts), draw(some_id), draw(optional(whole)), draw(st.dictionaries(ids, several(overflows), max_size=2)),
        draw(several(st.builds(Unread, texts, texts, texts))),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)  # the machine may be busy
@given(centers())
def test_what_is_dumped_comes_back_the_same(center: ContactCenter) -> None:
    dumped = dump(center)
    assert load(dumped).center == replace(center, origin="snapshot")
    assert dump(load(dumped).center) == dumped


@settings(max_examples=40, deadline=None)  # the machine may be busy
@given(centers())
def test_every_snapshot_follows_the_published_schema(center: ContactCenter) -> None:
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(json.loads(dump(center)))


def test_a_live_environment_comes_back_the_same(here: Site, tmp_path: Path) -> None:
    nurses = here.make_queue("Nürses 🩺 <script>", hours=here.make_hours("Office", zone=BERLIN))
    here.make_person("nurse.one@contoso.example", queue=nurses)
    chat = here.make_workstream("Patient chat", fallback=nurses, bot=here.make_bot("Contoso Health Bot", queue=nurses))
    here.make_rule_set(chat, [("To a nurse", equals("Topic", "Nurse"), nurses)])
    here.make_overflow(nurses, [("work items", 3, "end conversation", "")])
    live = here.center()
    file = tmp_path / "clinic.json"
    save(file, live)
    assert open_snapshot(file) == Snapshot(replace(live, origin="snapshot"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["clinic.json"]


def test_a_file_left_over_is_not_left_open_to_others(tmp_path: Path) -> None:
    left = tmp_path / ".clinic.json.new"
    left.write_text("left by a run that was stopped", encoding="utf-8")
    left.chmod(0o644)
    save(tmp_path / "clinic.json", ContactCenter())
    assert stat.S_IMODE((tmp_path / "clinic.json").stat().st_mode) == 0o600


def test_every_user_stands_in_it_once() -> None:
    person = User("0a000000-0000-4000-8000-000000000001", "Nurse One")
    queues = tuple(Queue(f"0b000000-0000-4000-8000-00000000000{n}", f"Q{n}", members=(person,)) for n in range(3))
    dumped = dump(ContactCenter(queues=queues, users=(person,)))
    assert dumped.count("Nurse One") == 1


def test_a_field_of_a_later_version_may_be_missing_where_it_has_a_default() -> None:
    document = json.loads(
        dump(ContactCenter(workstreams=(Workstream("0a000000-0000-4000-8000-000000000001", "Chat"),)))
    )
    del document["workstreams"][0]["questions"]
    assert load(json.dumps(document)).center.workstreams[0].questions == ()


GOOD = ContactCenter(
    (
        Workstream(
            "0a000000-0000-4000-8000-000000000001",
            "Chat",
            contract={"Topic": "string"},
            configurations=(
                Configuration(
                    "0a000000-0000-4000-8000-000000000002",
                    steps=(
                        RoutingStep(
                            "0a000000-0000-4000-8000-000000000003",
                            "route to queue",
                            rule_set=RuleSet("0a000000-0000-4000-8000-000000000004", **understood(RULES[4])),
                        ),
                    ),
                ),
            ),
        ),
    ),
    (
        Queue(
            "0b000000-0000-4000-8000-000000000001",
            "Nurses",
            members=(User("0c000000-0000-4000-8000-000000000001", "Nurse One"),),
            staff=Staff(1, 1, 0, ((100, 1),)),
            prequeue=(Overflow("work items", "transfer", 3),),
        ),
    ),
    overflows={"0d000000-0000-4000-8000-000000000001": ()},
    unread=(Unread("team", "", "no privilege"),),
)
Spoil = Callable[[dict[str, Any]], Any]


def at(*path: Any, value: Any) -> Spoil:
    """Put a value somewhere in the document."""

    def spoil(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return spoil


def without(*path: Any) -> Spoil:
    """Take something out of the document."""

    def spoil(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return spoil


MALFORMED: list[tuple[Spoil, str]] = [
    (at("schema", value="d365setup/snapshot/3"), "'d365setup/snapshot/3', and this version reads"),
    (at("schema", value="d365setup/snapshot/1"), "it has 'kept', which nobody knows"),
    (without("kept"), "it has no 'kept'"),
    (at("taken_at", value="2026-13-01T00:00:00Z"), "taken_at is '2026-13-01T00:00:00Z', not a time like"),
    (at("taken_at", value="2026-03-01"), "taken_at is '2026-03-01', not a time like"),
    (at("schema", value="d365setup/plan/1"), "it is a 'd365setup/plan/1'"),
    (at("schema", value=1), "does not say that it is a snapshot"),
    (without("schema"), "does not say that it is a snapshot"),
    (without("queues"), "it has no 'queues'"),
    (at("more", value=1), "it has 'more', which nobody knows"),
    (at("environment", value=[]), "environment is not an object"),
    (without("environment", "url"), "environment is not an object of url"),
    (at("environment", "organization_id", value="no id"), "environment.organization_id is 'no id', not an id"),
    (at("declines_allowed", value=True), "declines_allowed is True, not a whole number"),
    (at("declines_allowed", value=2**60), "declines_allowed is a number far too large"),
    (at("users", value={}), "users is an object, not a list"),
    (at("users", 0, "row_id", value="{0C000000-0000-4000-8000-000000000001}"), "users[0].row_id"),
    (at("users", 0, "capacity", value="100"), "users[0].capacity is '100', not a whole number"),
    (at("users", 0, "enabled", value=1), "users[0].enabled is 1, not true or false"),
    (at("users", 0, "roles", value=[{"name": 5}]), "users[0].roles[0].name is 5, not text"),
    (without("users", 0, "name"), "users[0] has no 'name'"),
    (at("bots", value=["somebody"]), "bots[0] names 'somebody', who is not among the users"),
    (at("queues", value=5), "queues is not a list"),
    (at("queues", 0, value=None), "queues[0] is not an object"),
    (at("queues", 0, "members", value=["x" * 900]), "queues[0].members names 'xxx"),
    (without("queues", 0, "members"), "queues[0] has no 'members'"),
    (at("queues", 0, "priority", value=1.5), "queues[0].priority is 1.5, not a whole number"),
    (at("queues", 0, "colour", value="red"), "queues[0] has 'colour', which nobody knows"),
    (at("queues", 0, "source", value={}), "queues[0] has 'source', which nobody knows"),
    (at("queues", 0, "staff", "able", value=[[1, 2, 3]]), "queues[0].staff.able[0] has 3 parts, not 2"),
    (at("queues", 0, "prequeue", 0, "when", value="never"), "queues[0].prequeue[0].when is 'never', not one of"),
    (at("workstreams", 0, "contract", value=[]), "workstreams[0].contract is a list, not an object"),
    (at("workstreams", 0, "contract", value={"Topic": None}), "workstreams[0].contract['Topic'] is None, not text"),
    (at("workstreams", 0, "configurations", value=1), "workstreams[0].configurations is not a list"),
    (at("workstreams", 0, "configurations", 0, "steps", 0, "type", value="x"), "steps[0].type is 'x', not one of"),
    (at("workstreams", 0, "configurations", 0, "steps", 0, "rule_set", value=[]), "rule_set is a list, not an object"),
    (
        at("workstreams", 0, "configurations", 0, "steps", 0, "rule_set", "rules", value=[]),
        "'rules', which nobody knows",
    ),
    (at("workstreams", 0, "configurations", 0, "steps", 0, "rule_set", "text", value=None), "text is None, not text"),
    (at("overflows", value=[]), "overflows is a list, not an object"),
    (at("unread", 0, value="team"), "unread[0] is 'team', not an object"),
]


@pytest.mark.parametrize(("spoil", "said"), MALFORMED, ids=[said for _, said in MALFORMED])
def test_what_is_malformed_is_refused_with_its_place(spoil: Spoil, said: str) -> None:
    document = json.loads(dump(GOOD))
    spoil(document)
    with pytest.raises(UsageError) as refused:
        load(json.dumps(document), "the snapshot clinic.json")
    message = str(refused.value)
    assert said in message
    assert message.startswith("the snapshot clinic.json cannot be used: ")
    assert message.endswith("take a new one with d365setup audit --save")
    assert refused.value.exit_code == 2
    assert len(message) < 400


@pytest.mark.parametrize(
    ("given_text", "said"),
    [
        ("", "is not JSON"),
        ("playbook: 1\n", "is not JSON"),
        ("[]", "does not say that it is a snapshot"),
        ('{"schema": "d365setup/snapshot/1", "schema": "d365setup/snapshot/1"}', "'schema' stands twice"),
        ('{"schema": NaN}', "NaN, which is not JSON"),
        ("[" * 200_000, "nests too deeply"),
        ('{"schema": ' + "9" * 5000 + "}", "is not JSON"),
    ],
    ids=["empty", "yaml", "list", "twice", "nan", "deep", "huge number"],
)
def test_what_is_no_snapshot_at_all(given_text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(given_text)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | whole | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)
    )
)
def test_no_json_makes_anything_but_a_usage_error(value: Any) -> None:
    document = json.loads(dump(GOOD))
    for key in document:
        spoiled = document | {key: value}
        try:
            load(json.dumps(spoiled))
        except UsageError:
            continue
        assert key in {
            "bots",
            "users",
            "queues",
            "workstreams",
            "overflows",
            "unread",
            "taken_at",
            "declines_allowed",
            "kept",
        }


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        open_snapshot(tmp_path / "nothing.json")
    (tmp_path / "image.json").write_bytes(b"\x89PNG\xff")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        open_snapshot(tmp_path / "image.json")
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        save(tmp_path / "no folder" / "clinic.json", GOOD)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 2 * 1024 * 1024)
    file = tmp_path / "large.json"
    file.write_bytes(b" " * (module.LARGEST + 5))
    with pytest.raises(UsageError, match="more than 2 MB"):
        open_snapshot(file)
    with pytest.raises(UsageError, match="more than 2 million characters"):
        load(" " * (module.LARGEST + 5))
