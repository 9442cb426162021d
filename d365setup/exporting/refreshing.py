"""A playbook's own text, brought in line with a fresh export: what differs is changed, every other byte stays.

Both are taken line by line. An item takes the comments right above it along; an entry that agrees is left alone, with
its variables and remarks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from d365setup.exporting.agreeing import differing_keys
from d365setup.exporting.listing import listing, rescued, rewritten
from d365setup.exporting.page import Page, Span, Unfit, indent_of, shifted
from d365setup.exporting.texts import agreed, mixed
from d365setup.exporting.yaml_text import flow_text
from d365setup.kinds.queue import Queue
from d365setup.model import Spec
from d365setup.playbook.nodes import Entry, Fields, plain

_LISTS = {"workstreams": ("context_variables", "routing_rules")}  # lists inside the items of a section
_NAMING = ("name", "application_id")  # what an item is found by
_SECTIONS = ("bot_users", "queues", "workstreams")


def refreshed(old: Page, fresh: Page, numbers: frozenset[str] = frozenset()) -> str:
    """The old text as it should be now; ``numbers`` are bots whose capacity is to be a number, whatever word it was.

    Raises Unfit for a layout it cannot work on.
    """
    if old.is_flow(old.root):
        raise Unfit("the whole playbook stands in braces; write it in lines")
    work = _Refreshing(old, fresh, numbers)
    lines = list(old.lines)
    missing: list[str] = []
    edits: list[tuple[Span, list[str]]] = []
    for section in _SECTIONS:
        here, there = old.root.by_name.get(section), fresh.root.by_name.get(section)
        if here is not None:
            edits += work.section(here, there)
        elif there is not None:
            missing += ["", *_cut(fresh, there)]
    added = work.new_variables("\n".join([*missing, *(line for _, new in edits for line in new)]))
    here = old.root.by_name.get("variables")
    if added and here is None:
        missing = ["", "variables:", *added, *missing]
    elif added and here is not None:
        edits += work.variables(here, added)
    for span, new in sorted(edits, key=lambda edit: edit[0].first, reverse=True):
        lines[span.first : span.end] = new
    return "\n".join((*lines, *missing)) + "\n"


def _cut(page: Page, entry: Entry) -> Sequence[str]:
    span = page.entry(entry)
    return page.lines[span.first : span.end]


@dataclass(frozen=True)
class _Refreshing:
    old: Page
    fresh: Page
    numbers: frozenset[str]

    def new_variables(self, text: str) -> list[str]:
        """The lines that declare the fresh variables this text speaks of; none of the old ones is taken away."""
        section = self.fresh.root.get("variables")
        entries = section.entries if isinstance(section, Fields) else ()
        return [line for each in entries if f"${{{each.name}}}" in text for line in _cut(self.fresh, each)]

    def variables(self, here: Entry, added: list[str]) -> Iterator[tuple[Span, list[str]]]:
        """The playbook's own variables, and these at their end."""
        if self.old.is_flow(here.value):
            raise Unfit(f"{here.key.source}: write `variables` in lines, so that one can be added")
        end = self.old.entry(here).end
        first = next(iter(getattr(here.value, "entries", ())), None)
        by = (first.key.source.column - 1 if first else 2) - indent_of(added[0])
        yield Span(end, end), list(shifted(added, by))

    def section(self, here: Entry, there: Entry | None) -> Iterator[tuple[Span, list[str]]]:
        """A list of the playbook's."""
        span = self.old.entry(here)
        yield span, self.listed(here, there, here.name)

    def listed(self, here: Entry, there: Entry | None, name: str) -> list[str]:
        """The lines of `key: list`, its items as the fresh ones are."""
        span = self.old.entry(here)
        old = {self._id(self.old, each): each for each in _maps(here)}
        fresh = {self._id(self.fresh, each): each for each in _maps(there)} if there else {}
        if not old or self.old.is_flow(here.value):
            return self._whole(here, there, span, old, fresh)
        indent = indent_of(self.old.lines[self.old.item(next(iter(old.values()))).first])
        around = listing(self.old, span, [self._with_lead(each) for each in old.values()])
        number = {each: at for at, each in enumerate(old)}
        order = list(fresh) if name == "routing_rules" else [*(each for each in old if each in fresh)]
        order += [each for each in fresh if each not in order]
        kept = [each for each in old if each not in fresh and self._stays(self.old.spec(old[each]))]
        found = (
            (number.get(each), self._item(old.get(each), fresh.get(each), name, indent)) for each in (*kept, *order)
        )
        return around.joined(list(found))

    def _with_lead(self, item: Fields) -> Span:
        span = self.old.item(item)
        return Span(self.old.lead(span.first), span.end)

    def _whole(
        self, here: Entry, there: Entry | None, span: Span, old: dict[str, Fields], fresh: dict[str, Fields]
    ) -> list[str]:
        """A list in brackets is written anew where anything in it differs."""
        agree = list(old) == list(fresh) and not any(
            True for each in old for _ in self._differences(old[each], fresh[each])
        )
        if agree:
            return list(self.old.lines[span.first : span.end])
        if there is None:
            return []
        by = (here.key.source.column - 1) - (there.key.source.column - 1)
        new = list(shifted(_cut(self.fresh, there), by))
        return [*rescued(self.old, span, new), *new]

    def _stays(self, spec: Spec) -> bool:
        """What is only referred to is not the export's to take out."""
        return spec.only_refers

    def _item(self, old: Fields | None, fresh: Fields | None, name: str, indent: int) -> list[str]:
        if old is None and fresh is not None:
            return self._anew(fresh, indent)
        if old is None:
            return []
        span = self.old.item(old)
        lead = self.old.lead(span.first)
        lines = list(self.old.lines[lead : span.end])
        if fresh is None or self.old.spec(old).only_refers:
            return lines
        if self.fresh.spec(fresh).only_refers and isinstance(self.old.spec(old), Queue):
            return lines  # it comes with Omnichannel, and the export says nothing of it: the proof will tell
        differing = list(self._differences(old, fresh))
        if self.old.is_flow(old):
            new = self._in_braces(old, fresh, differing, indent)
            return [*self.old.lines[lead : span.first], *rescued(self.old, span, new), *new] if differing else lines
        if self.fresh.spec(fresh).only_refers:
            edits = list(self._referred(old, fresh))
        else:
            edits = [self._entry(old, key, fresh) for key in differing]
            edits += self._inner(old, fresh, name)
        for part, new in sorted(edits, key=lambda edit: edit[0].first, reverse=True):
            lines[part.first - lead : part.end - lead] = new
        return lines

    def _in_braces(self, old: Fields, fresh: Fields, differing: Sequence[str], indent: int) -> list[str]:
        """An item on one line: what differs as it is now, everything else as it is written."""
        entries = {each.name: plain(each.value) for each in old.entries if each.name not in differing}
        entries |= {key: mixed(self.old, old, self.fresh, fresh, key) for key in differing if key in fresh.by_name}
        if self.fresh.spec(fresh).only_refers:
            entries = {key: value for key, value in entries.items() if key in _NAMING} | {"existing": True}
        return [f"{' ' * indent}- {flow_text(entries)}{self.old.tail(self.old.item(old).end - 1)}"]

    def _referred(self, old: Fields, fresh: Fields) -> Iterator[tuple[Span, list[str]]]:
        """A bot that can only be referred to now keeps its name and its id, and the reason comes behind them."""
        for each in old.entries:
            span = self._own(old, each)
            if each.name not in _NAMING:
                yield span, list(rescued(self.old, span, ()))
        start, whole = self.fresh.entry(fresh.by_name["application_id"]).end, self.fresh.item(fresh)
        by = old.source.column - fresh.source.column
        end = self.old.item(old).end
        yield Span(end, end), list(shifted(self.fresh.lines[start : whole.end], by))

    def _own(self, item: Fields, entry: Entry) -> Span:
        """The lines of an entry that can go without taking the item along. Raises Unfit."""
        if entry is item.entries[0] and entry.name not in _NAMING:
            raise Unfit(f"{item.source}: write the name of this item first")
        return self.old.entry(entry)

    def _anew(self, fresh: Fields, indent: int) -> list[str]:
        """An item of the fresh text with the remarks above it."""
        span = self.fresh.item(fresh)
        first = self.fresh.lead(span.first)
        by = indent - indent_of(self.fresh.lines[span.first])
        return list(shifted(self.fresh.lines[first : span.end], by))

    def _entry(self, item: Fields, key: str, fresh: Fields) -> tuple[Span, list[str]]:
        """The lines of one entry; one that the item leaves out comes behind its first."""
        texts = agreed(self.old, item, self.fresh, fresh, key)
        if texts is not None:
            return texts
        old, new = item.by_name.get(key), fresh.by_name.get(key)
        column = item.source.column - 1
        if old is None:
            end = self.old.entry(item.entries[0]).end
            lines = self._entry_lines(fresh, new, column) if new else []
            return Span(end, end), [" " * column + lines[0], *lines[1:]] if lines else []
        span = self.old.entry(old)
        if new is None:
            return self._own(item, old), []
        return span, rewritten(self.old, old, span, self._entry_lines(fresh, new, column))

    def _entry_lines(self, fresh: Fields, entry: Entry, column: int) -> list[str]:
        """A fresh entry for this column, its first line without the blanks before it."""
        if self.fresh.is_flow(fresh):
            return [f"{entry.name}: {flow_text(plain(entry.value))}"]
        first, *more = shifted(_cut(self.fresh, entry), column - (entry.key.source.column - 1))
        return [first.lstrip().removeprefix("- "), *more]

    def _inner(self, old: Fields, fresh: Fields, name: str) -> Iterator[tuple[Span, list[str]]]:
        """The lists inside a work stream; one it does not have is put at its end."""
        for key in _LISTS.get(name, ()):
            here, there = old.by_name.get(key), fresh.by_name.get(key)
            if here is not None:
                yield self.old.entry(here), self.listed(here, there, key)
            elif there is not None:
                end = self.old.item(old).end
                yield Span(end, end), list(shifted(_cut(self.fresh, there), old.source.column - fresh.source.column))

    def _differences(self, old: Fields, fresh: Fields) -> Iterator[str]:
        """The entries of the old item that say something else than the fresh one."""
        return differing_keys(self.old.spec(old), self.fresh.spec(fresh), tuple(old.by_name), self.numbers)

    def _id(self, page: Page, item: Fields) -> str:
        return page.spec(item).identity


def _maps(entry: Entry | None) -> tuple[Fields, ...]:
    items = getattr(entry.value, "items", ()) if entry else ()
    return tuple(each for each in items if isinstance(each, Fields))
