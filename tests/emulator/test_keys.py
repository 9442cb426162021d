"""Alternate keys and upserts by them: web-api.md 1.1, 2.2, 6.2 (use-alternate-key-reference-record page)."""

from __future__ import annotations

import re

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

NURSE_KEY = names.fixed_id("entra", "nurse.one@contoso.example")
NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")
UNIT = {"businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}
FREE = "0f0f0f0f-0000-4000-8000-0000000000aa"


def team(key: str = FREE, kind: int = 0) -> str:
    return f"teams(azureactivedirectoryobjectid={key},membershiptype={kind})"


@pytest.mark.parametrize("key", [NURSE_KEY, f"'{NURSE_KEY}'", NURSE_KEY.upper()])
def test_rows_are_read_by_their_key(api: Api, key: str) -> None:
    assert api.get(f"systemusers(azureactivedirectoryobjectid={key})").json()["systemuserid"] == NURSE


def test_a_key_that_nobody_has_is_404(api: Api) -> None:
    for method in ("GET", "DELETE"):
        assert code(api.send(method, f"systemusers(azureactivedirectoryobjectid={FREE})")) == (404, "0x80060891")


BAD = [
    "teams(name='x')",
    f"teams(azureactivedirectoryobjectid={FREE})",
    f"teams(azureactivedirectoryobjectid={FREE},membershiptype=0,name='x')",
    f"teams(azureactivedirectoryobjectid={FREE},azureactivedirectoryobjectid={FREE})",
    "systemusers(azureactivedirectoryobjectid=x)",
    "systemusers(azureactivedirectoryobjectid='')",
    f"systemusers(systemuserid={NURSE})",
    f"{team()[:-1]},x)",
    "teams(x)",
]


@pytest.mark.parametrize("path", BAD)
def test_what_is_no_key_is_refused(api: Api, path: str) -> None:
    assert code(api.get(path)) == (400, "0x80060888")
    assert code(api.patch(path, {})) == (400, "0x80060888")


def test_upsert_by_key_creates_then_updates(api: Api) -> None:
    """2.2: PATCH set(altkey='v'); the address in the reply leads to the row."""
    prefer = {"Prefer": "return=representation"}
    made = api.patch(f"{team()}?$select=name,membershiptype", {"name": "Night", **UNIT}, headers=prefer)
    assert (made.status_code, made.json()["membershiptype"]) == (201, 0)
    assert re.fullmatch(re.escape(api.root) + r"teams\([0-9a-f-]{36}\)", made.headers["OData-EntityId"])
    changed = api.patch(team(), {"name": "Late"}, headers=prefer)
    assert (changed.status_code, changed.json()["teamid"]) == (200, made.json()["teamid"])
    row = api.get(team()).json()
    assert (row["name"], row["azureactivedirectoryobjectid"]) == ("Late", FREE)
    assert api.delete(team()).status_code == 204
    assert code(api.delete(team())) == (404, "0x80060891")


def test_conditions_hold_for_keys_too(api: Api) -> None:
    """2.4 with 2.2."""
    assert code(api.patch(team(), {"name": "x", **UNIT}, headers={"If-Match": "*"})) == (404, "0x80060891")
    assert api.patch(team(), {"name": "x", **UNIT}, headers={"If-None-Match": "*"}).status_code == 204
    assert code(api.patch(team(), {"name": "y"}, headers={"If-None-Match": "*"})) == (412, "0x80040237")
    assert code(api.patch(team(), {"name": "y"}, headers={"If-Match": 'W/"1"'})) == (412, "0x80060882")


def test_a_body_must_not_contradict_the_key(api: Api) -> None:
    assert code(api.patch(team(), {"name": "x", "membershiptype": 1, **UNIT})) == (400, "0x80048d19")
    assert api.patch(team(), {"name": "x", "membershiptype": 0, **UNIT}).status_code == 204
    assert code(api.patch(team(), {"teamid": FREE})) == (400, "0x80048d19")


def test_a_second_row_with_the_key_is_refused(api: Api) -> None:
    """2.7: 412 0x80060892, on create and on update; an empty part binds nobody."""
    body = {"azureactivedirectoryobjectid": FREE, "membershiptype": 0, **UNIT}
    api.create("teams", {"name": "one", **body})
    assert code(api.post("teams", {"name": "two", **body})) == (412, "0x80060892")
    other = api.create("teams", {"name": "two", **body, "membershiptype": 1})
    assert code(api.patch(f"teams({other})", {"membershiptype": 0})) == (412, "0x80060892")
    for name in ("three", "four"):
        api.create("teams", {"name": name, **UNIT})


def test_a_reference_may_be_a_key(api: Api) -> None:
    """2.1: bind by alternate-key URL."""
    address = f"/systemusers(azureactivedirectoryobjectid={NURSE_KEY})"
    row_id = api.create("teams", {"name": "x", "administratorid@odata.bind": address, **UNIT})
    assert api.get(f"teams({row_id})").json()["_administratorid_value"] == NURSE
