"""Variables' values in the place of ``${name}``. What comes in is text: it is never read as YAML, nor filled again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Fields, Items, Node, Scalar, values
from d365setup.playbook.variables import NAME, Declared, Giver

MAX_TEXT = 4 * 1024 * 1024  # characters that all filled texts have together: a few bytes can ask for gigabytes
_PART = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")


class Filler:
    """Fills one playbook's texts."""

    def __init__(self, variables: Mapping[str, Declared], mistakes: Mistakes) -> None:
        self._variables, self._mistakes, self._left = variables, mistakes, MAX_TEXT

    def fields(self, node: Fields) -> Fields:
        """The same map with values in the place of ``${name}``; keys are left alone."""
        entries = (replace(entry, value=self._node(entry.value)) for entry in node.entries)
        return replace(node, entries=tuple(entries))

    def _node(self, node: Node) -> Node:
        if isinstance(node, Items):
            return replace(node, items=tuple(self._node(item) for item in node.items))
        if isinstance(node, Fields):
            return self.fields(node)
        if isinstance(node.value, str) and "${" in node.value and not node.wrong:
            return self._scalar(node, node.value)
        return node

    def _scalar(self, node: Scalar, text: str) -> Scalar:
        parts = list(_parts(text))
        if any(not _can_name(name) for _, name in parts):
            told = "${ starts a variable, written ${name}; for the characters themselves write $${"
            self._mistakes.add(node.source, told)
            node = replace(node, wrong=True)
        wants = tuple(name for _, name in parts if name and _can_name(name) and not self._has(name))
        if wants or node.wrong:
            return replace(node, wants=wants, wrong=True)
        if not self._affordable(node, parts):
            return replace(node, wrong=True)
        return self._put(node, parts)

    def _put(self, node: Scalar, parts: list[tuple[str, str | None]]) -> Scalar:
        value = "".join(literal if name is None else self._value(name) for literal, name in parts)
        whole = parts[0][1] if len(parts) == 1 else None
        if whole is not None and self._variables[whole].format == "integer":
            return replace(node, value=int(value), digits=value)
        return replace(node, value=value)

    def _affordable(self, node: Scalar, parts: list[tuple[str, str | None]]) -> bool:
        before = self._left
        self._left -= sum(len(literal) if name is None else len(self._value(name)) for literal, name in parts)
        if self._left < 0 <= before:
            told = f"with their variables filled in, the texts up to here are longer than {MAX_TEXT:,} characters"
            self._mistakes.add(node.source, told)
        return self._left >= 0

    def _has(self, name: str) -> bool:
        return name in self._variables and self._variables[name].use is not None

    def _value(self, name: str) -> str:
        use = self._variables[name].use
        return use.value if use else ""


def _can_name(name: str | None) -> bool:
    return name is None or NAME.fullmatch(name) is not None


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    """Literal pieces (with None) and variable names; a ``${`` that goes wrong is an empty name."""
    end = 0
    for found in _PART.finditer(text):
        if found.start() > end:
            yield text[end : found.start()], None
        yield ("${", None) if found.group() == "$${" else ("", found.group(1) or "")
        end = found.end()
    if end < len(text):
        yield text[end:], None


def used(node: Node, variables: Mapping[str, Declared]) -> tuple[str, ...]:
    """The variables that texts below this node name, in the order of their declaration."""
    names = {name for scalar in values(node) for _, name in _parts(scalar.written) if name}
    return tuple(name for name in variables if name in names)


def tell_wanting(node: Node, variables: Mapping[str, Declared], mistakes: Mistakes, giver: Giver) -> None:
    """Complain about every variable that is used below this node and has no value or no declaration."""
    for scalar in values(node):
        for name in scalar.wants:
            known = variables.get(name)
            if known is None:
                told = f"the variable {shown(name)} is not declared under `variables`{mistakes.meant(name, variables)}"
                mistakes.add(scalar.source, told)
            elif not known.broken:
                mistakes.add(known.source, _no_value(known, giver))


def _no_value(variable: Declared, giver: Giver) -> str:
    name = variable.name
    second = f"set {variable.env} in the environment or in .env" if variable.env else "declare `env: NAME` and set that"
    return f"the variable {shown(name)} has no value: {giver.cure.format(name)}, {second}, or declare a `default`"
