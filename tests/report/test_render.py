from __future__ import annotations

import json
import re
import unicodedata
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from d365setup import report
from d365setup.model import Action, FieldChange, Plan, ResourceId
from d365setup.report import SCHEMAS, ErrorReport, Problem, outcome_line, render, schema
from tests.report.published import check
from tests.report.samples import BOT, DOCUMENTS, PLAN, RUN

GOLDEN = Path(__file__).parent / "golden"
LINES = ("evidence",)  # a file of lines, each of which is one of several sorts


@pytest.mark.parametrize("name", DOCUMENTS)
def test_text_is_as_reviewed(name: str) -> None:
    assert render(DOCUMENTS[name]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_follows_its_published_schema_and_repeats_the_exit_code(name: str) -> None:
    document = json.loads(render(DOCUMENTS[name], "json"))
    check(document)
    assert document["exit_code"] == DOCUMENTS[name].exit_code


def test_json_carries_what_the_design_promises() -> None:
    document = json.loads(render(RUN, "json"))
    assert document["fingerprint"] == PLAN.fingerprint
    assert document["environment"]["organization_id"] == PLAN.environment.organization_id
    assert document["changes"][0] == {
        "action": "create",
        "kind": "bot_user",
        "key": "Contoso Health Bot",
        "fields": [
            {"field": "email", "before": None, "after": "health-bot@contoso.example"},
            {"field": "capacity", "before": None, "after": 101},
        ],
        "reason": "must beat Nora Quist (100) in Nurses",
        "manual": "",
        "source": {"file": "playbooks/bot.yaml", "line": 12, "column": 5},
    }
    failed = document["outcomes"][1]
    assert (failed["status"], failed["code"], failed["http_status"]) == ("failed", "0x80040220", 403)
    assert (failed["request_id"], failed["hint"]) == ("0a1b2c3d", "give the user a security role that holds it")
    assert document["http"] == {"requests": 6, "operations": 34, "retries": 1, "waited_seconds": 2.5}
    assert [each["id"] for each in document["warnings"]] == ["queue:Nurses", "bot_user:Contoso Health Bot"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_and_name_their_document(name: str) -> None:
    found = json.loads(schema(name))
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"d365setup/{name}/{2 if name == 'snapshot' else 1}"
    if name in LINES:
        return
    assert found["properties"]["schema"]["const"] == found["$id"]
    assert found["additionalProperties"] is False


def test_there_is_no_schema_of_another_name() -> None:
    with pytest.raises(KeyError):
        schema("../schemas/plan")


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ("plan", {"exit_code": 5}),
        ("plan", {"changes": [{"action": "explode"}]}),
        ("run", {"outcomes": [{"status": "done"}]}),
        ("error", {"message": None}),
    ],
)
def test_schemas_tell_wrong_documents(document: str, wrong: dict[str, Any]) -> None:
    good = json.loads(render(DOCUMENTS[document], "json"))
    assert not Draft202012Validator(json.loads(schema(document))).is_valid({**good, **wrong})


def harmless(text: str) -> bool:
    return all(character == "\n" or unicodedata.category(character)[0] != "C" for character in text)


@settings(deadline=None)  # no test here is about time
@given(st.text(st.characters(codec=None)))
def test_no_text_from_outside_steers_a_terminal(said: str) -> None:
    evil = replace(BOT, id=ResourceId("queue", said), reason=said, manual=said, fields=(FieldChange("x", said, said),))
    plan = replace(PLAN, changes=(evil,), playbook=said, environment=replace(PLAN.environment, name=said, url=said))
    error = ErrorReport(said, 1, (Problem(said, said),), said)
    for document in (plan, replace(RUN, plan=plan), error):
        text = render(document)
        assert harmless(text)
        assert harmless(re.sub(r"\x1b\[[0-9;]*m", "", render(document, color=True)))
        json.loads(render(document, "json"))
    assert render(error).count("\n") == 3 - (not said)


def test_color_adds_color_and_nothing_else() -> None:
    painted = render(PLAN, color=True)
    assert "\x1b[32m+\x1b[0m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(PLAN)


def test_an_outcome_on_one_line() -> None:
    assert outcome_line(RUN.outcomes[0]) == "verified      bot_user:Contoso Health Bot"
    assert outcome_line(RUN.outcomes[2]).endswith("  rolled back with its change set: queue:Nurses failed")


@pytest.mark.parametrize(
    ("value", "shown", "kept"),
    [
        ("", '""', ""),
        (None, "(none)", None),
        (False, "false", False),
        (7, "7", 7),
        (("a", 1), "a, 1", ["a", 1]),
        ({"a": ("b",)}, "{'a': ['b']}", {"a": ["b"]}),
        (Action.CREATE, "create", "create"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1)), str(uuid.UUID(int=1))),
    ],
)
def test_values_of_fields(value: Any, shown: str, kept: Any) -> None:
    plan = replace(PLAN, changes=(replace(BOT, action=Action.UPDATE, fields=(FieldChange("x", "y", value),)),))
    assert f"    x: y → {shown}\n" in render(plan)
    assert json.loads(render(plan, "json"))["changes"][0]["fields"] == [{"field": "x", "before": "y", "after": kept}]


def test_equal_documents_render_alike() -> None:
    again = Plan(**{name: getattr(PLAN, name) for name in PLAN.__dataclass_fields__})
    assert render(again) == render(PLAN)
    assert render(again, "json") == render(PLAN, "json")


def test_every_schema_that_is_shipped_can_be_asked_for() -> None:
    folder = Path(report.__file__).parent / "schemas"
    assert sorted(SCHEMAS) == sorted(file.stem for file in folder.glob("*.json"))
