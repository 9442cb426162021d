"""The tables as published: columns, limits, choices, lookups and the names relationships go by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

LOOKUPS = frozenset({"Lookup", "Owner"})
TEXTS = frozenset({"String", "Memo", "MultiSelectPicklist"})
WHOLE_NUMBERS = frozenset({"Integer", "BigInt", "Picklist", "State", "Status"})
CHOICES = frozenset({"Picklist", "State", "Status"})

EDM_TYPES = {
    "String": "Edm.String",
    "Memo": "Edm.String",
    "MultiSelectPicklist": "Edm.String",
    "Integer": "Edm.Int32",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "BigInt": "Edm.Int64",
    "Boolean": "Edm.Boolean",
    "Double": "Edm.Double",
    "DateTime": "Edm.DateTimeOffset",
    "Uniqueidentifier": "Edm.Guid",
    "Lookup": "Edm.Guid",
    "Owner": "Edm.Guid",
    "ManagedProperty": "Microsoft.Dynamics.CRM.BooleanManagedProperty",
}


@dataclass(frozen=True)
class Column:
    """One column; `navigations` maps a lookup's bind name to the tables it may point to."""

    name: str
    type: str
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    required: str = "None"
    create: bool = False
    update: bool = False
    platform_fills: bool = False
    default: Any = None
    options: Mapping[Any, str] = field(default_factory=dict)
    states: Mapping[int, str] = field(default_factory=dict)
    navigations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uncertain: bool = False
    date_only: bool = False
    schema_name: str = ""
    label: str = ""
    relationships: Mapping[str, str] = field(default_factory=dict)
    """A lookup's bind name to the schema name of its relationship, where published."""
    choice: str = ""
    """Name of the global choice its options come from, where published."""
    secured: bool = False
    """Column security: only who may read secured columns sees a value."""
    uncertain_why: str = ""
    availability: str = ""
    """Empty, or why a real organization may lack the column."""

    @property
    def is_lookup(self) -> bool:
        """Whether the column holds another row's id."""
        return self.type in LOOKUPS

    @property
    def public(self) -> str:
        """Name in `$select`, `$filter` and replies."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    @property
    def edm(self) -> str:
        """Its OData type."""
        return EDM_TYPES[self.type]

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """Tables a lookup may point to."""
        return tuple(dict.fromkeys(table for tables in self.navigations.values() for table in tables))

    @property
    def is_polymorphic(self) -> bool:
        """Whether the table pointed to has to be remembered beside the id."""
        return len(self.targets) > 1

    @property
    def target_column(self) -> str:
        """Column beside a polymorphic lookup that names the table pointed to."""
        return f"{self.name}type"

    @property
    def system_required(self) -> bool:
        """Whether the service itself refuses null."""
        return self.required == "SystemRequired"


@dataclass(frozen=True)
class OneToMany:
    """A collection of rows that point here through `column`."""

    navigation: str
    table: str
    column: str


@dataclass(frozen=True)
class ManyToMany:
    """A collection joined through the intersect table."""

    navigation: str
    table: str
    intersect: str
    this_column: str
    other_column: str


Collection = OneToMany | ManyToMany


@dataclass(frozen=True)
class Table:
    """One table under its logical name."""

    name: str
    entity_set: str
    primary_id: str
    primary_name: str | None
    ownership: str | None
    columns: Mapping[str, Column]
    collections: Mapping[str, Collection]
    keys: tuple[tuple[str, ...], ...] = ()
    inherited_key: str | None = None
    intersect: bool = False
    schema_name: str = ""
    collection_name: str = ""
    label: str = ""
    plural: str = ""

    @cached_property
    def properties(self) -> Mapping[str, Column]:
        """Columns by the name replies use."""
        return {column.public: column for column in self.columns.values()}

    @cached_property
    def lookups(self) -> Mapping[str, tuple[Column, tuple[str, ...]]]:
        """Single-valued navigation names, with column and possible tables."""
        found = {}
        for column in self.columns.values():
            for navigation, targets in column.navigations.items():
                found[navigation] = (column, targets)
        return found

    def has(self, *columns: str) -> bool:
        """Return whether every one of these columns exists."""
        return all(column in self.columns for column in columns)


@dataclass(frozen=True)
class Schema:
    """Every table, by logical name and by set name."""

    tables: Mapping[str, Table]

    @cached_property
    def sets(self) -> Mapping[str, Table]:
        """Tables by entity set name (case-sensitive)."""
        return {table.entity_set: table for table in self.tables.values()}

    def referencing(self, target: str) -> Iterator[tuple[Table, Column]]:
        """Yield every lookup column that may point to this table."""
        for table in self.tables.values():
            for column in table.columns.values():
                if target in column.targets:
                    yield table, column

    def without(self, table: str, column: str) -> Schema:
        """Return the same schema as an organization has it that lacks one column."""
        old = self.tables[table]
        columns = {name: value for name, value in old.columns.items() if name != column}
        new = Table(**{**_fields(old), "columns": columns})
        return Schema({**self.tables, table: new})


def _fields(table: Table) -> dict[str, Any]:
    return {name: getattr(table, name) for name in Table.__dataclass_fields__}


@lru_cache(maxsize=1)
def load_schema() -> Schema:
    """Return the tables described in this package's JSON files."""
    tables: dict[str, Table] = {}
    for path in sorted(resources.files(__package__).joinpath("tables").iterdir(), key=lambda p: p.name):
        if path.name.endswith(".json"):
            described = json.loads(path.read_text(encoding="utf-8"))
            table = _table(described)
            tables[table.name] = table
            for relation in described["many_to_many"]:
                intersect = _intersect(relation)
                tables.setdefault(intersect.name, intersect)
    return Schema(tables)


