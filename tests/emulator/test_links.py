"""Associate and disassociate: web-api.md 2.5, 6.3, 6.4."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")
BILLER = names.fixed_id("systemuser", "billing.one@contoso.example")
NOBODY = "0f0f0f0f-0000-4000-8000-00000000dead"
MEMBERS = f"queues({names.NURSES})/queuemembership_association"


def members(api: Api, queue: str = names.NURSES) -> set[str]:
    found = api.emulator.sql("SELECT systemuserid FROM queuemembership WHERE queueid = ?", [queue])
    return {row[0] for row in found}


def user(api: Api, row_id: str) -> dict[str, str]:
    return {"@odata.id": f"{api.root}systemusers({row_id})"}


def test_adding_from_both_sides(api: Api) -> None:
    assert api.post(f"{MEMBERS}/$ref", user(api, BILLER)).status_code == 204
    assert BILLER in members(api)
    body = {"@odata.id": f"{api.root}queues({names.BILLING})"}
    assert api.post(f"systemusers({NURSE})/queuemembership_association/$ref", body).status_code == 204
    assert NURSE in members(api, names.BILLING)


@pytest.mark.parametrize(("switch", "status"), [("204", 204), ("412", 412)])
def test_adding_a_pair_twice(make: Make, switch: str, status: int) -> None:
    """Section 9: conflicting evidence, either answer."""
    api = make(repeated_link=switch)
    reply = api.post(f"{MEMBERS}/$ref", user(api, NURSE))
    assert reply.status_code == status
    if status == 412:
        assert reply.json()["error"]["code"] == "0x80040237"
    assert len(members(api)) == 3


def test_both_forms_of_removal_and_repeating_them(api: Api) -> None:
    assert api.delete(f"{MEMBERS}({NURSE})/$ref").status_code == 204
    assert NURSE not in members(api)
    assert api.delete(f"{MEMBERS}({NURSE})/$ref").status_code == 204
    other = names.fixed_id("systemuser", "nurse.two@contoso.example")
    address = quote(f"{api.root}systemusers({other})", safe="")
    assert api.delete(f"{MEMBERS}/$ref?$id={address}").status_code == 204
    assert other not in members(api)


def test_links_move_no_etag_of_either_row(api: Api) -> None:
    def tags() -> list[str]:
        return [api.get(path).headers["ETag"] for path in (f"queues({names.NURSES})", f"systemusers({BILLER})")]

    before = tags()
    api.post(f"{MEMBERS}/$ref", user(api, BILLER))
    assert tags() == before


REFUSED = [
    (f"{MEMBERS}/$ref", {"@odata.id": f"/systemusers({NURSE})"}, 400, "0x80048d19"),
    (f"{MEMBERS}/$ref", {"@odata.id": f"systemusers({NURSE})"}, 400, "0x80048d19"),
    (f"{MEMBERS}/$ref", {}, 400, "0x80048d19"),
    (f"{MEMBERS}/$ref", {"@odata.id": f"ROOTsystemusers({NOBODY})"}, 404, "0x80040217"),
    (f"{MEMBERS}/$ref", {"@odata.id": f"ROOTroles({NOBODY})"}, 400, "0x80060888"),
    (MEMBERS.replace(names.NURSES, NOBODY) + "/$ref", {"@odata.id": f"ROOTsystemusers({NURSE})"}, 404, "0x80040217"),
    (f"queues({names.NURSES})/members/$ref", {"@odata.id": f"ROOTsystemusers({NURSE})"}, 404, "0x80060888"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "expected"), REFUSED)
def test_refused(api: Api, path: str, body: dict[str, str], status: int, expected: str) -> None:
    sent = {name: value.replace("ROOT", api.root) for name, value in body.items()}
    assert code(api.post(path, sent)) == (status, expected)
    assert len(members(api)) == 3


def test_single_valued_references(api: Api) -> None:
    """PUT (relative id accepted) and DELETE; the row's version moves."""
    row = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
    before = api.get(row).headers["ETag"]
    assert api.put(f"{row}/msdyn_defaultqueue/$ref", {"@odata.id": f"queues({names.NURSES})"}).status_code == 204
    assert api.emulator.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == [(names.NURSES,)]
    assert api.get(row).headers["ETag"] != before
    assert api.delete(f"{row}/msdyn_defaultqueue/$ref").status_code == 204
    assert api.emulator.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == [(None,)]
    assert code(api.delete(f"queues({names.NURSES})/ownerid/$ref")) == (400, "0x80040200")


