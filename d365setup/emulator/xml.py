"""XML as the product's plug-ins read it: a plain tree; no DOCTYPE, no entities, bounded depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

MAX_DEPTH = 100


class BadXml(ValueError):  # it names what was found
    """Text that is not the XML expected."""


@dataclass
class Element:
    """One element; `text` is its character data without what its children hold."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def descendants(self, name: str) -> Iterator[Element]:
        """Yield every element of that name below this one, in document order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.descendants(name)

    def child(self, name: str) -> Element | None:
        """Return the first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def write(self) -> str:
        """Return the element as text, on one line."""
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in self.attributes.items())
        inner = "".join(child.write() for child in self.children) + escape(self.text.strip())
        return f"<{self.name}{attributes}>{inner}</{self.name}>" if inner else f"<{self.name}{attributes} />"


def parse(text: str) -> Element:
    """Return the root element, or raise BadXml with line and column."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(text, True)  # noqa: FBT003  # expat takes it by position only
    except expat.ExpatError as error:
        message = f"not well-formed XML: {error}"
        raise BadXml(message) from None
    return builder.root


class _Builder:
    def __init__(self) -> None:
        self._top = Element("")
        self._open = [self._top]

    @property
    def root(self) -> Element:
        return self._top.children[0]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > MAX_DEPTH:
            message = f"elements nested deeper than {MAX_DEPTH}"
            raise BadXml(message)
        element = Element(name, attributes)
        self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].text += text

    def doctype(self, *_declared: object) -> None:
        message = "a DOCTYPE is not allowed"
        raise BadXml(message)