def _table(described: Mapping[str, Any]) -> Table:
    columns = {each["name"]: _column(each) for each in described["columns"]}
    collections: dict[str, Collection] = {
        each["navigation"]: OneToMany(each["navigation"], each["table"], each["column"])
        for each in described["one_to_many"]
    }
    for each in described["many_to_many"]:
        collections[each["navigation"]] = ManyToMany(
            each["navigation"], each["table"], each["intersect"], each["this_column"], each["other_column"]
        )
    return Table(
        name=described["logical_name"],
        entity_set=described["entity_set"],
        primary_id=described["primary_id"],
        primary_name=described["primary_name"],
        ownership=described["ownership"],
        columns=columns,
        collections=collections,
        keys=tuple(tuple(key) for key in described.get("keys", ())),
        inherited_key=described.get("inherited_key"),
        schema_name=described["schema_name"],
        collection_name=described["collection_name"],
        label=described["display_name"],
        plural=described["display_collection_name"],
    )


_AS_WRITTEN = ("choice", "secured", "uncertain_why", "availability")


def _column(described: Mapping[str, Any]) -> Column:
    options = described.get("options", ())
    return Column(
        name=described["name"],
        type=described["type"],
        max_length=described.get("max_length"),
        minimum=described.get("min"),
        maximum=described.get("max"),
        required=described.get("required", "None"),
        create=described.get("create", False),
        update=described.get("update", False),
        platform_fills=described.get("platform_fills", False),
        default=described.get("default"),
        options={each["value"]: each["label"] for each in options},
        states={each["value"]: each["state"] for each in options if "state" in each},
        navigations=_navigations(described),
        uncertain=described.get("uncertain", False),
        date_only=described.get("date_only", False),
        schema_name=described.get("schema_name", described["name"]),
        label=described.get("label", ""),
        relationships=described.get("relationships", {}),
        **{name: described[name] for name in _AS_WRITTEN if name in described},
    )


def _navigations(described: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    if "navigation" in described:
        return {described["navigation"]: tuple(described["targets"])}
    by_target = described.get("navigation_by_target", {})
    return {navigation: (target,) for target, navigation in by_target.items()}


def _intersect(relation: Mapping[str, Any]) -> Table:
    names = (relation["intersect_id"], relation["this_column"], relation["other_column"])
    columns = {name: Column(name, "Uniqueidentifier") for name in names}
    columns["versionnumber"] = Column("versionnumber", "BigInt")
    return Table(
        name=relation["intersect"],
        entity_set=relation["intersect_set"],
        primary_id=relation["intersect_id"],
        primary_name=None,
        ownership=None,
        columns=columns,
        collections={},
        intersect=True,
        schema_name=relation["intersect"],
        collection_name=relation["intersect_set"],
    )
