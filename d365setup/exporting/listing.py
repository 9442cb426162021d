"""A block list by its lines: what belongs to an item, and what stands between items and belongs to none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from d365setup.exporting.page import Page, Span, indent_of
from d365setup.playbook.nodes import Entry

Lines = Sequence[str]


@dataclass(frozen=True)
class Listing:
    """``head`` stands above the first item, ``gaps`` between each and the one before it, ``tail`` below the last."""

    head: tuple[str, ...]
    gaps: tuple[tuple[str, ...], ...]
    tail: tuple[str, ...]

    def joined(self, order: Sequence[tuple[int | None, Lines]]) -> list[str]:
        """The list with these items: each with its number among the old ones, None for a new one, and its lines.

        What stood between items stays; without any item only the comments are left.
        """
        if not order:
            return [line for part in (self.head[1:], *self.gaps, self.tail) for line in part if _is_comment(line)]
        left = {number for number, _ in order}
        carried: list[str] = []
        above: dict[int, list[str]] = {}
        for number, gap in enumerate(self.gaps):
            if number in left:
                above[number], carried = [*carried, *gap], []
            elif any(map(_is_comment, gap)):
                carried += gap
        items = (line for number, lines in order for line in (*(above[number] if number is not None else ()), *lines))
        return [*self.head, *items, *carried, *self.tail]


def listing(page: Page, whole: Span, items: Sequence[Span]) -> Listing:
    """The lines of ``whole`` around these items, each of which has the comments right above it."""
    ends = [each.end for each in items]
    return Listing(
        tuple(page.lines[whole.first : items[0].first]),
        ((), *(tuple(page.lines[end : each.first]) for end, each in zip(ends, items[1:], strict=False))),
        tuple(page.lines[ends[-1] : whole.end]),
    )


def rescued(page: Page, gone: Span, new: Lines) -> Iterator[str]:
    """The comments of lines that are written anew and do not say them, for above those."""
    indent = " " * indent_of(page.lines[gone.first])
    text = "\n".join(new)
    for line in range(gone.first, gone.end):
        comment = page.tail(line).strip()
        if comment and comment not in text:
            yield indent + comment


def rewritten(page: Page, entry: Entry, span: Span, lines: Lines) -> list[str]:
    """An entry's new lines behind what stands before its key, with its comments."""
    prefix = page.lines[span.first][: entry.key.source.column - 1]
    tail = page.tail(span.first) if span.end == span.first + 1 else ""
    new = [prefix + lines[0] + tail, *lines[1:]]
    return [*rescued(page, span, new), *new]


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")
