"""Relationships as the service publishes them: where the names in `@odata.bind`, `$expand` and `$ref` come from.

Where no source publishes a relationship's schema name (the history lookups mostly), it is made of table and column.
Navigation names are published ones; those that are not carry `uncertain` in the table's description.
"""

from __future__ import annotations

from collections.abc import Iterator

from .metadata import NAMESPACE, Row, is_product, managed, metadata_id
from .schema import Column, ManyToMany, OneToMany, Schema, Table

BASE_PROPERTIES = frozenset(
    {
        "MetadataId", "SchemaName", "RelationshipType", "SecurityTypes", "IsCustomRelationship", "IsManaged",
        "IsCustomizable", "IsValidForAdvancedFind", "HasChanged",
    }
)  # fmt: skip
"""What can be selected of a relationship without naming its type."""


def many_to_one(schema: Schema, table: Table) -> list[Row]:
    """Return a table's lookups; rows still say OneToManyRelationship."""
    return [row for column in table.columns.values() for row in _of_lookup(schema, table, column)]


def one_to_many(schema: Schema, table: Table) -> list[Row]:
    """Return what points to a table."""
    found = []
    for other in schema.tables.values():
        for column in other.columns.values():
            found += [row for row in _of_lookup(schema, other, column) if row["ReferencedEntity"] == table.name]
    return found


def many_to_many(schema: Schema, table: Table) -> list[Row]:
    """Return a table's N:N relationships; the same rows whichever side is asked."""
    links = [each for each in table.collections.values() if isinstance(each, ManyToMany)]
    return [_link(schema, table, each) for each in links]


def every(schema: Schema) -> list[Row]:
    """Return each relationship once, with its type."""
    found: dict[str, Row] = {}
    for table in schema.tables.values():
        for row in many_to_one(schema, table):
            found[row["MetadataId"]] = {"@odata.type": f"#{NAMESPACE}OneToManyRelationshipMetadata", **row}
        for row in many_to_many(schema, table):
            found[row["MetadataId"]] = {"@odata.type": f"#{NAMESPACE}ManyToManyRelationshipMetadata", **row}
    return list(found.values())


def _of_lookup(schema: Schema, table: Table, column: Column) -> Iterator[Row]:
    """Yield a lookup's relationships, one for each table it may point to; an owner is one of a table `owner`."""
    for navigation, targets in column.navigations.items():
        for target in ("owner",) if column.type == "Owner" else targets:
            collection = _collection(schema, table, column, target)
            published = column.relationships.get(navigation) or f"{table.name}_{column.name}"
            name = collection or (f"{published}_{target}" if target in targets[1:] else published)
            yield {
                **_head(name, "OneToManyRelationship"),
                "ReferencingEntity": table.name,
                "ReferencingAttribute": column.name,
                "ReferencingEntityNavigationPropertyName": navigation,
                "ReferencedEntity": target,
                "ReferencedAttribute": _key(schema, target),
                "ReferencedEntityNavigationPropertyName": collection or name,
            }


def _collection(schema: Schema, table: Table, column: Column, target: str) -> str | None:
    """Return the name of the collection on the other side, which is the relationship's own name."""
    described = schema.tables.get(target)
    for each in described.collections.values() if described else ():
        if isinstance(each, OneToMany) and (each.table, each.column) == (table.name, column.name):
            return each.navigation
    return None


def _key(schema: Schema, target: str) -> str | None:
    described = schema.tables.get(target)
    if target == "owner":
        return "ownerid"
    return described.primary_id if described else None


def _link(schema: Schema, table: Table, link: ManyToMany) -> Row:
    sides = [(table.name, link.this_column), (link.table, link.other_column)]
    if not _named_first(link.navigation, table.name, link.table):
        sides.reverse()
    (first, first_column), (second, second_column) = sides
    return {
        **_head(link.navigation, "ManyToManyRelationship"),
        "IntersectEntityName": schema.tables[link.intersect].name,
        "Entity1LogicalName": first,
        "Entity1IntersectAttribute": first_column,
        "Entity1NavigationPropertyName": link.navigation,
        "Entity2LogicalName": second,
        "Entity2IntersectAttribute": second_column,
        "Entity2NavigationPropertyName": link.navigation,
    }


def _named_first(relationship: str, table: str, other: str) -> bool:
    """Whether a table stands before the other in the relationship's name; which is first is not published."""
    places = [relationship.find(name.removeprefix("msdyn_")) for name in (table, other)]
    return places[0] >= 0 and (places[1] < 0 or places[0] < places[1])


def _head(name: str, kind: str) -> Row:
    return {
        "MetadataId": metadata_id("relationship", name),
        "SchemaName": name,
        "RelationshipType": kind,
        "SecurityTypes": "None",
        "IsCustomRelationship": is_product(name),
        "IsManaged": is_product(name),
        "IsCustomizable": managed("iscustomizable", value=True),
        "IsValidForAdvancedFind": True,
        "HasChanged": None,
    }
