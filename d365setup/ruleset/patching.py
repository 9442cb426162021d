"""Small changes to the bytes of a document, each laid out like the text around it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from d365setup.ruleset.markup import Document, Element
from d365setup.ruleset.writing import Layout, Tag, render

_LAST_LINE = re.compile(rb"(?:\r\n|\n|\r)[ \t]*\Z")


class Patch(NamedTuple):
    """Bytes `start:end` of a document become `text`."""

    start: int
    end: int
    text: bytes


class Patcher:
    """Makes patches for one document, in its own layout; patches never overlap if their elements do not."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.one_line = Layout(line_end="", prefix=document.prefix)

    def applied(self, start: int, end: int, patches: Iterable[Patch]) -> bytes:
        """The document's bytes `start:end` with the patches made."""
        made: list[bytes] = []
        for patch in sorted(patches):
            made += (self.document.data[start : patch.start], patch.text)
            start = patch.end
        return b"".join((*made, self.document.data[start:end]))

    def layout_at(self, element: Element, otherwise: Layout) -> Layout:
        """How siblings of an element are laid out; `otherwise` if the element does not begin its line."""
        found = self.document.line_start(element.start)
        if found is None:
            return otherwise
        return replace(otherwise, line_end=found[0].decode(), indent=found[1].decode())

    def before(self, element: Element, tags: Sequence[Tag], otherwise: Layout) -> Patch:
        """The tags right before an element."""
        layout = self.layout_at(element, otherwise)
        text = "".join(render(tag, layout) + layout.line_break for tag in tags)
        return Patch(element.start, element.start, text.encode())

    def after(self, element: Element, tags: Sequence[Tag], otherwise: Layout) -> Patch:
        """The tags right after an element."""
        layout = self.layout_at(element, otherwise)
        text = "".join(layout.line_break + render(tag, layout) for tag in tags)
        return Patch(element.end, element.end, text.encode())

    def appended(self, element: Element, tags: Sequence[Tag], layout: Layout) -> Patch:
        """The tags as the last children of an element that stands in `layout`; `<a/>` gets an end tag."""
        inner = layout.deeper()
        text = "".join(inner.line_break + render(tag, inner) for tag in tags)
        if element.inside == element.end:
            start = self.document.space_before(element.end - len("/>"))
            ending = f"{layout.line_break}</{layout.prefix}{element.name}>"
            return Patch(start, element.end, f">{text}{ending}".encode())
        start = self.document.space_before(element.close)
        ending = "" if self.document.line_start(element.close) else layout.line_break
        return Patch(start, start, f"{text}{ending}".encode())

    def replaced(self, elements: Sequence[Element], tag: Tag, otherwise: Layout) -> list[Patch]:
        """The tag in the place of the first element; the others go."""
        first, *others = elements
        text = render(tag, self.layout_at(first, otherwise)).encode()
        return [Patch(first.start, first.end, text), *self.removed(others)]

    def closed(self, run: Sequence[Element], before: Element | None, after: Element | None) -> Patch:
        """A run of neighbours gone; of the white space around them what was there before they were put in.

        ``after`` and ``before`` above say what came with them: a line break behind a rule they precede, or ahead
        of themselves. What cannot have come with them stays.
        """
        data = self.document.data
        start, end = self.document.space_before(run[0].start), self.document.space_after(run[-1].end)
        ahead, behind = data[start : run[0].start], data[run[-1].end : end]
        follows = before is not None and before.end == start
        precedes = after is not None and after.start == end
        keeps_ahead = precedes and not (follows and not _came_behind(ahead, behind))
        return Patch(start, end, ahead if keeps_ahead else behind)

    def removed(self, elements: Sequence[Element]) -> list[Patch]:
        """The elements gone, each with the white space before it."""
        return [Patch(self.document.space_before(gone.start), gone.end, b"") for gone in elements]


def _came_behind(ahead: bytes, behind: bytes) -> bool:
    """Whether of two runs of white space the one behind is what `Patcher.before` puts there."""
    line = _LAST_LINE.search(ahead)
    if line:
        return behind == line[0]
    return bool(_LAST_LINE.search(behind)) or bool(ahead)
