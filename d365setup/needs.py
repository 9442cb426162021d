"""Which privileges reading and writing take, and which shipped role carries them. Pure.

Derived from the queries and writes themselves, so that a new kind needs no entry here but for new tables and links.
Rules: learn.microsoft.com, "Security roles and privileges": create, read, write, delete on the row's table; for a
lookup or a link, append on the one side and append-to on the other; assign for a role given to somebody. What the
shipped roles hold: Microsoft's table of personas and privileges for Omnichannel (2021; today's tools still agree).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from d365setup.model import Query, Write

TABLES: Mapping[str, str] = {  # entity set -> what its privileges call the table
    "systemusers": "User",
    "queues": "Queue",
    "roles": "Role",
    "organizations": "Organization",
    "businessunits": "BusinessUnit",
    "msdyn_liveworkstreams": "msdyn_liveworkstream",
    "msdyn_ocliveworkstreamcontextvariables": "msdyn_ocliveworkstreamcontextvariable",
    "msdyn_decisioncontracts": "msdyn_decisioncontract",
    "msdyn_decisionrulesets": "msdyn_decisionruleset",
    "msdyn_routingconfigurations": "msdyn_routingconfiguration",
    "msdyn_routingconfigurationsteps": "msdyn_routingconfigurationstep",
}
LINKS: Mapping[str, str] = {  # navigation property -> the table at its other end
    "queuemembership_association": "User",
    "systemuserroles_association": "Role",
    "msdyn_defaultqueue": "Queue",
    "msdyn_routingcontractid": "msdyn_decisioncontract",
    "msdyn_outputcontractid": "msdyn_decisioncontract",
    "msdyn_liveworkstreamid": "msdyn_liveworkstream",
    "msdyn_rulesetdependencymapping_msdyn_decisionruleset_msdyn_referencingrulesetid": "msdyn_rulesetdependencymapping",
}

SYSTEM_ADMINISTRATOR = "System Administrator"
OMNICHANNEL_ADMINISTRATOR = "Omnichannel administrator"
BASIC_USER = "Basic User"
_FULL = ("Append", "AppendTo", "Assign", "Create", "Delete", "Read", "Share", "Write")
_MOST = ("Append", "AppendTo", "Create", "Delete", "Read", "Write")
_CARRIED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    BASIC_USER: {"Organization": ("Read",), "BusinessUnit": ("Read",)},
    OMNICHANNEL_ADMINISTRATOR: {
        "msdyn_decisioncontract": _FULL,
        "msdyn_decisionruleset": _FULL,
        "msdyn_liveworkstream": _FULL,
        "msdyn_routingconfiguration": _MOST,
        "msdyn_routingconfigurationstep": _MOST,
        "msdyn_ocliveworkstreamcontextvariable": _MOST,
        "msdyn_rulesetdependencymapping": (*_MOST, "Assign"),
        "Queue": (*_MOST, "Assign"),
        "Role": ("AppendTo", "Assign", "Read"),
        "User": ("Append", "AppendTo", "Create", "Read", "Write"),
    },
}
_ROW = re.compile(r"/?(\w+)\([^)]*\)(?:/(\w+))?")


@dataclass(frozen=True)
class Need:
    """A privilege, and what of the playbook needs it (``kind:key``; empty for what any reading needs)."""

    privilege: str
    things: tuple[str, ...] = ()

    @property
    def role(self) -> str:
        """The smallest shipped role that carries it."""
        return carrier(self.privilege)


def carrier(privilege: str) -> str:
    """The smallest shipped role that carries a privilege."""
    for role, tables in _CARRIED.items():
        if any(privilege == name(verb, table) for table, verbs in tables.items() for verb in verbs):
            return role
    return SYSTEM_ADMINISTRATOR


def name(verb: str, table: str) -> str:
    """What a privilege is called."""
    return f"prv{verb}{table}"


def of(queries: Iterable[Query], writes: Iterable[Write]) -> tuple[Need, ...]:
    """What these queries and writes need, each privilege once. Raises KeyError for a table nobody told of here."""
    found: dict[str, dict[str, None]] = {name("Read", "Organization"): {}, name("Read", "BusinessUnit"): {}}
    for query in queries:
        for privilege in of_query(query):
            found.setdefault(privilege, {})
    for write in writes:
        for privilege in of_write(write):
            found.setdefault(privilege, {}).update(dict.fromkeys(str(each) for each in write.changes))
    return tuple(Need(privilege, tuple(things)) for privilege, things in found.items())


def of_query(query: Query) -> Iterator[str]:
    """Read on the table, and on what is expanded."""
    yield name("Read", TABLES[query.entity_set])
    for each in query.expand:
        yield name("Read", LINKS[each.partition("(")[0]])


def of_write(write: Write) -> Iterator[str]:
    """What one write needs."""
    found = _ROW.match(write.path)
    if found is None:
        raise KeyError(write.path)
    table, link = TABLES[found[1]], found[2]
    if link:
        yield from _joined(table, LINKS[link])
        return
    yield name("Delete" if write.method == "DELETE" else "Create" if _is_new(write) else "Write", table)
    for key, value in (write.body or {}).items():
        if key.endswith("@odata.bind"):
            yield name("Append", table)
            yield name("AppendTo", TABLES[str(value).strip("/").partition("(")[0]])


def missing(needs: Iterable[Need], held: Iterable[str]) -> tuple[Need, ...]:
    """The needs these privileges do not answer; names are compared without case."""
    known = {each.casefold().replace("systemuser", "user") for each in held}
    return tuple(each for each in needs if each.privilege.casefold() not in known)


def _is_new(write: Write) -> bool:
    return write.condition.get("If-None-Match") == "*" or write.method == "POST"


def _joined(first: str, second: str) -> Iterator[str]:
    yield name("Append", first)
    yield name("AppendTo", second)
    if second == "Role":
        yield name("Assign", "Role")
