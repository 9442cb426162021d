"""Whatever the document and whatever is wanted: everything nobody declared keeps every byte."""

import re

from hypothesis import given
from hypothesis import strategies as st

from d365setup.conditions import same
from d365setup.ruleset import Wanted, edit, moved, new, order, read

from .documents import RULE, Case, Part, cases


def split(text: str) -> tuple[list[str], list[str]]:
    """The rules' texts, and the texts between, before and after them."""
    return RULE.findall(text), RULE.split(text)


def names_in(text: str) -> list[str]:
    return [rule.name for rule in read(text).rules]


@given(cases())
def test_documents_are_read_as_meant_and_returned_as_they_are_when_right(case: Case) -> None:
    rules = read(case.text).rules
    assert [rule.name for rule in rules] == [part.name for part in case.parts]
    assert [rule.queue for rule in rules] == [part.queue for part in case.parts]
    for rule, part in zip(rules, case.parts, strict=True):
        assert part.condition is None or same(rule.condition, part.condition)
    right = [
        Wanted(part.name, "", part.condition, part.queue)
        for part in case.parts
        if part.declared and part.condition is not None and part.queue
    ]
    assert edit(case.text, right) == case.text


@given(cases())
def test_the_result_holds_what_is_wanted_and_a_second_edit_changes_nothing(case: Case) -> None:
    result = edit(case.text, case.wanted)
    rules = {rule.name: rule for rule in read(result).rules}
    assert [name for name in rules if name in {w.name for w in case.wanted}] == [w.name for w in case.wanted]
    for wanted in case.wanted:
        assert same(rules[wanted.name].condition, wanted.condition)
        assert rules[wanted.name].queue == wanted.queue
    assert edit(result, case.wanted) == result


@given(cases())
def test_order_and_moved_foretell_the_result(case: Case) -> None:
    names = [rule.name for rule in case.wanted]
    rules = read(case.text).rules
    result = read(edit(case.text, case.wanted)).rules
    assert list(order(rules, names)) == [rule.name for rule in result]
    moves = moved(rules, names)
    kept = [part.name for part in case.parts if part.declared and part.name not in moves]
    assert kept == [name for name in names if name in kept]
    assert moved(result, names) == {}


@given(cases())
def test_every_byte_outside_declared_rules_is_kept(case: Case) -> None:
    result = edit(case.text, case.wanted)
    if not case.parts:
        assert_only_the_list_was_filled(case, result)
        return
    texts, gaps = split(result)
    old_texts, old_gaps = split(case.text)
    assert old_texts == [part.text for part in case.parts]
    kept_gaps, run = [], [gaps[0]]
    for name, gap in zip(names_in(result), gaps[1:], strict=True):
        if name not in case.new_names and len(run) == 1:
            kept_gaps.append(run[0])
            run = []
        elif name not in case.new_names:
            kept_gaps.append(the_old_one_of(run, old_gaps[len(kept_gaps)]))
            run = []
        run.append(gap)
    kept_gaps.append(the_old_one_of(run, old_gaps[-1]))
    assert kept_gaps == old_gaps
    slots = [text for text, name in zip(texts, names_in(result), strict=True) if name not in case.new_names]
    for text, part in zip(slots, case.parts, strict=True):
        assert part.declared or text == part.text
    for part in case.parts:
        assert part.text in slots or not is_right(part, case)


def is_right(part: Part, case: Case) -> bool:
    wanted = next((rule for rule in case.wanted if rule.name == part.name), None)
    if wanted is None:
        return True
    return bool(part.condition) and part.queue == wanted.queue and same(part.condition, wanted.condition)


def the_old_one_of(run: list[str], old: str) -> str:
    """Around new rules one gap is the old one, at either end; the others are white space we wrote."""
    others = run[1:] if run[0] == old else run[:-1]
    assert all(not gap.strip() for gap in others)
    return run[0] if run[0] == old else run[-1]


def assert_only_the_list_was_filled(case: Case, result: str) -> None:
    if not case.wanted:
        assert result == case.text
        return
    texts, gaps = split(result)
    assert len(texts) == len(case.wanted)
    before, after = gaps[0], gaps[-1]
    middle = re.fullmatch(r"(.*<rules(?: a='/>')?) *(?:/>|(>.*)</rules>)(.*)", case.text, re.DOTALL)
    assert middle is not None
    assert before.rstrip().startswith(middle[1])
    assert after.endswith("</rules>" + middle[3])
    inside = (before + "".join(gaps[1:-1]) + after)[len(middle[1]) : len(before + after) - len("</rules>" + middle[3])]
    assert "".join(inside.split()) == "".join((middle[2] or ">").split())


@given(cases(), st.sampled_from(["", "\ufeff"]))
def test_a_fresh_rule_set_holds_the_wanted_rules(case: Case, mark: str) -> None:
    wanted = [
        Wanted(w.name, f"33333333-cccc-4ccc-8ccc-{i:012d}", w.condition, w.queue) for i, w in enumerate(case.wanted)
    ]
    text = mark + new(wanted)
    assert names_in(text) == [rule.name for rule in wanted]
    assert edit(text, wanted) == text
    assert text.removeprefix(mark).startswith('<decision hit-policy="all" version="1">\n  <rules')
