"""`docs/playbooks.md` says what the code does. `D365SETUP_WRITE_DOCS=1` in the environment writes the tables anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from d365setup.playbook import json_schema, load
from d365setup.playbook.reference import refreshed, tables
from tests.playbook.cases import SPECS
from tests.playbook.test_loading import NEW, Demanding, Odd

PAGE = Path(__file__).parents[2] / "docs" / "playbooks.md"


def test_the_field_tables_are_fresh() -> None:
    page = PAGE.read_text(encoding="utf-8")
    fresh = refreshed(page, SPECS)
    if os.environ.get("D365SETUP_WRITE_DOCS"):
        PAGE.write_text(fresh, encoding="utf-8")
    assert fresh == page


def test_every_table_is_on_the_page() -> None:
    assert set(re.findall(r"<!-- fields: ([a-z_]+) -->", PAGE.read_text(encoding="utf-8"))) == tables(SPECS).keys()


def test_every_key_of_the_language_is_named() -> None:
    page = PAGE.read_text(encoding="utf-8")
    definitions = json_schema(SPECS)["$defs"].values()
    for key in {key for part in definitions for key in part.get("properties", ())}:
        assert re.search(rf"\b{key}\b", page), key


def test_the_first_example_loads_as_it_stands() -> None:
    example = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    given = {
        "bot_application_id": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
        "health_bot_id": "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
    }
    assert load(example, SPECS, given).name == "contoso-health-bot"


def test_the_shapes_of_when_load_as_they_stand() -> None:
    shapes = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("when: ")]
    assert len(shapes) == 4
    for shape in shapes:
        names = sorted(set(re.findall(r"BotHandOffTopic|Clinic|Severity", shape)))
        variables = [{"name": name, "type": "number" if name == "Severity" else "text"} for name in names]
        rule = {"name": "R", "queue": "Nurses", **yaml.safe_load(shape)}
        stream = {"name": "Chat", "context_variables": variables, "routing_rules": [rule]}
        tree = {"playbook": 1, "name": "contoso", "queues": [{"name": "Nurses"}], "workstreams": [stream]}
        assert load(yaml.safe_dump(tree), SPECS, {}).desired.specs


def test_a_new_kind_gets_its_table() -> None:
    assert tables(NEW)["clinics"].splitlines() == [
        "| Key | Value | Left out |",
        "|---|---|---|",
        "| `name` | text | an error |",
        "| `beds` | whole number from 1 | an error |",
        "| `copy` | `a`, `b` | `a` |",
        "| `wards` | list of wards, see below | |",
    ]


def test_types_of_every_sort_have_words() -> None:
    table = "\n".join([tables({"odd": Odd})["odds"], tables({"demand": Demanding})["demands"]])
    assert table.splitlines() == [
        "| Key | Value | Left out |",
        "|---|---|---|",
        "| `name` | text | an error |",
        "| `one` | text |  |",
        "| `two` | list of text | `[]` |",
        "| `three` | text |  |",
        "| `code` | text |  |",
        "| `share` | a value |  |",
        "| `codes` | list of text | `[]` |",
        "| `level` | `1`, `2` |  |",
        "| `few` | whole number to 3 | `1` |",
        "| Key | Value | Left out |",
        "|---|---|---|",
        "| `name` | text | an error |",
        "| `level` | `low`, `high` | an error |",
        "| `open` | `true` or `false` | an error |",
        "| `count` | whole number from 3 | an error |",
        "| `inner` | map with `word` | an error |",
        "| `words` | list of text | an error |",
        "| `mail` | e-mail address | an error |",
        "| `either` | map with `word` or whole number | an error |",
    ]


def test_a_marker_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        refreshed("<!-- fields: zebra -->\n<!-- end -->", SPECS)
