"""Functions without a table: who am I, which version, which organization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .store import Row, Rows

VERSION = "9.2.25103.00142"


def _who_am_i(rows: Rows, caller: Row, _root: str) -> dict[str, Any]:
    return {
        "BusinessUnitId": caller["businessunitid"],
        "UserId": caller["systemuserid"],
        "OrganizationId": rows.find("organization")[0]["organizationid"],
    }


def _version(_rows: Rows, _caller: Row, _root: str) -> dict[str, Any]:
    return {"Version": VERSION}


def _organization(rows: Rows, _caller: Row, root: str) -> dict[str, Any]:
    organization = rows.find("organization")[0]
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


TENANT = "4e7d5f3c-2b1a-4c6d-8e9f-0a1b2c3d4e5f"
"""The made-up directory of the made-up organization."""

FUNCTIONS: Mapping[str, Callable[[Rows, Row, str], dict[str, Any]]] = {
    "WhoAmI": _who_am_i,
    "RetrieveVersion": _version,
    "RetrieveCurrentOrganization": _organization,
}
