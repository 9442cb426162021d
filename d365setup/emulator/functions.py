"""Functions without a table: who am I, which version, which organization, how many rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ServiceError, bad_query
from .query import split_top
from .store import Row, Rows, quoted

VERSION = "9.2.25103.00142"
_ACCESS = re.compile(r"Microsoft\.Dynamics\.CRM\.EndpointAccessType'(Default|Internet|Intranet)'")
_NAMES = re.compile(r"""\[\s*(?:(?:'\w+'|"\w+")\s*(?:,\s*(?:'\w+'|"\w+")\s*)*)?\]""")


@dataclass(frozen=True)
class Asked:
    """A function called: by whom, under which origin, with which parameters (aliases replaced)."""

    rows: Rows
    caller: Row
    root: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    may_read: Callable[[str], None] = lambda _table: None
    """Refuse a caller who may not read a table."""

    def only(self, *names: str) -> None:
        """Refuse other parameters than these; every one of them is compulsory."""
        if set(self.parameters) != set(names):
            raise bad_query("Request message has unresolved parameters.")


def _who_am_i(asked: Asked) -> dict[str, Any]:
    asked.only()
    return {
        "BusinessUnitId": asked.caller["businessunitid"],
        "UserId": asked.caller["systemuserid"],
        "OrganizationId": asked.rows.find("organization")[0]["organizationid"],
    }


def _version(asked: Asked) -> dict[str, Any]:
    asked.only()
    return {"Version": VERSION}


def _organization(asked: Asked) -> dict[str, Any]:
    asked.only("AccessType")
    if not _ACCESS.fullmatch(asked.parameters["AccessType"]):
        raise bad_query(f"'{asked.parameters['AccessType'][:100]}' is no EndpointAccessType.")
    root = asked.root
    organization = asked.rows.find("organization")[0]
    endpoints = {"WebApplication": f"{root}/", "OrganizationDataService": f"{root}/api/data/"}
    detail = {
        "OrganizationId": organization["organizationid"],
        "FriendlyName": organization["name"],
        "OrganizationVersion": VERSION,
        "EnvironmentId": organization["organizationid"],
        "DatacenterId": None,
        "Geo": "EMEA",
        "TenantId": TENANT,
        "UrlName": "contoso",
        "UniqueName": "contoso",
        "Endpoints": {
            "Count": len(endpoints),
            "IsReadOnly": False,
            "Keys": list(endpoints),
            "Values": list(endpoints.values()),
        },
        "State": "Enabled",
    }
    return {"Detail": detail}


def _total_record_count(asked: Asked) -> dict[str, Any]:
    asked.only("EntityNames")
    text = asked.parameters["EntityNames"]
    if not _NAMES.fullmatch(text):
        raise bad_query(f"'{text[:100]}' is no list of table names.")
    names = re.findall(r"\w+", text)
    counts = [_count(asked, name) for name in names]
    found = {"Count": len(names), "IsReadOnly": False, "Keys": names, "Values": counts}
    return {"EntityRecordCountCollection": found}


def _count(asked: Asked, name: str) -> int:
    if name not in asked.rows.schema.tables:
        message = f"The entity with a name = '{name}' with namemapping = 'Logical' was not found in the MetadataCache."
        raise ServiceError(400, "0x80041102", message)
    asked.may_read(name)
    return int(asked.rows.select(f"SELECT count(*) AS n FROM {quoted(name)}")[0]["n"])  # noqa: S608  # a known table


TENANT = "4e7d5f3c-2b1a-4c6d-8e9f-0a1b2c3d4e5f"
"""The made-up directory of the made-up organization."""

FUNCTIONS: Mapping[str, Callable[[Asked], dict[str, Any]]] = {
    "WhoAmI": _who_am_i,
    "RetrieveVersion": _version,
    "RetrieveCurrentOrganization": _organization,
    "RetrieveTotalRecordCount": _total_record_count,
}


def parameters(key: str | None, given: Mapping[str, str]) -> dict[str, str]:
    """Return what stands in a function's brackets, aliases replaced by their values."""
    found = {}
    for part in split_top(key or "", ","):
        name, _, value = part.partition("=")
        found[name.strip()] = given.get(value.strip(), value.strip())
    return found
