"""Actions on queues and teams: web-api.md 6.3, 6.4."""

from __future__ import annotations

from typing import Any

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")
BILLER = names.fixed_id("systemuser", "billing.one@contoso.example")
NOBODY = "0f0f0f0f-0000-4000-8000-00000000dead"
CRM = "Microsoft.Dynamics.CRM."
ADD = f"queues({names.NURSES})/{CRM}AddPrincipalToQueue"


def members(api: Api) -> set[str]:
    found = api.rows(f"queues({names.NURSES})/queuemembership_association?$select=systemuserid")
    return {row["systemuserid"] for row in found}


def team(api: Api, *users: str) -> str:
    body = {"name": "Team", "businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}
    team_id = api.create("teams", body)
    assert api.post(f"teams({team_id})/{CRM}AddMembersTeam", people(*users)).status_code == 204
    return team_id


def people(*users: str, kind: str = f"{CRM}systemuser") -> dict[str, Any]:
    return {"Members": [{"@odata.type": kind, "systemuserid": user} for user in users]}


def team_members(api: Api, team_id: str) -> set[str]:
    found = api.rows(f"teams({team_id})/teammembership_association?$select=systemuserid")
    return {row["systemuserid"] for row in found}


@pytest.mark.parametrize("key", ["systemuserid", "ownerid"])
def test_a_user_as_principal(api: Api, key: str) -> None:
    body = {"Principal": {"@odata.type": f"{CRM}systemuser", key: BILLER}}
    assert api.post(ADD, body).status_code == 204
    assert BILLER in members(api)


@pytest.mark.parametrize("key", ["teamid", "ownerid"])
@pytest.mark.parametrize("switch", ["204", "412"])
def test_a_team_as_principal_adds_each_current_member(make: Make, key: str, switch: str) -> None:
    """Who is a member already stays one; who joins the team later is not in the queue."""
    api = make(repeated_link=switch)
    team_id = team(api, BILLER, NURSE)
    before = members(api)
    body = {"Principal": {"@odata.type": f"#{CRM}team", key: team_id}}
    assert api.post(ADD, body).status_code == 204
    assert members(api) == {*before, BILLER}
    late = names.fixed_id("systemuser", "billing.two@contoso.example")
    api.post(f"teams({team_id})/{CRM}AddMembersTeam", people(late))
    assert late not in members(api)


REFUSED = [
    ({"Principal": {"systemuserid": BILLER}}, 400, "0x80048d19"),
    ({"Principal": {"@odata.type": f"{CRM}queue", "queueid": BILLER}}, 400, "0x80048d19"),
    ({"Principal": {"@odata.type": f"{CRM}systemuser"}}, 400, "0x80048d19"),
    ({"Principal": BILLER}, 400, "0x80048d19"),
    ({}, 400, "0x80048d19"),
    ({"Principal": {"@odata.type": f"{CRM}systemuser", "systemuserid": NOBODY}}, 404, "0x80040217"),
    ({"Principal": {"@odata.type": f"{CRM}team", "teamid": NOBODY}}, 404, "0x80040217"),
]


@pytest.mark.parametrize(("body", "status", "expected"), REFUSED, ids=str)
def test_principals_refused(api: Api, body: Any, status: int, expected: str) -> None:
    before = members(api)
    assert code(api.post(ADD, body)) == (status, expected)
    assert members(api) == before


def test_without_the_namespace_and_with_the_wrong_verb(api: Api) -> None:
    body = {"Principal": {"@odata.type": f"{CRM}systemuser", "systemuserid": BILLER}}
    plain = api.post(ADD.replace(CRM, ""), body)
    assert code(plain) == (400, "0x80060888")
    assert "unresolved parameters" in plain.json()["error"]["message"]
    assert code(api.get(ADD)) == (404, "")
    assert code(api.post(ADD.replace(names.NURSES, NOBODY), body)) == (404, "0x80040217")
    assert code(api.post(f"teams({NOBODY})/{CRM}AddPrincipalToQueue", body)) == (404, "0x80060888")


def test_members_of_teams_come_and_go(api: Api) -> None:
    team_id = team(api, BILLER)
    assert api.post(f"teams({team_id})/{CRM}AddMembersTeam", people(BILLER, NURSE)).status_code == 204
    assert team_members(api, team_id) == {BILLER, NURSE}
    for _ in range(2):
        assert api.post(f"teams({team_id})/{CRM}RemoveMembersTeam", people(NURSE)).status_code == 204
        assert team_members(api, team_id) == {BILLER}


@pytest.mark.parametrize("body", [{}, {"Members": {}}, {"Members": [1]}, people(BILLER, kind=f"{CRM}queue")], ids=str)
def test_members_refused(api: Api, body: Any) -> None:
    team_id = team(api)
    assert code(api.post(f"teams({team_id})/{CRM}AddMembersTeam", body)) == (400, "0x80048d19")
    nested = {"Members": [{"@odata.type": f"{CRM}team", "teamid": team_id}]}
    assert code(api.post(f"teams({team_id})/{CRM}AddMembersTeam", nested)) == (400, "0x80048d19")
    assert team_members(api, team_id) == set()
