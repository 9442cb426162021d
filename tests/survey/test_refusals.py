"""What an environment lacks or refuses is noted and left out; only failures of the way to it are raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from d365setup.center import ContactCenter, Queue, Workstream
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import AuthError, Throttled, Unavailable
from d365setup.emulator import Emulator, Fault, Options
from d365setup.errors import Unresolvable
from d365setup.survey import read_center

from .rule_text import equals
from .site import BERLIN, Site, site

Look = Callable[[ContactCenter], Any]


@pytest.fixture(scope="module")
def _everything() -> Iterator[Site]:
    """One of everything that can be refused."""
    with site() as here:
        _build(here)
        yield here


@pytest.fixture
def clinic(_everything: Site) -> Site:
    """The same for every test: nothing is written, and what is refused is forgotten again."""
    _everything.emulator.faults.clear()
    return _everything


def _build(here: Site) -> None:
    nurses = here.make_queue("Nurses", hours=here.make_hours("Office", zone=BERLIN))
    here.make_person("nurse.one@contoso.example", queue=nurses)
    bot = here.make_bot("Contoso Health Bot", queue=nurses)
    here.make_team("Robots", members=[bot])
    chat = here.make_workstream("Patient chat", fallback=nurses)
    here.make_variable(chat, "Topic")
    here.make_rule_set(chat, [("To a nurse", equals("Topic", "Nurse"), nurses)])
    here.make_overflow(nurses, [("work items", 10, "end conversation", "")])
    here.make_overflow(nurses, [("waited", 90, "end conversation", "")], inqueue=True)
    here.ask(chat, "Name")
    here.make_legacy_rule(chat, "Old")
    here.allow_declines(2)
    here.attach_profile(chat, here.make_profile("Chats"))


def stream(center: ContactCenter) -> Workstream:
    return center.workstreams[0]


def nurses(center: ContactCenter) -> Queue:
    found = center.queue_named("Nurses")
    assert found is not None
    return found


# the set, its table, what is then not known, and what must still be
TABLES: list[tuple[str, str, Look, Look]] = [
    ("msdyn_ocliveworkstreamcontextvariables", "msdyn_ocliveworkstreamcontextvariable",
     lambda c: stream(c).variables, lambda c: stream(c).routes),
    ("msdyn_routingconfigurations", "msdyn_routingconfiguration",
     lambda c: stream(c).configurations, lambda c: stream(c).variables),
    ("msdyn_routingconfigurationsteps", "msdyn_routingconfigurationstep",
     lambda c: stream(c).configurations, lambda c: stream(c).variables),
    ("msdyn_decisionrulesets", "msdyn_decisionruleset",
     lambda c: stream(c).configurations or nurses(c).prequeue, lambda c: stream(c).variables),
    ("msdyn_rulesetdependencymappings", "msdyn_rulesetdependencymapping",
     lambda c: stream(c).routes.mappings, lambda c: stream(c).routes.rules),
    ("msdyn_surveyquestions", "msdyn_surveyquestion", lambda c: stream(c).questions, lambda c: stream(c).routes),
    ("msdyn_ocruleitems", "msdyn_ocruleitem", lambda c: stream(c).legacy_rules, lambda c: stream(c).routes),
    ("msdyn_liveworkstreamcapacityprofiles", "msdyn_liveworkstreamcapacityprofile",
     lambda c: stream(c).profiles, lambda c: stream(c).routes),
    ("msdyn_bookableresourcecapacityprofiles", "msdyn_bookableresourcecapacityprofile",
     lambda c: c.bots[0].profiles, lambda c: c.bots[0].roles),
    ("teams", "team", lambda c: c.bots[0].team_roles, lambda c: c.bots[0].roles),
    ("msdyn_omnichannelconfigurations", "msdyn_omnichannelconfiguration",
     lambda c: c.declines_allowed, lambda c: stream(c).routes),
    ("msdyn_operatinghours", "msdyn_operatinghour",
     lambda c: nurses(c).hours or (nurses(c).hours_read or None), lambda c: nurses(c).members),
]  # fmt: skip


@pytest.mark.parametrize(("entity_set", "table", "unknown", "known"), TABLES, ids=[each[1] for each in TABLES])
@pytest.mark.parametrize(
    "answer",
    [
        (404, "0x80060888", "Resource not found for the segment."),
        (403, "0x80040220", "Principal user is missing prvReadSomething privilege"),
        (500, "0x80040216", "An unexpected error occurred."),
    ],
)
def test_a_table_that_is_missing_or_closed(
    clinic: Site, entity_set: str, table: str, unknown: Look, known: Look, answer: tuple[int, str, str]
) -> None:
    status, code, message = answer
    assert unknown(clinic.center()) is not None
    refusal = Fault(method="GET", path=rf"/{entity_set}\?", status=status, code=code, message=message, times=0)
    clinic.emulator.fail(refusal)
    center = clinic.center()
    assert [(each.table, each.column) for each in center.unread] == [(table, "")]
    assert code in center.unread[0].reason
    assert unknown(center) is None
    assert known(center)


def test_work_streams_that_cannot_be_read_are_noted(clinic: Site) -> None:
    clinic.emulator.fail(Fault(method="GET", path=r"/msdyn_liveworkstreams\?", status=403, code="0x80040220", times=0))
    center = clinic.center()
    assert center.workstreams == ()
    assert [each.table for each in center.unread] == ["msdyn_liveworkstream"]
    assert nurses(center).members


def test_queues_that_cannot_be_read_are_noted(clinic: Site) -> None:
    clinic.emulator.fail(Fault(method="GET", path=r"/queues\?", status=403, code="0x80040220", times=0))
    center = clinic.center()
    assert center.queues == ()
    assert [each.table for each in center.unread] == ["queue"]
    assert stream(center).routes


def test_members_that_cannot_be_read_are_none(clinic: Site) -> None:
    closed = Fault(method="GET", path="queuemembership_association/any", status=403, code="0x80040220", times=0)
    clinic.emulator.fail(closed)
    center = clinic.center()
    assert [each.members for each in center.queues] == [None] * len(center.queues)
    assert [each.table for each in center.unread] == ["systemuser"]
    assert [each.name for each in center.users] == ["Contoso Health Bot"]


def test_calendars_that_cannot_be_read_make_hours_nobody_understands(clinic: Site) -> None:
    clinic.emulator.fail(Fault(method="GET", path=r"/calendars\?", status=403, code="0x80040220", times=0))
    found = nurses(clinic.center()).hours
    assert found is not None
    assert (found.spans, found.problem) == ((), "its calendar could not be read")


def test_overflow_actions_that_cannot_be_read_are_unknown(clinic: Site) -> None:
    closed = Fault(method="GET", path="/msdyn_overflowactionconfigs", status=404, code="0x80060888", times=0)
    clinic.emulator.fail(closed)
    (line,) = nurses(clinic.center()).prequeue or ()
    assert (line.when, line.action, line.text) == ("work items", "unknown", "overflow actions could not be read")


# where a column is asked for, its table, its name, what is then not known
COLUMNS: list[tuple[str, str, str, Look, Any]] = [
    ("/systemusers", "systemuser", "msdyn_capacity", lambda c: c.bots[0].capacity, 0),
    ("/systemusers", "systemuser", "msdyn_agentType", lambda c: c.bots[0].agent_type, None),
    ("/systemusers", "systemuser", "systemuserroles_association",
     lambda c: (c.bots[0].roles, nurses(c).staff.without_role), (None, None)),
    ("/systemusers", "systemuser", "teammembership_association", lambda c: c.bots[0].team_roles, None),
    ("/msdyn_liveworkstreams", "msdyn_liveworkstream", "msdyn_defaultqueue",
     lambda c: (stream(c).fallback_id, stream(c).fallback_read), ("", False)),
    ("/msdyn_liveworkstreams", "msdyn_decisioncontract", "msdyn_contractdefinition",
     lambda c: (stream(c).contract, stream(c).contract_problem), (None, "")),
    ("/msdyn_liveworkstreams", "msdyn_liveworkstream", "msdyn_bot_rule", lambda c: stream(c).bot_rule, ""),
    ("/queues", "queue", "_msdyn_prequeueoverflowrulesetid_value", lambda c: nurses(c).prequeue, None),
    ("/queues", "queue", "_msdyn_operatinghourid_value",
     lambda c: (nurses(c).hours, nurses(c).hours_read), (None, False)),
    ("/systemusers", "role", "roleid", lambda c: [each.name for each in c.bots[0].roles or ()], ["Omnichannel agent"]),
    ("/teams", "role", "name", lambda c: c.bots[0].team_roles, None),
]  # fmt: skip


@pytest.mark.parametrize(("path", "table", "column", "look", "value"), COLUMNS, ids=[each[2] for each in COLUMNS])
def test_a_column_that_is_missing(clinic: Site, path: str, table: str, column: str, look: Look, value: Any) -> None:
    message = f"Could not find a property named '{column}' on type 'Microsoft.Dynamics.CRM.{table}'."
    where = rf"{path}\?.*(select|expand)=[^&]*\b{column}\b"
    clinic.emulator.fail(Fault(method="GET", path=where, status=400, code="0x80060888", message=message, times=0))
    center = clinic.center()
    assert [(each.table, each.column) for each in center.unread] == [(table, column)]
    assert look(center) == value
    assert stream(center).routes
    assert nurses(center).members


def test_two_columns_are_dropped_one_at_a_time(clinic: Site) -> None:
    for column in ("msdyn_isdefaultqueue", "msdyn_priority"):
        message = f"Could not find a property named '{column}' on type 'Microsoft.Dynamics.CRM.queue'."
        clinic.emulator.fail(Fault(method="GET", path=rf"/queues\?.*{column}", status=400, message=message, times=0))
    center = clinic.center()
    assert [str(each).partition(":")[0] for each in center.unread] == [
        "queue.msdyn_isdefaultqueue",
        "queue.msdyn_priority",
    ]
    assert nurses(center).members


def test_an_older_environment_without_the_column_of_disabled_rules() -> None:
    with site(disabled_rules_column="absent", default_queue_column="missing") as older:
        queue = older.make_queue("Nurses")
        older.make_rule_set(older.make_workstream("Patient chat", fallback=queue), [("All", None, queue)])
        center = older.center()
        found = stream(center).routes
        assert found is not None
        assert found.disabled is None
        assert stream(center).fallback_id == queue
        assert center.unread == ()


def test_a_role_that_may_not_read_everything() -> None:
    """Real privileges, as the emulator holds them: an Omnichannel supervisor reads no rule sets."""
    emulator = Emulator(options=Options(users={"t": "Ada:Omnichannel supervisor"}))
    try:
        with emulator.serve(), Client(emulator.url, StaticToken("t"), read_only=True) as client:
            center = read_center(client)
    finally:
        emulator.close()
    (chat,) = center.workstreams
    assert (chat.configurations, chat.contract, chat.profiles) == (None, None, None)
    found = center.queue_named("Nurses")
    assert found is not None
    assert found.staff.people == 3
    assert {"msdyn_decisionruleset", "msdyn_decisioncontract", "msdyn_routingconfiguration"} <= {
        each.table for each in center.unread
    }
    assert all("0x80040220" in each.reason for each in center.unread)


@pytest.mark.parametrize("path", ["/organizations", "/businessunits"])
def test_without_the_organization_there_is_no_survey(here: Site, path: str) -> None:
    here.emulator.fail(Fault(method="GET", path=path, status=403, code="0x80040220", times=0))
    with pytest.raises(Exception, match="0x80040220"):
        here.center()


@pytest.mark.parametrize(
    ("status", "raised"), [(401, AuthError), (503, Unavailable), (429, Throttled)], ids=["sign-in", "down", "throttled"]
)
def test_failures_of_the_way_are_raised(here: Site, status: int, raised: type[Exception]) -> None:
    here.emulator.fail(Fault(path="/api/data", status=status, where="request", times=0, retry_after=30))
    paused: list[float] = []
    client = Client(here.emulator.url, StaticToken("t"), read_only=True, sleep=paused.append, max_wait=20)
    with client, pytest.raises(raised):
        read_center(client)


def test_one_table_behind_a_gateway_that_is_down_is_raised(here: Site) -> None:
    here.emulator.fail(Fault(method="GET", path="/msdyn_ocruleitems", status=503, times=0))
    client = Client(here.emulator.url, StaticToken("t"), read_only=True, sleep=lambda _: None, max_wait=5)
    with client, pytest.raises(Unavailable):
        read_center(client)


def test_an_organization_must_be_one(here: Site) -> None:
    here.emulator.execute("UPDATE businessunit SET parentbusinessunitid = NULL")
    with pytest.raises(Unresolvable, match="found 1 and 2"):
        here.center()
