"""What a text or a file turns into, and what no text can do to the loader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field, ValidationInfo

from d365setup.conditions import All, AnyOf, Operator, Test
from d365setup.errors import PlaybookError, PlaybookMistake
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Members, Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.role_assignment import RoleAssignment
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.model import Desired, Mistake, Place, Reference, Source, Spec, hidden, join_key
from d365setup.playbook import Playbook, json_schema, load, load_file
from d365setup.playbook.wording import label
from tests.playbook.cases import SPECS

HEAD = "playbook: 1\nname: contoso\n"
SHIPPED = Path(__file__).parents[2] / "playbooks"


def loaded(text: str, **variables: str) -> Playbook:
    return load(HEAD + text, SPECS, variables)


def test_a_whole_playbook() -> None:
    playbook = load_file(SHIPPED / "health-bot.yaml", SPECS, {}, {}, examples=True)
    assert playbook.name == "contoso-health-bot"
    assert playbook.description == "First-line health bot with a nurse hand-off."
    assert [str(spec.id) for spec in playbook.desired.specs] == [
        "bot_user:Contoso Health Bot",
        "queue:Health bot",
        "queue:Nurses",
        "role_assignment:Contoso Health Bot/Omnichannel agent",
        "queue_member:Health bot/Contoso Health Bot",
        "queue_member:Nurses/nurse.one@contoso.example",
        "workstream:Patient chat",
        "context_variable:Patient chat/BotHandOffTopic",
        "context_variable:Patient chat/Severity",
        "routing_rule:Patient chat/Hand off to a nurse",
        "routing_rule:Patient chat/Urgent",
        "routing_rule:Patient chat/Any other hand-off",
        "routing_rule:Patient chat/Everyone meets the bot first",
    ]


def test_specs_know_where_they_stand() -> None:
    playbook = loaded("queues:\n  - {name: Nurses, members: [a@contoso.example, b@contoso.example]}\n")
    at = {str(spec.id): str(spec.source) for spec in playbook.desired.specs}
    assert at == {
        "queue:Nurses": "playbook.yaml:4:5",
        "queue_member:Nurses/a@contoso.example": "playbook.yaml:4:30",
        "queue_member:Nurses/b@contoso.example": "playbook.yaml:4:49",
    }


def test_members_in_both_forms_say_the_same() -> None:
    short = loaded("queues: [{name: Q, members: [a@contoso.example]}]")
    long = loaded("queues: [{name: Q, members: {users: [a@contoso.example]}}]")
    assert short.desired == long.desired
    assert short.desired.of(Queue)[0].members == Members(("a@contoso.example",), "include")


def test_a_field_left_out_is_none_and_defaults_hold() -> None:
    queue = loaded("queues: [{name: Q}]").desired.of(Queue)[0]
    assert (queue.description, queue.type, queue.priority, queue.assignment, queue.members) == (None,) * 5
    bot = loaded(
        "bot_users: [{name: B, application_id: 5F2C3A1E-7d0b-4e55-8f3a-0a9d1c2b3e4f, existing: true}]"
    ).desired.of(BotUser)[0]
    assert (bot.roles, bot.capacity) == (("Omnichannel agent",), "highest")
    assert bot.application_id == "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"


def test_every_role_of_a_bot_is_a_spec() -> None:
    bot = "{name: B, application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f, email: b@contoso.example,"
    bot += " bot_application_id: 9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01, roles: [Omnichannel agent, Auditor]}"
    roles = loaded(f"bot_users:\n  - {bot}\n").desired.of(RoleAssignment)
    assert [(role.key, role.source.line) for role in roles] == [("B/Omnichannel agent", 4), ("B/Auditor", 4)]


WHEN = {
    "{Topic: Nurse}": Test("Topic", Operator.EQUALS, "Nurse"),
    "{Topic: Nurse, Sev: 7}": All((Test("Topic", Operator.EQUALS, "Nurse"), Test("Sev", Operator.EQUALS, 7))),
    "{variable: Topic, operator: has a value}": Test("Topic", Operator.HAS_A_VALUE),
    "{variable: Topic, operator: is one of, value: [a, b]}": Test("Topic", Operator.IS_ONE_OF, ("a", "b")),
    "{any: [{Topic: a}, {all: [{Sev: 1}]}]}": AnyOf(
        (Test("Topic", Operator.EQUALS, "a"), All((Test("Sev", Operator.EQUALS, 1),)))
    ),
}


@pytest.mark.parametrize("when", WHEN)
def test_conditions_in_every_shape(when: str) -> None:
    playbook = loaded(f"""
queues: [{{name: Nurses}}]
workstreams:
  - name: Chat
    context_variables: [{{name: Topic, type: text}}, {{name: Sev, type: number}}]
    routing_rules: [{{name: R, when: {when}, queue: Nurses}}]
