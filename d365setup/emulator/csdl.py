"""`$metadata`: the tables as OData CSDL, for clients that read the model before they ask for rows.

Lookups to tables that are not described here keep their `_…_value` property and lose their navigation property: every
type named in the document stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from .context import Work
from .csdl_operations import add_imports, add_operations, add_types
from .errors import not_allowed
from .operation import Reply
from .query import split_query
from .schema import Column, ManyToMany, OneToMany, Schema, Table

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"
KEYS = "OData.Community.Keys.V1"
DESCRIPTION = "Org.OData.Core.V1.Description"
COMPUTED = "Org.OData.Core.V1.Computed"
PRINCIPALS = frozenset({"systemuser", "team"})
_ROOT = "mscrm.crmbaseentity"
_VOCABULARIES = {
    KEYS: ("Keys", "http://vocabularies.odata.org/OData.Community.Keys.V1.xml"),
    "Org.OData.Core.V1": ("Core", "http://vocabularies.odata.org/Org.OData.Core.V1.xml"),
}


def on_metadata_document(work: Work) -> Reply:
    """Answer `$metadata`."""
    if work.operation.method != "GET":
        raise not_allowed("The requested resource does not support this http method.")
    described = split_query(work.address.query).get("annotations") == "true" or "*" in work.operation.annotations
    return Reply(200, document(work.schema, described=described), "application/xml")


def document(schema: Schema, *, described: bool = False) -> bytes:
    """Return the model as XML; `described` adds what columns are called."""
    edmx = ET.Element("edmx:Edmx", {"Version": "4.0", "xmlns:edmx": EDMX})
    for namespace, (alias, uri) in _VOCABULARIES.items():
        reference = ET.SubElement(edmx, "edmx:Reference", Uri=uri)
        ET.SubElement(reference, "edmx:Include", Namespace=namespace, Alias=alias)
    services = ET.SubElement(edmx, "edmx:DataServices")
    parent = ET.SubElement(services, "Schema", {"Namespace": "Microsoft.Dynamics.CRM", "Alias": "mscrm", "xmlns": EDM})
    _add_bases(parent)
    for table in _sorted(schema):
        _add_table(parent, schema, table, described=described)
    add_types(parent)
    add_operations(parent, schema)
    _add_container(parent, schema)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(edmx)


def _sorted(schema: Schema) -> Iterable[Table]:
    return (schema.tables[name] for name in sorted(schema.tables))


def _add_bases(parent: ET.Element) -> None:
    ET.SubElement(parent, "EntityType", Name="crmbaseentity", Abstract="true")
    principal = ET.SubElement(parent, "EntityType", Name="principal", BaseType=_ROOT)
    _add_key(principal, "ownerid")
    ET.SubElement(principal, "Property", Name="ownerid", Type="Edm.Guid", Nullable="false")


def _add_key(entity: ET.Element, name: str) -> None:
    ET.SubElement(ET.SubElement(entity, "Key"), "PropertyRef", Name=name)


def _add_table(parent: ET.Element, schema: Schema, table: Table, *, described: bool) -> None:
    base = "mscrm.principal" if table.name in PRINCIPALS else _ROOT
    entity = ET.SubElement(parent, "EntityType", Name=table.name, BaseType=base)
    if table.name not in PRINCIPALS:
        _add_key(entity, table.primary_id)
    for column in table.columns.values():
        if not (table.name in PRINCIPALS and column.public == "ownerid"):
            _add_property(entity, table, column, described=described)
    for column in table.columns.values():
        _add_lookups(entity, schema, table, column)
    for collection in table.collections.values():
        kind = f"Collection(mscrm.{collection.table})"
        attributes = {"Name": collection.navigation, "Type": kind}
        partner = _partner(schema, table, collection)
        ET.SubElement(entity, "NavigationProperty", {**attributes, **({"Partner": partner} if partner else {})})
    if table.keys:
        _add_keys(entity, table)


def _add_property(entity: ET.Element, table: Table, column: Column, *, described: bool) -> None:
    kind = "Edm.Date" if column.date_only else column.edm.replace("Microsoft.Dynamics.CRM.", "mscrm.")
    attributes = {"Name": column.public, "Type": kind}
    if kind == "Edm.String":
        attributes["Unicode"] = "false"
        if column.max_length is not None:
            attributes["MaxLength"] = str(column.max_length)
    if column.name == table.primary_id:
        attributes["Nullable"] = "false"
    shown = ET.SubElement(entity, "Property", attributes)
    if column.is_lookup or not (column.create or column.update):
        ET.SubElement(shown, "Annotation", Term=COMPUTED, Bool="true")
    if described and column.label:
        ET.SubElement(shown, "Annotation", Term=DESCRIPTION, String=column.label)


def _add_lookups(entity: ET.Element, schema: Schema, table: Table, column: Column) -> None:
    for navigation, targets in column.navigations.items():
        known = [target for target in targets if target in schema.tables]
        if not known:
            continue
        target = "principal" if len(known) > 1 else known[0]
        key = "ownerid" if target == "principal" or target in PRINCIPALS else schema.tables[target].primary_id
        attributes = {"Name": navigation, "Type": f"mscrm.{target}"}
        partner = _lookup_partner(schema, table, column, target)
        if partner:
            attributes["Partner"] = partner
        shown = ET.SubElement(entity, "NavigationProperty", attributes)
        ET.SubElement(shown, "ReferentialConstraint", Property=column.public, ReferencedProperty=key)


def _lookup_partner(schema: Schema, table: Table, column: Column, target: str) -> str | None:
    described = schema.tables.get(target)
    for each in described.collections.values() if described else ():
        if isinstance(each, OneToMany) and (each.table, each.column) == (table.name, column.name):
            return each.navigation
    return None


def _partner(schema: Schema, table: Table, collection: OneToMany | ManyToMany) -> str | None:
    if isinstance(collection, ManyToMany):
        return collection.navigation
    column = schema.tables[collection.table].columns[collection.column]
    return next((name for name, to in column.navigations.items() if to == (table.name,)), None)


def _add_keys(entity: ET.Element, table: Table) -> None:
    annotation = ET.SubElement(entity, "Annotation", Term=f"{KEYS}.AlternateKeys")
    records = ET.SubElement(annotation, "Collection")
    for key in table.keys:
        record = ET.SubElement(records, "Record", Type=f"{KEYS}.AlternateKey")
        parts = ET.SubElement(ET.SubElement(record, "PropertyValue", Property="Key"), "Collection")
        for name in key:
            part = ET.SubElement(parts, "Record", Type=f"{KEYS}.PropertyRef")
            ET.SubElement(part, "PropertyValue", Property="Alias", String=name)
            ET.SubElement(part, "PropertyValue", Property="Name", PropertyPath=table.columns[name].public)


def _add_container(parent: ET.Element, schema: Schema) -> None:
    container = ET.SubElement(parent, "EntityContainer", Name="System")
    for table in sorted(schema.tables.values(), key=lambda each: each.entity_set):
        shown = ET.SubElement(container, "EntitySet", Name=table.entity_set, EntityType=f"mscrm.{table.name}")
        for navigation, target in sorted(_bindings(schema, table).items()):
            ET.SubElement(shown, "NavigationPropertyBinding", Path=navigation, Target=target)
    add_imports(container)


def _bindings(schema: Schema, table: Table) -> dict[str, str]:
    """Return the navigation names of a table that lead to one set."""
    found = {name: schema.tables[each.table].entity_set for name, each in table.collections.items()}
    for navigation, (_, targets) in table.lookups.items():
        known = [target for target in targets if target in schema.tables]
        if len(known) == 1:
            found[navigation] = schema.tables[known[0]].entity_set
    return found
