"""Taking rules out of a text: what was there before they were put in comes back, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from d365setup.conditions import ALWAYS
from d365setup.ruleset import RuleSetError, Wanted, edit, new, read, without

from .documents import Case, cases, queue_id, rule_id, sample

OURS = [Wanted(f"Ours {n}", rule_id(500 + n), ALWAYS, queue_id(n)) for n in range(3)]
IDS = {rule.id for rule in OURS}


def rule(number: int) -> str:
    return f'<rule id="{rule_id(number)}" name="Rule {number}"><action/></rule>'


def document(inside: str) -> str:
    return f"<?xml version='1.0'?>\r\n<decision hit-policy=\"all\"><rules>{inside}</rules></decision>\n"


@pytest.mark.no_cover  # tracing would double the time; what it runs is measured elsewhere
@settings(max_examples=300, deadline=None)
@given(cases())
def test_what_an_edit_put_in_can_be_taken_out(case: Case) -> None:
    """In any document with a rule; new rules beside others that are changed, moved or kept."""
    if not case.parts:
        return
    both = edit(case.text, case.wanted)
    ids = {each.id for each in read(both).rules if each.name in case.new_names}
    others = [each for each in case.wanted if each.name not in case.new_names]
    assert without(both, ids) == edit(case.text, others)


@given(cases())
def test_nothing_to_take_out_changes_nothing(case: Case) -> None:
    assert without(case.text, {rule_id(999)}) == case.text
    assert without(case.text, ()) == case.text


@pytest.mark.parametrize(
    "inside",
    [
        f"\n    {rule(1)}\n  ",
        f"\r\n\t{rule(1)}\r\n\r\n\t{rule(2)}\r\n",
        f"{rule(1)}{rule(2)}",
        f"{rule(1)} {rule(2)}",
        f"\n  <!-- first -->\n  {rule(1)}\n\n\n  <!-- second -->\n  {rule(2)}<!-- last -->\n",
        f"\n  {rule(1)}{rule(2)}\n",
    ],
    ids=["one", "CRLF and a blank line", "one line", "a blank between", "comments", "two on a line"],
)
@pytest.mark.parametrize(
    "declared", [(), (1,), (2,), (1, 2)], ids=["before all", "behind one", "behind two", "behind both"]
)
def test_in_any_layout(inside: str, declared: tuple[int, ...]) -> None:
    text = document(inside)
    kept = [Wanted(each.name, "", each.condition, queue_id(1)) for each in read(text).rules]
    known = [each for number, each in enumerate(kept, 1) if number in declared]
    text = edit(text, known)
    assert without(edit(text, [*known, *OURS]), IDS) == text
    assert without(edit(text, [*OURS, *known]), IDS) == text
    assert edit(edit(text, [*known, *OURS]), known, IDS) == text


def test_thirty_rules_of_somebody_else() -> None:
    text = sample("thirty-rules.xml")
    assert without(edit(text, OURS), IDS) == text
    one = without(edit(text, OURS), {OURS[1].id})
    assert [each.name for each in read(one).rules if each.name.startswith("Ours")] == ["Ours 0", "Ours 2"]


def test_the_last_one_leaves_an_empty_list() -> None:
    text = without(new(OURS), IDS)
    assert read(text).rules == ()
    assert text == '<decision hit-policy="all" version="1">\n  <rules>\n  </rules>\n</decision>'
    assert [each.name for each in read(edit(text, OURS)).rules] == [each.name for each in OURS]


def test_a_comment_between_two_stays() -> None:
    text = document(f"\n  {rule(1)}\n  <!-- mine -->\n  {rule(2)}\n  {rule(3)}\n")
    assert without(text, {rule_id(1), rule_id(2)}) == document(f"\n  <!-- mine -->\n  {rule(3)}\n")
    assert without(text, {rule_id(1), rule_id(2), rule_id(3)}) == document("\n  <!-- mine -->\n")


def test_an_edit_is_made_to_what_is_left() -> None:
    """A new rule takes its place among those that stay, and the limit counts what is left."""
    text = document(f"\n  {rule(1)}\n  {rule(2)}\n")
    result = edit(text, OURS[:1], {rule_id(1)})
    assert [each.name for each in read(result).rules] == ["Ours 0", "Rule 2"]  # rule 2 always holds
    assert edit(text, [], {rule_id(1), rule_id(2)}) == document("\n")


def test_a_text_that_is_no_rule_set() -> None:
    with pytest.raises(RuleSetError):
        without("<other/>", {rule_id(1)})
