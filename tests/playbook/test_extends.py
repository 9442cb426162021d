"""One file over another: what merges, what is replaced, where rules go, which files may be read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.errors import PlaybookError
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.playbook import Playbook, load_file
from d365setup.playbook.merging import merged
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import Fields, Node, plain
from d365setup.playbook.reading import read
from tests.playbook.cases import SPECS

BASE = """\
playbook: 1
name: base
description: What all have.
variables: {site: {default: Base}, mail: {format: email}}
bot_users:
  - name: Bot
    application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f
    existing: true
    roles: [Omnichannel agent, Auditor]
queues:
  - {name: Nurses, priority: 1, members: [nurse.one@contoso.example]}
  - {name: Billing, description: The desk}
workstreams:
  - name: Chat
    fallback_queue: Nurses
    context_variables: [{name: Topic, type: text}]
    routing_rules:
      - {name: Topic rule, when: {Topic: Billing}, queue: Billing}
      - {name: Everyone, queue: Nurses}
      - {name: Never reached, queue: Billing}
tests:
  - {name: Billing, given: {Topic: Billing}, expect: {queue: Billing}}
"""
OVER = "playbook: 1\nextends: base.yaml\n"
KNOWN = (
    "; it has name, description, playbook, extends, variables, bot_users, queues, workstreams, health_bot, scenarios, "
    "tests"
)


def files(folder: Path, contents: Mapping[str, str]) -> None:
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def over(folder: Path, text: str, **variables: str) -> Playbook:
    files(folder, {"base.yaml": BASE, "over.yaml": OVER + text})
    return load_file(folder / "over.yaml", SPECS, variables, {})


def told(folder: Path, first: str = "over.yaml") -> str:
    """The mistakes, with the folder left out of the places."""
    with pytest.raises(PlaybookError) as caught:
        load_file(folder / first, SPECS, {}, {})
    return str(caught.value).replace(f"{folder}/", "")


def rules(playbook: Playbook) -> list[str]:
    return [rule.name for rule in playbook.desired.of(RoutingRule)]


def test_an_overlay_that_says_nothing_changes_nothing(tmp_path: Path) -> None:
    playbook = over(tmp_path, "")
    base = load_file(tmp_path / "base.yaml", SPECS, {}, {})
    assert (playbook.name, playbook.description, playbook.desired, playbook.tests) == (
        base.name,
        base.description,
        base.desired,
        base.tests,
    )


def test_maps_merge_and_the_overlay_wins(tmp_path: Path) -> None:
    playbook = over(
        tmp_path, "name: over\nqueues: [{name: Nurses, description: 'At ${site}'}]\nvariables: {site: {default: North}}"
    )
    assert (playbook.name, playbook.description) == ("over", "What all have.")
    nurses, billing = playbook.desired.of(Queue)
    assert (nurses.name, nurses.priority, nurses.description) == ("Nurses", 1, "At North")
    assert billing.description == "The desk"


def test_what_is_replaced_as_a_whole(tmp_path: Path) -> None:
    playbook = over(
        tmp_path,
        """
bot_users: [{name: Bot, roles: [Supervisor]}]
queues: [{name: Nurses, members: {mode: exact, users: [nurse.two@contoso.example]}}]
workstreams:
  - name: Chat
    context_variables: [{name: Sev, type: number}]
    routing_rules: [{name: Topic rule, when: {Sev: 7}}]
