"""Environments to begin with: `empty` (Omnichannel installed) and `clinic` (a work stream, queues, people)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from .contracts import empty_contract
from .store import Row, Rows
from .write import Writer

NAMESPACE = uuid.UUID("2f0f6f7e-7a0c-5a53-9d55-0c1a5be0d365")


def fixed_id(*names: str) -> str:
    """Return the id a fixture row always has."""
    return str(uuid.uuid5(NAMESPACE, "/".join(names)))


ORGANIZATION = fixed_id("organization")
ORGANIZATION_NAME = "Contoso Health"
ROOT_UNIT = fixed_id("businessunit", "contoso")
CHILD_UNIT = fixed_id("businessunit", "clinics")
CALLER = fixed_id("systemuser", "d365setup pipeline")
CALLER_APPLICATION = fixed_id("application", "d365setup pipeline")
PATIENT_CHAT = fixed_id("msdyn_liveworkstream", "Patient chat")
NURSES = fixed_id("queue", "Nurses")
BILLING = fixed_id("queue", "Billing")
DEFAULT_ENTITY_QUEUE = "5a4b76b0-dab5-4717-9743-9490f2f822c6"  # seeded everywhere (Microsoft's migration samples)
AVAILABLE = "f523f628-c07a-e811-8162-000d3aa11f50"  # seeded (Omnichannel user form), to be confirmed per org

MOST_ORGANIZATIONS = 1000

SYSTEM_ADMINISTRATOR = "System Administrator"
AGENT = "Omnichannel agent"
ROLES = (SYSTEM_ADMINISTRATOR, "Omnichannel administrator", "Omnichannel supervisor", AGENT)
CONTRACTS = (
    "msdyn_demandqueueidentificationoutput",
    "msdyn_demandqueueidentificationoutput_voicemail_copy",
    "msdyn_queueoverflowrulesetinput",
    "msdyn_queueoverflowrulesetoutput",
    "msdyn_assignmentoutput_voicemail",
    "msdyn_baseoutputcontractmasterentityroutingconfiguration",
    "msdyn_baseoutputcontractmasterentityroutingconfigurationunifiedrouting",
)
PRESENCES = ("Available", "Busy", "Busy - DND", "Away", "Offline")
SOLUTIONS = (
    "msdyn_UnifiedRoutingForEntity",
    "UnifiedRouting",
    "MLDecisionEngine",
    "msdyn_OmnichannelBase",
    "msdyn_OmnichannelBaseApp",
    "msdyn_OmnichannelBotEnabler",
    "msdyn_OmnichannelPrime",
    "msdyn_OmnichannelMessaging",
    "OmnichannelChat",
)
PEOPLE = (
    # address, first name, last name, capacity, queue, disabled
    ("nurse.one@contoso.example", "Nurse", "One", 60, NURSES, False),
    ("nurse.two@contoso.example", "Nurse", "Two", 100, NURSES, False),
    ("billing.one@contoso.example", "Billing", "One", 80, BILLING, False),
    ("billing.two@contoso.example", "Billing", "Two", 70, BILLING, False),
    ("former.nurse@contoso.example", "Former", "Nurse", 90, NURSES, True),
)

WriterOf = Callable[[Rows, Row | None], Writer]


def organization_id(number: int) -> str:
    """Return the id of the organization with this number."""
    return ORGANIZATION if number == 1 else fixed_id("organization", str(number))


def organization_number(row_id: str) -> int | None:
    """Return the number of the organization with this id; None for one that is not of a fixture."""
    return next((each for each in range(1, MOST_ORGANIZATIONS + 1) if organization_id(each) == row_id), None)


def load(fixture: str, rows: Rows, writer_of: WriterOf, number: int = 1) -> None:
    """Fill empty tables with a fixture; each number is another organization."""
    if fixture not in {"empty", "clinic"}:
        message = f"There is no fixture '{fixture}': use empty or clinic."
        raise ValueError(message)
    build = _Build(rows, writer_of(rows, {"systemuserid": CALLER, "businessunitid": ROOT_UNIT}), number)
    build.organization()
    build.units_and_roles()
    build.caller()
    build.omnichannel()
    if fixture == "clinic":
        build.clinic()


def add_work_stream(name: str, rows: Rows, writer: Writer) -> str:
    """A messaging work stream as the clinic's, without rules; its id."""
    return _Build(rows, writer).work_stream(name)


def add_person(address: str, rows: Rows, writer: Writer) -> str:
    """A person who can serve, and is in no queue; the id."""
    first, _, last = address.partition("@")[0].replace("_", ".").partition(".")
    return _Build(rows, writer).person(address, first.title(), last.title() or "Person", 60)


