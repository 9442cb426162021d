"""Declared rules into the text of a rule set, with every byte kept of everything nobody declared."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from d365setup.conditions import Condition, same
from d365setup.ruleset.criteria import ELEMENTS, condition_tag
from d365setup.ruleset.markup import MOST_CHARACTERS, Element, RuleSetError, TooLong
from d365setup.ruleset.ordering import arranged
from d365setup.ruleset.patching import Patch, Patcher
from d365setup.ruleset.reading import Parsed, Rule, read_parsed
from d365setup.ruleset.targets import action_tag, find_guid, queue_references, queue_value, wanted_guid
from d365setup.ruleset.writing import Layout, Tag

_EMPTY = '<decision hit-policy="all" version="1">\n  <rules />\n</decision>'


@dataclass(frozen=True)
class Wanted:
    """A declared rule; `id` is used only when there is no rule of that name yet."""

    name: str
    id: str
    condition: Condition
    queue: str


def new(wanted: Sequence[Wanted]) -> str:
    """A fresh rule set of these rules, in the designer's layout; raises RuleSetError as `edit` does."""
    return edit(_EMPTY, wanted)


def edit(text: str, wanted: Sequence[Wanted], gone: Collection[str] = ()) -> str:
    """The text with the declared rules as they should be, in their order; everything else keeps every byte.

    Rules are found by their exact names. Of a rule that differs only the part that does is rewritten: its
    condition elements, the characters of its queue's id, or its whole action where that is anything but one
    queue. A text that is right already is returned as it is. Rules whose ids are in ``gone`` are taken out
    first, each with the white space it came with. Raises RuleSetError for a text that is no rule set, for
    names that are not unique, and for what cannot be written (TooLong for what is only too much).
    """
    parsed = read_parsed(without(text, gone) if gone else text)
    checked = [replace(rule, queue=wanted_guid(rule.queue, f"the queue of rule {rule.name!r}")) for rule in wanted]
    sequence = arranged(parsed.rules, [rule.name for rule in checked])
    result = _Editor(parsed, _with_ids(checked, parsed.rules)).edited(sequence)
    if len(result) > MOST_CHARACTERS:
        raise TooLong(f"The rule set would have {len(result)} characters; the most is {MOST_CHARACTERS}.")
    return result


def without(text: str, gone: Collection[str]) -> str:
    """The text without the rules of these ids (lower case, no braces); every other byte as it was.

    A rule goes with the white space that was put there with it, so that adding and taking out gives the same text.
    """
    parsed = read_parsed(text)
    patcher = Patcher(parsed.document)
    runs = _runs(parsed, [rule.id in gone for rule in parsed.rules])
    patches = [patcher.closed(run, before, after) for run, before, after in runs]
    return patcher.applied(0, len(parsed.document.data), patches).decode()


_Neighbour = Element | None


def _runs(parsed: Parsed, gone: Sequence[bool]) -> Iterator[tuple[Sequence[Element], _Neighbour, _Neighbour]]:
    """Elements to take out that have nothing but white space between them, with the rules around them that stay."""
    run: list[int] = []
    for place in [index for index, is_gone in enumerate(gone) if is_gone]:
        if run and not (place == run[-1] + 1 and _adjacent(parsed, run[-1], place)):
            yield _neighboured(parsed, run)
            run = []
        run.append(place)
    if run:
        yield _neighboured(parsed, run)


def _adjacent(parsed: Parsed, one: int, other: int) -> bool:
    first, second = parsed.elements[one], parsed.elements[other]
    return parsed.document.space_before(second.start) == first.end


def _neighboured(parsed: Parsed, run: Sequence[int]) -> tuple[Sequence[Element], _Neighbour, _Neighbour]:
    first, last = run[0], run[-1]
    before = parsed.elements[first - 1] if first else None
    after = parsed.elements[last + 1] if last + 1 < len(parsed.elements) else None
    return [parsed.elements[place] for place in run], before, after


def _with_ids(wanted: Iterable[Wanted], rules: Iterable[Rule]) -> dict[str, Wanted]:
    """The wanted rules by name, the ids of new ones checked: an id that is taken tells of a renamed rule."""
    taken = {rule.id: rule.name for rule in rules}
    existing = set(taken.values())
    checked: dict[str, Wanted] = {}
    for rule in wanted:
        checked[rule.name] = rule
        if rule.name in existing:
            continue
        rule_id = wanted_guid(rule.id, f"rule {rule.name!r}")
        if rule_id in taken:
            raise RuleSetError(
                f"The id of new rule {rule.name!r}, {rule_id}, is that of rule {taken[rule_id]!r}, which was"
                " probably renamed: rename it back in the admin center, or in the playbook."
            )
        taken[rule_id] = rule.name
        checked[rule.name] = replace(rule, id=rule_id)
    return checked


