"""What the platform does with users, roles and business units by itself."""

from __future__ import annotations

import uuid
from collections.abc import Container

from .errors import ServiceError, duplicate, plug_in
from .options import Switches
from .schema import ManyToMany
from .store import Row, Rows, new_id

ENTRA = uuid.UUID("6f1cf1f0-40b5-5c8e-9b0d-8f6f4f0e4a10")
"""Namespace of the made-up Entra object ids."""


def fill_new_user(rows: Rows, switches: Switches, values: Row, sent: set[str]) -> None:
    """Refuse or complete a user about to be created."""
    if values.get("applicationid"):
        _fill_application_user(rows, switches, values, sent)
    elif not values.get("internalemailaddress"):
        raise ServiceError(400, "0x80040203", "Required field 'internalemailaddress' is missing.")
    values["domainname"] = values.get("domainname") or values.get("internalemailaddress")
    values["organizationid"] = rows.find("organization")[0]["organizationid"]
    values["fullname"] = full_name(rows, switches, values)


def _fill_application_user(rows: Rows, switches: Switches, values: Row, sent: set[str]) -> None:
    application = values["applicationid"]
    if rows.find("systemuser", applicationid=application):
        raise duplicate()  # a soft-deleted row blocks as well (admin guide, Terraform provider)
    refused = sorted(name for name in sent if name.startswith("msdyn_bot") or name == "msdyn_agentType")
    if refused and switches.bot_columns == "refused":
        raise plug_in(f"{refused[0]} cannot be set while an application user is created. Update it afterwards.")
    if "accessmode" not in sent:
        values["accessmode"] = 4
    values["azureactivedirectoryobjectid"] = str(uuid.uuid5(ENTRA, application))
    values["applicationiduri"] = f"api://{application}"
    values["domainname"] = values.get("domainname") or f"{values['azureactivedirectoryobjectid']}@contoso.example"


def before_user_update(rows: Rows, switches: Switches, old: Row, values: Row) -> None:
    """Refuse a change of the application, and compute the full name again."""
    if "applicationid" in values and values["applicationid"] != old["applicationid"]:
        raise ServiceError(400, "0x80041d48", "The application of an application user cannot be updated.")
    if values.get("isdisabled"):
        check_last_administrator(rows, old["systemuserid"], "0x80041d2f")
    if {"firstname", "middlename", "lastname"} & set(values):
        values["fullname"] = full_name(rows, switches, {**old, **values})


def after_user_update(rows: Rows, old: Row, new: Row) -> None:
    """Take away the roles of a user who changed the business unit (general knowledge, medium)."""
    if old["businessunitid"] != new["businessunitid"]:
        rows.connection.execute("DELETE FROM systemuserroles WHERE systemuserid = ?", [new["systemuserid"]])


def full_name(rows: Rows, switches: Switches, user: Row) -> str | None:
    """Return a user's computed name, by the organization's convention or from Entra."""
    first, middle, last = (user.get(name) or "" for name in ("firstname", "middlename", "lastname"))
    application = user.get("applicationid")
    if application and (switches.full_name == "entra" or not (first or last)):
        known = rows.select("SELECT name FROM _entra WHERE applicationid = ?", [application])
        return f"# {known[0]['name'] if known else f'Application {application[:8]}'}"
    convention = rows.find("organization")[0]["fullnameconventioncode"] or 0
    return _arranged(convention, first, middle, last)[:200] or None


def _arranged(convention: int, first: str, middle: str, last: str) -> str:
    initial = f"{middle[0]}." if middle else ""
    before_last = {1: [first], 3: [first, initial], 5: [first, middle]}
    if convention in before_last:
        return _joined([*before_last[convention], last])
    after_last = {2: [first, initial], 4: [first, middle]}.get(convention, [first])
    separator = {6: " ", 7: ""}.get(convention, ", ")
    return separator.join(part for part in (last, _joined(after_last)) if part)


def _joined(parts: list[str]) -> str:
    return " ".join(part for part in parts if part)


def after_user_create(rows: Rows, user: Row) -> None:
    """Put a new user into the default team of the business unit."""
    for team in rows.find("team", businessunitid=user["businessunitid"], isdefault=1):
        rows.insert("teammembership", {"systemuserid": user["systemuserid"], "teamid": team["teamid"]})