class _Build:
    def __init__(self, rows: Rows, writer: Writer, number: int = 1) -> None:
        self._rows = rows
        self._writer = writer
        self._organization = organization_id(number)
        self._name = ORGANIZATION_NAME if number == 1 else f"{ORGANIZATION_NAME} {number}"

    def add(self, table: str, row_id: str, **columns: Any) -> str:
        return self._writer.insert(self._writer.schema.tables[table], columns, row_id)

    def organization(self) -> None:
        self.add("organization", self._organization, name=self._name, fullnameconventioncode=1, languagecode=1033)

    def units_and_roles(self) -> None:
        self.add("businessunit", ROOT_UNIT, name=self._name, organizationid=self._organization)
        team = {"isdefault": 1, "businessunitid": ROOT_UNIT, "organizationid": self._organization}
        self.add("team", fixed_id("team", ORGANIZATION_NAME), name=self._name, **team)
        for name in ROLES:
            shipped = {
                "ismanaged": 1,
                "businessunitid": ROOT_UNIT,
                "organizationid": self._organization,
                "canbedeleted": 0,
            }
            self.add("role", fixed_id("role", name), name=name, roleidunique=fixed_id("roleidunique", name), **shipped)
        unit = {"parentbusinessunitid": ROOT_UNIT, "organizationid": self._organization}
        self.add("businessunit", CHILD_UNIT, name="Clinics", **unit)

    def caller(self) -> None:
        names = {"firstname": "#", "lastname": "d365setup pipeline"}
        self.add("systemuser", CALLER, applicationid=CALLER_APPLICATION, businessunitid=ROOT_UNIT, **names)
        self.role(CALLER, SYSTEM_ADMINISTRATOR)

    def role(self, user: str, name: str) -> None:
        self._rows.insert("systemuserroles", {"systemuserid": user, "roleid": fixed_id("role", name)})

    def omnichannel(self) -> None:
        for name in SOLUTIONS:
            known = {"friendlyname": name, "uniquename": name, "version": "9.2.25103.1", "ismanaged": 1}
            self.add("solution", fixed_id("solution", name), **known)
        for position, name in enumerate(PRESENCES):
            row_id = AVAILABLE if name == "Available" else fixed_id("msdyn_presence", name)
            text = {"msdyn_name": name, "msdyn_presencestatustext": name, "ismanaged": 1}
            self.add("msdyn_presence", row_id, msdyn_basepresencestatus=192360000 + position, **text)
        for name in CONTRACTS:
            known = {"msdyn_name": name, "msdyn_uniquename": name, "ismanaged": 1}
            definition = '<contract version="1"></contract>'
            self.add("msdyn_decisioncontract", fixed_id("contract", name), msdyn_contractdefinition=definition, **known)
        self.queue("Default entity queue", DEFAULT_ENTITY_QUEUE, msdyn_queuetype=192350001, msdyn_isdefaultqueue=1)
        self.queue("Default messaging queue", fixed_id("queue", "default messaging"), msdyn_isdefaultqueue=1)

    def queue(self, name: str, row_id: str, **columns: Any) -> str:
        omnichannel = {
            "queueviewtype": 1,
            "msdyn_isomnichannelqueue": 1,
            "msdyn_priority": 1,
            "msdyn_assignmentstrategy": 192350000,
        }
        return self.add("queue", row_id, name=name, **{**omnichannel, **columns})

    def clinic(self) -> None:
        self.queue("Nurses", NURSES, description="Nurses on duty.")
        self.queue("Billing", BILLING, description="Questions about invoices.")
        for address, first, last, capacity, queue_id, disabled in PEOPLE:
            person = self.person(address, first, last, capacity, disabled=disabled)
            self._rows.insert("queuemembership", {"queueid": queue_id, "systemuserid": person})
        self.work_stream("Patient chat")

    def person(self, address: str, first: str, last: str, capacity: int, *, disabled: bool = False) -> str:
        named = {"firstname": first, "lastname": last, "internalemailaddress": address, "islicensed": 1}
        known = {"businessunitid": ROOT_UNIT, "msdyn_capacity": capacity, "isdisabled": int(disabled)}
        person = fixed_id("systemuser", address)
        self.add("systemuser", person, azureactivedirectoryobjectid=fixed_id("entra", address), **named, **known)
        self.role(person, AGENT)
        return person

    def work_stream(self, name: str) -> str:
        contract = fixed_id("contract", name)
        unique = "new_" + contract.replace("-", "_")
        definition = {"msdyn_contractdefinition": empty_contract(), "msdyn_uniquename": unique}
        self.add("msdyn_decisioncontract", contract, msdyn_name=f"{name} contract", **definition)
        return self.add(
            "msdyn_liveworkstream",
            fixed_id("msdyn_liveworkstream", name),
            msdyn_routingcontractid=contract,
            msdyn_name=name,
            msdyn_mode=717210001,
            msdyn_streamsource=192360000,
            msdyn_workdistributionmode=192350000,
            msdyn_capacityformat=192350000,
            msdyn_capacityrequired=30,
            msdyn_matchinglogic=192350000,
            msdyn_direction=0,
            msdyn_allowedpresences="192360000,192360001",
        )