class _Editor:
    def __init__(self, parsed: Parsed, wanted: Mapping[str, Wanted]) -> None:
        self.parsed = parsed
        self.wanted = wanted
        self.patcher = Patcher(parsed.document)
        self.container_layout = self._container_layout()
        self.rule_layout = self._rule_layout()
        self.inner_layout = replace(self.patcher.one_line, unit=self.rule_layout.unit)
        references = queue_references(parsed.document.root)
        self.braces = 2 * sum(reference.startswith("{") for reference in references) >= len(references)

    def edited(self, sequence: Sequence[int | str]) -> str:
        patches = [*self._existing(sequence), *self._inserted(sequence)]
        return self.patcher.applied(0, len(self.parsed.document.data), patches).decode()

    def _container_layout(self) -> Layout:
        layout = self.patcher.layout_at(self.parsed.container, self.patcher.one_line)
        return replace(layout, unit=layout.indent or layout.unit)

    def _rule_layout(self) -> Layout:
        """That of the first rule which begins its line; its unit is what it adds to its parent's."""
        for rule in self.parsed.elements:
            layout = self.patcher.layout_at(rule, self.patcher.one_line)
            if layout.line_end:
                outer = self.container_layout.indent
                unit = layout.indent.removeprefix(outer) if layout.indent.startswith(outer) else ""
                return replace(layout, unit=unit or layout.unit)
        return self.patcher.one_line

    def _existing(self, sequence: Sequence[int | str]) -> Iterator[Patch]:
        """Every existing declared rule, revised, into the place it is to have."""
        indexes = [place for place in sequence if isinstance(place, int)]
        for slot, index in zip(self.parsed.elements, indexes, strict=True):
            wanted = self.wanted.get(self.parsed.rules[index].name)
            if wanted is not None:
                yield Patch(slot.start, slot.end, self._revised(index, wanted))

    def _revised(self, index: int, wanted: Wanted) -> bytes:
        element, rule = self.parsed.elements[index], self.parsed.rules[index]
        _refuse_unknown(element, rule)
        patches: list[Patch] = []
        if not same(rule.condition, wanted.condition):
            patches += self._condition_patches(element, wanted)
        if rule.queue != wanted.queue:
            patches += self._action_patches(element, wanted)
        return self.patcher.applied(element.start, element.end, patches)

    def _condition_patches(self, rule: Element, wanted: Wanted) -> list[Patch]:
        nodes = [child for child in rule.children if child.name in ELEMENTS]
        tag = condition_tag(wanted.condition, wanted.name)
        if tag is None:
            return self.patcher.removed(nodes)
        if nodes:
            return self.patcher.replaced(nodes, tag, self.inner_layout)
        if rule.children:
            return [self.patcher.before(rule.children[0], [tag], self.inner_layout)]
        return []  # a rule without anything has no queue either: _action_patches fills it

    def _action_patches(self, rule: Element, wanted: Wanted) -> list[Patch]:
        value = queue_value(rule)
        if value is not None:
            return [_other_queue(value, wanted.queue, self.parsed.document.data)]
        actions = rule.named("action")
        if actions:
            return self.patcher.replaced(actions, self._action(wanted), self.inner_layout)
        tags = [self._action(wanted)] if rule.children else self._content(wanted)
        return [self.patcher.appended(rule, tags, self.patcher.layout_at(rule, self.rule_layout))]

    def _inserted(self, sequence: Sequence[int | str]) -> Iterator[Patch]:
        """Every run of new rules in its place, `passed` counting the existing ones before it."""
        passed = 0
        for is_new, run in groupby(sequence, lambda place: isinstance(place, str)):
            places = list(run)
            if is_new:
                tags = [self._rule(self.wanted[name]) for name in places if isinstance(name, str)]
                yield self._insertion(tags, passed)
            else:
                passed += len(places)

    def _insertion(self, tags: Sequence[Tag], passed: int) -> Patch:
        """Behind the rule before it when that is declared, else ahead of the next one."""
        elements, rules = self.parsed.elements, self.parsed.rules
        if not elements:
            return self.patcher.appended(self.parsed.container, tags, self.container_layout)
        if passed == len(elements) or (passed and rules[passed - 1].name in self.wanted):
            return self.patcher.after(elements[passed - 1], tags, self.rule_layout)
        return self.patcher.before(elements[passed], tags, self.rule_layout)

    def _rule(self, wanted: Wanted) -> Tag:
        return Tag("rule", {"id": wanted.id, "name": wanted.name}, tuple(self._content(wanted)))

    def _content(self, wanted: Wanted) -> list[Tag]:
        condition = condition_tag(wanted.condition, wanted.name)
        return [*([condition] if condition else []), self._action(wanted)]

    def _action(self, wanted: Wanted) -> Tag:
        return action_tag(wanted.queue, braces=self.braces)


def _refuse_unknown(element: Element, rule: Rule) -> None:
    """What we do not understand must neither be deleted nor be left standing as if it meant nothing."""
    for child in element.children:
        if child.name not in ELEMENTS | {"action"}:
            raise RuleSetError(
                f"Rule {rule.name!r} holds <{child.name}>, {child.where}, which this tool does not know:"
                " take it out in the admin center, or the rule out of the playbook."
            )


def _other_queue(value: Element, queue: str, data: bytes) -> Patch:
    """The id's own characters, braces and letter case kept; all of the text if references hide them."""
    old = value.text.strip()
    text = queue.upper() if old.isupper() else queue
    for piece in value.pieces:
        found = find_guid(piece.text)
        raw = piece.text.encode()
        if found and data[piece.start : piece.start + len(raw)] == raw:
            start = piece.start + len(piece.text[: found.start()].encode())
            return Patch(start, start + len(found[0]), text.encode())
    braced = f"{{{text}}}" if old.startswith("{") else text
    return Patch(value.inside, value.close, braced.encode())