def after_unit_create(rows: Rows, unit: Row) -> None:
    """Give a new business unit its own copy of every role, and its default team."""
    parent = unit["parentbusinessunitid"]
    if parent is None:
        return
    for role in rows.find("role", businessunitid=parent):
        copy_role(rows, role, unit["businessunitid"])
    team = {"name": unit["name"], "businessunitid": unit["businessunitid"], "isdefault": 1, "teamtype": 0}
    rows.insert("team", {**team, "membershiptype": 0, "organizationid": unit["organizationid"]})


def copy_role(rows: Rows, role: Row, unit_id: str) -> Row:
    """Add the copy of a role that belongs to one business unit."""
    own_id = str(uuid.uuid5(ENTRA, f"{role['roleid']}/{unit_id}"))  # repeatable, so fixtures are
    own = {"roleid": own_id, "roleidunique": new_id(), "businessunitid": unit_id}
    root = role["parentrootroleid"] or role["roleid"]
    skipped = {"versionnumber", "createdon", "modifiedon"}
    values = {name: value for name, value in role.items() if name not in skipped}
    return rows.insert("role", {**values, **own, "parentroleid": role["roleid"], "parentrootroleid": root})


def after_role_create(rows: Rows, role: Row) -> None:
    """Make a new role its own root and copy it to the business units below."""
    if role["parentrootroleid"] is None:
        own = {"parentrootroleid": role["roleid"], "roleidunique": role["roleidunique"] or new_id()}
        rows.update("role", role["roleid"], own)
        role.update(own)
    for unit in rows.find("businessunit", parentbusinessunitid=role["businessunitid"]):
        after_role_create(rows, copy_role(rows, role, unit["businessunitid"]))


def check_role_link(relation: ManyToMany, this: Row, other: Row) -> None:
    """Refuse a role of another business unit than the user's or team's."""
    holders = {"systemuserroles": ("systemuserid", "0x80041409"), "teamroles": ("teamid", "0x8004140d")}
    if relation.intersect not in holders:
        return
    key, code = holders[relation.intersect]
    holder, role = (this, other) if relation.this_column == key else (other, this)
    if holder["businessunitid"] != role["businessunitid"]:
        raise ServiceError(400, code, "The role does not belong to the business unit of the user or team.")


def check_last_administrator(rows: Rows, user_id: str, code: str) -> None:
    """Refuse to take the last enabled System Administrator away."""
    sql = """SELECT DISTINCT u.systemuserid FROM systemuser u
             JOIN systemuserroles x ON x.systemuserid = u.systemuserid
             JOIN role r ON r.roleid = x.roleid
             WHERE r.name = 'System Administrator' AND coalesce(u.isdisabled, 0) = 0"""
    if [row["systemuserid"] for row in rows.select(sql)] == [user_id]:
        message = "The last user with the System Administrator role must stay enabled and keep it."
        raise ServiceError(403, code, message)


def before_role_unlink(rows: Rows, relation: ManyToMany, this: Row, other: Row) -> None:
    """Refuse to take the System Administrator role from its last holder."""
    if relation.intersect != "systemuserroles":
        return
    user, role = (this, other) if relation.this_column == "systemuserid" else (other, this)
    if role["name"] == "System Administrator":
        check_last_administrator(rows, user["systemuserid"], "0x80041d30")


def delete_user(rows: Rows, switches: Switches, user: Row) -> bool:
    """Soft-delete a user the first time; True when the row stays."""
    if user["deletedstate"]:
        return False
    if not user["isdisabled"] and switches.delete_enabled_user == "refused":
        raise plug_in("Only a user who is disabled can be deleted.")
    rows.update("systemuser", user["systemuserid"], {"deletedstate": 1, "isdisabled": 1})
    return True


def system_values(rows: Rows, columns: Container[str], caller: Row) -> Row:
    """Return the columns every new row gets from the platform."""
    organization = rows.find("organization")
    values: Row = {
        "createdby": caller["systemuserid"],
        "modifiedby": caller["systemuserid"],
        "ownerid": caller["systemuserid"],
        "owneridtype": "systemuser",
        "owninguser": caller["systemuserid"],
        "owningbusinessunit": caller["businessunitid"],
        "organizationid": organization[0]["organizationid"] if organization else None,
        "statecode": 0,
        "statuscode": 1,
    }
    kept = {name for name in values if name in columns or (name == "owneridtype" and "ownerid" in columns)}
    return {name: values[name] for name in kept}
