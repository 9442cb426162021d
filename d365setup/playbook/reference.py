"""Field tables for the docs, from the types that load the file; a test keeps `docs/playbooks.md` fresh."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from d365setup.playbook.document import Expect, Head, HealthBot, PlaybookTest, Scenario, Step
from d365setup.playbook.sections import Specs, inner, sections
from d365setup.playbook.shapes import Shape, default_of, shape

Schema = Mapping[str, Any]
_HEADER = ("| Key | Value | Left out |", "|---|---|---|")
_MARKED = re.compile(r"(<!-- fields: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables(specs: Specs) -> dict[str, str]:
    """A Markdown table for each list and map of a playbook, by the key it stands under."""
    found = {"playbook": _table(shape(Head, "playbook"), {})}
    for section, kind in sections(specs).items():
        lists = inner(specs, section)
        found[section] = _table(shape(specs[kind], kind), lists)
        for name, inner_kind in lists.items():
            found[name] = _table(shape(specs[inner_kind], inner_kind, specs[inner_kind].place.parent), {})
    parts = {"health_bot": HealthBot, "scenarios": Scenario, "tests": PlaybookTest, "steps": Step, "expect": Expect}
    return {**found, **{name: _table(shape(part, name), {}) for name, part in parts.items()}}


def refreshed(page: str, specs: Specs) -> str:
    """The page with the table of ``name`` between each ``<!-- fields: name -->`` and ``<!-- end -->``.

    Raises KeyError for a name that has no table.
    """
    found = tables(specs)
    return _MARKED.sub(lambda mark: f"{mark[1]}{found[mark[2]]}\n{mark[3]}", page)


def _table(of: Shape[Any], lists: Mapping[str, str]) -> str:
    schema = of.schema
    rows = [
        f"| `{each.name}` | {_value(schema['properties'][each.name], schema)} | {_left_out(default_of(each))} |"
        for each in of.fields
    ]
    rows += [f"| `{name}` | list of {kind.replace('_', ' ')}s, see below | |" for name, kind in lists.items()]
    return "\n".join([*_HEADER, *rows])


def _left_out(default: Any) -> str:
    if default is ...:
        return "an error"
    if default is None or default == "":
        return ""
    if isinstance(default, tuple):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _value(schema: Schema, root: Schema) -> str:
    """What may stand there, in words."""
    options = [each for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) if each.get("type") != "null"]
    if options:
        words = list(dict.fromkeys(_value(each, root) for each in options))
        return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    if "$ref" in schema:
        return _value(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    return _TYPES.get(str(schema.get("type")), _something)(schema, root)


def _something(schema: Schema, root: Schema) -> str:
    del schema, root
    return "a value"


def _text(schema: Schema, root: Schema) -> str:
    del root
    if "[0-9a-fA-F]{8}" in schema.get("pattern", ""):
        return "GUID"
    what = {"email": "e-mail address"}.get(schema.get("format", ""), "text")
    if "examples" in schema:
        what += f" like `{schema['examples'][0]}`"
    return f"{what} (up to {schema['maxLength']:,} characters)" if "maxLength" in schema else what


def _number(schema: Schema, root: Schema) -> str:
    del root
    bounds = "".join(_bounds(schema))
    return f"whole number{bounds}"


def _bounds(schema: Schema) -> Iterator[str]:
    if "minimum" in schema:
        yield f" from {schema['minimum']:,}"
    if "maximum" in schema:
        yield f" to {schema['maximum']:,}"


def _list(schema: Schema, root: Schema) -> str:
    return f"list of {_value(schema['items'], root)}" if "items" in schema else "list"


def _map(schema: Schema, root: Schema) -> str:
    del root
    if "properties" not in schema:
        return "map of variables and values" if "additionalProperties" in schema else "map"
    keys = ", ".join(f"`{name}`" for name in schema["properties"])
    return f"map with {keys}" if keys else "`{}`"


def _flag(schema: Schema, root: Schema) -> str:
    del schema, root
    return "`true` or `false`"


_TYPES: Mapping[str, Callable[[Schema, Schema], str]] = {
    "string": _text,
    "integer": _number,
    "boolean": _flag,
    "array": _list,
    "object": _map,
}
