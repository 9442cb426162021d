"""From a dataclass to what may stand in a playbook, and from what stands there to the dataclass.

The annotations of a spec's fields are pydantic types; they alone say what is accepted. The loader, the JSON Schema and
the field tables of the docs all read them here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from functools import cache, cached_property
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from d365setup.model import Source
from d365setup.playbook.mistakes import Mistakes
from d365setup.playbook.nodes import Fields, Items, Node, Scalar, follow, values
from d365setup.playbook.shorthands import Generator
from d365setup.playbook.wording import Told, told

T = TypeVar("T")
_PREFIX = "field_"  # no field of a spec can then collide with a method of pydantic's models


@dataclass(frozen=True)
class Shape(Generic[T]):
    """What one type accepts. ``parent`` is a field that is filled from outside, ``lists`` keys that others read."""

    of: type[T]
    parent: str = ""
    lists: tuple[str, ...] = ()
    what: str = "item"

    @cached_property
    def fields(self) -> tuple[dataclasses.Field[Any], ...]:
        """The fields a playbook can set."""
        everything: Any = self.of
        return tuple(
            each
            for each in dataclasses.fields(everything)
            if each.metadata.get("playbook", True) and each.name != self.parent
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The keys that may stand in an item, those of inner lists included."""
        return (*(each.name for each in self.fields), *self.lists)

    @cached_property
    def model(self) -> type[BaseModel]:
        """The pydantic model of the item, without its inner lists."""
        hints = get_type_hints(self.of, include_extras=True)
        fields: dict[str, Any] = {
            _PREFIX + each.name: (hints[each.name], Field(default_of(each), alias=each.name)) for each in self.fields
        }
        config = ConfigDict(extra="forbid", defer_build=True)
        return create_model(self.of.__name__, __config__=config, __doc__=self.of.__doc__, **fields)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the item as pydantic writes it, short forms included."""
        return self.model.model_json_schema(schema_generator=Generator)

    def read(self, node: Fields, mistakes: Mistakes, given: Mapping[str, Any]) -> T | None:
        """The value that the node stands for; None when it has mistakes, which are told."""
        own = node.without(*self.lists)
        try:
            found = self._validated(own)
        except ValidationError as errors:
            words = Told(self.what, self.names, self.schema)
            for source, message in told(errors.errors(include_url=False), own, words):
                mistakes.add(source, message)
            return None
        if any(scalar.wrong for scalar in values(own)):
            return None
        stated = {name: getattr(found, _PREFIX + name) for name in (f.name for f in self.fields) if name in own.by_name}
        return self.of(**stated, **given)

    def _validated(self, node: Fields) -> BaseModel:
        """Validate; numbers from variables are tried as text where a number does not fit."""
        try:
            return self.model.model_validate(_data(node, frozenset()))
        except ValidationError as errors:
            spots = (follow(node, error["loc"]).node for error in errors.errors(include_url=False))
            digits = frozenset(spot.source for spot in spots if isinstance(spot, Scalar) and spot.digits)
            if not digits:
                raise
        return self.model.model_validate(_data(node, digits))


def _data(node: Node, as_text: frozenset[Source]) -> Any:
    if isinstance(node, Scalar):
        return node.digits if node.digits and node.source in as_text else node.value
    if isinstance(node, Items):
        return [_data(item, as_text) for item in node.items]
    return {entry.name: _data(entry.value, as_text) for entry in node.entries}


def default_of(field: dataclasses.Field[Any]) -> Any:
    """The value of a field left out; ``...`` when it must be there."""
    if field.default is not MISSING:
        return field.default
    return ... if field.default_factory is MISSING else field.default_factory()


def shape(of: type[T], what: str, parent: str = "", lists: tuple[str, ...] = ()) -> Shape[T]:
    """The shape of a type, made once."""
    key: Any = of  # a type can always be a key, which type checkers doubt
    found: Shape[T] = _shape(key, what, parent, lists)
    return found


@cache
def _shape(of: Any, what: str, parent: str, lists: tuple[str, ...]) -> Shape[Any]:
    return Shape(of, parent, lists, what)
