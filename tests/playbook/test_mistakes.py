"""Every mistake is told where it stands, in words that help: `cases/*.txt`."""

from __future__ import annotations

import pytest

from d365setup.errors import PlaybookError
from d365setup.playbook import load
from tests.playbook.cases import FOLDER, SPECS, Case, all_cases, rewritten, told

CASES = all_cases()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{file}: {case.title}") for file, case in CASES])
def test_what_is_said(case: Case) -> None:
    assert told(case.text) == case.told


def test_every_file_of_cases_is_in_the_form_that_rewriting_gives() -> None:
    for file in FOLDER.glob("*.txt"):
        assert rewritten(file) == file.read_text(encoding="utf-8")


def test_mistakes_come_in_the_order_of_the_file_each_once() -> None:
    for _, case in CASES:
        try:
            load(case.text, SPECS, {})
        except PlaybookError as error:
            places = [(each.source.line, each.source.column, each.message) for each in error.mistakes]
            assert places == sorted(set(places))


def test_every_place_is_inside_the_text() -> None:
    for _, case in CASES:
        lines = case.text.split("\n") or [""]
        try:
            load(case.text, SPECS, {})
        except PlaybookError as error:
            for mistake in error.mistakes:
                assert 1 <= mistake.source.line <= len(lines)
                assert 1 <= mistake.source.column <= len(lines[mistake.source.line - 1]) + 1


def test_no_message_speaks_of_the_machinery_behind_it() -> None:
    for _, case in CASES:
        for word in ("pydantic", "Input should", "errors.", "Traceback", "yaml.org", "NoneType"):
            assert word not in case.told


def test_a_mistake_reads_as_file_line_column_message() -> None:
    with pytest.raises(PlaybookError) as caught:
        load("playbook: 1\nname: contoso\nqueus: []\n", SPECS, {}, name="sites/north.yaml")
    assert str(caught.value) == "sites/north.yaml:3:1: a playbook has no key 'queus'; did you mean 'queues'?"
    assert caught.value.exit_code == 2
