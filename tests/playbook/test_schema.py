"""The JSON Schema: valid, complete, and of one mind with the loader on everything that a schema can tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from d365setup.errors import PlaybookError
from d365setup.playbook import json_schema, load
from tests.playbook.cases import SPECS, all_cases
from tests.playbook.test_loading import NEW

SCHEMA = json_schema(SPECS)
VALIDATOR = Draft202012Validator(SCHEMA)
SHIPPED = sorted((Path(__file__).parents[2] / "playbooks").rglob("*.yaml"))


def accepts(text: str) -> bool:
    return bool(VALIDATOR.is_valid(yaml.safe_load(text)))


def loads(text: str) -> bool:
    try:
        load(text, SPECS, {})
    except PlaybookError:
        return False
    return True


def test_it_is_a_schema_that_can_be_written_down() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert not SCHEMA["$id"].startswith("http")


def test_every_reference_in_it_leads_somewhere() -> None:
    targets = {line.split('"')[3] for line in json.dumps(SCHEMA, indent=0).splitlines() if line.startswith('"$ref"')}
    assert {target.removeprefix("#/$defs/") for target in targets} <= SCHEMA["$defs"].keys()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_shipped_playbooks_are_fine(file: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(file.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case.title) for _, case in all_cases() if not case.told])
def test_what_the_loader_accepts_the_schema_accepts(case: Any) -> None:
    assert accepts(case.text)


HEAD = "playbook: 1\nname: contoso\n"
RULES = (
    HEAD
    + """queues: [{name: Q}]
workstreams:
  - name: W
    context_variables: [{name: V, type: text}]
    routing_rules: [{name: R, queue: Q, when: %s}]
