"""Overlays: what a file that `extends` another makes of it. Every node keeps the file and line it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Fields, Items, Node, Scalar

WHOLE = frozenset({"when", "context", "given", "expect", "members", "roles", "steps"})  # never merged, only replaced
ORDERED = "routing_rules"  # the list whose order decides, where an overlay may say `before`
REMOVE, BEFORE = "remove", "before"


def merged(layers: Sequence[Fields], mistakes: Mistakes) -> Fields:
    """One root of several, the first the strongest. Overlay words (`remove`, `before`) are gone afterwards."""
    base = Fields((), layers[-1].source)
    for index, layer in enumerate(reversed(layers)):
        base = _Overlay(mistakes, lowest=index == 0).fields(base, layer.without("extends"))
    return base


@dataclass(frozen=True)
class _Overlay:
    """Puts one file over what came before it."""

    mistakes: Mistakes
    lowest: bool  # the file at the bottom: it has nothing to change

    def fields(self, base: Fields, over: Fields) -> Fields:
        """Maps merge, key by key."""
        found = {entry.name: entry for entry in base.entries}
        for entry in over.entries:
            below = found.get(entry.name)
            found[entry.name] = replace(entry, value=self.node(entry.name, below.value if below else None, entry.value))
        return Fields(tuple(found.values()), over.source, base.wrong or over.wrong)

    def node(self, name: str, base: Node | None, over: Node) -> Node:
        """What stands under a key in both; later wins where they cannot merge."""
        if name in WHOLE:
            return over
        if isinstance(over, Fields):
            return self.fields(base if isinstance(base, Fields) else Fields((), over.source), over)
        if isinstance(over, Items):
            under = base if isinstance(base, Items) else Items((), over.source)
            if _are_named(under, over):
                return self.items(name, under, over)
        return over

    def items(self, name: str, base: Items, over: Items) -> Items:
        """Lists of named things merge by name; their order is the base's, new ones follow (rules: `_new_rule_slot`)."""
        kept, seen = _maps(base), dict[str, Fields]()
        new: list[Fields] = []
        for item in _maps(over):
            name_of = _name(item)
            if name_of is not None and REMOVE in item.by_name:
                kept = self._removed(item, kept)
            elif name_of is not None and name_of in map(_name, kept):
                self._tell_twice(item, seen.setdefault(name_of, item))
                kept = [self.fields(each, item) if _name(each) == name_of else each for each in kept]
            else:
                new.append(self.fields(Fields((), item.source), item))
        slot = _new_rule_slot(kept) if name == ORDERED else len(kept)
        return replace(over, items=tuple(self._placed(name, [*kept[:slot], *new, *kept[slot:]])))

    def _tell_twice(self, item: Fields, first: Fields) -> None:
        if item is not first:  # twins among the new ones are found later, as in any playbook
            told = f"{shown(str(_name(item)))} stands in this list twice: first on line {first.source.line}"
            self.mistakes.add(item.source, told)

    def _removed(self, item: Fields, kept: list[Fields]) -> list[Fields]:
        key, entry = str(_name(item)), item.by_name[REMOVE]
        if not isinstance(entry.value, Scalar) or entry.value.value is not True:
            self.mistakes.add(entry.value.source, "'remove' is true or left out")
        elif len(item.entries) != 2:
            self.mistakes.add(entry.key.source, "'remove: true' stands beside the name alone")
        elif key not in _names(kept):
            told = f"there is no inherited {shown(key)} to remove{self.mistakes.meant(key, _names(kept))}"
            self.mistakes.add(entry.key.source, told)
        else:
            return [each for each in kept if _name(each) != key]
        return kept

    def _placed(self, name: str, items: list[Fields]) -> list[Fields]:
        """Moves the items that say `before`, in their order, and takes the word out."""
        for item in [each for each in items if BEFORE in each.by_name]:
            entry = item.by_name[BEFORE]
            items = [item.without(BEFORE) if each is item else each for each in items]
            problem = self._misplaced(name, item, items)
            if problem:
                self.mistakes.add(entry.value.source, problem)
            else:
                items = _moved(items, item.without(BEFORE), str(item.text(BEFORE)))
        return items

    def _misplaced(self, name: str, item: Fields, items: list[Fields]) -> str:
        wanted = item.text(BEFORE)
        if name != ORDERED:
            return f"'before' orders routing rules; in '{name}' the order decides nothing"
        if self.lowest:
            return "'before' is for a file that extends another: here the order of the list is the order of the rules"
        others = [each for each in _names(items) if each != _name(item)]
        if wanted is None:
            return "'before' takes the name of a rule"
        return (
            ""
            if wanted in others
            else f"there is no rule {shown(wanted)} to stand before{self.mistakes.meant(wanted, others)}"
        )


def _moved(items: list[Fields], moved: Fields, before: str) -> list[Fields]:
    rest = [each for each in items if each != moved]
    slot = next(index for index, each in enumerate(rest) if _name(each) == before)
    return [*rest[:slot], moved, *rest[slot:]]


def _new_rule_slot(rules: Sequence[Fields]) -> int:
    """Before the first rule that always holds: behind it a new rule would never be reached."""
    return next((index for index, rule in enumerate(rules) if "when" not in rule.by_name), len(rules))


def _are_named(base: Items, over: Items) -> bool:
    """Whether both are lists of named things, or empty; one that lost its name is told later and disturbs nothing."""
    items = (*base.items, *over.items)
    return all(isinstance(item, Fields) for item in items) and bool(_names([*_maps(base), *_maps(over)]))


def _names(items: Sequence[Fields]) -> list[str]:
    return [name for name in map(_name, items) if name is not None]


def _maps(items: Items) -> list[Fields]:
    return [item for item in items.items if isinstance(item, Fields)]


def _name(item: Fields) -> str | None:
    return item.text("name")
