"""The text of such a document. What is not surely plain text is quoted: `no`, `1_0`, `a: b` (proved by loading)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

from d365setup.exporting.tree import Entry, Items, Map, Reference, Remark, Scalar, Value
from d365setup.playbook.scalars import Ambiguous, plain_value

WIDTH = 112
_PLAIN = re.compile(r"\w(?:[\w .@/()+&'-]*[\w.@/()+&'-])?")
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def yaml_text(document: Map) -> str:
    """The whole file."""
    return "\n".join(_map(document, 0)) + "\n"


def scalar(value: Scalar, *, is_key: bool = False) -> str:
    """A scalar as it stands in the text; in a key `${` means nothing."""
    if isinstance(value, Reference):
        return f"'${{{value.name}}}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = value if is_key else value.replace("${", "$${")
    return text if _is_plain(text) else '"' + "".join(map(_escaped, text)) + '"'


def flow_text(value: Any) -> str:
    """A plain value on one line, its texts as a file already has them."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(key, is_key=True)}: {flow_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow_text, value))}]"
    return scalar(value, is_key=True)


def one_line(text: str) -> str:
    """What may stand in a comment: one line, and nothing in it that hides."""
    return "".join(each if each.isprintable() else _escaped(each) for each in " ".join(text.split()))


def _is_plain(text: str) -> bool:
    try:
        return _PLAIN.fullmatch(text) is not None and text.isprintable() and plain_value(text) == text
    except Ambiguous:
        return False


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _comment(remark: Remark, indent: int) -> Iterator[str]:
    if remark.gap:
        yield ""
    start = " " * indent + "# "
    yield from textwrap.wrap(one_line(remark.text), WIDTH, initial_indent=start, subsequent_indent=start)


def _map(found: Map, indent: int) -> Iterator[str]:
    for each in found.entries:
        if isinstance(each, Remark):
            yield from _comment(each, indent)
        else:
            yield from _entry(each, indent)


def _entry(each: Entry, indent: int) -> Iterator[str]:
    start = f"{' ' * indent}{scalar(each.key, is_key=True)}:"
    flow = _flow(each.value)
    if flow is not None and (not _is_group(each.value) or len(start) + 1 + len(flow) <= WIDTH):
        yield f"{start} {flow}"
    else:
        yield start
        yield from _block(each.value, indent + 2)


def _block(value: Value, indent: int) -> Iterator[str]:
    if isinstance(value, Map):
        yield from _map(value, indent)
    elif isinstance(value, Items):
        for each in value.items:
            yield from _comment(each, indent) if isinstance(each, Remark) else _item(each, indent)


def _item(value: Value, indent: int) -> Iterator[str]:
    start = " " * indent + "- "
    flow = _flow(value)
    if flow is not None and (not _is_group(value) or len(start) + len(flow) <= WIDTH):
        yield start + flow
        return
    lines = list(_block(value, indent + 2))
    first = next(at for at, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
    yield from lines[:first]  # a remark above the first key stands above the item
    yield start + lines[first][indent + 2 :]
    yield from lines[first + 1 :]


def _is_group(value: Value) -> bool:
    return isinstance(value, Map | Items)


def _flow(value: Value) -> str | None:
    """The value on one line; None where it is to be laid out in lines."""
    if isinstance(value, Map):
        return _flow_map(value)
    if isinstance(value, Items):
        parts = [None if isinstance(each, Remark) else _flow(each) for each in value.items]
        return f"[{', '.join(filter(None, parts))}]" if value.flow and None not in parts else None
    return scalar(value)


def _flow_map(value: Map) -> str | None:
    parts = []
    for each in value.entries if value.flow else ():
        inner = None if isinstance(each, Remark) else _flow(each.value)
        if isinstance(each, Remark) or inner is None:
            return None
        parts.append(f"{scalar(each.key, is_key=True)}: {inner}")
    return f"{{{', '.join(parts)}}}" if parts else None
