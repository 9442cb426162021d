"""A playbook file and the files it extends: which may be read, and in which order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from d365setup.model import Source
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import Fields, Items, Node, Scalar
from d365setup.playbook.reading import MAX_BYTES, read

MAX_FILES = 10
FORMAT = 1


@dataclass(frozen=True)
class Layer:
    """One file: how messages call it, what it says, its text and the hash of its bytes."""

    file: str
    root: Fields
    sha256: str
    text: str


def layer_of(content: bytes, file: str, mistakes: Mistakes) -> Layer | None:
    """Read one text; None when it is no playbook, which is then among the mistakes."""
    node = read(content, file, mistakes)
    if node is None:
        return None
    root = _rooted(node, mistakes)
    return (
        None
        if root is None
        else Layer(file, root, hashlib.sha256(content).hexdigest(), content.decode("utf-8-sig", "replace"))
    )


def _rooted(node: Node, mistakes: Mistakes) -> Fields | None:
    start = "a playbook is a map that starts with `playbook: 1`"
    if isinstance(node, Items):
        mistakes.add(node.source, f"this file is a list: {start}")
    elif isinstance(node, Scalar):
        mistakes.add(node.source, f"this file is a single text: {start}")
    elif _is_format(node, mistakes):
        return node
    return None


def _is_format(root: Fields, mistakes: Mistakes) -> bool:
    """Whether the file is of a format this version reads; a file that does not say so is read all the same."""
    entry = root.by_name.get("playbook")
    if "fleet" in root.by_name:
        mistakes.add(root.by_name["fleet"].key.source, "this is a fleet file, no playbook: `d365setup fleet` takes it")
        return False
    if entry is None:
        mistakes.add(root.source, f"`playbook: {FORMAT}` is missing: a playbook starts with it")
        return True
    value = entry.value.value if isinstance(entry.value, Scalar) else None
    if value == FORMAT and value is not True:
        return True
    said = repr(value) if isinstance(value, str) else entry.value.written if isinstance(entry.value, Scalar) else "this"
    told = f"{said or 'nothing'} is no playbook format: this version reads `playbook: {FORMAT}`"
    mistakes.add(entry.value.source, told)
    return False


def sha256(layers: Sequence[Layer]) -> str:
    """One file: its SHA-256. Several: the SHA-256 of their hexadecimal digests, one a line, the first file first."""
    digests = [layer.sha256 for layer in layers]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def read_layers(path: Path, mistakes: Mistakes) -> list[Layer]:
    """The file and what it extends, the file first. What could not be read is among the mistakes."""
    file, asked = str(path), Source(str(path), 1, 1)
    real = _resolved(path)
    root, seen = real.parent, [real]
    layers: list[Layer] = []
    while True:
        content = _content(real, file, asked, mistakes)
        layer = None if content is None else layer_of(content, file, mistakes)
        if layer is None:
            return layers
        layers.append(layer)
        base = _extended(layer, mistakes)
        if base is None:
            return layers
        file, asked = os.path.normpath(Path(file).parent / str(base.value)), base.source
        real = _resolved(real.parent / str(base.value))
        if not _allowed(real, root, seen, asked, mistakes):
            return layers
        seen.append(real)


def _resolved(path: Path) -> Path:
    """Without symbolic links; links that go in a circle stay as they are, and reading them fails."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path.absolute()


def _content(real: Path, file: str, asked: Source, mistakes: Mistakes) -> bytes | None:
    try:
        problem = "" if real.is_file() else "is a folder, not a file" if real.is_dir() else "is not there"
        if not problem:
            with real.open("rb") as stream:
                return stream.read(MAX_BYTES + 1)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    mistakes.add(asked, f"the file {file!r} {problem}")
    return None


def _extended(layer: Layer, mistakes: Mistakes) -> Scalar | None:
    """What ``extends`` says, where it says something usable."""
    node = layer.root.get("extends")
    if node is None or (isinstance(node, Scalar) and node.wrong):
        return None
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value.strip():
        mistakes.add(node.source, "'extends' takes one file name, for example base.yaml")
    elif "${" in node.value:
        mistakes.add(node.source, "'extends' takes no variables: they are not known before all files are read")
    elif "\\" in node.value or Path(node.value).is_absolute():
        mistakes.add(node.source, "'extends' takes a path relative to this file, with / between folders")
    else:
        return node
    return None


def _allowed(real: Path, root: Path, seen: Sequence[Path], asked: Source, mistakes: Mistakes) -> bool:
    problem = ""
    if not real.is_relative_to(root):
        problem = "'extends' may not leave the folder of the first file"
    elif real in seen:
        problem = "'extends' goes in a circle: this file is already part of the playbook"
    elif len(seen) >= MAX_FILES:
        problem = f"'extends' makes a chain of more than {MAX_FILES} files"
    if problem:
        mistakes.add(asked, problem)
    return not problem
