"""An environment for a test: the emulator, the real client over HTTP, and the way from a playbook's text to a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from d365setup import kinds
from d365setup.apply import Settings, apply_plan
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Options, Switches
from d365setup.emulator import fixtures as names
from d365setup.errors import Unresolvable
from d365setup.live import read_live
from d365setup.model import Change, Desired, LiveState, Note, Plan
from d365setup.outcome import Outcome, Status
from d365setup.plan import Decision, decide
from d365setup.playbook import load

KINDS = kinds.discover()
SPECS = kinds.specs(KINDS)

APPLICATION = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
BOT_ID = "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01"
OTHER_APPLICATION = "0d4c1c5a-66c1-4a39-8a52-4b1f2a3c4d5e"
OTHER_BOT_ID = "3e7b8a90-1f2d-4c3b-a5d6-7e8f90a1b2c3"

BOT = f"""
bot_users:
  - name: Health Bot
    application_id: {APPLICATION}
    bot_application_id: {BOT_ID}
    email: bot@contoso.example
"""


def desired(text: str) -> Desired:
    """What a playbook's text asks for; raises PlaybookError where it is none."""
    return load(f"playbook: 1\nname: test\n{text}", SPECS, {}).desired


class Site:
    """One environment. Everything is read and written over HTTP, but for what a test does by hand."""

    def __init__(self, emulator: Emulator, client: Client) -> None:
        self.emulator, self.client = emulator, client
        self.pauses: list[float] = []

    def live(self, text: str) -> LiveState:
        return read_live(self.client, KINDS, desired(text))

    def decide(self, text: str) -> Decision:
        wanted = desired(text)
        return decide("test", "0", wanted, read_live(self.client, KINDS, wanted), KINDS)

    def plan(self, text: str) -> Plan:
        return self.decide(text).plan

    def changes(self, text: str) -> dict[str, Change]:
        found = self.plan(text).changes
        assert len({change.id for change in found}) == len(found)
        return {str(change.id): change for change in found}

    def warnings(self, text: str) -> list[str]:
        return [f"{note.id}: {note.message}" for note in self.plan(text).warnings]

    def run(self, text: str) -> tuple[dict[str, Outcome], list[Note]]:
        """Apply, and what came of it: the outcomes by id, and the notes."""
        return self.carry_out(self.decide(text))

    def carry_out(self, decision: Decision) -> tuple[dict[str, Outcome], list[Note]]:
        """As `run`, with a plan made before."""
        settings = Settings(sleep=self.pauses.append)
        seen = list(apply_plan(decision, self.client, KINDS, settings))
        outcomes = {str(each.change.id): each for each in seen if isinstance(each, Outcome)}
        return outcomes, [each for each in seen if isinstance(each, Note)]

    def apply(self, text: str) -> dict[str, Outcome]:
        """Apply, all verified, and in line afterwards."""
        outcomes, _ = self.run(text)
        assert {key: each.detail for key, each in outcomes.items() if each.status is not Status.VERIFIED} == {}
        assert self.plan(text).changes == ()
        return outcomes

    def refusal(self, text: str) -> Unresolvable:
        """The refusal of a plan; nothing but reads was sent."""
        self.emulator.reset_log()
        try:
            found = self.plan(text)
        except Unresolvable as error:
            sent = [part[0] for request in self.emulator.requests for part in request.operations]
            assert set(sent) <= {"GET"}
            return error
        raise AssertionError(f"not refused: {found.changes}")

    # by hand

    def one(self, sql: str, *params: Any) -> Any:
        """The only row of a query, raw; its value where it has one column only."""
        (row,) = self.emulator.sql(sql, params)
        return row[0] if len(row) == 1 else row

    def column(self, sql: str, *params: Any) -> list[Any]:
        """The first column of every row of a query, raw."""
        return [row[0] for row in self.emulator.sql(sql, params)]

    def person(self, email: str, capacity: int | None = 50, queue: str = "", **columns: Any) -> str:
        named = {"firstname": "Per", "lastname": email.partition("@")[0], "internalemailaddress": email}
        known = {"businessunitid": names.ROOT_UNIT, "msdyn_capacity": capacity}
        user = self.emulator.add("systemuser", **{**named, **known, **columns})
        if queue:
            self.emulator.link("queue", queue, "queuemembership_association", user)
        return user

    def bot(self, application: str = APPLICATION, queue: str = "", **columns: Any) -> str:
        known = {"applicationid": application, "lastname": "Live Bot", "businessunitid": names.ROOT_UNIT}
        mail = {"internalemailaddress": "live@contoso.example", "msdyn_agentType": 192350001}
        user = self.emulator.add("systemuser", **{**known, **mail, **columns})
        if queue:
            self.emulator.link("queue", queue, "queuemembership_association", user)
        return user

    def queue(self, name: str, **columns: Any) -> str:
        omnichannel = {"queueviewtype": 1, "msdyn_isomnichannelqueue": 1, "msdyn_queuetype": 192350000}
        decided = {"msdyn_priority": 1, "msdyn_assignmentstrategy": 192350000}
        return self.emulator.add("queue", name=name, **{**omnichannel, **decided, **columns})

    def stream(self, name: str, **columns: Any) -> str:
        push = {"msdyn_mode": 717210001, "msdyn_workdistributionmode": 192350000, "msdyn_streamsource": 192360000}
        units = {"msdyn_capacityformat": 192350000, "msdyn_capacityrequired": 30}
        return self.emulator.add("msdyn_liveworkstream", msdyn_name=name, **{**push, **units, **columns})

    def variable(self, name: str, data_type: int = 192350000, stream: str = names.PATIENT_CHAT, **columns: Any) -> str:
        table = "msdyn_ocliveworkstreamcontextvariable"
        known = {"msdyn_name": name, "msdyn_displayname": name, "msdyn_datatype": data_type}
        return self.emulator.add(table, **{**known, "msdyn_liveworkstreamid": stream, **columns})

    def rules(self, text: str, stream: str = names.PATIENT_CHAT, **columns: Any) -> str:
        """A work stream's configuration, step and rule set with this text; the rule set's id."""
        configuration = self.configuration(stream)
        rule_set = self.rule_set(text, **columns)
        self.step(configuration, rule_set)
        return rule_set

    def configuration(self, stream: str = names.PATIENT_CHAT, **columns: Any) -> str:
        known = {"msdyn_name": "By hand", "msdyn_uniquename": "new_config", "msdyn_isactiveconfiguration": 1}
        table = "msdyn_routingconfiguration"
        return self.emulator.add(table, **{**known, "msdyn_liveworkstreamid": stream, **columns})

    def rule_set(self, text: str, **columns: Any) -> str:
        shipped = names.fixed_id("contract", "msdyn_demandqueueidentificationoutput")
        known = {"msdyn_name": "Rules by hand", "msdyn_uniquename": "new_rules", "msdyn_outputcontractid": shipped}
        own = names.fixed_id("contract", "Patient chat")
        given = {**known, "msdyn_inputcontractid": own, "msdyn_rulesetdefinition": text, **columns}
        return self.emulator.add("msdyn_decisionruleset", **given)

    def step(self, configuration: str, rule_set: str | None, kind: int = 192350002, order: int = 1) -> str:
        known = {"msdyn_name": "Step by hand", "msdyn_uniquename": "new_step", "msdyn_type": kind}
        bound = {"msdyn_routingconfigurationid": configuration, "msdyn_rulesetid": rule_set}
        return self.emulator.add("msdyn_routingconfigurationstep", **known, **bound, msdyn_steporder=order)


@contextmanager
def site(fixture: str = "clinic", **switches: Any) -> Iterator[Site]:
    """An environment on a loopback port that ends with the block."""
    options = Options(fixture=fixture, switches=Switches(**switches))  # type: ignore[arg-type]  # told by the caller
    emulator = Emulator(options=options)
    try:
        with emulator.serve(), Client(emulator.url, StaticToken("made-up")) as client:
            yield Site(emulator, client)
        assert emulator.gateway.failures == []
    finally:
        emulator.close()
