"""Each fault at each request of a green-field apply; a plain second apply ends where an undisturbed one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from d365setup.dataverse.errors import DataverseError
from d365setup.emulator import Emulator, Fault
from d365setup.model import Status
from tests.engine.driver import HAND_OFF, applied

FAULTS: dict[str, dict[str, Any]] = {
    "429": {"where": "request", "status": 429, "code": "0x80072322", "retry_after": 3},
    "503": {"where": "request", "status": 503, "code": ""},
    "500 deadlock": {"where": "operation", "status": 500, "code": "0x80044150"},
    "500": {"where": "operation", "status": 500, "code": "0x80040216"},
    "403": {"where": "operation", "status": 403, "code": "0x80040220"},
    "dropped before the work": {"where": "drop-before"},
    "dropped after the work": {"where": "drop-after"},
}
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


@pytest.fixture(scope="module")
def undisturbed() -> tuple[dict[str, list[Any]], int, int]:
    """The rows of an undisturbed run, and how many requests and operations it took."""
    emulator = Emulator(None)
    with emulator.serve():
        first = applied(emulator, HAND_OFF)
        found = rows(emulator)
    emulator.close()
    return found, len(first.requests), sum(len(request.operations) or 1 for request in first.requests)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_at_each_place(
    served: Callable[..., Emulator], undisturbed: tuple[dict[str, list[Any]], int, int], fault: str
) -> None:
    expected, requests, every = undisturbed
    places = every if FAULTS[fault]["where"] == "operation" else requests
    struck = 0
    for place in range(places):
        emulator = served()
        method = "GET|PATCH|POST" if FAULTS[fault]["where"] == "operation" else ""
        emulator.fail(Fault(method=method, skip=place, message="on request", **FAULTS[fault]))
        try:
            first = applied(emulator, HAND_OFF)
        except DataverseError:  # while reading, before anything was written
            first = None
        if first is not None:
            _tells_the_truth(emulator, first.statuses)
            struck += 1
        second = applied(emulator, HAND_OFF)
        assert set(second.statuses.values()) <= {Status.VERIFIED}, (place, second.outcomes)
        assert rows(emulator) == expected, place
        assert applied(emulator, HAND_OFF).writes == []
        emulator.close()
    assert struck > 0


def _tells_the_truth(emulator: Emulator, statuses: Any) -> None:
    """A change that is said to be verified is there; one that failed or was not written is not."""
    queue = emulator.sql("SELECT 1 FROM queue WHERE name = 'Health bot'")
    variable = emulator.sql("SELECT 1 FROM msdyn_ocliveworkstreamcontextvariable WHERE msdyn_name = 'BotHandOffTopic'")
    rules = emulator.sql("SELECT 1 FROM msdyn_routingconfigurationstep")
    for key, there in (
        ("queue:Health bot", queue),
        ("context_variable:Patient chat/BotHandOffTopic", variable),
        ("routing_rule:Patient chat/Hand off to a nurse", rules),
    ):
        landed = statuses[key] in (Status.VERIFIED, Status.NOT_VERIFIED)
        assert landed == bool(there), (key, statuses[key])
