"""Environments for tests of what is read and judged: built through the emulator's Web API, as anybody's tool would.

    with site() as here:                       # Omnichannel installed, nobody there
        nurses = here.make_queue("Nurses")
        here.make_person("nurse.one@contoso.example", queue=nurses)
        chat = here.make_workstream("Patient chat", fallback=nurses)
        here.make_variable(chat, "Topic")
        here.make_rule_set(chat, [("To a nurse", equals("Topic", "Nurse"), nurses), ("Anything else", None, bots)])
        here.center()                          # what the survey reads

Everything returns the new row's id. Columns beyond the arguments go through `**columns` under their Web API names
(`**{"msdyn_capacityformat": 192360000}`), and `change` sets them later. Conditions are in `rule_text`.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests

from d365setup.center import ContactCenter
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Options, Switches
from d365setup.emulator import fixtures as names
from d365setup.survey import Part, read_center

from . import rule_text

AGENT = names.AGENT
TEXT, NUMBER, BOOLEAN, REFERENCE = 192350000, 192350001, 192350002, 192350100  # msdyn_datatype
STEPS = {"classification": 192350000, "skills": 192350001, "route to queue": 192350002, "agent group": 192350003}
QUEUE_TYPES = {"messaging": 192350000, "record": 192350001, "voice": 192350002}
METHODS = {"highest capacity": 192350000, "advanced round robin": 192350001, "least active": 192350003}
ACTIONS = {"end conversation": 192350001, "transfer": 192350005, "assign anyway": 192350006}
UTC, LONDON, BERLIN = 92, 85, 110  # time zone codes

Rules = Iterable[tuple[str, str | None, str]]


class Site:
    """One environment, and what builds it up. `emulator` is there for what a Web API cannot do."""

    def __init__(self, emulator: Emulator, client: Client) -> None:
        self.emulator, self.client = emulator, client
        self.root = f"{emulator.url}/api/data/v9.2/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = "Bearer made-up"
        self._count = itertools.count(1)
        self._resources: dict[str, str] = {}

    # rows

    def create(self, entity_set: str, **columns: Any) -> str:
        """POST a row; its id."""
        reply = self.session.post(self.root + entity_set, json=columns, timeout=10)
        assert reply.status_code == 204, reply.text
        return reply.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")

    def change(self, entity_set: str, row_id: str, **columns: Any) -> None:
        """PATCH a row."""
        path = f"{self.root}{entity_set}({row_id})"
        reply = self.session.patch(path, json=columns, headers={"If-Match": "*"}, timeout=10)
        assert reply.status_code == 204, reply.text

    def delete(self, entity_set: str, row_id: str) -> None:
        """DELETE a row."""
        reply = self.session.delete(f"{self.root}{entity_set}({row_id})", timeout=10)
        assert reply.status_code == 204, reply.text

    def rows(self, path: str) -> list[dict[str, Any]]:
        """GET a list."""
        reply = self.session.get(self.root + path, timeout=10)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["value"]
        return found

    def link(self, path: str, entity_set: str, row_id: str) -> None:
        """Associate: POST to `path/$ref`."""
        body = {"@odata.id": f"{self.root}{entity_set}({row_id})"}
        reply = self.session.post(f"{self.root}{path}/$ref", json=body, timeout=10)
        assert reply.status_code == 204, reply.text

    def unlink(self, path: str, row_id: str) -> None:
        """Disassociate one row of a collection."""
        reply = self.session.delete(f"{self.root}{path}({row_id})/$ref", timeout=10)
        assert reply.status_code == 204, reply.text

    def _bind(self, navigation: str, entity_set: str, row_id: str) -> dict[str, str]:
        return {f"{navigation}@odata.bind": f"/{entity_set}({row_id})"} if row_id else {}

    # queues and who is in them

    def make_queue(
        self,
        name: str,
        *,
        type: str = "messaging",  # noqa: A002  # the word of the playbook
        assignment: str = "highest capacity",
        priority: int = 1,
        members: Iterable[str] = (),
        hours: str = "",
        **columns: Any,
    ) -> str:
        """A private Omnichannel queue; ``members`` and ``hours`` are ids."""
        known = {"queueviewtype": 1, "msdyn_isomnichannelqueue": True, "msdyn_queuetype": QUEUE_TYPES[type]}
        known |= {"msdyn_priority": priority, "msdyn_assignmentstrategy": METHODS[assignment]}
        known |= self._bind("msdyn_operatinghourid", "msdyn_operatinghours", hours)
        queue = self.create("queues", name=name, **{**known, **columns})
        for member in members:
            self.add_member(queue, member)
        return queue

    def add_member(self, queue: str, user: str) -> None:
        self.link(f"queues({queue})/queuemembership_association", "systemusers", user)

    def remove_member(self, queue: str, user: str) -> None:
        self.unlink(f"queues({queue})/queuemembership_association", user)

    def make_person(
        self,
        email: str,
        *,
        capacity: int | None = 100,
        roles: Iterable[str] = (AGENT,),
        queue: str = "",
        disabled: bool = False,
        unit: str = names.ROOT_UNIT,
        **columns: Any,
    ) -> str:
        """A person called after the address: `nurse.one@…` is `Nurse One`."""
        first, _, last = email.partition("@")[0].partition(".")
        named = {"firstname": first.title(), "lastname": last.title() or "Person", "internalemailaddress": email}
        known = {"msdyn_capacity": capacity, **self._bind("businessunitid", "businessunits", unit)}
        return self._user({**named, **known, **columns}, roles, queue, disabled=disabled, unit=unit)

    def make_bot(
        self,
        name: str,
        *,
        capacity: int | None = 1000,
        roles: Iterable[str] = (AGENT,),
        queue: str = "",
        disabled: bool = False,
        unit: str = names.ROOT_UNIT,
        application_id: str = "",
        bot_id: str | None = None,
        **columns: Any,
    ) -> str:
        """A bot application user. Ids are made up where none are given; ``bot_id=""`` leaves the bot id empty."""
        known: dict[str, Any] = {"applicationid": application_id or str(uuid.uuid4()), "lastname": name}
        known |= {"msdyn_agentType": 192350001, "msdyn_botapplicationid": bot_id if bot_id is not None else _guid()}
        known |= {"internalemailaddress": f"bot{next(self._count)}@contoso.example", "msdyn_capacity": capacity}
        known |= self._bind("businessunitid", "businessunits", unit)
        return self._user({**known, **columns}, roles, queue, disabled=disabled, unit=unit)

    def _user(self, columns: dict[str, Any], roles: Iterable[str], queue: str, *, disabled: bool, unit: str) -> str:
        user = self.create("systemusers", **columns)
        for role in roles:
            self.give_role(user, role, unit)
        if queue:
            self.add_member(queue, user)
        if disabled:
            self.change("systemusers", user, isdisabled=True)
        return user

    def role(self, name: str, unit: str = names.ROOT_UNIT) -> str:
        """The id of a role's copy in a business unit."""
        query = f"roles?$select=roleid&$filter=name eq '{name}' and _businessunitid_value eq {unit}"
        (found,) = self.rows(query)
        return str(found["roleid"])

    def give_role(self, user: str, name: str, unit: str = names.ROOT_UNIT) -> None:
        self.link(f"systemusers({user})/systemuserroles_association", "roles", self.role(name, unit))

    def make_role(self, name: str, unit: str = names.ROOT_UNIT) -> str:
        return self.create("roles", name=name, **self._bind("businessunitid", "businessunits", unit))

    def make_team(self, name: str, *, members: Iterable[str] = (), roles: Iterable[str] = (AGENT,)) -> str:
        """A team whose members hold its roles through it only."""
        admin = self._bind("administratorid", "systemusers", names.CALLER)
        unit = self._bind("businessunitid", "businessunits", names.ROOT_UNIT)
        team = self.create("teams", name=name, teamtype=0, **admin, **unit)
        for role in roles:
            self.link(f"teams({team})/teamroles_association", "roles", self.role(role))
        for member in members:
            self.link(f"teams({team})/teammembership_association", "systemusers", member)
        return team

    # work streams

    def make_workstream(
        self, name: str, *, fallback: str = "", units: int = 30, bot: str = "", bot_queue: str = "", **columns: Any
    ) -> str:
        """A unified work stream that pushes chats and counts units; the platform makes its contract."""
        push = {"msdyn_mode": 717210001, "msdyn_workdistributionmode": 192350000, "msdyn_streamsource": 192360000}
        counted = {"msdyn_capacityformat": 192350000, "msdyn_capacityrequired": units}
        bound = self._bind("msdyn_defaultqueue", "queues", fallback)
        bound |= self._bind("msdyn_bot_user", "systemusers", bot) | self._bind("msdyn_bot_queue", "queues", bot_queue)
        return self.create("msdyn_liveworkstreams", msdyn_name=name, **{**push, **counted, **bound, **columns})

    def make_variable(self, workstream: str, name: str, data_type: int = TEXT, **columns: Any) -> str:
        known = {"msdyn_displayname": name, "msdyn_datatype": data_type}
        bound = self._bind("msdyn_liveworkstreamid", "msdyn_liveworkstreams", workstream)
        entity_set = "msdyn_ocliveworkstreamcontextvariables"
        return self.create(entity_set, msdyn_name=name, **{**known, **bound, **columns})

    def make_rule_set(self, workstream: str, rules: Rules, *, step: str = "route to queue", **columns: Any) -> str:
        """Rules of (name, condition as XML or None, queue) as a step of the work stream; the rule set's id."""
        text = rule_text.text(rule_text.rule(name, when, rule_text.sends(queue)) for name, when, queue in rules)
        return self.make_rule_text(workstream, text, step=step, **columns)

    def make_rule_text(
        self, workstream: str, text: str, *, step: str = "route to queue", order: int = 0, **columns: Any
    ) -> str:
        """As `make_rule_set`, with the whole text as given. The configuration is made with the first one."""
        rule_set = self.make_rules_alone(text, self.contract(workstream), step=step, **columns)
        self.make_step(self.configuration(workstream), rule_set, step=step, order=order)
        return rule_set

    def make_rules_alone(
        self, text: str, contract: str, *, step: str = "route to queue", output: str = "", **columns: Any
    ) -> str:
        """A rule set that no step leads to; ``contract`` is its input, ``output`` the id of its output contract."""
        shipped = names.fixed_id("contract", "msdyn_demandqueueidentificationoutput")
        answers = output or (shipped if step == "route to queue" else contract)
        number = next(self._count)
        known = {"msdyn_name": f"Rules {number}", "msdyn_uniquename": f"new_rules_{number}"}
        bound = self._bind("msdyn_inputcontractid", "msdyn_decisioncontracts", contract)
        bound |= self._bind("msdyn_outputcontractid", "msdyn_decisioncontracts", answers)
        given = {**known, **bound, "msdyn_rulesetdefinition": text, **columns}
        return self.create("msdyn_decisionrulesets", **given)

    def contract(self, workstream: str) -> str:
        """The id of a work stream's routing contract."""
        query = f"msdyn_liveworkstreams?$filter=msdyn_liveworkstreamid eq {workstream}"
        (row,) = self.rows(f"{query}&$select=_msdyn_routingcontractid_value")
        return str(row["_msdyn_routingcontractid_value"])

    def configuration(self, workstream: str) -> str:
        """The work stream's active routing configuration, made where it has none."""
        query = "msdyn_routingconfigurations?$select=msdyn_routingconfigurationid&$filter="
        where = f"_msdyn_liveworkstreamid_value eq {workstream} and msdyn_isactiveconfiguration eq true"
        found = [str(row["msdyn_routingconfigurationid"]) for row in self.rows(query + where)]
        return found[0] if found else self.make_configuration(workstream)

    def make_configuration(self, workstream: str, *, active: bool = True, **columns: Any) -> str:
        number = next(self._count)
        known = {"msdyn_name": f"Configuration {number}", "msdyn_uniquename": f"new_configuration_{number}"}
        bound = self._bind("msdyn_liveworkstreamid", "msdyn_liveworkstreams", workstream)
        given = {**known, **bound, "msdyn_isactiveconfiguration": active, **columns}
        return self.create("msdyn_routingconfigurations", **given)

    def make_step(
        self, configuration: str, rule_set: str, *, step: str = "route to queue", order: int = 0, **columns: Any
    ) -> str:
        """A step of a configuration; ``rule_set`` may be "" for a step without one."""
        number = next(self._count)
        known = {"msdyn_name": f"Step {number}", "msdyn_uniquename": f"new_step_{number}"}
        decided = {"msdyn_type": STEPS[step], "msdyn_steporder": order or number}
        bound = self._bind("msdyn_routingconfigurationid", "msdyn_routingconfigurations", configuration)
        bound |= self._bind("msdyn_rulesetid", "msdyn_decisionrulesets", rule_set)
        return self.create("msdyn_routingconfigurationsteps", **{**known, **decided, **bound, **columns})

    def set_rules(self, rule_set: str, text: str) -> None:
        """Replace a rule set's text."""
        self.change("msdyn_decisionrulesets", rule_set, msdyn_rulesetdefinition=text)

    def ask(self, workstream: str, name: str, answer: int = 192350000, **columns: Any) -> str:
        """A pre-conversation question; 192350004 asks for consent."""
        bound = self._bind("msdyn_LiveWorkStreamToChatQuestion", "msdyn_liveworkstreams", workstream)
        return self.create("msdyn_surveyquestions", msdyn_name=name, msdyn_answertype=answer, **{**bound, **columns})

    def make_legacy_rule(self, workstream: str, name: str, queue: str = "", **columns: Any) -> str:
        bound = self._bind("msdyn_liveworkstream", "msdyn_liveworkstreams", workstream)
        bound |= self._bind("msdyn_cdsqueueassignid", "queues", queue)
        return self.create("msdyn_ocruleitems", msdyn_name=name, **{**bound, **columns})

    # capacity profiles

    def make_profile(self, name: str, units: int = 1) -> str:
        unique = f"new_profile_{next(self._count)}"
        known = {"msdyn_uniquename": unique, "msdyn_defaultmaxunits": units, "msdyn_resetduration": 192350000}
        return self.create("msdyn_capacityprofiles", msdyn_name=name, **known)

    def give_profile(self, user: str, profile: str) -> str:
        """Give a user a capacity profile, through the bookable resource that stands for the user."""
        if user not in self._resources:
            bound = self._bind("UserId", "systemusers", user)
            self._resources[user] = self.create("bookableresources", name="Resource", resourcetype=3, **bound)
        bound = self._bind("msdyn_bookableresourceid", "bookableresources", self._resources[user])
        bound |= self._bind("msdyn_capacityprofileid", "msdyn_capacityprofiles", profile)
        return self.create("msdyn_bookableresourcecapacityprofiles", msdyn_name="Held", msdyn_maxunits=1, **bound)

    def attach_profile(self, workstream: str, profile: str) -> None:
        """Make a work stream take its capacity from a profile (its format is set beside)."""
        bound = self._bind("msdyn_workstream_id", "msdyn_liveworkstreams", workstream)
        bound |= self._bind("msdyn_capacityProfile_id", "msdyn_capacityprofiles", profile)
        self.create("msdyn_liveworkstreamcapacityprofiles", msdyn_name="Attached", **bound)
        self.change("msdyn_liveworkstreams", workstream, msdyn_capacityformat=192360000)

    # operating hours and overflow

    def make_hours(
        self,
        name: str,
        spans: Iterable[tuple[str, int, int]] = (("MO,TU,WE,TH,FR", 8 * 60, 17 * 60),),
        *,
        zone: int = UTC,
        holidays: Sequence[str] = (),
    ) -> str:
        """Operating hours of (days, first minute, minute after the last); give the id to `make_queue(hours=…)`."""
        closed = self._holidays(holidays, zone)
        calendar = self.create("calendars", name=name, **self._bind("holidayschedulecalendarid", "calendars", closed))
        for days, start, end in spans:
            leaf = {"offset": start, "duration": end - start, "timecode": 0, "subcode": 1, "timezonecode": zone}
            inner = self.create("calendars", name=name, calendar_calendar_rules=[leaf])
            pattern = f"FREQ=WEEKLY;INTERVAL=1;BYDAY={days}"
            self.make_calendar_rule(calendar, pattern=pattern, timezonecode=zone, duration=1440, inner=inner)
        return self.create("msdyn_operatinghours", msdyn_name=name, msdyn_calendarid=calendar)

    def make_calendar_rule(self, calendar: str, *, inner: str = "", **columns: Any) -> str:
        bound = self._bind("innercalendarid", "calendars", inner)
        known = {
            "starttime": "2026-01-01T00:00:00Z",
            "rank": 0,
            **bound,
            **self._bind("calendarid", "calendars", calendar),
        }
        return self.create("calendarrules", **{**known, **columns})

    def _holidays(self, dates: Sequence[str], zone: int) -> str:
        if not dates:
            return ""
        days = [
            {"starttime": f"{date}T00:00:00Z", "duration": 1440, "timecode": 2, "subcode": 5, "timezonecode": zone}
            for date in dates
        ]
        return self.create("calendars", name="Holidays", type=2, calendar_calendar_rules=days)

    def make_overflow(
        self, queue: str, lines: Iterable[tuple[str, int | None, str, str]], *, inqueue: bool = False
    ) -> str:
        """Overflow lines of (when, limit, action, queue a transfer goes to or ""); the rule set's id."""
        rules = []
        for number, (when, limit, action, target) in enumerate(lines, start=1):
            config = self.make_overflow_action(action, target)
            rules.append(rule_text.overflow_rule(f"Rule{number}", when, limit, config))
        return self.make_overflow_text(queue, rule_text.text(rules), inqueue=inqueue)

    def make_overflow_action(self, action: str, target: str = "", **columns: Any) -> str:
        known = {"msdyn_name": action, "msdyn_overflowactiontype": ACTIONS[action], "msdyn_overflowactiondata": target}
        return self.create("msdyn_overflowactionconfigs", **{**known, **columns})

    def make_overflow_text(self, queue: str, text: str, *, inqueue: bool = False) -> str:
        """A queue's overflow rule set with this text."""
        contract = names.fixed_id("contract", "msdyn_queueoverflowrulesetinput")
        output = names.fixed_id("contract", "msdyn_queueoverflowrulesetoutput")
        rule_set = self.make_rules_alone(text, contract, output=output)
        navigation = "msdyn_inqueueoverflowrulesetid" if inqueue else "msdyn_decisionrulesetid"
        self.change("queues", queue, **self._bind(navigation, "msdyn_decisionrulesets", rule_set))
        return rule_set

    def allow_declines(self, number: int | None) -> str:
        """The organization's limit of declines."""
        known = {"msdyn_name": "Default", "msdyn_number_of_declines_allowed": number}
        return self.create("msdyn_omnichannelconfigurations", **known)

    # what the survey says

    def center(self, part: Part | None = None) -> ContactCenter:
        """What is read of this environment."""
        return read_center(self.client, part)


def _guid() -> str:
    return str(uuid.uuid4())


@contextmanager
def site(fixture: str = "empty", *, page_size: int = 5000, **switches: Any) -> Iterator[Site]:
    """An environment on a loopback port that ends with the block; the client may only read.

    The fixture `empty` has Omnichannel, two default queues and nobody; `clinic` adds people and `Patient chat`.
    """
    options = Options(fixture=fixture, switches=Switches(**switches), page_size=page_size)  # type: ignore[arg-type]  # told by the caller
    emulator = Emulator(options=options)
    try:
        with emulator.serve(), Client(emulator.url, StaticToken("made-up"), read_only=True) as client:
            here = Site(emulator, client)
            yield here
            here.session.close()
        assert emulator.gateway.failures == []
    finally:
        emulator.close()
