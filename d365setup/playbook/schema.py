"""The JSON Schema of playbooks (draft 2020-12), for editors. It comes from the same types that load the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from d365setup.playbook.document import Head, HealthBot, PlaybookTest, Scenario
from d365setup.playbook.layers import FORMAT
from d365setup.playbook.merging import ORDERED, WHOLE
from d365setup.playbook.sections import Specs, inner, sections
from d365setup.playbook.shapes import shape
from d365setup.playbook.shorthands import Generator
from d365setup.playbook.variables import FORMATS, NAME

Schema = dict[str, Any]

_VARIABLE: Schema = {
    "description": "A text that takes its value from a variable: ${name}.",
    "type": "string",
    "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}",
}
_DECLARATION: Schema = {
    "description": "A value that differs between environments.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "env": {"description": "The environment variable to read.", "type": "string", "minLength": 1},
        "default": {"description": "The value when nothing else gives one.", "type": ["string", "integer"]},
        "format": {"description": "What the value must be.", "enum": list(FORMATS)},
        "example": {"description": "The value with --emulator.", "type": ["string", "integer"]},
        "description": {"type": "string", "minLength": 1},
    },
    "if": {"properties": {"format": {"const": "integer"}}, "required": ["format"]},
    "else": {"properties": {"default": {"type": "string"}, "example": {"type": "string"}}},
}
_ONE_OF = {"Scenario": ("escalate", "end"), "Step": ("start", "escalate", "transfer", "end")}
_VERBATIM = frozenset({"default", "enum", "examples", "propertyNames"})  # keys are never variables
_WORDS = {
    "playbook": "The format of this file.",
    "extends": "A file, relative to this one, that this one is put over.",
    "variables": "What differs between environments; used as ${name} in any text.",
    "health_bot": "The Azure Health Bot that hands over.",
    "scenarios": "The Health Bot's side of the hand-off.",
    "tests": "Conversations to think through; nothing is sent anywhere.",
    "remove": "Take the inherited item of this name out of the playbook. Nothing is deleted.",
    "before": "The rule in front of which this one stands.",
}


def json_schema(specs: Specs) -> Schema:
    """The schema of a playbook whose kinds are these."""
    models = _models(specs)
    references, found = models_json_schema(
        [(model, "validation") for model in models.values()], schema_generator=Generator
    )
    inherited = {name: _adapted(each) for name, each in found.get("$defs", {}).items()}
    names = {part: references[model, "validation"]["$ref"].rpartition("/")[2] for part, model in models.items()}
    items = {part: _one_of(name, inherited.pop(name)) for part, name in names.items()}
    inherited = {name: _one_of(name, each) for name, each in inherited.items()}
    definitions = {**inherited, "variable": _VARIABLE, "declaration": _DECLARATION}
    whole, overlay = _Form(specs, items, definitions, ""), _Form(specs, items, definitions, "overlay.")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"playbook-{FORMAT}.schema.json",
        "title": "d365setup playbook",
        "description": "What a Dynamics 365 Omnichannel environment should hold for a bot, and the bot's hand-off.",
        "type": "object",
        "required": ["playbook"],
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/overlay"},
        "else": {"$ref": "#/$defs/playbook"},
        "$defs": {**definitions, **whole.definitions(), **overlay.definitions()},
    }


def _models(specs: Specs) -> dict[str, type[BaseModel]]:
    """The models by kind, and those of the parts that no kind owns."""
    found: dict[str, type[BaseModel]] = {}
    for section, kind in sections(specs).items():
        found[kind] = shape(specs[kind], kind).model
        for inner_kind in inner(specs, section).values():
            found[inner_kind] = shape(specs[inner_kind], inner_kind, specs[inner_kind].place.parent).model
    others = {"head": Head, "health_bot": HealthBot, "scenarios": Scenario, "tests": PlaybookTest}
    return {**found, **{name: shape(kind, name).model for name, kind in others.items()}}


class _Form:
    """The definitions of whole playbooks, or of overlays: there things may be partial, removed and placed."""

    def __init__(
        self, specs: Specs, items: Mapping[str, Schema], definitions: Mapping[str, Schema], prefix: str
    ) -> None:
        self._specs, self._items, self._definitions, self._prefix = specs, items, definitions, prefix

    def definitions(self) -> Schema:
        """The root of this form, and its items."""
        found = {self._prefix + kind: self._item(kind) for kind in self._items if kind != "head"}
        root = {**self._items["head"], "properties": self._sections(), "required": ["playbook"]}
        root["required"] += [] if self._prefix else ["name"]
        return {**found, "overlay" if self._prefix else "playbook": root}

    def _sections(self) -> Schema:
        head = self._items["head"]["properties"]
        lists = {section: self._list(kind) for section, kind in sections(self._specs).items()}
        return {
            "playbook": {"description": _WORDS["playbook"], "const": FORMAT},
            **head,
            "extends": {"description": _WORDS["extends"], "type": "string", "minLength": 1},
            "variables": _declarations(),
            **lists,
            "health_bot": {"description": _WORDS["health_bot"], "$ref": f"#/$defs/{self._prefix}health_bot"},
            "scenarios": {**self._list("scenarios"), "description": _WORDS["scenarios"]},
            "tests": {**self._list("tests"), "description": _WORDS["tests"]},
        }

    def _list(self, kind: str) -> Schema:
        return {"type": "array", "items": {"$ref": f"#/$defs/{self._prefix}{kind}"}}

    def _item(self, kind: str) -> Schema:
        item = self._items[kind]
        spec = self._specs.get(kind)
        lists = inner(self._specs, spec.place.section) if spec and not spec.place.field else {}
        properties = {**item["properties"], **{name: self._list(each) for name, each in lists.items()}}
        item = {**item, "properties": properties}
        if not self._prefix:
            return item
        item = self._loose(item)
        if "name" in properties:
            extra = {"remove": {"description": _WORDS["remove"], "const": True}}
            if spec and spec.place.field == ORDERED:
                extra["before"] = {"description": _WORDS["before"], "type": "string", "minLength": 1}
            item = {**item, "properties": {**item["properties"], **extra}, "required": ["name"]}
        return item

    def _loose(self, item: Schema) -> Schema:
        """Without what must be there: in an overlay the file below may say it."""
        if "properties" not in item:
            return item
        kept = _less(item, "required", "oneOf")
        properties = {
            name: each if name in WHOLE else self._loose(self._target(each))
            for name, each in item["properties"].items()
        }
        return {**kept, "properties": properties}

    def _target(self, schema: Schema) -> Schema:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self._definitions[name] if "properties" in self._definitions.get(name, {}) else schema


def _declarations() -> Schema:
    return {
        "description": _WORDS["variables"],
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": {"$ref": "#/$defs/declaration"},
    }


def _one_of(name: str, schema: Schema) -> Schema:
    """Where exactly one of some keys must be there."""
    options = _ONE_OF.get(name)
    return {**schema, "oneOf": [{"required": [option]} for option in options]} if options else schema


def _adapted(schema: Any) -> Any:
    """From what a type accepts to what may be written: no nulls, and variables where text is not free anyway."""
    if isinstance(schema, list):
        return [_adapted(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema:
        properties = {name: _adapted(each) for name, each in schema["properties"].items()}
        return {**_adapted(_less(schema, "properties")), "properties": properties}
    found = _less(schema, "title", "oneOf", "anyOf", *(["default"] if schema.get("default", "") is None else []))
    found = {name: value if name in _VERBATIM else _adapted(value) for name, value in found.items()}
    options = [*_apart(schema.get("oneOf", [])), *schema.get("anyOf", [])]
    options = _flat(_adapted(each) for each in options if each.get("type") != "null")
    if len(options) == 1:
        return {**options[0], **found}
    return {**found, "anyOf": options} if options else _or_variable(found)


def _flat(options: Iterable[Schema]) -> list[Schema]:
    """Options of options are options; each stands there once."""
    spread = [inner for each in options for inner in (each["anyOf"] if each.keys() == {"anyOf"} else [each])]
    return [each for index, each in enumerate(spread) if each not in spread[:index]]


def _less(schema: Mapping[str, Any], *names: str) -> Schema:
    return {name: value for name, value in schema.items() if name not in names}


def _or_variable(schema: Schema) -> Schema:
    """A variable may stand for any scalar but true and false; plain text admits it already."""
    typed = schema.get("type") == "integer" or {"enum", "pattern", "format"} & schema.keys()
    if not typed or schema.get("type") == "object":
        return schema
    around: Schema = {name: schema[name] for name in ("description", "default") if name in schema}
    return {**around, "anyOf": [_less(schema, *around), {"$ref": "#/$defs/variable"}]}


def _apart(options: Iterable[Schema]) -> list[Schema]:
    """Options that a key tells apart: a map with free keys must not be taken for a comparison with a mistake in it."""
    return [
        {**each, "propertyNames": {**each["propertyNames"], "not": {"enum": ["variable", "operator"]}}}
        if "propertyNames" in each
        else each
        for each in options
    ]
