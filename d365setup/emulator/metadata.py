"""Table descriptions as the service publishes them: definitions, attributes, relationships, as plain objects."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from .schema import Column, ManyToMany, OneToMany, Schema, Table

NAMESPACE = "Microsoft.Dynamics.CRM."
_IDS = uuid.UUID("b4f9f6f0-5a1c-5b0e-9d0f-3c2a1b0d3655")
_TYPE_CODES = {"systemuser": 8, "queue": 2020}  # the only ones the sources name

_KINDS = {
    "String": ("String", "StringType", "StringAttributeMetadata"),
    "Memo": ("Memo", "MemoType", "MemoAttributeMetadata"),
    "Integer": ("Integer", "IntegerType", "IntegerAttributeMetadata"),
    "BigInt": ("BigInt", "BigIntType", "BigIntAttributeMetadata"),
    "Double": ("Double", "DoubleType", "DoubleAttributeMetadata"),
    "Boolean": ("Boolean", "BooleanType", "BooleanAttributeMetadata"),
    "DateTime": ("DateTime", "DateTimeType", "DateTimeAttributeMetadata"),
    "Picklist": ("Picklist", "PicklistType", "PicklistAttributeMetadata"),
    "State": ("State", "StateType", "StateAttributeMetadata"),
    "Status": ("Status", "StatusType", "StatusAttributeMetadata"),
    "MultiSelectPicklist": ("Virtual", "MultiSelectPicklistType", "MultiSelectPicklistAttributeMetadata"),
    "Lookup": ("Lookup", "LookupType", "LookupAttributeMetadata"),
    "Owner": ("Owner", "OwnerType", "LookupAttributeMetadata"),
    "Uniqueidentifier": ("Uniqueidentifier", "UniqueidentifierType", "UniqueIdentifierAttributeMetadata"),
    "ManagedProperty": ("ManagedProperty", "ManagedPropertyType", "ManagedPropertyAttributeMetadata"),
}


def metadata_id(*names: str) -> str:
    """Return the id a description always has here."""
    return str(uuid.uuid5(_IDS, "/".join(names)))


def label(text: str) -> dict[str, Any]:
    """Return a text in the one language installed."""
    shown = {"Label": text, "LanguageCode": 1033, "IsManaged": True, "MetadataId": metadata_id("label", text)}
    localized = {**shown, "HasChanged": None}
    return {"LocalizedLabels": [localized] if text else [], "UserLocalizedLabel": localized if text else None}


def definition(table: Table) -> dict[str, Any]:
    """Return one table's row of `EntityDefinitions`."""
    return {
        "MetadataId": metadata_id(table.name),
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.collection_name.lower(),
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": _TYPE_CODES.get(table.name),
        "OwnershipType": table.ownership or "None",
        "TableType": "Standard",
        "IsIntersect": table.intersect,
        "IsPrivate": False,
        "IsCustomEntity": table.name.startswith("msdyn_"),
        "IsOptimisticConcurrencyEnabled": not table.intersect,
        "DisplayName": label(table.label),
    }


def attributes(table: Table) -> list[dict[str, Any]]:
    """Return a table's columns as rows of `Attributes`."""
    return [attribute(table, column) for column in table.columns.values()]


def attribute(table: Table, column: Column) -> dict[str, Any]:
    """Return one column; what only its own type has is there as well."""
    kind, name, metadata = _KINDS[column.type]
    shown = {
        "@odata.type": f"#{NAMESPACE}{metadata}",
        "MetadataId": metadata_id(table.name, column.name),
        "LogicalName": column.name,
        "SchemaName": column.schema_name or column.name,
        "EntityLogicalName": table.name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": name},
        "RequiredLevel": _required(column),
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsValidForRead": True,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "DisplayName": label(column.label),
    }
    return {**shown, **_own(column)}


def _required(column: Column) -> dict[str, Any]:
    name = "canmodifyrequirementlevelsettings"
    return {"Value": column.required, "CanBeChanged": True, "ManagedPropertyLogicalName": name}


def _own(column: Column) -> dict[str, Any]:
    if column.is_lookup:
        return {"Targets": list(column.targets)}
    if column.max_length is not None:
        return {"MaxLength": column.max_length}
    if column.minimum is not None:
        return {"MinValue": column.minimum, "MaxValue": column.maximum}
    return {}


def option_set(column: Column) -> dict[str, Any]:
    """Return a choice column's options."""
    options = [{"Value": value, "Label": label(text), "Color": None} for value, text in column.options.items()]
    return {"MetadataId": metadata_id("options", column.name), "Options": options}


def many_to_one(table: Table) -> list[dict[str, Any]]:
    """Return a table's lookups; the names in `@odata.bind` come from here."""
    found = []
    for column in table.columns.values():
        for navigation, targets in column.navigations.items():
            name = column.relationships.get(navigation, f"{table.name}_{column.name}")
            found += [_relation(name, table.name, column.name, navigation, target) for target in targets]
    return found


def one_to_many(schema: Schema, table: Table) -> list[dict[str, Any]]:
    """Return the collections of rows that point to a table."""
    found = []
    for collection in table.collections.values():
        if isinstance(collection, OneToMany):
            column = schema.tables[collection.table].columns[collection.column]
            navigation = next((name for name, to in column.navigations.items() if table.name in to), None)
            row = _relation(collection.navigation, collection.table, collection.column, navigation, table.name)
            found.append({**row, "ReferencedEntityNavigationPropertyName": collection.navigation})
    return found


def _relation(name: str, table: str, column: str, navigation: str | None, target: str) -> dict[str, Any]:
    return {
        "MetadataId": metadata_id("relationship", name, table, column, target),
        "SchemaName": name,
        "RelationshipType": "OneToManyRelationship",
        "ReferencingEntity": table,
        "ReferencingAttribute": column,
        "ReferencingEntityNavigationPropertyName": navigation,
        "ReferencedEntity": target,
    }


def many_to_many(table: Table) -> Iterator[dict[str, Any]]:
    """Yield a table's N:N relationships; navigation and schema name are the same on both sides."""
    for collection in table.collections.values():
        if isinstance(collection, ManyToMany):
            yield {
                "MetadataId": metadata_id("relationship", collection.navigation),
                "SchemaName": collection.navigation,
                "RelationshipType": "ManyToManyRelationship",
                "IntersectEntityName": collection.intersect,
                "Entity1LogicalName": table.name,
                "Entity1IntersectAttribute": collection.this_column,
                "Entity1NavigationPropertyName": collection.navigation,
                "Entity2LogicalName": collection.table,
                "Entity2IntersectAttribute": collection.other_column,
                "Entity2NavigationPropertyName": collection.navigation,
            }
