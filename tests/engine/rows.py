"""The rows an apply is about, to be compared from run to run."""

from __future__ import annotations

from typing import Any

from d365setup.emulator import Emulator

TABLES = {
    "systemuser": 'systemuserid, fullname, msdyn_capacity, "msdyn_agentType", msdyn_botapplicationid, isdisabled',
    "systemuserroles": "systemuserid, roleid",
    "queue": "queueid, name, msdyn_priority, msdyn_queuetype",
    "queuemembership": "queueid, systemuserid",
    "msdyn_liveworkstream": "msdyn_name, msdyn_defaultqueue",
    "msdyn_ocliveworkstreamcontextvariable": "msdyn_ocliveworkstreamcontextvariableid, msdyn_name, msdyn_datatype",
    "msdyn_decisionruleset": "msdyn_decisionrulesetid, msdyn_rulesetdefinition",
    "msdyn_routingconfiguration": "msdyn_routingconfigurationid, msdyn_isactiveconfiguration",
    "msdyn_routingconfigurationstep": "msdyn_routingconfigurationstepid, msdyn_rulesetid",
}


def rows(emulator: Emulator) -> dict[str, list[Any]]:
    return {table: sorted(emulator.sql(f"SELECT {what} FROM {table}"), key=repr) for table, what in TABLES.items()}  # noqa: S608