tests: [{name: Billing, given: {Sev: 7}, expect: {rule: Topic rule}}]
""",
    )
    keys = {str(spec.id) for spec in playbook.desired.specs}
    assert playbook.desired.of(BotUser)[0].roles == ("Supervisor",)
    assert {key for key in keys if key.startswith("queue_member")} == {"queue_member:Nurses/nurse.two@contoso.example"}
    assert {"context_variable:Chat/Topic", "context_variable:Chat/Sev"} < keys
    assert playbook.desired.of(RoutingRule)[0].queue == "Billing"
    test = playbook.tests[0]
    assert (test.given, test.expect and test.expect.queue, test.expect and test.expect.rule) == (
        {"Sev": 7},
        None,
        "Topic rule",
    )


SLOTS = {
    "- {name: New, when: {Topic: a}, queue: Nurses}": "Topic rule,New,Everyone,Never reached",
    "- {name: New, queue: Nurses}": "Topic rule,New,Everyone,Never reached",
    "- {name: N1, queue: Nurses}\n      - {name: N2, queue: Nurses}": "Topic rule,N1,N2,Everyone,Never reached",
    "- {name: New, queue: Nurses, before: Topic rule}": "New,Topic rule,Everyone,Never reached",
    "- {name: New, queue: Nurses, before: Never reached}": "Topic rule,Everyone,New,Never reached",
    "- {name: N1, queue: Nurses, before: N2}\n      - {name: N2, queue: Nurses, before: Topic rule}": (
        "N2,Topic rule,N1,Everyone,Never reached"
    ),
    "- {name: Never reached, before: Topic rule}": "Never reached,Topic rule,Everyone",
    "- {name: Everyone, when: {Topic: a}}\n      - {name: New, queue: Nurses}": (
        "Topic rule,Everyone,New,Never reached"
    ),
    "- {name: Everyone, remove: true}\n      - {name: New, queue: Nurses}": "Topic rule,New,Never reached",
    "- {name: Topic rule, remove: true}": "Everyone,Never reached",
}


@pytest.mark.parametrize("added", SLOTS)
def test_where_rules_go(added: str, tmp_path: Path) -> None:
    playbook = over(tmp_path, f"workstreams:\n  - name: Chat\n    routing_rules:\n      {added}\n")
    assert ",".join(rules(playbook)) == SLOTS[added]


def test_a_rule_moved_before_one_that_moves_on_stays_where_it_was_put(tmp_path: Path) -> None:
    """`before` is carried out from top to bottom: what is said first was true when it was said."""
    added = "- {name: N1, queue: Nurses, before: N2}\n      - {name: N2, queue: Nurses, before: Topic rule}"
    playbook = over(tmp_path, f"workstreams:\n  - name: Chat\n    routing_rules:\n      {added}\n")
    assert rules(playbook).index("N2") < rules(playbook).index("Topic rule")


def test_removed_items_are_out_of_the_playbook_with_all_that_follows_from_them(tmp_path: Path) -> None:
    text = """
queues: [{name: Billing, remove: true}]
workstreams:
  - name: Chat
    routing_rules: [{name: Topic rule, remove: true}, {name: Never reached, remove: true}]
