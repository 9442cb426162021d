"""A playbook's text by its lines: which an item, or one entry of it, takes up, and which comments are its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import yaml

from d365setup.model import Source, Spec
from d365setup.playbook import Playbook
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import Entry, Fields, Items, Node
from d365setup.playbook.reading import read

_BLOCK = re.compile("[|>][0-9+-]*")
_ODD_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class Unfit(Exception):
    """A text laid out in a way that cannot be worked on line by line; ``str`` says where."""


@dataclass(frozen=True)
class Span:
    """Lines from ``first`` (counted from 0) up to ``end``, which is no part of it."""

    first: int
    end: int


@dataclass(frozen=True)
class Page:
    """A playbook with one file, and the lines of that file."""

    playbook: Playbook

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines, without their ends. Raises Unfit."""
        text = self.playbook.texts[0][1].removeprefix("\ufeff").replace("\r\n", "\n")
        if _ODD_BREAKS.search(text):
            raise Unfit("the file holds line breaks of another kind than LF or CRLF; save it anew")
        return tuple(text.removesuffix("\n").split("\n"))

    @cached_property
    def root(self) -> Fields:
        """The file's nodes, with variables as they are written."""
        file, text = self.playbook.texts[0]
        found = read(text.encode("utf-8", "surrogatepass"), file, Mistakes())
        return found if isinstance(found, Fields) else Fields((), Source(file, 1, 1))

    @cached_property
    def _specs(self) -> dict[Source, Spec]:
        return {each.source: each for each in self.playbook.desired.specs if not each.place.derived}

    def spec(self, node: Node) -> Spec:
        """The spec an item stands for."""
        return self._specs[node.source]

    def is_flow(self, node: Node) -> bool:
        """Whether a map or list stands in brackets."""
        return self.lines[node.source.line - 1][node.source.column - 1 : node.source.column] in ("{", "[")

    def item(self, node: Node) -> Span:
        """The lines of an item of a block list, without the comments above it. Raises Unfit."""
        first = node.source.line - 1
        indent = indent_of(self.lines[first])
        if not self.lines[first].lstrip().startswith("- "):
            raise Unfit(f"{node.source}: this item does not begin on the line of its `- `")
        return Span(first, self._end(first, indent))

    def entry(self, found: Entry) -> Span:
        """The lines of a `key: value` of a block map."""
        first, indent = found.key.source.line - 1, found.key.source.column - 1
        is_list = isinstance(found.value, Items) and not self.is_flow(found.value)
        return Span(first, self._end(first, indent, dashes=is_list))

    def lead(self, first: int) -> int:
        """Where the comments right above a line begin, those that are indented as it is."""
        indent = indent_of(self.lines[first])
        while first and self.lines[first - 1].lstrip().startswith("#") and indent_of(self.lines[first - 1]) == indent:
            first -= 1
        return first

    def tail(self, line: int) -> str:
        """The comment at the end of a line, with the blanks before it; or the line, where it is nothing else."""
        rest = self.lines[line][self._ends.get(line, 0) :]
        return rest if rest.lstrip().startswith("#") else ""

    @cached_property
    def _ends(self) -> dict[int, int]:
        """Where the last token of a line ends: what follows is a comment, or nothing."""
        found: dict[int, int] = {}
        for token in yaml.scan("\n".join(self.lines) + "\n"):
            start, end = token.start_mark, token.end_mark
            for line in range(start.line, end.line):
                found[line] = len(self.lines[line])
            is_block = isinstance(token, yaml.ScalarToken) and token.style in ("|", ">")
            if is_block and (sign := _BLOCK.match(self.lines[start.line], start.column)):
                found[start.line] = sign.end()  # what follows its sign is a comment
            found[end.line] = max(found.get(end.line, 0), end.column)
        return found

    def _end(self, first: int, indent: int, *, dashes: bool = False) -> int:
        """Behind the last line that is indented deeper, comments included."""
        end = first + 1
        for at in range(first + 1, len(self.lines)):
            line = self.lines[at]
            within = indent_of(line) > indent or (dashes and line.startswith(" " * indent + "- "))
            if line.strip() and within:
                end = at + 1
            elif line.strip() and not line.lstrip().startswith("#"):
                break
        return end


def shifted(lines: Sequence[str], by: int) -> Iterator[str]:
    """The lines indented by so much more, or less."""
    for line in lines:
        yield (" " * by + line if by >= 0 else line[-by:]) if line.strip() else line


def indent_of(line: str) -> int:
    """How many blanks a line begins with."""
    return len(line) - len(line.lstrip(" "))
