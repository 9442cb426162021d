"""Several files: each follows the one before it, and nothing is missing, moved or replaced."""

from __future__ import annotations

import pytest

from d365setup.evidence.chain import sha256
from d365setup.evidence.inspection import Given, inspected
from d365setup.evidence.records import Previous
from tests.evidence.made import CASE, evidence


def chain(count: int = 3) -> list[Given]:
    found: list[Given] = []
    for number in range(count):
        before = Previous(found[-1].name.rpartition("/")[2], sha256(found[-1].data)) if found else None
        case = CASE.__class__(**{**vars(CASE), "started": f"2026-11-22T11:22:0{number}.000Z"})
        found.append(Given(f"evidence/{number}.jsonl", evidence(before, case)))
    return found


def states(given: list[Given]) -> list[str]:
    return [each.state for each in inspected(given).files]


def problem(given: list[Given], place: int) -> str:
    (told,) = inspected(given).files[place].problems
    return told


def test_a_whole_chain() -> None:
    found = inspected(chain())
    assert found.exit_code == 0
    assert {(each.state, each.problems, each.notes) for each in found.files} == {("unaltered", (), ())}


def test_a_part_of_a_chain_says_that_its_beginning_is_missing() -> None:
    found = inspected(chain()[1:])
    assert found.exit_code == 0
    assert found.files[0].notes == ("it follows 0.jsonl, which was not given: what was before is not checked",)


def test_a_file_that_is_missing() -> None:
    first, _, last = chain()
    assert states([first, last]) == ["unaltered", "unchained"]
    assert problem([first, last], 1) == "it follows 1.jsonl, which is not given: it is missing, or was replaced"
    assert inspected([first, last]).exit_code == 4


def test_files_in_another_order() -> None:
    first, second, third = chain()
    given = [second, first, third]
    assert states(given) == ["unaltered", "unchained", "unchained"]
    assert problem(given, 1) == "it begins a chain of its own, and does not follow evidence/1.jsonl"
    assert "it follows evidence/1.jsonl, and stands behind evidence/0.jsonl" in problem(given, 2)


def test_a_file_that_was_replaced_by_one_sealed_anew() -> None:
    first, second, third = chain()
    other = CASE.__class__(**{**vars(CASE), "exit_code": 0})
    given = [first, Given(second.name, evidence(Previous("0.jsonl", sha256(first.data)), other)), third]
    assert states(given) == ["unaltered", "unaltered", "unchained"]
    assert problem(given, 2).startswith("evidence/1.jsonl is not the file it was written behind")


def test_a_file_that_is_given_twice() -> None:
    first, second, _ = chain()
    assert problem([first, second, second], 2) == "it is given twice, or is a copy of a file before it"


def test_an_altered_file_breaks_what_follows_too() -> None:
    first, second, third = chain()
    given = [first, Given(second.name, second.data.replace(b"Nurses", b"Purses", 1)), third]
    assert states(given) == ["unaltered", "altered", "unchained"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([Given("a", problem="a cannot be read: no")], 2),
        ([Given("a", b"nothing")], 2),
        ([*chain(), Given("a", b"nothing")], 2),
        ([Given("a", b"nothing"), Given("b", evidence().replace(b"Nurses", b"Purses"))], 4),
    ],
)
def test_exit_codes(given: list[Given], code: int) -> None:
    assert inspected(given).exit_code == code
