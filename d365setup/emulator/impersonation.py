"""Acting for another user: the headers that ask for it, who may, and what the two may do together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import ServiceError, bad_query
from .principals import admitted
from .privileges import Rights, privilege_id
from .store import Rows

PRIVILEGE = "prvActOnBehalfOfAnotherUser"
_HEADERS = {"callerobjectid": "azureactivedirectoryobjectid", "mscrmcallerid": "systemuserid"}
"""Header, preferred one first, to the column of the user it names."""
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Together(Rights):
    """What a user may do for whom another acts: only what both may."""

    actor: Rights

    def may(self, verb: str, table: str) -> bool:
        """Return whether both hold the privilege."""
        return super().may(verb, table) and self.actor.may(verb, table)


def named(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return column and value of the user the headers ask to act for; None when they do not."""
    for header, column in _HEADERS.items():
        value = headers.get(header)
        if value is not None:
            if not _GUID.fullmatch(value):
                raise bad_query(f"The header '{header}' must hold an id, not '{value[:50]}'.")
            return column, value.lower()
    return None


def acting(rows: Rows, actor: Rights, other: tuple[str, str]) -> Rights:
    """Return what the actor may do for another user; refuses whoever may not act for others."""
    if not (actor.unlimited or PRIVILEGE in actor.held):
        user = actor.user["systemuserid"]
        message = f"Principal user (Id={user}, type=8) is missing {PRIVILEGE} privilege (Id={privilege_id(PRIVILEGE)})."
        raise ServiceError(403, "0x80040220", message)
    column, value = other
    found = rows.find("systemuser", **{column: value})
    rights = admitted(rows, found[0]["systemuserid"] if found else "")
    return Together(rights.rows, rights.user, actor)
