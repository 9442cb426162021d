"""Lists of texts (`members`, `roles`) brought in line text by text: what stays stays as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from d365setup.exporting.listing import listing, rewritten
from d365setup.exporting.page import Page, Span, indent_of
from d365setup.exporting.yaml_text import flow_text
from d365setup.model import fold
from d365setup.playbook.nodes import Entry, Fields, Items, Scalar, plain

# by their key: what is in them, with variables filled in
_LISTED: dict[str, Callable[[Any], Sequence[str]]] = {
    "members": lambda spec: spec.members.users if spec.members else (),
    "roles": lambda spec: spec.roles,
}


@dataclass(frozen=True)
class _Texts:
    """The list of an item: its entry, the one that is a list (itself, or `users` in it), and what its texts mean."""

    entry: Entry
    inner: Entry
    meant: Sequence[str]

    @property
    def written(self) -> list[str]:
        """As the file has them."""
        return [str(each) for each in plain(self.inner.value)]

    def staying(self, there: _Texts) -> list[bool]:
        """Which of them the other list has too."""
        wanted = frozenset(map(fold, there.meant))
        return [fold(each) in wanted for each in self.meant]

    def missing(self, there: _Texts) -> list[str]:
        """What only the other list has, as it is written there."""
        known = frozenset(map(fold, self.meant))
        return [text for text, each in zip(there.written, there.meant, strict=True) if fold(each) not in known]


def agreed(old: Page, item: Fields, fresh: Page, new_item: Fields, key: str) -> tuple[Span, list[str]] | None:
    """The lines of a list of texts with those of the fresh one; None where there is no such list, here or there.

    Raises Unfit.
    """
    here, there = _texts(old, item, key), _texts(fresh, new_item, key)
    if here is None or there is None:
        return None
    if old.is_flow(here.inner.value) or old.is_flow(here.entry.value):
        return _in_brackets(old, here, there)
    return _in_lines(old, here, there)


def mixed(old: Page, item: Fields, fresh: Page, new_item: Fields, key: str) -> Any:
    """The value of such an entry, its texts as the file has them; the fresh value where there is no such list."""
    here, there = _texts(old, item, key), _texts(fresh, new_item, key)
    if here is None or there is None:
        return plain(new_item.by_name[key].value)
    return _value(here.entry, _agreeing(here, there))


def _agreeing(here: _Texts, there: _Texts) -> list[str]:
    left = [text for text, stays in zip(here.written, here.staying(there), strict=True) if stays]
    return [*left, *here.missing(there)]


def _value(entry: Entry, texts: list[str]) -> Any:
    return {**plain(entry.value), "users": texts} if isinstance(entry.value, Fields) else texts


def _texts(page: Page, item: Fields, key: str) -> _Texts | None:
    entry = item.by_name.get(key) if key in _LISTED else None
    value = entry.value if entry else None
    inner = value.by_name.get("users") if isinstance(value, Fields) else entry
    if entry is None or inner is None or not isinstance(inner.value, Items):
        return None
    meant = _LISTED[key](page.spec(item))
    items = inner.value.items
    are_texts = bool(items) and len(meant) == len(items) and all(isinstance(each, Scalar) for each in items)
    return _Texts(entry, inner, meant) if are_texts else None


def _in_brackets(old: Page, here: _Texts, there: _Texts) -> tuple[Span, list[str]]:
    """The innermost entry that begins on a line of its own, on one line."""
    entry = here.entry if old.is_flow(here.entry.value) else here.inner
    span = old.entry(entry)
    value = _value(entry, _agreeing(here, there))
    return span, rewritten(old, entry, span, [f"{entry.name}: {flow_text(value)}"])


def _in_lines(old: Page, here: _Texts, there: _Texts) -> tuple[Span, list[str]]:
    spans, stay = list(_spans(old, here.inner)), here.staying(there)
    indent = " " * indent_of(old.lines[spans[0].first])
    left = [(at, old.lines[each.first : each.end]) for at, each in enumerate(spans) if stay[at]]
    added = [(None, (f"{indent}- {flow_text(each)}",)) for each in here.missing(there)]
    span = old.entry(here.inner)
    return span, listing(old, span, spans).joined([*left, *added])


def _spans(old: Page, entry: Entry) -> Iterator[Span]:
    """The lines of each text, with the comments right above it."""
    for each in getattr(entry.value, "items", ()):
        span = old.item(each)
        yield Span(old.lead(span.first), span.end)