tests: [{name: Billing, remove: true}]
"""
    playbook = over(tmp_path, text)
    assert [queue.name for queue in playbook.desired.of(Queue)] == ["Nurses"]
    assert playbook.tests == ()


def test_names_are_compared_with_their_variables_filled_in(tmp_path: Path) -> None:
    files(
        tmp_path,
        {
            "base.yaml": (
                "playbook: 1\nname: b\nvariables: {s: {default: B}}\nqueues: [{name: 'Q ${s}', priority: 1}]\n"
            ),
            "over.yaml": OVER + "variables: {s: {default: North}}\nqueues: [{name: Q North, priority: 2}]\n",
        },
    )
    (queue,) = load_file(tmp_path / "over.yaml", SPECS, {}, {}).desired.of(Queue)
    assert (queue.name, queue.priority) == ("Q North", 2)


def test_everything_knows_the_file_it_came_from(tmp_path: Path) -> None:
    playbook = over(tmp_path, "queues:\n  - {name: Nurses, priority: 2}\n  - {name: New}\n")
    places = {queue.name: str(queue.source).replace(f"{tmp_path}/", "") for queue in playbook.desired.of(Queue)}
    assert places == {"Nurses": "over.yaml:4:5", "Billing": "base.yaml:12:5", "New": "over.yaml:5:5"}


def test_a_chain_of_three_and_the_hash_of_all(tmp_path: Path) -> None:
    top = "playbook: 1\nextends: over.yaml\nname: top\n"
    files(tmp_path, {"base.yaml": BASE, "over.yaml": OVER + "name: over\n", "top.yaml": top})
    playbook = load_file(tmp_path / "top.yaml", SPECS, {}, {})
    assert playbook.name == "top"
    assert [Path(file).name for file in playbook.files] == ["top.yaml", "over.yaml", "base.yaml"]
    digests = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in playbook.files]
    assert playbook.sha256 == hashlib.sha256("\n".join(digests).encode()).hexdigest()


def test_files_below_the_first_ones_folder(tmp_path: Path) -> None:
    files(
        tmp_path,
        {
            "first.yaml": "playbook: 1\nextends: parts/middle.yaml\n",
            "parts/middle.yaml": "playbook: 1\nextends: ../base.yaml\n",
            "base.yaml": BASE,
        },
    )
    playbook = load_file(tmp_path / "first.yaml", SPECS, {}, {})
    assert [file.replace(f"{tmp_path}/", "") for file in playbook.files] == [
        "first.yaml",
        "parts/middle.yaml",
        "base.yaml",
    ]


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "a file that is not there": (
        {"over.yaml": "playbook: 1\nname: o\nextends: none.yaml\n"},
        "over.yaml:3:10: the file 'none.yaml' is not there",
    ),
    "out of the folder": (
        {"over.yaml": "playbook: 1\nname: o\nextends: ../base.yaml\n"},
        "over.yaml:3:10: 'extends' may not leave the folder of the first file",
    ),
    "an absolute path": (
        {"over.yaml": "playbook: 1\nname: o\nextends: /etc/hosts\n"},
        "over.yaml:3:10: 'extends' takes a path relative to this file, with / between folders",
    ),
    "a path with backslashes": (
        {"over.yaml": "playbook: 1\nname: o\nextends: parts\\base.yaml\n"},
        "over.yaml:3:10: 'extends' takes a path relative to this file, with / between folders",
    ),
    "a variable": (
        {"over.yaml": "playbook: 1\nname: o\nextends: ${site}.yaml\n"},
        "over.yaml:3:10: 'extends' takes no variables: they are not known before all files are read",
    ),
    "a list": (
        {"over.yaml": "playbook: 1\nname: o\nextends: [base.yaml]\n"},
        "over.yaml:3:10: 'extends' takes one file name, for example base.yaml",
    ),
    "nothing": (
        {"over.yaml": "playbook: 1\nname: o\nextends:\n"},
        "over.yaml:3:9: 'extends' takes one file name, for example base.yaml",
    ),
    "a word that is no text": (
        {"over.yaml": "playbook: 1\nname: o1\nextends: no\n"},
        (
            "over.yaml:3:10: no without quotes can be read as true or false: if it is text, write 'no' in quotes; "
            "if it is a yes or no, write true or false"
        ),
    ),
    "before what is no name": (
        {
            "over.yaml": OVER
            + "workstreams: [{name: Chat, routing_rules: [{name: New, queue: Nurses, before: [a]}]}]\n",
            "base.yaml": BASE,
        },
        "over.yaml:3:79: 'before' takes the name of a rule",
    ),
    "itself": (
        {"over.yaml": "playbook: 1\nname: o\nextends: ./over.yaml\n"},
        "over.yaml:3:10: 'extends' goes in a circle: this file is already part of the playbook",
    ),
    "a circle": (
        {"over.yaml": OVER + "name: o\n", "base.yaml": "playbook: 1\nextends: over.yaml\n"},
        "base.yaml:2:10: 'extends' goes in a circle: this file is already part of the playbook",
    ),
    "a chain that is too long": (
        {
            "over.yaml": "playbook: 1\nname: o\nextends: f1.yaml\n",
            **{f"f{n}.yaml": f"playbook: 1\nextends: f{n + 1}.yaml\n" for n in range(1, 12)},
        },
        "f9.yaml:2:10: 'extends' makes a chain of more than 10 files",
    ),
    "a base that is no YAML": (
        {"over.yaml": OVER + "name: o\n", "base.yaml": "playbook: 1\nqueues: [\n"},
        "base.yaml:3:1: a value is missing here, or a bracket above is not closed",
    ),
    "a base of another format": (
        {"over.yaml": OVER + "name: o\n", "base.yaml": "playbook: 2\n"},
        "base.yaml:1:11: 2 is no playbook format: this version reads `playbook: 1`",
    ),
    "nothing to remove": (
        {"over.yaml": OVER + "queues: [{name: Nurse, remove: true}]\n", "base.yaml": BASE},
        "over.yaml:3:24: there is no inherited 'Nurse' to remove; did you mean 'Nurses'?",
    ),
    "remove without true": (
        {"over.yaml": OVER + "queues: [{name: Nurses, remove: false}]\n", "base.yaml": BASE},
        "over.yaml:3:33: 'remove' is true or left out",
    ),
    "remove with something else": (
        {"over.yaml": OVER + "queues: [{name: Billing, remove: true, priority: 1}]\n", "base.yaml": BASE},
        "over.yaml:3:26: 'remove: true' stands beside the name alone",
    ),
    "a rule before one that is not there": (
        {
            "over.yaml": OVER
            + "workstreams: [{name: Chat, routing_rules: [{name: New, queue: Nurses, before: Evryone}]}]\n",
            "base.yaml": BASE,
        },
        "over.yaml:3:79: there is no rule 'Evryone' to stand before; did you mean 'Everyone'?",
    ),
    "a rule before itself": (
        {
            "over.yaml": OVER + "workstreams: [{name: Chat, routing_rules: [{name: Everyone, before: Everyone}]}]\n",
            "base.yaml": BASE,
        },
        "over.yaml:3:69: there is no rule 'Everyone' to stand before",
    ),
    "a queue before another": (
        {"over.yaml": OVER + "queues: [{name: New, before: Nurses}]\n", "base.yaml": BASE},
        "over.yaml:3:30: 'before' orders routing rules; in 'queues' the order decides nothing",
    ),
    "one item twice": (
        {"over.yaml": OVER + "queues: [{name: Nurses}, {name: Nurses}]\n", "base.yaml": BASE},
        "over.yaml:3:26: 'Nurses' stands in this list twice: first on line 3",
    ),
    "a mistake in each file": (
        {"over.yaml": OVER + "queues: [{name: Nurses, priority: x1}]\nzebra: a1\n", "base.yaml": BASE + "lion: a1\n"},
        (
            f"base.yaml:23:1: a playbook has no key 'lion'{KNOWN}\n"
            "over.yaml:3:35: 'priority' must be a whole number, not 'x1'\n"
            f"over.yaml:4:1: a playbook has no key 'zebra'{KNOWN}"
        ),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str, tmp_path: Path) -> None:
    contents, message = REFUSED[what]
    files(tmp_path, contents)
    unnamed = message.replace("the file '", f"the file '{tmp_path}/").replace(f"{tmp_path}/", "")
    assert told(tmp_path) == unnamed


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    files(tmp_path, {"inside/over.yaml": OVER + "name: o\n", "outside/base.yaml": BASE})
    (tmp_path / "inside" / "base.yaml").symlink_to(tmp_path / "outside" / "base.yaml")
    assert told(tmp_path / "inside") == "over.yaml:2:10: 'extends' may not leave the folder of the first file"


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    files(tmp_path, {"over.yaml": f"playbook: 1\nname: o1\nextends: {'x' * 300}.yaml\n"})
    assert told(tmp_path).startswith("over.yaml:3:10: the file ")
    assert told(tmp_path).endswith(" cannot be read: File name too long")


def test_links_that_go_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").symlink_to(tmp_path / "other.yaml")
    (tmp_path / "other.yaml").symlink_to(tmp_path / "over.yaml")
    with pytest.raises(PlaybookError):
        load_file(tmp_path / "over.yaml", SPECS, {}, {})


# --- merging, as properties

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.one_of(
    st.sampled_from(["x1", "x2"]), st.integers(0, 9), st.lists(st.sampled_from(["x1", "x2"]), max_size=2)
)
ITEMS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"when": VALUES, "members": VALUES, "priority": VALUES}),
    max_size=4,
    unique_by=lambda item: str(item["name"]),
)
ROOTS = st.fixed_dictionaries(
    {}, optional={"description": VALUES, "queues": ITEMS, "health_bot": st.dictionaries(NAMES, VALUES, max_size=3)}
)


def node(tree: object) -> Fields:
    found: Node | None = read(yaml.safe_dump(tree).encode(), "f", Mistakes())
    assert isinstance(found, Fields)
    return found


def put_over(*trees: dict[str, Any]) -> Any:
    mistakes = Mistakes()
    found = plain(merged([node(tree) for tree in trees], mistakes))
    mistakes.raise_any()
    return found


@given(ROOTS)
@settings(deadline=None)
def test_over_nothing_and_under_nothing_a_file_is_itself(root: dict[str, Any]) -> None:
    assert put_over(root) == put_over(root, {}) == put_over({}, root) == root


@given(ROOTS)
@settings(deadline=None)
def test_over_itself_a_file_is_itself(root: dict[str, Any]) -> None:
    assert put_over(root, root) == root


@given(ROOTS, ROOTS, ROOTS)
@settings(deadline=None)
def test_a_chain_is_the_same_from_both_ends(top: dict[str, Any], middle: dict[str, Any], base: dict[str, Any]) -> None:
    assert put_over(top, middle, base) == put_over(top, put_over(middle, base)) == put_over(put_over(top, middle), base)


@given(ROOTS, ROOTS)
@settings(deadline=None)
def test_what_the_overlay_says_holds_and_nothing_else_is_lost(top: dict[str, Any], base: dict[str, Any]) -> None:
    found = put_over(top, base)
    assert found.get("description") == top.get("description", base.get("description"))
    above = {item["name"]: item for item in top.get("queues", ())}
    below = {item["name"]: item for item in base.get("queues", ())}
    if above or below:
        assert {item["name"]: item for item in found["queues"]} == {
            name: {**below.get(name, {}), **above.get(name, {})} for name in below | above
        }


@given(ROOTS, ROOTS)
@settings(deadline=None)
def test_the_bases_order_stays_and_new_items_follow(top: dict[str, Any], base: dict[str, Any]) -> None:
    below = [item["name"] for item in base.get("queues", ())]
    new = [item["name"] for item in top.get("queues", ()) if item["name"] not in below]
    assert [item["name"] for item in put_over(top, base).get("queues", ())] == below + new
