"""The functions, actions and plain types of `$metadata`: those the emulator answers, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from .schema import Schema

_ENUMS: Mapping[str, tuple[str, ...]] = {
    "EndpointAccessType": ("Default", "Internet", "Intranet"),
    "EndpointType": ("OrganizationService", "OrganizationDataService", "WebApplication"),
    "OrganizationState": ("Enabled", "Disabled"),
    "PrivilegeDepth": ("Basic", "Local", "Deep", "Global"),
}

_TYPES: Mapping[str, Mapping[str, str]] = {
    "BooleanManagedProperty": {
        "Value": "Edm.Boolean",
        "CanBeChanged": "Edm.Boolean",
        "ManagedPropertyLogicalName": "Edm.String",
    },
    "WhoAmIResponse": {"BusinessUnitId": "Edm.Guid", "UserId": "Edm.Guid", "OrganizationId": "Edm.Guid"},
    "RetrieveVersionResponse": {"Version": "Edm.String"},
    "EndpointCollection": {
        "Count": "Edm.Int32",
        "IsReadOnly": "Edm.Boolean",
        "Keys": "Collection(mscrm.EndpointType)",
        "Values": "Collection(Edm.String)",
    },
    "OrganizationDetail": {
        "OrganizationId": "Edm.Guid",
        "FriendlyName": "Edm.String",
        "OrganizationVersion": "Edm.String",
        "EnvironmentId": "Edm.String",
        "DatacenterId": "Edm.Guid",
        "Geo": "Edm.String",
        "TenantId": "Edm.String",
        "UrlName": "Edm.String",
        "UniqueName": "Edm.String",
        "Endpoints": "mscrm.EndpointCollection",
        "State": "mscrm.OrganizationState",
    },
    "RetrieveCurrentOrganizationResponse": {"Detail": "mscrm.OrganizationDetail"},
    "RolePrivilege": {
        "Depth": "mscrm.PrivilegeDepth",
        "PrivilegeId": "Edm.Guid",
        "BusinessUnitId": "Edm.Guid",
        "PrivilegeName": "Edm.String",
    },
    "RetrieveUserPrivilegesResponse": {"RolePrivileges": "Collection(mscrm.RolePrivilege)"},
    "CreateMultipleResponse": {"Ids": "Collection(Edm.Guid)"},
}


@dataclass(frozen=True)
class Operation:
    """A function or action; the first parameter of a bound one is what it is bound to."""

    name: str
    parameters: Mapping[str, str]
    returns: str | None = None
    bound: bool = False
    function: bool = False


_ROWS = "Collection(mscrm.crmbaseentity)"
_MEMBERS = "Collection(mscrm.systemuser)"
_OPERATIONS = (
    Operation("WhoAmI", {}, "mscrm.WhoAmIResponse", function=True),
    Operation("RetrieveVersion", {}, "mscrm.RetrieveVersionResponse", function=True),
    Operation(
        "RetrieveCurrentOrganization",
        {"AccessType": "mscrm.EndpointAccessType"},
        "mscrm.RetrieveCurrentOrganizationResponse",
        function=True,
    ),
    Operation(
        "RetrieveUserPrivileges",
        {"entity": "mscrm.systemuser"},
        "mscrm.RetrieveUserPrivilegesResponse",
        bound=True,
        function=True,
    ),
    Operation("AddPrincipalToQueue", {"entity": "mscrm.queue", "Principal": "mscrm.principal"}, bound=True),
    Operation("AddMembersTeam", {"entity": "mscrm.team", "Members": _MEMBERS}, bound=True),
    Operation("RemoveMembersTeam", {"entity": "mscrm.team", "Members": _MEMBERS}, bound=True),
    Operation("CreateMultiple", {"entityset": _ROWS, "Targets": _ROWS}, "mscrm.CreateMultipleResponse", bound=True),
    Operation("UpdateMultiple", {"entityset": _ROWS, "Targets": _ROWS}, bound=True),
    Operation("UpsertMultiple", {"entityset": _ROWS, "Targets": _ROWS}, bound=True),
)


def add_types(parent: ET.Element) -> None:
    """Add the enumerations and the types of what functions return."""
    for name, members in _ENUMS.items():
        enum = ET.SubElement(parent, "EnumType", Name=name)
        for value, member in enumerate(members):
            ET.SubElement(enum, "Member", Name=member, Value=str(value))
    for name, properties in _TYPES.items():
        shown = ET.SubElement(parent, "ComplexType", Name=name)
        for each, kind in properties.items():
            ET.SubElement(shown, "Property", Name=each, Type=kind)


def add_operations(parent: ET.Element, schema: Schema) -> None:
    """Add the functions and actions whose types the schema has."""
    for operation in _OPERATIONS:
        tables = {kind.partition("mscrm.")[2].rstrip(")") for kind in operation.parameters.values()}
        if operation.bound and not tables <= {*schema.tables, "principal", "crmbaseentity"}:
            continue
        shown = ET.SubElement(parent, "Function" if operation.function else "Action", Name=operation.name)
        if operation.bound:
            shown.set("IsBound", "true")
        for index, (name, kind) in enumerate(operation.parameters.items()):
            given = {"Nullable": "false"} if index == 0 or not kind.startswith("Collection") else {}
            ET.SubElement(shown, "Parameter", {"Name": name, "Type": kind, **given})
        if operation.returns:
            ET.SubElement(shown, "ReturnType", Type=operation.returns, Nullable="false")


def add_imports(container: ET.Element) -> None:
    """Add what can be called without a row."""
    for operation in _OPERATIONS:
        if not operation.bound and operation.function:
            kind = {"Name": operation.name, "Function": f"mscrm.{operation.name}"}
            ET.SubElement(container, "FunctionImport", kind)
