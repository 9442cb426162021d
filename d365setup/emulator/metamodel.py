"""What hangs on what in the metadata: kinds of descriptions, how each is addressed, what leads on from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import choices, metadata, relationships
from .errors import ServiceError
from .metadata import Row
from .schema import Schema

Follow = Callable[[Schema, Row], list[Row] | Row | None]
"""From a description to what a navigation name leads to."""


@dataclass(frozen=True)
class Kind:
    """A type of description: `key` addresses one beside MetadataId, `base` limits `$select` where types are mixed."""

    name: str
    key: str
    missing: str
    base: frozenset[str] | None = None
    follows: Mapping[str, tuple[str, Follow]] = field(default_factory=dict)
    """Navigation name to the kind it leads to and how."""

    def not_found(self, row_id: str) -> ServiceError:
        """Return the answer about a description that is not there."""
        return ServiceError(404, "0x80040217", self.missing.format(row_id))


def cast(kind: Kind, name: str) -> Kind | None:
    """Return the kind behind `Microsoft.Dynamics.CRM.<name>` after a mixed list, None when there is no such type."""
    if kind.base is None or not name.endswith(_CASTS.get(kind.name, "\0")):
        return None
    return KINDS.get(name) or Kind(name, kind.key, kind.missing)


def roots(schema: Schema, segment: str) -> tuple[Kind, list[Row]]:
    """Return the kind and the descriptions of a set at the top."""
    if segment == "EntityDefinitions":
        return KINDS["EntityMetadata"], [metadata.definition(table) for table in schema.tables.values()]
    if segment == "RelationshipDefinitions":
        return KINDS["RelationshipMetadataBase"], relationships.every(schema)
    return KINDS["OptionSetMetadataBase"], choices.global_option_sets(schema)


ROOTS = frozenset({"EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"})


def _attributes(schema: Schema, row: Row) -> list[Row]:
    return metadata.attributes(schema.tables[row["LogicalName"]])


def _keys(schema: Schema, row: Row) -> list[Row]:
    return metadata.keys(schema.tables[row["LogicalName"]])


def _many_to_one(schema: Schema, row: Row) -> list[Row]:
    return relationships.many_to_one(schema, schema.tables[row["LogicalName"]])


def _one_to_many(schema: Schema, row: Row) -> list[Row]:
    return relationships.one_to_many(schema, schema.tables[row["LogicalName"]])


def _many_to_many(schema: Schema, row: Row) -> list[Row]:
    return relationships.many_to_many(schema, schema.tables[row["LogicalName"]])


def _option_set(schema: Schema, row: Row) -> Row | None:
    table = schema.tables[row["EntityLogicalName"]]
    return choices.option_set(table, table.columns[row["LogicalName"]])


def _global_option_set(schema: Schema, row: Row) -> Row | None:
    table = schema.tables[row["EntityLogicalName"]]
    return choices.global_option_set(table, table.columns[row["LogicalName"]])


_CASTS = {
    "AttributeMetadata": "AttributeMetadata",
    "RelationshipMetadataBase": "RelationshipMetadata",
    "OptionSetMetadataBase": "OptionSetMetadata",
}
_NO_COLUMN = "Could not find an attribute with {}."
_NO_RELATION = "Could not find a relationship with {}."
_NO_CHOICE = "Could not find an option set with {}."
_CHOICE_COLUMNS = ("Picklist", "MultiSelectPicklist", "State", "Status", "Boolean")


def _choice_column(name: str) -> Kind:
    kind = "BooleanOptionSetMetadata" if name == "Boolean" else "OptionSetMetadata"
    follows: dict[str, tuple[str, Follow]] = {
        "OptionSet": (kind, _option_set),
        "GlobalOptionSet": (kind, _global_option_set),
    }
    return Kind(f"{name}AttributeMetadata", "LogicalName", _NO_COLUMN, follows=follows)


_ALL = (
    Kind(
        "EntityMetadata",
        "LogicalName",
        "Could not find an entity with {}.",
        follows={
            "Attributes": ("AttributeMetadata", _attributes),
            "Keys": ("EntityKeyMetadata", _keys),
            "ManyToOneRelationships": ("OneToManyRelationshipMetadata", _many_to_one),
            "OneToManyRelationships": ("OneToManyRelationshipMetadata", _one_to_many),
            "ManyToManyRelationships": ("ManyToManyRelationshipMetadata", _many_to_many),
        },
    ),
    Kind("AttributeMetadata", "LogicalName", _NO_COLUMN, base=metadata.BASE_PROPERTIES),
    Kind("EntityKeyMetadata", "LogicalName", "Could not find an entity key with {}."),
    Kind("RelationshipMetadataBase", "SchemaName", _NO_RELATION, base=relationships.BASE_PROPERTIES),
    Kind("OneToManyRelationshipMetadata", "SchemaName", _NO_RELATION),
    Kind("ManyToManyRelationshipMetadata", "SchemaName", _NO_RELATION),
    Kind("OptionSetMetadataBase", "Name", _NO_CHOICE, base=choices.BASE_PROPERTIES),
    Kind("OptionSetMetadata", "Name", _NO_CHOICE),
    Kind("BooleanOptionSetMetadata", "Name", _NO_CHOICE),
    *(_choice_column(name) for name in _CHOICE_COLUMNS),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _ALL}
