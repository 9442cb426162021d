"""Choices as the service publishes them: the options of one column, and the global ones several columns share.

Which choices are global stands in the published entity reference; where it was not read, a choice counts as the
column's own. The true name of those is the table's and the column's name joined.
"""

from __future__ import annotations

from .metadata import NAMESPACE, Row, is_product, label, managed, metadata_id
from .schema import CHOICES, Column, Schema, Table

SETS = frozenset({"Boolean", "MultiSelectPicklist", *CHOICES})
"""Column types that have options."""
BASE_PROPERTIES = frozenset(
    {
        "MetadataId", "Name", "IsGlobal", "IsCustomOptionSet", "IsManaged", "IsCustomizable", "OptionSetType",
        "HasChanged", "DisplayName", "Description",
    }
)  # fmt: skip
"""What can be selected of a choice without naming its type."""


def option_set(table: Table, column: Column) -> Row | None:
    """Return the options of a column, None when its type has none."""
    if column.type not in SETS:
        return None
    return {**_head(table, column), **_options(table, column)}


def global_option_set(table: Table, column: Column) -> Row | None:
    """Return the global choice behind a column, None when its choice is its own."""
    return option_set(table, column) if column.choice else None


def global_option_sets(schema: Schema) -> list[Row]:
    """Return every global choice once."""
    found: dict[str, Row] = {}
    for table in schema.tables.values():
        for column in table.columns.values():
            row = global_option_set(table, column)
            if row is not None and row["Name"] not in found:
                found[row["Name"]] = {"@odata.type": f"#{NAMESPACE}OptionSetMetadata", **row}
    return list(found.values())


def _head(table: Table, column: Column) -> Row:
    name = column.choice or f"{table.name}_{column.name}"
    kind = "Picklist" if column.type == "MultiSelectPicklist" else column.type
    return {
        "MetadataId": metadata_id("choice", name),
        "Name": name,
        "IsGlobal": bool(column.choice),
        "IsCustomOptionSet": is_product(name),
        "IsManaged": is_product(name),
        "IsCustomizable": managed("iscustomizable", value=True),
        "OptionSetType": kind,
        "HasChanged": None,
        "DisplayName": label(column.label),
        "Description": label(""),
    }


def _options(table: Table, column: Column) -> Row:
    options = [_option(table, column, value, text) for value, text in column.options.items()]
    if column.type != "Boolean":
        return {"Options": options}
    pair = {bool(option["Value"]): option for option in options}
    return {"TrueOption": pair.get(True), "FalseOption": pair.get(False)}


def _option(table: Table, column: Column, value: int, text: str) -> Row:
    shown = {"Value": int(value), "Label": label(text), "Description": label(""), "Color": None, "IsManaged": True}
    if column.type == "State":
        return {**shown, "InvariantName": text}
    if column.type == "Status":
        states = {label_: number for number, label_ in table.columns["statecode"].options.items()}
        return {**shown, "State": states.get(column.states.get(value, ""))}
    return shown
