"""Who may do what: users by token, privileges by table and verb, roles direct and through teams (web-api.md 2.7, 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from d365setup.emulator import Emulator, Options
from d365setup.emulator import fixtures as names
from d365setup.emulator.privileges import SHIPPED, known_privileges, privilege
from d365setup.emulator.schema import load_schema

from .conftest import Api, code
from .test_batches import batch, changeset, http

Start = Callable[..., "Api"]
READING = ["prvReadUser", "prvReadOrganization", "prvReadBusinessUnit"]


class As(Api):
    """Requests as the user of one token."""

    def __init__(self, emulator: Emulator, token: str) -> None:
        super().__init__(emulator)
        self.session.headers["Authorization"] = f"Bearer {token}"


@pytest.fixture
def start() -> Iterator[Start]:
    """Serve an emulator where the token `t` is the user `Tester`, who holds one role with these privileges."""
    made: list[Api] = []

    def begin(*privileges: str, role: str = "", users: dict[str, str] | None = None) -> Api:
        known = users or {"t": f"Tester:{role}" if role else "Tester", "root": names.CALLER}
        emulator = Emulator(None, Options(users=known)).start()
        api = As(emulator, "t")
        if not role and not users:
            emulator.add_role("Own", privileges)
            emulator.add_user("Tester", "Own")
        made.append(api)
        return api

    yield begin
    for api in made:
        api.session.close()
        assert api.emulator.gateway.failures == []
        api.emulator.close()


QUEUE = f"queues({names.NURSES})"
MEMBERS = f"{QUEUE}/queuemembership_association"


def missing(reply: requests.Response) -> str:
    """The privilege a refusal names."""
    assert code(reply) == (403, "0x80040220"), reply.text
    text: str = reply.json()["error"]["message"]
    assert text.startswith("Principal user (Id=")
    return text.partition("is missing ")[2].partition(" privilege")[0]


def user(api: Api, number: int = 0) -> str:
    found = api.emulator.sql("SELECT systemuserid FROM systemuser WHERE internalemailaddress LIKE 'nurse%' ORDER BY 1")
    return str(found[number][0])


def linked(api: Api, path: str) -> dict[str, str]:
    return {"@odata.id": f"{api.root}{path}"}


# table and verb

VERBS: list[tuple[str, Callable[[Api], requests.Response], list[str], int]] = [
    ("read a row", lambda api: api.get(QUEUE), ["prvReadQueue"], 200),
    ("read a list", lambda api: api.get("queues?$select=name"), ["prvReadQueue"], 200),
    ("count", lambda api: api.get("queues/$count"), ["prvReadQueue"], 200),
    ("read a collection", lambda api: api.get(MEMBERS), ["prvReadQueue", "prvReadUser"], 200),
    (
        "expand",
        lambda api: api.get("queues?$expand=queuemembership_association($select=fullname)"),
        ["prvReadQueue", "prvReadUser"],
        200,
    ),
    ("create", lambda api: api.post("queues", {"name": "Desk"}), ["prvCreateQueue"], 204),
    ("update", lambda api: api.patch(QUEUE, {"description": "x"}), ["prvWriteQueue"], 204),
    ("update a property", lambda api: api.put(f"{QUEUE}/description", {"value": "x"}), ["prvWriteQueue"], 204),
    ("delete", lambda api: api.delete(f"queues({names.BILLING})"), ["prvDeleteQueue"], 204),
    (
        "upsert that creates",
        lambda api: api.patch(f"queues({api.new_id()})", {"name": "Desk"}),
        ["prvCreateQueue"],
        204,
    ),
    (
        "add to an N:N collection",
        lambda api: api.post(f"queues({names.BILLING})/queuemembership_association/$ref", linked(api, systemuser(api))),
        ["prvAppendQueue", "prvAppendToUser"],
        204,
    ),
    (
        "take out of one",
        lambda api: api.delete(f"{MEMBERS}({user(api)})/$ref"),
        ["prvAppendQueue", "prvAppendToUser"],
        204,
    ),
    (
        "bind a lookup",
        lambda api: api.patch(
            f"msdyn_liveworkstreams({names.PATIENT_CHAT})", {"msdyn_defaultqueue@odata.bind": f"/{QUEUE}"}
        ),
        ["prvWritemsdyn_liveworkstream", "prvAppendmsdyn_liveworkstream", "prvAppendToQueue"],
        204,
    ),
    (
        "create a bot user",
        lambda api: api.post(
            "systemusers",
            {
                "applicationid": api.new_id(),
                "lastname": "Bot",
                "businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})",
            },
        ),
        ["prvCreateUser", "prvAppendUser", "prvAppendToBusinessUnit"],
        204,
    ),
    (
        "give the row away",
        lambda api: api.patch(QUEUE, {"ownerid@odata.bind": f"/{systemuser(api)}"}),
        ["prvWriteQueue", "prvAssignQueue"],
        204,
    ),
]


def systemuser(api: Api) -> str:
    return f"systemusers({user(api)})"


@pytest.mark.parametrize(("act", "needed", "status"), [each[1:] for each in VERBS], ids=[each[0] for each in VERBS])
def test_each_act_needs_exactly_its_privileges(
    start: Start, act: Callable[[Api], requests.Response], needed: list[str], status: int
) -> None:
    for lacking in needed:
        api = start(*(set(needed) - {lacking}), "prvReadRole")
        before = api.emulator.sql("SELECT value FROM _counter")
        assert missing(act(api)) == lacking
        assert api.emulator.sql("SELECT value FROM _counter") == before, "nothing was changed"
    assert act(start(*needed)).status_code == status


def test_the_refusal_tells_what_the_service_tells(start: Start) -> None:
    """2.7: principal, counts, access mode, privilege and its id, table."""
    api = start("prvReadQueue")
    who = api.emulator.sql("SELECT systemuserid FROM systemuser WHERE fullname = 'Tester'")[0][0]
    text = api.patch(QUEUE, {"description": "x"}).json()["error"]["message"]
    assert text.startswith(
        f"Principal user (Id={who}, type=8, roleCount=1, privilegeCount=1, accessMode=4) is missing prvWriteQueue "
        "privilege (Id="
    )
    assert "on OTC=2020 for entity 'queue'" in text


def test_a_refusal_undoes_its_change_set(start: Start) -> None:
    api = start("prvCreateQueue")
    members = [http("POST", "queues", {"name": "Desk"}, "1"), http("PATCH", QUEUE, {"description": "x"}, "2")]
    assert api.batch(batch([changeset(members)])).status_code == 403
    assert api.emulator.sql("SELECT count(*) FROM queue WHERE name = 'Desk'") == [(0,)]


def test_the_platform_needs_no_privileges_for_its_own_acts(start: Start) -> None:
    """A new variable extends the contract, whoever made it."""
    table = "msdyn_ocliveworkstreamcontextvariable"
    api = start(f"prvCreate{table}", f"prvAppend{table}", "prvAppendTomsdyn_liveworkstream")
    stream = f"/msdyn_liveworkstreams({names.PATIENT_CHAT})"
    body = {"msdyn_name": "Topic", "msdyn_datatype": 192350000, "msdyn_liveworkstreamid@odata.bind": stream}
    assert api.post(f"{table}s", body).status_code == 204
    contracts = api.emulator.sql("SELECT msdyn_contractdefinition FROM msdyn_decisioncontract")
    assert any('name="Topic"' in (text or "") for (text,) in contracts)


# giving roles

ROLE_GIVING = ["prvAppendUser", "prvAppendToRole", "prvAssignRole"]


def give(api: Api, role: str) -> requests.Response:
    path = f"{systemuser(api)}/systemuserroles_association/$ref"
    return api.post(path, linked(api, f"roles({names.fixed_id('role', role)})"))


@pytest.mark.parametrize("lacking", ROLE_GIVING)
def test_giving_a_role_needs_assign(start: Start, lacking: str) -> None:
    assert missing(give(start(*(set(ROLE_GIVING) - {lacking})), "Omnichannel supervisor")) == lacking


def test_nobody_gives_what_they_do_not_hold(start: Start) -> None:
    schema = load_schema()
    agent = {privilege(verb, schema.tables[table]) for table, verb in (("queue", "Append"), ("queue", "Read"))}
    api = start(*ROLE_GIVING, *agent)
    assert missing(give(api, "Omnichannel supervisor")) not in agent
    assert give(As(api.emulator, "root"), "Omnichannel supervisor").status_code == 204


def test_the_role_may_be_named_from_its_own_side(start: Start) -> None:
    api = start("prvAppendUser", "prvAppendToRole")
    role = names.fixed_id("role", "Omnichannel agent")
    reply = api.post(f"roles({role})/systemuserroles_association/$ref", linked(api, systemuser(api)))
    assert missing(reply) == "prvAssignRole"


# who is let in


def test_every_token_is_the_administrator_until_users_are_configured(api: Api) -> None:
    assert api.get("WhoAmI").json()["UserId"] == names.CALLER


def test_an_unknown_token_is_refused_once_users_are_configured(start: Start) -> None:
    reply = As(start("prvReadQueue").emulator, "other").get("WhoAmI")
    assert (reply.status_code, reply.content) == (401, b"")
    assert "authorization_uri=" in reply.headers["WWW-Authenticate"]
    assert "configured" in reply.headers["401_error_reason"]


@pytest.mark.parametrize(
    "who", ["nurse.one@contoso.example", "Nurse One", names.fixed_id("systemuser", "nurse.one@contoso.example")]
)
def test_users_go_by_address_name_or_id(start: Start, who: str) -> None:
    api = start(users={"t": who})
    assert api.get("WhoAmI").json()["UserId"] == names.fixed_id("systemuser", "nurse.one@contoso.example")


def test_applications_go_by_their_id(start: Start) -> None:
    api = start(users={"t": names.CALLER_APPLICATION.upper()})
    assert api.get("WhoAmI").json()["UserId"] == names.CALLER


def test_no_such_user(start: Start) -> None:
    assert code(start(users={"t": "Nobody"}).get("WhoAmI")) == (403, "0x80072560")


def test_a_disabled_user(start: Start) -> None:
    assert code(start(users={"t": "former.nurse@contoso.example"}).get("WhoAmI")) == (403, "0x80040225")


def test_a_soft_deleted_user(start: Start) -> None:
    api = start(users={"t": "nurse.one@contoso.example"})
    api.emulator.execute("UPDATE systemuser SET deletedstate = 1 WHERE internalemailaddress LIKE 'nurse.one%'")
    assert code(api.get("WhoAmI")) == (403, "0x80072560")


def test_a_user_without_a_role(start: Start) -> None:
    api = start(users={"t": "Tester"})
    api.emulator.add_user("Tester")
    assert code(api.get("WhoAmI")) == (403, "0x80042f09")
    assert api.batch(batch([http("GET", QUEUE)])).status_code == 403


def test_a_role_without_privileges_lets_in_but_no_further(start: Start) -> None:
    api = start()
    assert api.get("WhoAmI").status_code == 200
    assert missing(api.get(QUEUE)) == "prvReadQueue"


def test_roles_count_through_a_team(start: Start) -> None:
    api = start(users={"t": "Tester"})
    emulator = api.emulator
    role = emulator.add_role("Own", ["prvReadQueue"])
    team = emulator.add("team", name="Readers", businessunitid=names.ROOT_UNIT)
    tester = emulator.add_user("Tester")
    emulator.link("team", team, "teamroles_association", role)
    assert code(api.get(QUEUE)) == (403, "0x80042f09")
    emulator.link("team", team, "teammembership_association", tester)
    assert api.get(QUEUE).status_code == 200
    assert missing(api.patch(QUEUE, {"description": "x"})) == "prvWriteQueue"


def test_users_with_roles_are_made_once(tmp_path: Any) -> None:
    options = Options(users={"t": "Ada:Omnichannel agent, Omnichannel supervisor"})
    for _ in range(2):
        emulator = Emulator(tmp_path / "e.db", options)
        found = emulator.sql(
            "SELECT r.name FROM systemuser u JOIN systemuserroles x ON x.systemuserid = u.systemuserid "
            "JOIN role r ON r.roleid = x.roleid WHERE u.fullname = 'Ada' ORDER BY 1"
        )
        emulator.close()
        assert found == [("Omnichannel agent",), ("Omnichannel supervisor",)]


def test_a_role_or_privilege_that_is_not_there(start: Start) -> None:
    with pytest.raises(LookupError, match="no role 'Head nurse'"):
        Emulator(None, Options(users={"t": "Ada:Head nurse"}))
    with pytest.raises(LookupError, match="no privilege prvReadQueues"):
        start().emulator.add_role("Typo", ["prvReadQueues"])


# what the shipped roles hold

HELD: list[tuple[str, str, bool]] = [
    # routing.md 7: the persona table of the administrator, and that System Administrator holds everything
    *[("System Administrator", name, True) for name in ("prvCreateUser", "prvAssignRole", "prvAppendToBusinessUnit")],
    *[
        ("Omnichannel administrator", f"prv{verb}{table}", True)
        for verb in ("Append", "AppendTo", "Assign", "Create", "Delete", "Read", "Share", "Write")
        for table in ("msdyn_decisioncontract", "msdyn_decisionruleset", "msdyn_liveworkstream")
    ],
    *[
        ("Omnichannel administrator", f"prv{verb}{table}", True)
        for verb in ("Append", "AppendTo", "Create", "Delete", "Read", "Write")
        for table in ("msdyn_routingconfiguration", "msdyn_routingconfigurationstep", "Queue",
                      "msdyn_ocliveworkstreamcontextvariable")
    ],
    ("Omnichannel administrator", "prvAssignQueue", True),
    ("Omnichannel administrator", "prvAssignmsdyn_routingconfiguration", False),
    ("Omnichannel administrator", "prvAssignmsdyn_rulesetdependencymapping", True),
    *[("Omnichannel administrator", f"prv{verb}Role", True) for verb in ("AppendTo", "Assign", "Read")],
    *[("Omnichannel administrator", f"prv{verb}Role", False) for verb in ("Append", "Create", "Write", "Delete")],
    *[("Omnichannel administrator", f"prv{v}User", True) for v in ("Append", "AppendTo", "Create", "Read", "Write")],
    ("Omnichannel administrator", "prvDeleteUser", False),
    ("Omnichannel administrator", "prvAppendToBusinessUnit", False),
    ("Omnichannel supervisor", "prvReadmsdyn_liveworkstream", True),
    ("Omnichannel supervisor", "prvAppendToQueue", True),
    ("Omnichannel supervisor", "prvWriteQueue", False),
    ("Omnichannel supervisor", "prvReadmsdyn_decisionruleset", False),
    ("Omnichannel supervisor", "prvAssignRole", False),
    ("Omnichannel agent", "prvReadQueue", True),
    ("Omnichannel agent", "prvAppendQueue", True),
    ("Omnichannel agent", "prvAppendToQueue", False),
    ("Omnichannel agent", "prvWriteUser", False),
    ("Omnichannel agent", "prvReadmsdyn_decisionruleset", True),
]  # fmt: skip


def told(api: Api, function: str = "RetrieveUserPrivileges") -> dict[str, str]:
    who = api.get("WhoAmI").json()["UserId"]
    reply = api.get(f"systemusers({who})/Microsoft.Dynamics.CRM.{function}")
    assert reply.status_code == 200, reply.text
    assert reply.json()["@odata.context"].endswith(f"#Microsoft.Dynamics.CRM.{function.partition('(')[0]}Response")
    return {each["PrivilegeName"]: each["Depth"] for each in reply.json()["RolePrivileges"]}


@pytest.mark.parametrize("role", ["System Administrator", *SHIPPED])
def test_what_the_shipped_roles_hold(start: Start, role: str) -> None:
    held = told(start(role=role))
    for name, expected in [each[1:] for each in HELD if each[0] == role]:
        assert (name in held) == expected, name
    assert set(held) <= set(known_privileges(load_schema()))


def test_levels_are_told(start: Start) -> None:
    """The persona page: an agent reads users of the own business unit, and capacity profiles of their own."""
    held = told(start(role="Omnichannel agent"))
    assert (held["prvReadUser"], held["prvReadmsdyn_capacityprofile"]) == ("Local", "Basic")
    assert held["prvReadQueue"] == "Global"


def test_the_wider_of_two_levels_counts(start: Start) -> None:
    held = told(start(role="Omnichannel agent,Omnichannel administrator"))
    assert held["prvReadUser"] == "Global"


# the functions of 6.5

THROUGH = "RetrieveUsersPrivilegesThroughTeams(ExcludeOrgDisabledPrivileges=true,IncludeSetupUserFiltering=true)"


def test_direct_and_team_privileges_are_told_apart(start: Start) -> None:
    api = start(*READING)
    emulator = api.emulator
    team = emulator.add("team", name="Readers", businessunitid=names.ROOT_UNIT)
    emulator.link("team", team, "teamroles_association", emulator.add_role("Team's", ["prvReadQueue"]))
    tester = api.get("WhoAmI").json()["UserId"]
    emulator.link("team", team, "teammembership_association", tester)
    assert set(told(api)) == set(READING)
    assert set(told(api, THROUGH)) == {"prvReadQueue"}


def test_both_parameters_are_compulsory(start: Start) -> None:
    api = start(*READING)
    who = api.get("WhoAmI").json()["UserId"]
    path = f"systemusers({who})/Microsoft.Dynamics.CRM.RetrieveUsersPrivilegesThroughTeams"
    for arguments in ("", "()", "(ExcludeOrgDisabledPrivileges=true)"):
        assert api.get(path + arguments).status_code == 400


def test_a_privilege_has_one_id_and_a_business_unit(start: Start) -> None:
    api = start(*READING)
    who = api.get("WhoAmI").json()["UserId"]
    known = api.get(f"systemusers({who})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()").json()["RolePrivileges"]
    assert {each["BusinessUnitId"] for each in known} == {names.ROOT_UNIT}
    assert len({each["PrivilegeId"] for each in known}) == len(known) == 3


def test_access_to_one_row(start: Start) -> None:
    api = start(*READING, "prvReadQueue", "prvAppendToQueue")
    who = api.get("WhoAmI").json()["UserId"]
    path = f"systemusers({who})/Microsoft.Dynamics.CRM.RetrievePrincipalAccess(Target=@t)?@t="
    assert sorted(api.get(path + f"{{'@odata.id':'{QUEUE}'}}").json()["AccessRights"].split(", ")) == [
        "AppendToAccess",
        "ReadAccess",
    ]
    role = f"roles({names.fixed_id('role', 'Omnichannel agent')})"
    assert api.get(path + f"{{'@odata.id':'{role}'}}").json()["AccessRights"] == "None"
    assert code(api.get(path + f"{{'@odata.id':'queues({api.new_id()})'}}")) == (404, "0x80040217")
    for broken in ("7", "{", "{'@odata.id':7}", ""):
        assert api.get(path + broken).status_code == 400


def test_functions_are_not_posted_to(start: Start) -> None:
    api = start(*READING)
    who = api.get("WhoAmI").json()["UserId"]
    reply = api.post(f"systemusers({who})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges", {})
    assert code(reply) == (404, "")
    assert "No HTTP resource was found" in reply.json()["error"]["message"]


def test_copies_of_a_role_hold_what_the_root_holds(start: Start) -> None:
    api = start(users={"t": "Tester"})
    api.emulator.add_role("Own", ["prvReadQueue"])
    api.emulator.add_user("Tester", "Own", unit=names.CHILD_UNIT)
    assert api.get(QUEUE).status_code == 200
    assert missing(api.get("systemusers?$top=1")) == "prvReadUser"
