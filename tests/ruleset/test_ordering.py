import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.conditions import All, Operator, Test
from d365setup.ruleset import Rule, RuleSetError, behind_unconditional, moved, order

from .documents import queue_id, rule_id

SOMETIMES = Test("Topic", Operator.EQUALS, "x")


def live(*names: str) -> list[Rule]:
    """Rules of these names; one that ends in `!` has no condition."""
    return [
        Rule(rule_id(number), name.rstrip("!"), All() if name.endswith("!") else SOMETIMES, queue_id(number))
        for number, name in enumerate(names)
    ]


ORDERS = {
    "nothing declared": (["a", "b!"], [], "a b"),
    "nothing there": ([], ["A", "B"], "A B"),
    "as it is": (["A", "x", "B"], ["A", "B"], "A x B"),
    "permuted among their own places": (["A", "x", "B", "y", "C"], ["C", "A", "B"], "C x A y B"),
    "new after its predecessor": (["A", "x", "B"], ["A", "N", "B"], "A N x B"),
    "new ones after each other": (["A", "x"], ["A", "N", "M"], "A N M x"),
    "new before its successor": (["x", "A", "B"], ["N", "A", "B"], "x N A B"),
    "new ones before the first that is there": (["x", "A"], ["N", "M", "A"], "x N M A"),
    "new after a predecessor that moves": (["A", "x", "B"], ["B", "N", "A"], "B N x A"),
    "before an undeclared rule without condition": (["x", "all!", "y", "last!"], ["N", "M"], "x N M all y last"),
    "at the end": (["x", "y"], ["N", "M"], "x y N M"),
    "a declared rule without condition is no end": (["A!", "x"], ["A", "N"], "A N x"),
}


@pytest.mark.parametrize(("names", "wanted", "result"), ORDERS.values(), ids=ORDERS)
def test_order(names: list[str], wanted: list[str], result: str) -> None:
    assert " ".join(order(live(*names), wanted)) == result


MOVES = {
    "in order": (["A", "x", "B"], ["A", "B"], {}),
    "two neighbours swapped": (["A", "B"], ["B", "A"], {"A": (1, 2)}),
    "the last comes first": (["A", "B", "C", "D"], ["D", "A", "B", "C"], {"D": (4, 1)}),
    "the first goes last": (["A", "x", "B", "C"], ["B", "C", "A"], {"A": (1, 3)}),
    "reversed": (["A", "B", "C"], ["C", "B", "A"], {"C": (3, 1), "A": (1, 3)}),
    "new and absent rules do not count": (["x", "A", "B"], ["N", "A", "M", "B"], {}),
    "nothing": ([], ["N"], {}),
}


@pytest.mark.parametrize(("names", "wanted", "result"), MOVES.values(), ids=MOVES)
def test_moved(names: list[str], wanted: list[str], result: dict[str, tuple[int, int]]) -> None:
    assert moved(live(*names), wanted) == result


@given(st.permutations("ABCDEF"))
def test_as_few_as_possible_are_moved(wanted: list[str]) -> None:
    moves = moved(live(*"ABCDEF"), wanted)
    staying = [name for name in wanted if name not in moves]
    assert staying == sorted(staying)
    assert len(staying) == longest_sorted(wanted)


def longest_sorted(names: list[str]) -> int:
    """The plain quadratic way."""
    best: list[int] = []
    for index, name in enumerate(names):
        best.append(1 + max((best[i] for i in range(index) if names[i] < name), default=0))
    return max(best)


BEHIND = {
    "none": (["A", "x", "B", "all!"], ["A", "B"], ()),
    "after an undeclared catch-all": (["A", "all!", "B", "y"], ["A", "B", "N"], ("B", "N")),
    "after one of our own": (["A!", "B"], ["A", "B"], ()),
    "a new one is placed before it": (["x", "all!"], ["N"], ()),
}


@pytest.mark.parametrize(("names", "wanted", "result"), BEHIND.values(), ids=BEHIND)
def test_behind_unconditional(names: list[str], wanted: list[str], result: tuple[str, ...]) -> None:
    assert behind_unconditional(live(*names), wanted) == result


def test_names_must_be_unique() -> None:
    with pytest.raises(RuleSetError, match=f"Two rules are called 'A': {rule_id(0)} and {rule_id(2)}; rename one"):
        order(live("A", "x", "A"), ["A"])
    with pytest.raises(RuleSetError, match="'A' is declared twice"):
        moved(live("A"), ["A", "A"])
    assert order(live("x", "x", "A"), ["A"]) == ("x", "x", "A")
