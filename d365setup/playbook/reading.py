"""YAML text -> nodes, with bounds on everything, and words a person understands where it is no YAML.

PyYAML's parser gives the events; nodes are composed here, so that depth and aliases are bounded before anything
recurses, and so that no Python object is ever constructed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import yaml
from yaml import events as on

from d365setup.model import Source
from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Entry, Fields, Items, Node, Scalar
from d365setup.playbook.scalars import Ambiguous, plain_value
from d365setup.playbook.syntax import told

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 50_000  # after aliases are written out: a few hundred bytes of YAML can stand for gigabytes
IN_C = getattr(yaml, "CSafeLoader", None)  # PyYAML's wheels have it; one that was built without libyaml has not

EMPTY = "the file is empty: a playbook starts with `playbook: 1`"
_DISPUTED = re.compile(r"[\t?\ufeff]|[|>][-+0-9]*#")  # of these the parser in C and the one in Python think differently
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Manner:
    """How a file is read: what is said of an empty one, and whether a date without quotes is text."""

    empty: str = EMPTY
    dates: bool = False


PLAYBOOK = Manner()


class Unreadable(Exception):
    """Reading a file cannot go on."""

    def __init__(self, source: Source, message: str) -> None:
        self.source, self.message = source, message
        super().__init__(message)


@dataclass(frozen=True)
class _Composed:
    """A node, how many nodes it stands for, and how many levels it has."""

    node: Node
    size: int = 1
    height: int = 1


def read(content: bytes, file: str, mistakes: Mistakes, manner: Manner = PLAYBOOK) -> Node | None:
    """The one document of a file; None when it cannot be read, which is then among the mistakes."""
    try:
        text = decoded(content, file)
        in_python = yaml.parse(text, Loader=yaml.SafeLoader)
        return _sound(text, file, manner) or _Composer(in_python, text, file, mistakes, manner).document()
    except Unreadable as stop:
        mistakes.add(stop.source, stop.message)
        return None


def decoded(content: bytes, file: str) -> str:
    """The text of a file. Raises Unreadable when it is too large or no UTF-8 text."""
    start = Source(file, 1, 1)
    if len(content) > MAX_BYTES:
        raise Unreadable(
            start, "the file is larger than 1 MiB: split it with `extends`, or check that it is a playbook"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(start, "the file is saved as UTF-16: save it as UTF-8")
    if b"\0" in content:
        raise Unreadable(start, "this is not text: it holds a NUL byte; a playbook is a YAML file saved as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Unreadable(Source(file, line, 1), "this is not UTF-8 text: save the file as UTF-8") from None


def _sound(text: str, file: str, manner: Manner) -> Node | None:
    """The document by PyYAML's parser in C, which is twenty times as fast; None where anything is wrong with it.

    The one in Python says what, in words we know.
    """
    if IN_C is None or _DISPUTED.search(text):
        return None
    unheard = Mistakes()
    try:
        found = _Composer(yaml.parse(text, Loader=IN_C), text, file, unheard, manner).document()
    except (Unreadable, UnicodeEncodeError):  # the last: half a character
        return None
    return None if unheard.found else found


class _Composer:
    """Makes nodes of the parser's events, one document deep."""

    def __init__(self, events: Iterable[Any], text: str, file: str, mistakes: Mistakes, manner: Manner) -> None:
        self._file, self._mistakes, self._text, self._manner = file, mistakes, text, manner
        self._line = 1  # where the last event began
        self._events = iter(events)
        self._anchors: dict[str, _Composed | None] = {}  # None while the anchored node is still open
        self._count = 0

    def document(self) -> Node | None:
        """The stream's only document."""
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, on.StreamEndEvent):
            raise Unreadable(Source(self._file, 1, 1), self._manner.empty)
        root = self._node(self._next(), 1).node
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, on.StreamEndEvent):
            raise Unreadable(self._at(event), "a second document starts here: one file holds one playbook")
        if isinstance(root, Scalar) and root.value is None and not root.wrong:
            raise Unreadable(Source(self._file, 1, 1), self._manner.empty)
        return root

    def _next(self) -> Any:
        try:
            event = next(self._events)
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: escapes such as "\UFFFFFFFF"
            line, column, message = told(error, self._text, self._line)
            raise Unreadable(Source(self._file, line, column), message) from None
        self._line = self._at(event).line
        return event

    def _at(self, event: Any) -> Source:
        return Source(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> _Composed:
        if isinstance(event, on.AliasEvent):
            return self._aliased(event, depth)
        self._counted(event, 1)
        if depth > MAX_DEPTH:
            raise Unreadable(self._at(event), f"this is nested more than {MAX_DEPTH} levels deep")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        found = self._untagged(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = found
        return found

    def _counted(self, event: Any, size: int) -> None:
        self._count += size
        if self._count > MAX_NODES:
            cure = "write fewer items, or fewer aliases (*name) of aliases"
            raise Unreadable(self._at(event), f"the file stands for more than {MAX_NODES:,} values: {cure}")

    def _aliased(self, event: Any, depth: int) -> _Composed:
        name = event.anchor
        if name not in self._anchors:
            raise Unreadable(self._at(event), f"*{name} refers to an anchor &{name} that is not defined above")
        found = self._anchors[name]
        if found is None:
            raise Unreadable(self._at(event), f"*{name} stands inside the very thing it repeats")
        if depth + found.height - 1 > MAX_DEPTH:
            raise Unreadable(self._at(event), f"*{name} makes this nested more than {MAX_DEPTH} levels deep")
        self._counted(event, found.size)
        return found

    def _untagged(self, event: Any, depth: int) -> _Composed:
        found = self._composed(event, depth)
        if event.tag is None:
            return found
        self._mistakes.add(self._at(event), f"tags are not allowed: leave {shown(_short(event.tag))} out")
        return replace(found, node=replace(found.node, wrong=True)) if isinstance(found.node, Scalar) else found

    def _composed(self, event: Any, depth: int) -> _Composed:
        if isinstance(event, on.SequenceStartEvent):
            return self._items(event, depth)
        if isinstance(event, on.MappingStartEvent):
            return self._fields(event, depth)
        return _Composed(self._scalar(event))

    def _items(self, event: Any, depth: int) -> _Composed:
        found = []
        while not isinstance(inner := self._next(), on.SequenceEndEvent):
            found.append(self._node(inner, depth + 1))
        return _collected(Items(tuple(each.node for each in found), self._at(event)), found)

    def _fields(self, event: Any, depth: int) -> _Composed:
        found, entries, wrong = [], dict[str, Entry](), False
        while not isinstance(inner := self._next(), on.MappingEndEvent):
            key = self._node(inner, depth + 1)
            value = self._node(self._next(), depth + 1)
            found += [key, value]
            wrong |= not self._entered(entries, key.node, value.node, inner)
        return _collected(Fields(tuple(entries.values()), self._at(event), wrong), found)

    def _entered(self, entries: dict[str, Entry], key: Node, value: Node, event: Any) -> bool:
        """Whether the key could be used; why not is told."""
        problem = _key_problem(key, event, entries)
        if problem:
            self._mistakes.add(self._at(event), problem)
        elif isinstance(key, Scalar) and isinstance(key.value, str) and not key.wrong:
            entries[key.value] = Entry(key, value)
            return True
        return False

    def _scalar(self, event: Any) -> Scalar:
        at, text = self._at(event), event.value
        bad = _CONTROL.search(text)
        if bad:
            self._mistakes.add(at, f"the text holds a character that cannot be shown: {bad.group()!r}")
            return Scalar(text, at, text, wrong=True)
        if event.style or (self._manner.dates and _DATE.fullmatch(text)):
            return Scalar(text, at, text)
        try:
            return Scalar(plain_value(text), at, text)
        except Ambiguous as problem:
            self._mistakes.add(at, str(problem))
            return Scalar(text, at, text, wrong=True)


def _collected(node: Node, parts: list[_Composed]) -> _Composed:
    size = 1 + sum(part.size for part in parts)
    return _Composed(node, size, 1 + max((part.height for part in parts), default=0))


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!", 1)


def _key_problem(key: Node, event: Any, entries: dict[str, Entry]) -> str:
    if isinstance(event, on.AliasEvent) or not isinstance(key, Scalar):
        return "a key must be plain text"
    if key.value == "<<" and not event.style:
        return "merge keys (<<) are not allowed: use `extends`, or write the values out"
    if not isinstance(key.value, str):
        what = "this key is empty" if key.value is None else f"{key.written} is no text"
        return f"a key must be text, and {what}: put it in quotes"
    if key.value in entries:
        return f"{shown(key.value)} stands here twice: first on line {entries[key.value].key.source.line}"
    return ""
