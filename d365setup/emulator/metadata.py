"""Tables and columns as the service publishes them: plain objects, before anything is selected or filtered."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .schema import CHOICES, Column, Table

Row = dict[str, Any]
NAMESPACE = "Microsoft.Dynamics.CRM."
LANGUAGE = 1033
_IDS = uuid.UUID("b4f9f6f0-5a1c-5b0e-9d0f-3c2a1b0d3655")
_TYPE_CODES = {"systemuser": 8, "queue": 2020}  # the only ones the sources name

# column type: AttributeType, AttributeTypeName, metadata type
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
_NAMED = frozenset({"Lookup", "Owner", "Boolean", "MultiSelectPicklist", *CHOICES})
"""Columns beside which the service keeps a read-only `…name` column."""


def metadata_id(*names: str) -> str:
    """Return the id a description always has here."""
    return str(uuid.uuid5(_IDS, "/".join(names)))


def label(text: str) -> Row:
    """Return a text in the one language installed."""
    shown = {
        "Label": text,
        "LanguageCode": LANGUAGE,
        "IsManaged": True,
        "MetadataId": metadata_id("label", text),
        "HasChanged": None,
    }
    return {"LocalizedLabels": [shown] if text else [], "UserLocalizedLabel": shown if text else None}


def managed(name: str, value: object, *, changeable: bool = True) -> Row:
    """Return a managed property."""
    return {"Value": value, "CanBeChanged": changeable, "ManagedPropertyLogicalName": name}


def is_product(name: str) -> bool:
    """Whether a table or column came with Omnichannel and not with the platform."""
    return name.startswith("msdyn_")


def definition(table: Table) -> Row:
    """Return one table's row of `EntityDefinitions`."""
    return {
        "MetadataId": metadata_id(table.name),
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.collection_name.lower(),
        "CollectionSchemaName": table.collection_name,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "ObjectTypeCode": _TYPE_CODES.get(table.name),
        "OwnershipType": table.ownership or "None",
        "TableType": "Standard",
        "IsActivity": False,
        "IsIntersect": table.intersect,
        "IsLogicalEntity": False,
        "IsPrivate": False,
        "IsManaged": is_product(table.name),
        "IsCustomEntity": is_product(table.name),
        "IsCustomizable": managed("iscustomizable", value=not table.intersect),
        "IsOptimisticConcurrencyEnabled": not table.intersect,
        "ChangeTrackingEnabled": False,
        "HasChanged": None,
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(table.plural),
        "Description": label(""),
    }


def attributes(table: Table) -> list[Row]:
    """Return a table's columns as rows of `Attributes`, with the `…name` columns the service adds."""
    return [row for column in table.columns.values() for row in _with_shadow(table, column)]


def _with_shadow(table: Table, column: Column) -> Iterator[Row]:
    yield attribute(table, column)
    name = f"{column.name}name"
    if column.type in _NAMED and name not in table.columns and not table.intersect:
        yield _shadow(table, column, name)


def attribute(table: Table, column: Column) -> Row:
    """Return one column; what only its own type has is there as well."""
    kind, type_name, metadata = _KINDS[column.type]
    shown = {
        **_base(table, column.name, column.schema_name or column.name, (kind, type_name)),
        "RequiredLevel": managed("canmodifyrequirementlevelsettings", column.required),
        "IsSecured": column.secured,
        "IsValidForCreate": column.create,
        "IsValidForUpdate": column.update,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "DisplayName": label(column.label),
    }
    return {"@odata.type": f"#{NAMESPACE}{metadata}", **shown, **_own(table, column)}


def _base(table: Table, name: str, schema_name: str, kind: tuple[str, str]) -> Row:
    return {
        "MetadataId": metadata_id(table.name, name),
        "LogicalName": name,
        "SchemaName": schema_name,
        "EntityLogicalName": table.name,
        "AttributeType": kind[0],
        "AttributeTypeName": {"Value": kind[1]},
        "AttributeOf": None,
        "RequiredLevel": managed("canmodifyrequirementlevelsettings", "None"),
        "IsCustomAttribute": is_product(name),
        "IsCustomizable": managed("iscustomizable", value=True),
        "IsLogical": False,
        "IsManaged": is_product(name),
        "IsSecured": False,
        "IsValidForCreate": False,
        "IsValidForUpdate": False,
        "IsValidForRead": True,
        "IsPrimaryId": False,
        "IsPrimaryName": False,
        "SourceType": 0,
        "HasChanged": None,
        "DisplayName": label(""),
        "Description": label(""),
    }


def _shadow(table: Table, column: Column, name: str) -> Row:
    """Return the column that carries a lookup's or a choice's text; only a lookup's has a type of its own."""
    schema_name = f"{column.schema_name or column.name}Name"
    if not column.is_lookup:
        return {**_base(table, name, schema_name, ("Virtual", "VirtualType")), "AttributeOf": column.name}
    shown = _base(table, name, schema_name, ("String", "StringType"))
    own = {"AttributeOf": column.name, "IsLogical": True, "MaxLength": 100, "Format": "Text"}
    return {"@odata.type": f"#{NAMESPACE}StringAttributeMetadata", **shown, **own, "FormatName": {"Value": "Text"}}


BASE_PROPERTIES = frozenset(_base(Table("t", "ts", "tid", None, None, {}, {}), "c", "c", ("", "")))
"""What can be selected of a column without naming its type."""


def _own(table: Table, column: Column) -> Row:
    """Return what only this type of column has."""
    describe = _OWN.get(column.type)
    return describe(column) if describe else {"IsPrimaryId": column.name == table.primary_id}


def _text(column: Column) -> Row:
    kind = "Text" if column.type == "String" else "TextArea"
    return {"MaxLength": column.max_length, "Format": kind, "FormatName": {"Value": kind}}


def _number(column: Column) -> Row:
    own = {"MinValue": column.minimum, "MaxValue": column.maximum}
    return {**own, "Precision": 2} if column.type == "Double" else {**own, "Format": "None"}


def _lookup(column: Column) -> Row:
    return {"Targets": list(column.targets), "Format": "None"}


def _date(column: Column) -> Row:
    kind = "DateOnly" if column.date_only else "DateAndTime"
    return {"Format": kind, "DateTimeBehavior": {"Value": "UserLocal"}}


def _choice(column: Column) -> Row:
    return {"DefaultFormValue": -1 if column.default is None else column.default}


def _switch(column: Column) -> Row:
    return {"DefaultValue": bool(column.default)}


_OWN: Mapping[str, Callable[[Column], Row]] = {
    **dict.fromkeys(("Lookup", "Owner"), _lookup),
    **dict.fromkeys(("String", "Memo"), _text),
    **dict.fromkeys(("Integer", "BigInt", "Double"), _number),
    **dict.fromkeys(("Picklist", "MultiSelectPicklist"), _choice),
    "DateTime": _date,
    "Boolean": _switch,
}


def keys(table: Table) -> list[Row]:
    """Return a table's alternate keys; their own names are ours, no source publishes them."""
    return [_key(table, columns) for columns in table.keys]


def _key(table: Table, columns: tuple[str, ...]) -> Row:
    name = "_".join(columns)
    return {
        "MetadataId": metadata_id("key", table.name, *columns),
        "LogicalName": name,
        "SchemaName": name,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(columns),
        "EntityKeyIndexStatus": "Active",
        "IsCustomizable": managed("iscustomizable", value=False, changeable=False),
        "IsManaged": True,
        "HasChanged": None,
        "DisplayName": label(name),
    }