""")
    assert playbook.desired.of(RoutingRule)[0].when == WHEN[when]


def test_names_with_a_slash_keep_apart() -> None:
    playbook = loaded("workstreams: [{name: a/b, context_variables: [{name: c/d, type: text}]}]")
    assert playbook.desired.of(ContextVariable)[0].key == r"a\/b/c\/d"


# --- files


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_bytes(b"\xef\xbb\xbfplaybook: 1\r\nname: contoso\r\nqueues:\r\n  - name: Nurses\r\n")
    playbook = load_file(file, SPECS, {}, {})
    assert playbook.desired.of(Queue)[0].source == Source(str(file), 4, 5)


def test_the_hash_is_the_files_own(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text(HEAD, encoding="utf-8")
    playbook = load_file(file, SPECS, {}, {})
    assert playbook.sha256 == hashlib.sha256(HEAD.encode()).hexdigest() == load(HEAD, SPECS, {}).sha256
    assert playbook.files == (str(file),)


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "binary": (b"\x00\x01\x02", "1:1: this is not text: it holds a NUL byte; a playbook is a YAML file saved as UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "1:1: this is not UTF-8 text: save the file as UTF-8"),
    "latin 1": (
        b"playbook: 1\nname: x1\ndescription: Caf\xe9\n",
        "3:1: this is not UTF-8 text: save the file as UTF-8",
    ),
    "utf-16": ("playbook: 1".encode("utf-16"), "1:1: the file is saved as UTF-16: save it as UTF-8"),
    "two megabytes": (
        b"# " + b"x" * 2 * 1024 * 1024,
        "1:1: the file is larger than 1 MiB: split it with `extends`, or check that it is a playbook",
    ),
    "a control character": (b"playbook: 1\nname: \x01\n", "2:7: YAML does not allow this character: '\\x01'"),
    "empty": (b"", "1:1: the file is empty: a playbook starts with `playbook: 1`"),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_files_that_are_no_playbook(what: str, tmp_path: Path) -> None:
    content, message = UNREADABLE[what]
    file = tmp_path / "playbook.yaml"
    file.write_bytes(content)
    with pytest.raises(PlaybookError) as caught:
        load_file(file, SPECS, {}, {})
    assert str(caught.value) == f"{file}:{message}"


def test_a_file_that_is_not_there_or_a_folder(tmp_path: Path) -> None:
    for path, problem in ((tmp_path / "none.yaml", "is not there"), (tmp_path, "is a folder, not a file")):
        with pytest.raises(PlaybookError, match=problem):
            load_file(path, SPECS, {}, {})


def test_many_mistakes_are_told_in_bounded_time() -> None:
    rules = "".join(f"      - {{name: R{index}, queue: Nobody {index}}}\n" for index in range(2000))
    text = f"{HEAD}queues: [{{name: Nurses}}]\nworkstreams:\n  - name: Chat\n    routing_rules:\n{rules}"
    with pytest.raises(PlaybookError) as caught:
        load(text, SPECS, {})
    assert len(caught.value.mistakes) == 2001  # each rule's queue, and that there are too many rules


def test_the_search_for_the_name_that_was_meant_ends_and_the_mistakes_are_told_all_the_same() -> None:
    queues = "".join(f"  - {{name: Queue {index}}}\n" for index in range(600))
    rules = "".join(f"      - {{name: R{index}, queue: queue {index}}}\n" for index in range(200))
    text = f"{HEAD}queues:\n{queues}workstreams:\n  - name: Chat\n    routing_rules:\n{rules}"
    with pytest.raises(PlaybookError) as caught:
        load(text, SPECS, {})
    mistakes = caught.value.mistakes
    assert len(mistakes) == 200
    assert "it is written 'Queue 0'" in mistakes[0].message
    assert "add it under `queues`" in mistakes[-1].message


# --- a kind nobody knew


@dataclass(frozen=True, kw_only=True)
class Clinic(Spec):
    kind: ClassVar[str] = "clinic"
    place: ClassVar[Place] = Place("clinics")

    beds: Annotated[int, Field(strict=True, ge=1)]
    copy: Literal["a", "b"] = "a"  # also the name of a method of pydantic's models
    seen: str = hidden("never")

    def check(self, desired: Desired) -> Iterator[Mistake]:
        if len(desired.of(Clinic)) > 2:
            yield Mistake(("beds",), "too many clinics")


@dataclass(frozen=True, kw_only=True)
class Ward(Spec):
    kind: ClassVar[str] = "ward"
    place: ClassVar[Place] = Place("clinics", "wards", parent="clinic")

    clinic: str
    nurses: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return join_key(self.clinic, self.name)

    def references(self) -> Iterator[Reference]:
        for nurse in self.nurses:
            yield Reference("nurse", nurse, ("nurses", nurse), "nurse")


@dataclass(frozen=True, kw_only=True)
class Nurse(Spec):
    kind: ClassVar[str] = "nurse"
    place: ClassVar[Place] = Place("clinics", derived=True)

    @classmethod
    def derive(cls, outer: Spec, at: Callable[..., Source]) -> Iterator[Spec]:
        yield cls(name=f"head of {outer.name}", source=at("nobody", "beds"))


KNOWN = "it has name, description, playbook, extends, variables, clinics, health_bot, scenarios, tests"
NEW = {"clinic": Clinic, "ward": Ward, "nurse": Nurse}


def test_a_new_kind_needs_no_change_here() -> None:
    text = HEAD + "clinics:\n  - {name: North, beds: 3, copy: b, wards: [{name: One, nurses: [head of North]}]}\n"
    specs = load(text, NEW, {}).desired.specs
    assert specs == (
        Clinic(name="North", beds=3, copy="b"),
        Ward(name="One", clinic="North", nurses=("head of North",)),
        Nurse(name="head of North"),
    )
    assert [str(spec.source) for spec in specs] == ["playbook.yaml:4:5", "playbook.yaml:4:45", "playbook.yaml:4:25"]


def test_a_new_kind_is_read_as_strictly() -> None:
    text = f"""{HEAD}
