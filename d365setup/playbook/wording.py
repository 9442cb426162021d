"""What validation found wrong, in words for people, at the place in the file where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from d365setup.model import Source
from d365setup.playbook.mistakes import SHOWN, meant, shown
from d365setup.playbook.nodes import Fields, Items, Node, Scalar, Spot, Step, follow

Error: TypeAlias = Mapping[str, Any]  # one of pydantic's error dicts: type, loc, ctx

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_parsing": "a whole number",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a map of keys and values",
    "model_type": "a map of keys and values",
    "model_attributes_type": "a map of keys and values",
    "dataclass_type": "a map of keys and values",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "string_too_long": ("max_length", "is longer than {} characters"),
    "string_too_short": ("min_length", "is shorter than {} characters"),
    "too_long": ("max_length", "has more than {} items"),
    "too_short": ("min_length", "has fewer than {} items"),
    "string_pattern_mismatch": ("pattern", "does not have the form {}"),
}
_UNKNOWN = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_MISSING = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_OPTION = re.compile(r"'((?:[^'\\]|\\.)*)'")
_KEY = "[key]"  # pydantic's last step where a map's key is wrong


@dataclass(frozen=True)
class Told:
    """What the words are about: the item's name for people, the keys it has, its JSON Schema."""

    what: str
    names: tuple[str, ...]
    schema: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        """Every key anywhere in the schema."""
        inner = [part.get("properties", {}) for part in self.schema.get("$defs", {}).values()]
        return {name: value for part in (*inner, self.schema.get("properties", {})) for name, value in part.items()}


def told(errors: Sequence[Error], node: Node, about: Told) -> Iterator[tuple[Source, str]]:
    """One message for each place that has something wrong; what was told while reading is left out."""
    groups: dict[tuple[Step, ...], list[tuple[Error, Spot]]] = {}
    for error in errors:
        spot = follow(node, error["loc"])
        groups.setdefault(_place(error, spot), []).append((error, spot))
    for path, group in groups.items():
        kept = [(error, spot) for error, spot in group if not _deeper(error, path, groups)]
        if kept and not _told_already(kept[0][0], kept[0][1].node):
            yield _message(kept, about)


def _place(error: Error, spot: Spot) -> tuple[Step, ...]:
    """Errors of one place share a message; every missing key has its own, and so has a key that is wrong itself."""
    if error["type"] in _MISSING:
        return (*spot.taken, error["loc"][-1], "missing")
    return (*spot.taken, _KEY) if error["loc"][-1:] == (_KEY,) else spot.taken


def _deeper(error: Error, path: tuple[Step, ...], groups: Mapping[tuple[Step, ...], Any]) -> bool:
    """Whether another branch of a union got further: then that this one did not fit says nothing."""
    if not _is_mismatch(error) and error["type"] != "too_short":  # a list whose items are wrong counts as empty
        return False
    return any(len(other) > len(path) and other[: len(path)] == path for other in groups)


def _told_already(error: Error, node: Node) -> bool:
    """What stands there was told while reading, or is told because it is empty; or what is missing was dropped."""
    if error["type"] in _UNKNOWN or error["loc"][-1:] == (_KEY,) or isinstance(node, Items):
        return False
    return node.wrong or (isinstance(node, Scalar) and node.value is None)


def _is_mismatch(error: Error) -> bool:
    return error["type"] in _EXPECTED or error["type"] == "literal_error"


def _message(group: Sequence[tuple[Error, Spot]], about: Told) -> tuple[Source, str]:
    error, spot = group[0]
    if error["type"] in _UNKNOWN and spot.key is not None:
        return spot.key.source, _unknown(spot, about)
    if error["type"] in _MISSING:
        return spot.node.source, _missing(str(error["loc"][-1]), about)
    if error["loc"][-1:] == (_KEY,) and spot.key is not None:
        return spot.key.source, f"the key {shown(str(spot.key.value))} {_constraint(error)}"
    limits = [each for each, _ in group if not _is_mismatch(each)]
    if limits:
        return spot.node.source, _limit(limits[0], spot)
    return spot.node.source, _mismatch([each for each, _ in group], spot, about)


def unknown(name: str, names: Sequence[str], what: str) -> str:
    """What to say about a key nobody knows."""
    hint = meant(name, names)
    known = "" if hint or len(names) > 16 else f"; it has {', '.join(names)}"
    return f"{what} has no key {shown(name)}{hint}{known}"


def _unknown(spot: Spot, about: Told) -> str:
    name = str(spot.taken[-1])
    if len(spot.taken) == 1:
        return unknown(name, about.names, article(about.what))
    holder = next((repr(step) for step in reversed(spot.taken[:-1]) if isinstance(step, str)), "this")
    return f"{holder} has no key {shown(name)}{meant(name, about.properties)}"


