"""How a rule's condition is written in a playbook: four shapes, one meaning (`docs/playbooks.md`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    Tag,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from d365setup.conditions import All, AnyOf, Condition, Operator, Test
from d365setup.kinds.fields import Name100, Value4000

Number = Annotated[int, Field(strict=True)]
Value = Number | Value4000


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)  # built when a rule is read, not at every start


class _Test(_Shape):
    """One comparison."""

    variable: Name100
    operator: Literal["equals", "is one of", "more than", "at least", "has a value"]
    value: Value | list[Value] | None = None

    @model_validator(mode="after")
    def _fits(self) -> _Test:
        several = isinstance(self.value, list)
        if self.operator == "has a value" and self.value is not None:
            raise ValueError("'has a value' takes no value: leave it out")
        if self.operator == "is one of" and (not several or not self.value):
            raise ValueError("'is one of' takes a list: value: [first, second]")
        if self.operator in ("equals", "more than", "at least") and (several or self.value is None):
            raise ValueError(f"{self.operator!r} takes one value")
        if self.operator in ("more than", "at least") and not isinstance(self.value, int):
            raise ValueError(f"{self.operator!r} compares numbers: value must be a whole number")
        return self


class _Any(_Shape):
    """At least one part holds."""

    any: Annotated[list[When], Field(min_length=1)]


class _All(_Shape):
    """Every part holds."""

    all: Annotated[list[When], Field(min_length=1)]


_Shorthand = Annotated[dict[Name100, Value], Field(min_length=1)]


def _shape(value: Any) -> str:
    keys = set(value) if isinstance(value, dict) else set()
    if "variable" in keys or "operator" in keys:
        return "comparison"
    if keys in ({"any"}, {"all"}) and isinstance(next(iter(value.values())), list):
        return str(next(iter(keys)))
    return "shorthand"


When = Annotated[
    Annotated[_Test, Tag("comparison")]
    | Annotated[_Any, Tag("any")]
    | Annotated[_All, Tag("all")]
    | Annotated[_Shorthand, Tag("shorthand")],
    Discriminator(_shape),
]

_Any.model_rebuild()
_All.model_rebuild()


def _condition(when: Any) -> Condition:
    if isinstance(when, _Any):
        return AnyOf(tuple(_condition(part) for part in when.any))
    if isinstance(when, _All):
        return All(tuple(_condition(part) for part in when.all))
    if isinstance(when, _Test):
        value = tuple(when.value) if isinstance(when.value, list) else when.value
        return Test(when.variable, Operator(when.operator), value)
    tests = tuple(Test(name, Operator.EQUALS, value) for name, value in when.items())
    return tests[0] if len(tests) == 1 else All(tests)


def _schema(_type: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    return core_schema.no_info_after_validator_function(_condition, handler.generate_schema(When))


WhenCondition = Annotated[Condition, GetPydanticSchema(_schema)]
"""The field type: reads as any of the four shapes, gives a ``Condition``."""
