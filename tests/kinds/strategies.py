"""Specs made up by hypothesis from nothing but their annotations, so that a new kind is asked without being told of."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

from hypothesis import assume
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from d365setup.kinds.when import WhenCondition
from d365setup.model import Spec

GUID_HINT = "{8}(-"  # every pattern that asks for a GUID has it
TEXT = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])
ADDRESSES = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8})?@[a-z]{1,8}\.example", fullmatch=True)


def specs(kind: type[Spec]) -> st.SearchStrategy[Any]:
    """Specs of this type as a playbook could state them: every field that may be left out sometimes is."""
    hints = get_type_hints(kind, include_extras=True)
    stated = [each for each in fields(kind) if each.metadata.get("playbook", True) and each.name != "source"]
    made = {each.name: _values(hints[each.name]) for each in stated}
    return st.fixed_dictionaries(made).map(lambda values: kind(**values))


@st.composite
def _values(draw: st.DrawFn, hint: Any) -> Any:
    """A value the annotation accepts, as pydantic hands it on."""
    if hint is WhenCondition or WhenCondition in getattr(hint, "__args__", ()):
        return draw(st.none())
    adapter, strategy = _adapted(hint)
    value = draw(strategy)
    try:
        return adapter.validate_python(value)
    except ValidationError:
        assume(False)  # what a validator beyond the schema refuses


@cache
def _adapted(hint: Any) -> tuple[TypeAdapter[Any], st.SearchStrategy[Any]]:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    return adapter, _of(adapter.json_schema())


def _of(schema: dict[str, Any], defs: dict[str, Any] | None = None) -> st.SearchStrategy[Any]:
    known = {**(defs or {}), **schema.get("$defs", {})}
    if "$ref" in schema:
        return _of(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return st.one_of([_of(each, known) for each in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return _of_type(schema, known)


def _of_type(schema: dict[str, Any], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "string":
            return _text(schema)
        case "array":
            return st.lists(_of(schema["items"], known), min_size=schema.get("minItems", 0), max_size=3)
        case "object":
            inside = {name: _of(each, known) for name, each in schema["properties"].items()}
            return st.fixed_dictionaries(inside)
    raise NotImplementedError(f"teach {__name__} to make up {schema}")


def _text(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "email":
        return ADDRESSES
    if GUID_HINT in schema.get("pattern", ""):
        return st.uuids().map(str)
    most = min(schema.get("maxLength", 50), 50)
    return st.text(TEXT, min_size=schema.get("minLength", 1), max_size=most)
