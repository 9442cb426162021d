"""Elements to write, in the layout of the text they go into."""

import re
from dataclasses import dataclass, field, replace

from d365setup.ruleset.markup import RuleSetError

# Outside the ranges of XML 1.0, section 2.2: these have no representation at all, not even a reference.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})
# An attribute's line ends and tabs would be read back as spaces (section 3.3.3) unless written as references.
_IN_ATTRIBUTE = {**_IN_TEXT, ord("\n"): "&#10;", ord("\t"): "&#9;"}


@dataclass(frozen=True)
class Tag:
    """An element to write: either text or elements inside."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    content: "str | tuple[Tag, ...]" = ()


@dataclass(frozen=True)
class Layout:
    """How lines are broken and indented where elements go; without a line end, all stands on one line."""

    line_end: str = "\n"
    indent: str = ""
    unit: str = "  "
    prefix: str = ""

    @property
    def line_break(self) -> str:
        """What stands between one element and the next of the same depth."""
        return self.line_end + self.indent if self.line_end else ""

    def deeper(self) -> "Layout":
        """The layout one level further in."""
        return replace(self, indent=self.indent + self.unit)


def render(tag: Tag, layout: Layout) -> str:
    """The element as text; its first line is not indented, that is left to where it is put.

    Raises RuleSetError for text that XML cannot hold.
    """
    name = layout.prefix + tag.name
    start = name + "".join(f' {key}="{_attribute(key, value)}"' for key, value in tag.attributes.items())
    if isinstance(tag.content, str):
        return f"<{start}>{_escaped(tag.content, _IN_TEXT)}</{name}>"
    inner = layout.deeper()
    children = "".join(inner.line_break + render(child, inner) for child in tag.content)
    return f"<{start}>{children}{layout.line_break}</{name}>"


def _attribute(key: str, value: str) -> str:
    # Operators are ours, and rule sets from the designer hold `>` in them as it is.
    return value if key == "operator" else _escaped(value, _IN_ATTRIBUTE)


def _escaped(text: str, table: dict[int, str]) -> str:
    unwritable = _UNWRITABLE.search(text)
    if unwritable:
        raise RuleSetError(
            f"A rule set cannot hold the character U+{ord(unwritable[0]):04X} in {text!a}; take it out of the playbook."
        )
    return text.translate(table)
