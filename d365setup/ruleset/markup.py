"""XML from a stranger as elements that know which bytes they are: what editing in place needs.

No DOCTYPE and so no entities, a bounded size and depth, comments and processing instructions passed over.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

MOST_CHARACTERS = 1_048_576  # the column's limit: msdyn_rulesetdefinition is a memo of that length
DEEPEST = 64  # far beyond any designer's output, far below Python's recursion limit

# The parser has proved the tag well-formed before this is used; quotes may hold `>` and `/`.
_START_TAG = re.compile(rb"""<[^\s/>]+(?:[^>"']|"[^"]*"|'[^']*')*>""")
_LINE_START = re.compile(rb"(\r\n|\n|\r)([ \t]*)\Z")


class RuleSetError(ValueError):
    """A rule set or contract that cannot be read or written; the message says what is wrong and where."""


class TooLong(RuleSetError):
    """A rule set of more characters than its column holds."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of character data, and the byte where it starts."""

    start: int
    text: str


@dataclass(slots=True)
class Element:
    """One element; `start:end` are its bytes, `inside:close` those between its tags (none in `<a/>`).

    Names carry no prefix if they have the root element's one; an element without it, in a document that uses
    one, is called `{}name`.
    """

    name: str
    attributes: dict[str, str]
    start: int
    inside: int
    line: int
    column: int
    close: int = 0
    end: int = 0
    children: "list[Element]" = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The character data directly inside, references resolved and line ends made LF."""
        return "".join(piece.text for piece in self.pieces)

    def named(self, name: str) -> "list[Element]":
        """The children of that name, in document order."""
        return [child for child in self.children if child.name == name]

    @property
    def where(self) -> str:
        """For messages; the column counts from 1."""
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Document:
    """A well-formed document: its bytes (UTF-8), its root, and the prefix of the root with its colon."""

    data: bytes
    root: Element
    prefix: str

    def line_start(self, position: int) -> tuple[bytes, bytes] | None:
        """The line end and the white space right before a position, if nothing else stands before it."""
        found = _LINE_START.search(self.data, self.space_before(position), position)
        return (found[1], found[2]) if found else None

    def space_before(self, position: int) -> int:
        """Where the white space that ends at a position begins."""
        return len(self.data[:position].rstrip(b" \t\r\n"))

    def space_after(self, position: int) -> int:
        """Where the white space that begins at a position ends."""
        return len(self.data) - len(self.data[position:].lstrip(b" \t\r\n"))


def parse(text: str, root: str, title: str) -> Document:
    """Read a document whose root is named `root`; `title` says in messages what it is.

    Raises RuleSetError for anything but that: not well-formed, with a DOCTYPE, too large, too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise RuleSetError(f"The {title} has {len(text)} characters; the most is {MOST_CHARACTERS}.")
    reader = _Reader(_encoded(text, title), title)
    document = reader.document()
    if document.root.name != root:
        raise RuleSetError(f"The {title} is not a <{root}> but a <{document.root.name}>, {document.root.where}.")
    return document


def _encoded(text: str, title: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        column = error.start - text.rfind("\n", 0, error.start)
        raise RuleSetError(
            f"The {title} holds half of a character (a lone surrogate), line {line}, column {column}."
        ) from None


class _Reader:
    def __init__(self, data: bytes, title: str) -> None:
        self.data = data
        self.title = title
        self.prefix = ""
        self.open: list[Element] = []
        self.root: Element | None = None
        # The text was decoded already: the encoding its declaration names is not that of these bytes.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype

    def document(self) -> Document:
        try:
            self.parser.Parse(self.data, True)  # noqa: FBT003  # expat's own signature
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise RuleSetError(
                f"The {self.title} is not well-formed XML: {reason}, line {error.lineno}, column {error.offset + 1}."
            ) from None
        assert self.root is not None  # noqa: S101  # a document without an element is not well-formed
        return Document(self.data, self.root, self.prefix)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        start = self.parser.CurrentByteIndex
        if len(self.open) == DEEPEST:
            raise RuleSetError(f"The {self.title} nests deeper than {DEEPEST} elements, {self._where()}.")
        if self.root is None:
            self.prefix = name[: name.rfind(":") + 1]
        tag = _START_TAG.match(self.data, start)
        assert tag is not None  # noqa: S101  # expat calls this for complete tags only
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        element = Element(self._local(name), attributes, start, tag.end(), line, column)
        if self.open:
            self.open[-1].children.append(element)
        self.root = self.root or element
        self.open.append(element)

    def _end(self, _name: str) -> None:
        element = self.open.pop()
        if self.data[element.inside - 2 : element.inside] == b"/>":
            element.close = element.end = element.inside
        else:
            element.close = self.parser.CurrentByteIndex
            element.end = self.data.index(b">", element.close) + 1

    def _text(self, text: str) -> None:
        self.open[-1].pieces.append(Piece(self.parser.CurrentByteIndex, text))

    def _doctype(self, *_declared: object) -> None:
        raise RuleSetError(
            f"The {self.title} has a DOCTYPE, {self._where()}; no rule set needs one and none is accepted."
        )

    def _local(self, name: str) -> str:
        if name.startswith(self.prefix):
            return name[len(self.prefix) :]
        return "{}" + name

    def _where(self) -> str:
        return f"line {self.parser.CurrentLineNumber}, column {self.parser.CurrentColumnNumber + 1}"