def _missing(name: str, about: Told) -> str:
    example = example_of(about.properties.get(name, {}), about.schema)
    return f"'{name}' is missing in this {about.what}: add for example `{name}: {example}`"


def example_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """A value, as YAML, that a schema would accept as far as one can tell from its surface."""
    schema = _resolved(schema, root)
    if "examples" in schema:
        return str(schema["examples"][0])
    if "enum" in schema or "const" in schema:
        return str(schema.get("enum", [schema.get("const")])[0])
    if "[0-9a-fA-F]{8}" in str(schema.get("pattern", "")):
        return "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
    simple = {"integer": str(schema.get("minimum", 1)), "boolean": "true", "array": "[…]", "object": "{…}"}
    if schema.get("format") == "email":
        return "someone@contoso.example"
    return simple.get(str(schema.get("type")), "some text")


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if options:
        return _resolved(options[0], root)
    if "$ref" in schema:
        return _resolved(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return schema


def label(path: Sequence[Step]) -> str:
    """What people call a place: its key, or which item of which list."""
    if not path:
        return "this"
    last = path[-1]
    if isinstance(last, str):
        return f"'{last}'"
    holder = next((f" of '{step}'" for step in reversed(path) if isinstance(step, str)), "")
    return f"item {last + 1}{holder}"


def _constraint(error: Error) -> str:
    context = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context.get("error", "is not allowed here"))
    if error["type"] in ("string_too_short", "too_short") and context.get("min_length") == 1:
        return "is empty"
    name, words = _BOUNDS.get(error["type"], ("", "is not allowed here"))
    return words.format(context.get(name))


def _limit(error: Error, spot: Spot) -> str:
    message = _constraint(error)
    if not message[:1].isalpha():
        return message  # a whole sentence of a kind's own
    if error["type"] == "value_error" and isinstance(spot.node, Scalar):
        return f"{label(spot.taken)}: {said(spot.node)} {message}"
    return f"{label(spot.taken)} {message}"


def _mismatch(errors: Sequence[Error], spot: Spot, about: Told) -> str:
    choices = [error["ctx"]["expected"] for error in errors if error["type"] == "literal_error"]
    options = [option for choice in choices for option in _OPTION.findall(choice)]
    kinds = dict.fromkeys(_EXPECTED[error["type"]] for error in errors if error["type"] in _EXPECTED)
    wanted = [*(map(repr, options) if options else choices), *_short_form(spot.taken, about, kinds), *kinds]
    node, must = spot.node, f"{label(spot.taken)} must be {_listed(wanted)}"
    if not isinstance(node, Scalar):
        return f"{must}, not {'a list' if isinstance(node, Items) else 'a map'}"
    if isinstance(node.value, str):
        return f"{must}, not {said(node)}{meant(node.value, options)}{_unquoted(node.value, wanted)}"
    if "text" in wanted:
        cure = f"put {node.written} in quotes ('{node.written}')"
        return f"{must}: {cure if len(wanted) == 1 else f'if it is text, {cure}'}"
    return f"{must}, not {node.written}"


def _short_form(path: Sequence[Step], about: Told, kinds: Iterable[str]) -> Sequence[str]:
    """The list that would do as well; validation turned it into something else before it compared types."""
    schema = about.properties.get(str(path[-1]), {}) if path else {}
    options = [inner for each in schema.get("anyOf", ()) for inner in (each, *each.get("anyOf", ()))]
    return ["a list"] if "a list" not in kinds and any(each.get("type") == "array" for each in options) else []


def _unquoted(value: str, wanted: Sequence[str]) -> str:
    """The cure where quotes, or a variable without a format, made a text of what is none."""
    if "a whole number" in wanted and re.fullmatch(r"-?[0-9]{1,18}", value):
        return "; a number has no quotes, and a variable needs `format: integer` to be one"
    return "; leave the quotes out" if "true or false" in wanted and value in ("true", "false") else ""


def said(node: Scalar) -> str:
    """A value for a message; one that came out of a variable says so, and is left out when it is long."""
    value = str(node.value)
    if "${" not in node.written or value == node.written:
        return shown(value)
    return f"{shown(value)} (from {node.written[:SHOWN]})" if len(value) <= SHOWN else shown(node.written)


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def article(what: str) -> str:
    """`a queue`, `an item`."""
    return f"an {what}" if what[:1] in "aeiou" else f"a {what}"


def tell_empty(node: Node, path: tuple[Step, ...] = ()) -> Iterator[tuple[Source, str]]:
    """Every place below a node where a value should be and none is."""
    if isinstance(node, Scalar):
        if node.value is None and not node.wrong:
            yield node.source, f"{label(path)} has no value: write one, or leave the line out"
    elif isinstance(node, Fields):
        for entry in node.entries:
            yield from tell_empty(entry.value, (*path, entry.name))
    else:
        for index, item in enumerate(node.items):
            yield from tell_empty(item, (*path, index))