clinics:
  - {{name: A, beds: many, copy: c, seen: once, wards: [{{name: One, nurses: [head of A]}}]}}
  - {{name: B, beds: 0, wards: [{{name: One, clinic: B}}]}}
queues: []
"""
    with pytest.raises(PlaybookError) as caught:
        load(text, NEW, {})
    assert [f"{each.source.line}:{each.source.column}: {each.message}" for each in caught.value.mistakes] == [
        "5:21: 'beds' must be a whole number, not 'many'",
        "5:33: 'copy' must be 'a' or 'b', not 'c'",
        "5:36: a clinic has no key 'seen'; it has name, beds, copy, wards",
        "6:21: 'beds' must be at least 1",
        "6:44: a ward has no key 'clinic'; it has name, nurses",
        "7:1: a playbook has no key 'queues'; " + KNOWN,
    ]


def test_a_derived_name_is_found_or_missed_like_any_other() -> None:
    with pytest.raises(PlaybookError) as caught:
        load(f"{HEAD}clinics: [{{name: A, beds: 1, wards: [{{name: One, nurses: [head of A, hed of A]}}]}}]", NEW, {})
    assert str(caught.value) == ("playbook.yaml:3:70: no nurse 'hed of A' is declared; did you mean 'head of A'?")


@dataclass(frozen=True, kw_only=True)
class Shift(Spec):
    kind: ClassVar[str] = "shift"
    place: ClassVar[Place] = Place("clinics", derived=True)

    @classmethod
    def derive(cls, outer: Spec, at: Callable[..., Source]) -> Iterator[Spec]:  # noqa: ARG003  # it does not ask
        yield cls(name=f"shift of {outer.name}")  # and does not say where

    def references(self) -> Iterator[Reference]:
        yield Reference("rota", "R", ("name",), "rota")  # a kind that is not there


def test_a_spec_that_does_not_know_where_it_stands_and_a_kind_that_does_not_exist() -> None:
    with pytest.raises(PlaybookError) as caught:
        load(f"{HEAD}clinics: [{{name: A, beds: 1}}]", {"clinic": Clinic, "shift": Shift}, {})
    assert str(caught.value) == ":0:0: no rota 'R' is declared"


def _doubtful(value: object) -> object:
    if isinstance(value, list):
        raise ValueError("is no list")  # noqa: TRY004  # what a pydantic validator raises
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _asking(value: object, info: ValidationInfo) -> object:
    return value


@dataclass(frozen=True, kw_only=True)
class Odd(Spec):
    kind: ClassVar[str] = "odd"
    place: ClassVar[Place] = Place("odds")

    one: Annotated[str, BeforeValidator(_doubtful)] = ""
    two: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    three: Annotated[str, BeforeValidator(_asking)] = ""
    code: Annotated[str, Field(pattern="^[A-Z]+$")] = ""
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    codes: Annotated[tuple[str, ...], Field(max_length=1)] = ()
    level: Literal[1, 2] | None = None
    few: Annotated[int, Field(le=3)] = 1


def test_validators_of_every_sort() -> None:
    specs = {"odd": Odd}
    assert json_schema(specs)["$defs"]["odd"]["properties"]["one"]["type"] == "string"
    with pytest.raises(PlaybookError) as caught:
        load(f"{HEAD}odds:\n- {{name: A, one: [a], two: 7, code: abc, share: 2, codes: [a, b], level: 3}}", specs, {})
    assert [f"{each.source.column}: {each.message}" for each in caught.value.mistakes] == [
        "18: 'one' is no list",
        "28: 'two' must be a list, not 7",
        "37: 'code' does not have the form ^[A-Z]+$",
        "49: 'share' must be less than 1.0",
        "59: 'codes' has more than 1 items",
        "74: 'level' must be 1 or 2, not 3",
    ]


@dataclass(frozen=True)
class Inner:
    word: str


@dataclass(frozen=True, kw_only=True)
class Demanding(Spec):
    kind: ClassVar[str] = "demand"
    place: ClassVar[Place] = Place("demands")

    level: Literal["low", "high"]
    open: bool
    count: Annotated[int, Field(ge=3)]
    inner: Inner
    words: list[str]
    mail: Annotated[str, Field(json_schema_extra={"format": "email"})]
    either: Inner | int | None


def test_what_is_missing_comes_with_an_example() -> None:
    with pytest.raises(PlaybookError) as caught:
        load(f"{HEAD}demands: [{{name: A}}]", {"demand": Demanding}, {})
    assert sorted(each.message.partition("add for example ")[2] for each in caught.value.mistakes) == [
        "`count: 3`",
        "`either: {…}`",
        "`inner: {…}`",
        "`level: low`",
        "`mail: someone@contoso.example`",
        "`open: true`",
        "`words: […]`",
    ]


def test_what_a_new_kind_objects_to_stands_where_its_path_leads() -> None:
    items = "".join(f"  - {{name: C{index}, beds: 1}}\n" for index in range(3))
    with pytest.raises(PlaybookError) as caught:
        load(f"{HEAD}clinics:\n{items}", NEW, {})
    assert [str(each) for each in caught.value.mistakes] == [
        f"playbook.yaml:{line}:22: too many clinics" for line in (4, 5, 6)
    ]


def test_derived_specs_stay_a_kinds_own_business() -> None:
    assert QueueMember.place.derived
    assert "queue_members" not in load(HEAD, SPECS, {}).files


def test_a_place_without_a_path_has_a_name_as_well() -> None:
    assert (label(()), label(("queues", 0)), label((0,)), label(("queues", 0, "name"))) == (
        "this",
        "item 1 of 'queues'",
        "item 1",
        "'name'",
    )


# --- whatever the text


def survives(text: str) -> None:
    """A playbook or mistakes, each at a place that exists; anything else is a crash."""
    mistakes: tuple[PlaybookMistake, ...] | None = None
    try:
        load(text, SPECS, {})
    except PlaybookError as error:
        mistakes = error.mistakes
    assert mistakes is None or mistakes
    for mistake in mistakes or ():
        assert mistake.source.line >= 1
        assert mistake.source.column >= 1
        assert mistake.message


@given(st.text())
@example("\ufeff")
@example("? ")
@example("!")
@example("&a *a")
@example("%")
@example("\x85")
@example("'\\\ud800'")
@example("- !!int 7")
@example("{? : }")
@settings(max_examples=300, deadline=None)
def test_any_text_is_survived(text: str) -> None:
    survives(text)


@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`?, \n\t$\\~<=0y", max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_punctuation_is_survived(text: str) -> None:
    survives("playbook: 1\n" + text)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_survived(content: bytes) -> None:
    survives(content.decode("latin-1"))


KEYS = """
name queues bot_users workstreams members users mode when any all variable operator value queue tests steps given expect
start escalate context scenarios summary variables default env format extends remove before health_bot portal capacity
context_variables routing_rules type roles application_id existing ${a} $${ Nurses equals
"""
WORDS = st.sampled_from(KEYS.split())
LEAVES = st.one_of(WORDS, st.integers(-3, 3), st.booleans(), st.none(), st.text(max_size=5), st.floats(allow_nan=False))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=25,
)


@pytest.mark.no_cover  # tracing would double the time; what it runs is measured elsewhere
@given(st.dictionaries(WORDS, TREES, max_size=6))
@settings(max_examples=500, deadline=None)
def test_any_tree_of_the_languages_own_words_is_survived(tree: dict[str, object]) -> None:
    survives(yaml.safe_dump({"playbook": 1, "name": "contoso", **tree}, allow_unicode=True))


HEALTH_BOT = (SHIPPED / "health-bot.yaml").read_text(encoding="utf-8")
EDITS = st.lists(
    st.tuples(
        st.integers(0, len(HEALTH_BOT)), st.integers(0, 30), st.sampled_from(["", " ", "\n", "x", ": ", "- ", "{"])
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.no_cover  # tracing would double the time; what it runs is measured elsewhere
@given(EDITS)
@settings(max_examples=200, deadline=None)
def test_a_damaged_playbook_is_survived(edits: list[tuple[int, int, str]]) -> None:
    text = HEALTH_BOT
    for start, length, instead in edits:
        text = text[:start] + instead + text[start + length :]
    survives(text)