def test_one_to_many_references_bump_the_child(api: Api) -> None:
    """2.4: 1:N $ref changes bump the child row."""
    variable = api.create("msdyn_ocliveworkstreamcontextvariables", {"msdyn_name": "Topic"})
    path = f"msdyn_ocliveworkstreamcontextvariables({variable})"
    before = api.get(path).headers["ETag"]
    nav = "msdyn_msdyn_liveworkstream_msdyn_ocliveworkstreamcontextvariable_liveworkstreamid"
    parent = f"msdyn_liveworkstreams({names.PATIENT_CHAT})/{nav}"
    assert api.post(f"{parent}/$ref", {"@odata.id": api.root + path}).status_code == 204
    row = api.get(path)
    assert row.json()["_msdyn_liveworkstreamid_value"] == names.PATIENT_CHAT
    assert row.headers["ETag"] != before
    assert api.delete(f"{parent}({variable})/$ref").status_code == 204
    assert api.get(path).json()["_msdyn_liveworkstreamid_value"] is None


def test_only_the_roles_of_the_users_unit(api: Api) -> None:
    """6.3: the copy of another unit is 0x80041409."""
    path = f"systemusers({NURSE})/systemuserroles_association/$ref"
    (copy,) = api.rows(
        f"roles?$filter=name eq 'Omnichannel supervisor' and _businessunitid_value eq {names.CHILD_UNIT}"
    )
    assert code(api.post(path, {"@odata.id": f"{api.root}roles({copy['roleid']})"})) == (400, "0x80041409")
    from_the_role = f"roles({copy['roleid']})/systemuserroles_association/$ref"
    assert code(api.post(from_the_role, user(api, NURSE))) == (400, "0x80041409")
    root = names.fixed_id("role", "Omnichannel supervisor")
    assert api.post(path, {"@odata.id": f"{api.root}roles({root})"}).status_code == 204
    team = f"teams({names.fixed_id('team', 'Contoso Health')})/teamroles_association/$ref"
    assert code(api.post(team, {"@odata.id": f"{api.root}roles({copy['roleid']})"})) == (400, "0x8004140d")


PRINCIPALS = [
    ({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": BILLER}, 204),
    ({"@odata.type": "#Microsoft.Dynamics.CRM.systemuser", "ownerid": BILLER}, 204),
    ({"systemuserid": BILLER}, 400),
    ({"@odata.type": "Microsoft.Dynamics.CRM.systemuser"}, 400),
    ({"@odata.type": "Microsoft.Dynamics.CRM.systemuser", "systemuserid": NOBODY}, 404),
]


@pytest.mark.parametrize(("principal", "status"), PRINCIPALS)
def test_add_principal_to_queue(api: Api, principal: dict[str, str], status: int) -> None:
    """6.4: key written systemuserid or ownerid, @odata.type compulsory."""
    path = f"queues({names.NURSES})/Microsoft.Dynamics.CRM.AddPrincipalToQueue"
    assert api.post(path, {"Principal": principal}).status_code == status
    assert (BILLER in members(api)) == (status == 204)


def test_deleting_a_row_takes_its_links_and_empties_lookups(api: Api) -> None:
    stream = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
    api.patch(stream, {"msdyn_defaultqueue@odata.bind": f"/queues({names.NURSES})"})
    assert api.delete(f"queues({names.NURSES})").status_code == 204
    assert members(api) == set()
    assert api.emulator.sql("SELECT msdyn_defaultqueue FROM msdyn_liveworkstream") == [(None,)]
