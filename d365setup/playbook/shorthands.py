"""Short forms in the JSON Schema: a type whose own validator takes a list for something longer shows both."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


class Generator(GenerateJsonSchema):
    """Asks a validator that runs before all others what an empty list stands for; if for a key, its list will do."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """The long form, or the list that stands for it."""
        long = super().function_before_schema(schema)
        target: Any = self.definitions.get(long.get("$ref", "").rpartition("/")[2], long)
        short = target.get("properties", {}).get(_key_meant_by_list(schema))
        return {"anyOf": [short, long]} if short else long


def _key_meant_by_list(schema: core_schema.BeforeValidatorFunctionSchema) -> str:
    function: Any = schema["function"]["function"]
    if "json_schema_input_schema" in schema or schema["function"]["type"] != "no-info":
        return ""
    try:
        meant = function([])
    except (ValueError, AssertionError):  # how a validator refuses
        return ""
    return str(next(iter(meant))) if isinstance(meant, dict) and len(meant) == 1 else ""
