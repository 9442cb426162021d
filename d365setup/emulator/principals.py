"""Whose rights a request has: users by token, and the functions that tell what a user may do (web-api.md 6.5)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .address import Segment
from .bearer import AnyToken, Bearer, Unproven
from .context import Work
from .errors import ServiceError, bad_query
from .operation import Reply, json_reply
from .payload import NAMESPACE
from .privileges import VERBS, Rights, add_widest, direct_roles, privilege_id, role_privileges, team_roles
from .properties import no_resource
from .query import split_query
from .schema import Table
from .store import Row, Rows

_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class KnownTokens(AnyToken):
    """Plain HTTP where only the tokens of configured users will do."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = frozenset(tokens)

    def check(self, token: str, _root: str) -> Bearer:
        """Return the token itself, or refuse one that nobody has."""
        if token not in self._tokens:
            raise Unproven("The token is none of the configured users'.")
        return Bearer(token)


def user_id_of(rows: Rows, who: str) -> str:
    """Return the id of the user of that id, application, address or full name; empty when there is none."""
    columns = ("systemuserid", "applicationid") if _GUID.fullmatch(who) else ("internalemailaddress", "fullname")
    value = who.lower() if _GUID.fullmatch(who) else who
    for column in columns:
        found = rows.find("systemuser", **{column: value})
        if found:
            return str(found[0]["systemuserid"])
    return ""


def admitted(rows: Rows, user_id: str) -> Rights:
    """Return what the user a request runs as may do; raises what the service answers to whom it does not let in."""
    caller = rows.get("systemuser", user_id)
    if caller is None or caller["deletedstate"]:
        raise ServiceError(403, "0x80072560", "The user is not a member of the organization.")
    if caller["isdisabled"]:
        raise ServiceError(403, "0x80040225", "The specified user is disabled.")
    rights = Rights(rows, caller)
    rights.check_any_role()
    return rights


def user_function(work: Work, table: Table, row_id: str, segment: Segment) -> Reply | None:
    """Answer a function bound to users that tells privileges; None when it is another one."""
    name = segment.name.removeprefix(NAMESPACE)
    if table.name != "systemuser" or name not in _FUNCTIONS:
        return None
    if work.operation.method != "GET" or len(work.address.segments) > 2:
        raise no_resource(work.operation.url)
    row = work.existing(table, row_id)
    values = _FUNCTIONS[name](work, row, _arguments(work, segment.key))
    context = f"{work.base}$metadata#{NAMESPACE}{name}Response"
    return json_reply(200, {"@odata.context": context, **values})


def _arguments(work: Work, key: str | None) -> dict[str, str]:
    """Return what stands in the brackets, parameter aliases replaced by their values."""
    aliases = split_query(work.address.query)
    found = {}
    for part in (key or "").split(","):
        name, _, value = part.strip().partition("=")
        if name:
            found[name] = aliases.get(value, value)
    return found


def _direct(work: Work, user: Row, _arguments: Mapping[str, str]) -> dict[str, Any]:
    return _listed(work.rows, user, direct_roles(work.rows, user["systemuserid"]))


def _through_teams(work: Work, user: Row, arguments: Mapping[str, str]) -> dict[str, Any]:
    needed = {"ExcludeOrgDisabledPrivileges", "IncludeSetupUserFiltering"}
    if set(arguments) != needed or not set(arguments.values()) <= {"true", "false"}:
        raise bad_query("Request message has unresolved parameters.")
    return _listed(work.rows, user, team_roles(work.rows, user["systemuserid"]))


def _listed(rows: Rows, user: Row, roles: list[Row]) -> dict[str, Any]:
    held: dict[str, str] = {}
    for role in roles:
        add_widest(held, role_privileges(rows, role))
    unit = user["businessunitid"]
    known = [
        {"Depth": held[name], "PrivilegeId": privilege_id(name), "BusinessUnitId": unit, "PrivilegeName": name}
        for name in sorted(held)
    ]
    return {"RolePrivileges": known}


def _access(work: Work, user: Row, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return which rights the user has on one row; "None" for none."""
    reference = work.session.reference(_target(arguments.get("Target", "")))
    work.existing(work.schema.tables[reference.table], reference.row_id)
    rights = Rights(work.rows, user)
    held = [f"{verb}Access" for verb in VERBS.values() if rights.may(verb, reference.table)]
    return {"AccessRights": ", ".join(held) or "None"}


def _target(text: str) -> str:
    try:
        address = json.loads(text.replace("'", '"')).get("@odata.id")
    except (ValueError, AttributeError):
        address = None
    if not isinstance(address, str):
        raise bad_query("The parameter Target must name a row: {'@odata.id':'queues(<id>)'}.")
    return address


_FUNCTIONS: dict[str, Callable[[Work, Row, Mapping[str, str]], dict[str, Any]]] = {
    "RetrieveUserPrivileges": _direct,
    "RetrieveUsersPrivilegesThroughTeams": _through_teams,
    "RetrievePrincipalAccess": _access,
}
