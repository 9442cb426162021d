"""Privileges: how they are called, what the shipped roles hold, and what the caller of a request may do.

Table, verb and access level of the shipped roles: Microsoft's page on personas and privileges of Omnichannel (2021;
2026 tools still agree), as far as their tables are described here. That page calls the user table `User`, and so do
the privileges (`prvReadUser`). It leaves out what the role Basic User brings, which everybody needs beside them:
`EVERYBODY` stands for that, by inference.

Checked: table and verb, for append the row that points and for append-to the one pointed at, and that nobody gives
away what they do not hold. Access levels are reported, not enforced: any level will do.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from .errors import ServiceError
from .schema import ManyToMany, Schema, Table
from .store import Row, Rows

NAMESPACE = uuid.UUID("0c4ad7a7-5a5f-53b9-8f6f-7d1b5d365e00")
VERBS = {
    "A": "Append",
    "T": "AppendTo",
    "S": "Assign",
    "C": "Create",
    "D": "Delete",
    "R": "Read",
    "H": "Share",
    "U": "Write",
}
GLOBAL = "Global"
LEVELS = ("Basic", "Local", "Deep", GLOBAL)
SYSTEM_ADMINISTRATOR = "System Administrator"
_FULL = "ATSCDRHU"
_MOST = "ATCDRU"

EVERYBODY = {"organization": "R", "businessunit": "R", "team": "R"}

_READ = (
    "bookableresource", "bookableresourcecharacteristic", "characteristic", "msdyn_entityroutingconfiguration",
    "msdyn_ocbotchannelregistration", "msdyn_ocliveworkstreamcontextvariable", "msdyn_ocruleitem", "ratingmodel",
    "ratingvalue", "role", "solution",
)  # fmt: skip
_MANAGED = (
    "bookableresource", "bookableresourcecharacteristic", "characteristic", "msdyn_assignmentconfiguration",
    "msdyn_assignmentconfigurationstep", "msdyn_cannedmessage", "msdyn_entityroutingconfiguration",
    "msdyn_ocbotchannelregistration", "msdyn_ocliveworkstreamcontextvariable", "msdyn_ocruleitem", "msdyn_octag",
    "msdyn_operatinghour", "msdyn_presence", "msdyn_routingconfiguration", "msdyn_routingconfigurationstep",
    "ratingmodel", "ratingvalue",
)  # fmt: skip
_OWNED = (
    "msdyn_bookableresourcecapacityprofile", "msdyn_capacityprofile", "msdyn_decisioncontract",
    "msdyn_decisionruleset", "msdyn_liveworkstream", "msdyn_liveworkstreamcapacityprofile",
)  # fmt: skip

SHIPPED: Mapping[str, Mapping[str, str]] = {
    "Omnichannel administrator": {
        **EVERYBODY,
        **dict.fromkeys(_MANAGED, _MOST),
        **dict.fromkeys(_OWNED, _FULL),
        "msdyn_masterentityroutingconfiguration": "ATSRHU C@Local D@Deep",
        "msdyn_occhannelconfiguration": "RU",
        "msdyn_ocliveworkitem": "R",  # an activity, and the page gives Activity; that it goes by that name is inference
        "msdyn_rulesetdependencymapping": "ATSCDRU",
        "queue": "ATSCDRU",
        "queueitem": "R",  # goes with the queue; general knowledge, medium
        "role": "TSR",
        "solution": "RU",
        "systemuser": "ATCRU",
    },
    "Omnichannel supervisor": {
        **EVERYBODY,
        **dict.fromkeys(_READ, "R"),
        "msdyn_cannedmessage": "CDRU",
        "msdyn_liveworkstream": "R",
        "msdyn_masterentityroutingconfiguration": "R",
        "msdyn_octag": _MOST,
        "msdyn_operatinghour": "R",
        "msdyn_presence": "ATR",
        "queue": "ATR",
        "systemuser": "A@Local T@Local C@Local R@Local U@Local",
    },
    "Omnichannel agent": {
        **EVERYBODY,
        **dict.fromkeys(_READ, "R"),
        "msdyn_assignmentconfiguration": "R",
        "msdyn_assignmentconfigurationstep": "R",
        "msdyn_bookableresourcecapacityprofile": "R@Local",
        "msdyn_cannedmessage": "R",
        "msdyn_capacityprofile": "R@Basic",
        "msdyn_decisioncontract": "ATR S@Basic H@Basic",
        "msdyn_decisionruleset": "ATR S@Basic H@Basic",
        "msdyn_liveworkstream": "ATR S@Basic H@Basic",
        "msdyn_liveworkstreamcapacityprofile": "R@Local",
        "msdyn_masterentityroutingconfiguration": "ATR S@Basic H@Basic",
        "msdyn_octag": _MOST,
        "msdyn_presence": "R",
        "msdyn_routingconfiguration": "R",
        "msdyn_routingconfigurationstep": "R",
        "queue": "AR",
        "systemuser": "R@Local",
    },
}
"""Role to table to verbs, as letters of `VERBS`, with the access level where it is not Global."""

_TYPE_CODES = {"systemuser": 8, "team": 9, "businessunit": 10, "organization": 1019, "role": 1036, "queue": 2020}
_ROLE_LINKS = frozenset({"systemuserroles", "teamroles"})


def privilege(verb: str, table: Table) -> str:
    """Return what the privilege for a verb (`Read`, `AppendTo`, …) on a table is called."""
    return f"prv{verb}{'User' if table.name == 'systemuser' else table.schema_name}"


def privilege_id(name: str) -> str:
    """Return the id of a privilege; made up, the same everywhere."""
    return str(uuid.uuid5(NAMESPACE, name.lower()))


def known_privileges(schema: Schema) -> dict[str, str]:
    """Return every privilege there is on the tables described, with the level the System Administrator has."""
    found = {}
    for table in schema.tables.values():
        if not table.intersect:
            letters = {"UserOwned": _FULL, "BusinessOwned": "ATSCDRU"}.get(table.ownership or "", _MOST)
            found.update({privilege(VERBS[letter], table): GLOBAL for letter in letters})
    return found


def _shipped(role: str, schema: Schema) -> dict[str, str]:
    """Return the privileges of a shipped role, with levels."""
    if role == SYSTEM_ADMINISTRATOR:
        return known_privileges(schema)
    found = {}
    for name, written in SHIPPED.get(role, {}).items():
        if name in schema.tables:
            for letters, level in _levels(written):
                found.update({privilege(VERBS[letter], schema.tables[name]): level for letter in letters})
    return found


def _levels(written: str) -> Iterable[tuple[str, str]]:
    for part in written.split():
        letters, _, level = part.partition("@")
        yield letters, level or GLOBAL


def role_privileges(rows: Rows, role: Row) -> dict[str, str]:
    """Return what a role holds: its own list where one was made, else what a shipped role of that name holds."""
    root = role["parentrootroleid"] or role["roleid"]
    own = rows.select("SELECT privilege, level FROM _roleprivilege WHERE roleid = ?", [root])
    if own:
        return {row["privilege"]: row["level"] for row in own}
    return _shipped(role["name"], rows.schema) if role["ismanaged"] else {}


def add_widest(held: dict[str, str], more: Mapping[str, str]) -> None:
    """Add privileges; of two levels the wider one counts."""
    for name, level in more.items():
        held[name] = max(level, held.get(name, level), key=LEVELS.index)


def direct_roles(rows: Rows, user_id: str) -> list[Row]:
    """Return the roles a user holds directly."""
    sql = "SELECT r.* FROM systemuserroles x JOIN role r ON r.roleid = x.roleid WHERE x.systemuserid = ?"
    return rows.select(sql, [user_id])


def team_roles(rows: Rows, user_id: str) -> list[Row]:
    """Return the roles a user holds through teams."""
    sql = """SELECT DISTINCT r.* FROM teammembership m JOIN teamroles x ON x.teamid = m.teamid
             JOIN role r ON r.roleid = x.roleid WHERE m.systemuserid = ?"""
    return rows.select(sql, [user_id])


@dataclass(frozen=True)
class Rights:
    """What one user may do in one transaction."""

    rows: Rows
    user: Row

    @cached_property
    def roles(self) -> list[Row]:
        """Every role, direct or through a team."""
        user_id = self.user["systemuserid"]
        found = {row["roleid"]: row for row in (*direct_roles(self.rows, user_id), *team_roles(self.rows, user_id))}
        return list(found.values())

    @cached_property
    def held(self) -> dict[str, str]:
        """Privilege names with their level."""
        found: dict[str, str] = {}
        for role in self.roles:
            add_widest(found, role_privileges(self.rows, role))
        return found

    @cached_property
    def unlimited(self) -> bool:
        """Whether the user is a System Administrator."""
        return any(role["name"] == SYSTEM_ADMINISTRATOR and role["ismanaged"] for role in self.roles)

    def check_any_role(self) -> None:
        """Refuse a user without a role."""
        if not self.roles:
            message = f"The user with id {self.user['systemuserid']} has not been assigned any roles."
            raise ServiceError(403, "0x80042f09", message)

    def may(self, verb: str, table: str) -> bool:
        """Return whether the user holds the privilege."""
        described = self.rows.schema.tables[table]
        return described.intersect or self.unlimited or privilege(verb, described) in self.held

    def need(self, verb: str, table: str) -> None:
        """Refuse what the user has no privilege for."""
        if not self.may(verb, table):
            raise self._denied(privilege(verb, self.rows.schema.tables[table]), self.rows.schema.tables[table])

    def need_for_lookups(self, table: str, values: Row, sent: Iterable[str]) -> None:
        """Refuse a lookup to a row that may not be appended to, and an owner who may not be given the row."""
        described = self.rows.schema.tables[table]
        for name in sorted(sent):
            column = described.columns.get(name)
            if column is None or not column.is_lookup or values.get(name) is None:
                continue
            if column.type == "Owner":
                self.need("Assign", table)
                continue
            target = str(values.get(column.target_column) if column.is_polymorphic else column.targets[0])
            self.need("Append", table)
            if target in self.rows.schema.tables:
                self.need("AppendTo", target)

    def need_for_link(self, relation: ManyToMany, this: Row, other: Row) -> None:
        """Refuse to join or part rows; roles are assigned, and only by who holds what is in them."""
        first, second = _side(self.rows.schema, relation), relation.table
        role = this if first == "role" else other
        if first == "role":
            first, second = second, first
        self.need("Append", first)
        self.need("AppendTo", second)
        if relation.intersect in _ROLE_LINKS:
            self.need("Assign", "role")
            self._need_all_of(role)

    def _need_all_of(self, role: Row) -> None:
        if self.unlimited:
            return
        lacking = sorted(set(role_privileges(self.rows, role)) - set(self.held))
        if lacking:
            raise self._denied(lacking[0], self.rows.schema.tables["role"])

    def _denied(self, name: str, table: Table) -> ServiceError:
        user = self.user
        message = (
            f"Principal user (Id={user['systemuserid']}, type=8, roleCount={len(self.roles)}, "
            f"privilegeCount={len(self.held)}, accessMode={user['accessmode'] or 0}) is missing {name} privilege "
            f"(Id={privilege_id(name)}) on OTC={_type_code(table)} for entity '{table.name}' "
            f"(LocalizedName='{table.label or table.name}'). context.Caller={user['systemuserid']}."
        )
        return ServiceError(403, "0x80040220", message)


def _side(schema: Schema, relation: ManyToMany) -> str:
    """Return the table whose collection this is."""
    return next(table.name for table in schema.tables.values() if relation in table.collections.values())


def _type_code(table: Table) -> int:
    return _TYPE_CODES.get(table.name, 10000 + uuid.uuid5(NAMESPACE, table.name).int % 2000)