"""
)
TESTS = HEAD + "queues: [{name: Q}]\nworkstreams: [{name: W}]\ntests: [%s]"
SCENARIOS = HEAD + "scenarios: [{name: S, trigger: s, say: Hello%s}]"
GUID = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
GOOD = [
    HEAD,
    HEAD
    + "variables: {a: {default: x1}}\nqueues: [{name: '${a}', description: '${a}', members: ['${a}@contoso.example']}]",
    HEAD + "variables: {a: {format: integer, default: 7}}\nqueues: [{name: Q, priority: '${a}'}]",
    HEAD + "variables: {a: {default: voice}}\nqueues: [{name: Q, type: '${a}'}]",
    HEAD + f"variables: {{a: {{default: {GUID}}}}}\nbot_users: [{{name: B, application_id: '${{a}}', existing: true}}]",
    HEAD + f"bot_users: [{{name: B, application_id: '{{{GUID}}}', existing: true, capacity: 7}}]",
    HEAD + "queues: [{name: Q, members: {mode: exact, users: [a@contoso.example]}}]",
    RULES % "{V: a}",
    RULES % "{variable: V, operator: has a value}",
    RULES % "{any: [{V: a}, {all: [{variable: V, operator: is one of, value: [a, b]}]}]}",
    TESTS % "{name: T, expect: {queue: Q}}",
    TESTS % "{name: T, steps: [{start: {}, expect: {waits: true}}, {end: {}}]}",
    SCENARIOS % ", end: {}",
    SCENARIOS % ", escalate: {summary: Hello}",
]
BAD = [
    "[]",
    "{}",
    "playbook: 2\nname: contoso",
    "playbook: '1'\nname: contoso",
    "playbook: 1",
    "playbook: 1\nname: Contoso Bot",
    "playbook: 1\nname: 7",
    f"playbook: 1\nname: {'a' * 61}",
    HEAD + "queus: []",
    HEAD + "queues: {}",
    HEAD + "queues:",
    HEAD + "queues: [Q]",
    HEAD + "queues: [{}]",
    HEAD + "queues: [{name: Q, nam: Q}]",
    HEAD + "queues: [{name: ''}]",
    HEAD + f"queues: [{{name: {'Q' * 201}}}]",
    HEAD + "queues: [{name: true}]",
    HEAD + "queues: [{name: Q, type: mesaging}]",
    HEAD + "queues: [{name: Q, priority: '1'}]",
    HEAD + "queues: [{name: Q, priority: 0}]",
    HEAD + "queues: [{name: Q, priority: true}]",
    HEAD + "queues: [{name: Q, description: null}]",
    HEAD + "queues: [{name: Q, existing: 'true'}]",
    HEAD + "queues: [{name: Q, members: a@contoso.example}]",
    HEAD + "queues: [{name: Q, members: {mode: exact}}]",
    HEAD + "queues: [{name: Q, members: {users: [], mod: exact}}]",
    HEAD + "queues: [{name: Q, members: [7]}]",
    HEAD + "queues: [{name: Q, remove: true}]",
    HEAD + "queues: [{name: Q, before: R}]",
    HEAD + "bot_users: [{name: B, application_id: abc, existing: true}]",
    HEAD + f"bot_users: [{{name: B, application_id: {GUID}, existing: true, capacity: lots}}]",
    HEAD + f"bot_users: [{{name: B, application_id: {GUID}, existing: true, capacity: -1}}]",
    HEAD + f"bot_users: [{{name: B, application_id: {GUID}, existing: true, roles: []}}]",
    HEAD + "workstreams: [{name: W, context_variables: [{name: V, type: txt}]}]",
    HEAD + "workstreams: [{name: W, routing_rules: {}}]",
    HEAD + "workstreams: [{name: W, routing_rules: [{name: R}]}]",
    RULES % "a",
    RULES % "{}",
    RULES % "{V: true}",
    RULES % "{V: [a]}",
    RULES % "{variable: V}",
    RULES % "{variable: V, operator: equal, value: a}",
    RULES % "{variable: V, operator: equals, valeu: a}",
    RULES % "{any: []}",
    RULES % "{any: [{all: {}}]}",
    HEAD + "variables: []",
    HEAD + "variables: {a: x1}",
    HEAD + "variables: {a-b: {default: x1}}",
    HEAD + "variables: {a: {default: 7}}",
    HEAD + "variables: {a: {format: gid}}",
    HEAD + "variables: {a: {fromat: guid}}",
    HEAD + "health_bot: []",
    HEAD + "health_bot: {}",
    HEAD + "health_bot: {portal: http://contoso.example/account/x1}",
    HEAD + "health_bot: {portal: https://contoso.example/account/x1, secret: x1}",
    SCENARIOS % "",
    SCENARIOS % ", end: {}, escalate: {summary: Hello}",
    SCENARIOS % ", end: {now: true}",
    SCENARIOS % ", escalate: {}",
    SCENARIOS % ", escalate: {summary: Hello, context: {V: true}}",
    HEAD + "scenarios: [{name: S, trigger: Not So, say: Hello, end: {}}]",
    TESTS % "{expect: {queue: Q}}",
    TESTS % "{name: T, steps: []}",
    TESTS % "{name: T, expect: {queue: Q, closd: true}}",
    TESTS % "{name: T, expect: {closed: 'true'}}",
    TESTS % "{name: T, steps: [{start: {}, end: {}, expect: {queue: Q}}]}",
    TESTS % "{name: T, steps: [{expect: {queue: Q}}]}",
    TESTS % "{name: T, steps: [{transfer: Q, expect: {queue: Q}}]}",
]


@pytest.mark.parametrize("text", GOOD)
def test_both_accept(text: str) -> None:
    assert loads(text)
    assert accepts(text)


@pytest.mark.parametrize("text", BAD)
def test_both_refuse(text: str) -> None:
    assert not loads(text)
    assert not accepts(text)


OVER = "playbook: 1\nextends: base.yaml\n"


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("", True),
        ("queues: [{name: Q, remove: true}]", True),
        ("queues: [{name: Q, remove: false}]", False),
        ("queues: [{remove: true}]", False),
        ("queues: [{name: Q, before: R}]", False),
        ("queues: [{name: Q, zebra: 1}]", False),
        ("bot_users: [{name: B, capacity: 7}]", True),
        ("workstreams: [{name: W, routing_rules: [{name: R, before: S}]}]", True),
        ("workstreams: [{name: W, routing_rules: [{name: R, when: {variable: V}}]}]", False),
        ("scenarios: [{name: S, escalate: {summary: Other}}]", True),
        ("scenarios: [{name: S, escalate: {sumary: Other}}]", False),
        ("health_bot: {}", True),
        ("zebra: 1", False),
    ],
)
def test_an_overlay_may_be_partial_and_no_less_strict(text: str, fine: bool) -> None:
    assert accepts(OVER + text) is fine


def test_a_new_kind_is_in_it() -> None:
    validator = Draft202012Validator(json_schema(NEW))
    good: dict[str, Any] = {"name": "A", "beds": 1, "copy": "b", "wards": [{"name": "One", "nurses": ["x1"]}]}
    assert validator.is_valid({"playbook": 1, "name": "contoso", "clinics": [good]})
    for wrong in ({"beds": 0}, {"copy": "c"}, {"seen": "x1"}, {"wards": [{"name": "One", "clinic": "A"}]}):
        assert not validator.is_valid({"playbook": 1, "name": "contoso", "clinics": [{**good, **wrong}]})
    assert not validator.is_valid({"playbook": 1, "name": "contoso", "queues": []})


def test_keys_are_described_for_editors() -> None:
    for form in ("playbook", "overlay"):
        properties = SCHEMA["$defs"][form]["properties"]
        assert {
            "playbook",
            "name",
            "extends",
            "variables",
            "queues",
            "workstreams",
            "health_bot",
            "tests",
        } <= properties.keys()
    assert all("description" in SCHEMA["$defs"][kind] for kind in ("queue", "bot_user", "routing_rule", "tests"))
