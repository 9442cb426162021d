"""`$filter` as data: web-api.md 1.8 (query/filter-rows page)."""

from __future__ import annotations

import pytest

from d365setup.emulator import Emulator
from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

IN = "Microsoft.Dynamics.CRM.In"
NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")

# filter on queues -> names found among Nurses, Billing and two of our own
QUEUES = [
    ("name eq 'Nurses'", {"Nurses"}),
    ("name eq 'nurses'", {"Nurses"}),
    ("name eq 'Nurses  '", {"Nurses"}),
    ("name eq ' Nurses'", set()),
    ("'Nurses' eq name", {"Nurses"}),
    ("name ne 'Nurses'", {"Billing", "O'Brien 50%", "ÄRZTE"}),
    ("name eq 'ärzte'", {"ÄRZTE"}),
    ("name eq 'O''Brien 50%'", {"O'Brien 50%"}),
    ("name gt 'B' and name lt 'C'", {"Billing"}),
    ("msdyn_priority ge 5", {"O'Brien 50%"}),
    ("5 le msdyn_priority", {"O'Brien 50%"}),
    ("msdyn_priority eq null", {"ÄRZTE"}),
    ("msdyn_priority ne null", {"Nurses", "Billing", "O'Brien 50%"}),
    ("msdyn_priority ne 1", {"O'Brien 50%", "ÄRZTE"}),
    ("msdyn_isomnichannelqueue eq true", {"Nurses", "Billing"}),
    ("not (msdyn_isomnichannelqueue eq true)", {"O'Brien 50%", "ÄRZTE"}),
    ("name eq 'Nurses' or name eq 'Billing' and msdyn_priority eq 9", {"Nurses"}),
    ("(name eq 'Nurses' or name eq 'Billing') and msdyn_priority eq 9", set()),
    ("contains(name,'URS')", {"Nurses"}),
    ("startswith(name,'n')", {"Nurses"}),
    ("endswith(name,'ing')", {"Billing"}),
    ("contains(name,'N%s')", {"Nurses"}),
    ("startswith(name,'_urse')", {"Nurses"}),
    ("startswith(name,'[NB]')", {"Nurses", "Billing"}),
    ("startswith(name,'[^NB]')", {"O'Brien 50%", "ÄRZTE"}),
    ("contains(name,'50[%]')", {"O'Brien 50%"}),
    ("contains(name,'[z-a]')", set()),
    ("name eq description", set()),
    (f"queueid eq {names.NURSES}", {"Nurses"}),
    (f"queueid eq {names.NURSES.upper()}", {"Nurses"}),
    (f"_ownerid_value eq {names.CALLER}", {"Nurses", "Billing", "O'Brien 50%", "ÄRZTE"}),
    ("_msdyn_operatinghourid_value eq null", {"Nurses", "Billing", "O'Brien 50%", "ÄRZTE"}),
    ("msdyn_operatinghourid eq null", {"Nurses", "Billing", "O'Brien 50%", "ÄRZTE"}),
    ("createdby/businessunitid/name eq 'Contoso Health' and name eq 'Billing'", {"Billing"}),
    ("createdby/businessunitid/parentbusinessunitid eq null and name eq 'Billing'", {"Billing"}),
    ("queuemembership_association/any()", {"Nurses", "Billing"}),
    ("not queuemembership_association/any()", {"O'Brien 50%", "ÄRZTE"}),
    ("queuemembership_association/any(u:u/internalemailaddress eq 'nurse.one@contoso.example')", {"Nurses"}),
    (f"queuemembership_association/any(u:u/systemuserid eq {NURSE})", {"Nurses"}),
    (f"queuemembership_association/any(u:u/ownerid eq {NURSE})", {"Nurses"}),
    ("queuemembership_association/any(u:u/businessunitid/name eq 'Contoso Health')", {"Nurses", "Billing"}),
    ("queuemembership_association/all(u:u/isdisabled eq false)", {"Billing", "O'Brien 50%", "ÄRZTE"}),
    (
        "queuemembership_association/any(u:u/systemuserroles_association/any(r:r/name eq 'Omnichannel agent'))",
        {"Nurses", "Billing"},
    ),
    ("queuemembership_association/any(u:u/isdisabled eq true and u/msdyn_capacity gt 80)", {"Nurses"}),
    ("Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['nurses','Billing'])", {"Nurses", "Billing"}),
    ('Microsoft.Dynamics.CRM.In(PropertyName="name",PropertyValues=["Nurses"])', {"Nurses"}),
    (f"{IN}(PropertyName='ownerid',PropertyValues=['{names.CALLER}']) and name eq 'Billing'", {"Billing"}),
    (f"{IN}(PropertyName='msdyn_isomnichannelqueue',PropertyValues=['true'])", {"Nurses", "Billing"}),
    (f"{IN}(PropertyName='name',PropertyValues=[])", set()),
    (f"{IN}(PropertyName='msdyn_priority',PropertyValues=[5,6])", {"O'Brien 50%"}),
    (f"{IN}(PropertyName='name',PropertyValues=[@n])&@n='Billing'", {"Billing"}),
    ("msdyn_isomnichannelqueue", {"Nurses", "Billing"}),
    ("msdyn_priority gt null", set()),
    ("name eq name and name eq 'Billing'", {"Billing"}),
    ("name eq @absent", set()),
    ("Microsoft.Dynamics.CRM.NotIn(PropertyName='msdyn_priority',PropertyValues=['1'])", {"O'Brien 50%", "ÄRZTE"}),
    ("statecode eq 0 and name eq @p1&@p1='Billing'", {"Billing"}),
    ("createdon gt 2020-01-01T00:00:00Z and name eq 'Billing'", {"Billing"}),
    ("createdon lt 2020-01-01", set()),
]  # fmt: skip


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory):
    emulator = Emulator()  # one for all rows of the table: nothing here writes
    for row in emulator.sql("SELECT queueid FROM queue WHERE name LIKE 'Default%'"):
        emulator.execute("DELETE FROM queue WHERE queueid = ?", row)
    emulator.add("queue", name="O'Brien 50%", msdyn_priority=5)
    emulator.add("queue", name="ÄRZTE")
    with emulator.serve():
        api = Api(emulator)
        yield api
        api.session.close()
    emulator.close()


@pytest.mark.parametrize(("text", "found"), QUEUES)
def test_filters(queues: Api, text: str, found: set[str]) -> None:
    condition, _, rest = text.partition("&")
    alias = dict([rest.split("=", 1)]) if rest else {}
    reply = queues.get("queues", params={"$select": "name", "$filter": condition, **alias})
    assert reply.status_code == 200, reply.text
    assert {row["name"] for row in reply.json()["value"]} == found


REFUSED = [
    "nam eq 'x'",
    "Name eq 'x'",
    "ownerid eq '1'",
    "queueid eq 'x'",
    f"queueid eq '{names.NURSES}'",
    "name eq 1",
    "msdyn_priority eq '1'",
    "msdyn_isomnichannelqueue eq 'true'",
    "name",
    "name eq",
    "name eq 'x",
    "name = 'x'",
    "(name eq 'x'",
    "name eq 'x' und name eq 'y'",
    "tolower(name) eq 'x'",
    "substringof('x',name)",
    "year(createdon) eq 2026",
    "msdyn_priority add 1 eq 2",
    "contains(msdyn_priority,'1')",
    "createdby/queuemembership_association/any(q:q/name eq 'x')",
    "queuemembership_association/name eq 'x'",
    "queuemembership_association/all()",
    "queuemembership_association/any(u:u eq 'x')",
    "queuemembership_association/any(u:internalemailaddress eq 'x')",
    "name eq queueid",
    "not Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=['x'])",
    "Microsoft.Dynamics.CRM.In(PropertyName='nam',PropertyValues=['x'])",
    "Microsoft.Dynamics.CRM.In(PropertyName='queueid',PropertyValues=['x'])",
    "msdyn_priority eq 99999999999999999999999",
    "createdon gt 2026-99-99",
    "'x' eq 'x'",
    "name eq contains(name,'x')",
    "msdyn_operatinghourid eq 1",
    "ownerid/name eq 'x'",
    "queuemembership_association/any(u:u/nope/any())",
    "queuemembership_association/any('x')",
    "name/ eq 'x'",
    "Microsoft.Dynamics.CRM.In(PropertyName='name',PropertyValues=[x])",
    "Microsoft.Dynamics.CRM.In(PropertyName='name')",
    "Microsoft.Dynamics.CRM.In(PropertyName='creditlimit',PropertyValues=['x'])",
    "(" * 50 + "name eq 'x'" + ")" * 50,
    "not " * 200 + "(name eq 'x')",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:60])
def test_refused_filters(queues: Api, text: str) -> None:
    assert code(queues.get("queues", params={"$filter": text})) == (400, "0x80060888")


@pytest.mark.parametrize(("count", "expected"), [(500, 200), (501, 400)])
def test_at_most_500_conditions(queues: Api, count: int, expected: int) -> None:
    """1.8: more are 0x8004430c."""
    text = " or ".join(["name eq 'x'"] * count)
    reply = queues.get("queues", params={"$filter": text})
    assert reply.status_code == expected
    if expected == 400:
        assert reply.json()["error"]["code"] == "0x8004430c"


def test_other_query_functions_are_refused_honestly(queues: Api) -> None:
    text = "Microsoft.Dynamics.CRM.Under(PropertyName='businessunitid',PropertyValue='x')"
    assert code(queues.get("queues", params={"$filter": text})) == (501, "0x80060888")


def test_numbers_with_a_fraction(api: Api) -> None:
    api.patch(f"businessunits({names.ROOT_UNIT})", {"creditlimit": 2.5})
    for text in ("creditlimit eq 2.5", "Microsoft.Dynamics.CRM.In(PropertyName='creditlimit',PropertyValues=['2.5'])"):
        assert len(api.rows(f"businessunits?$filter={text}")) == 1
    text = "Microsoft.Dynamics.CRM.In(PropertyName='creditlimit',PropertyValues=['inf'])"
    assert code(api.get(f"businessunits?$filter={text}")) == (400, "0x80060888")


def test_intersect_sets_take_quoted_ids_too(queues: Api) -> None:
    """1.8: one live note; 2.5: intersect rows are readable as a set."""
    for literal in (NURSE, f"'{NURSE}'"):
        rows = queues.rows("queuememberships", params={"$filter": f"systemuserid eq {literal}"})
        assert [row["queueid"] for row in rows] == [names.NURSES]
    assert len(queues.rows(f"systemuserrolescollection?$filter=systemuserid eq '{NURSE}'")) == 1


@pytest.mark.parametrize(("switch", "found"), [("included", 2), ("excluded", 1)])
def test_ne_and_null(make: Make, switch: str, found: int) -> None:
    api = make(not_equal_null=switch, fixture="empty")
    api.emulator.execute("DELETE FROM queue")
    for priority in (1, 2, None):
        api.emulator.add("queue", name="q", msdyn_priority=priority)
    assert len(api.rows("queues?$filter=msdyn_priority ne 1")) == found


def test_roots_and_role_copies(api: Api) -> None:
    """6.3: root unit by null parent; the copy of a role that belongs to a unit."""
    for text in ("_parentbusinessunitid_value eq null", "parentbusinessunitid eq null"):
        assert [row["name"] for row in api.rows(f"businessunits?$filter={text}")] == ["Contoso Health"]
    text = f"name eq 'Omnichannel agent' and _businessunitid_value eq {names.CHILD_UNIT}"
    (copy,) = api.rows(f"roles?$filter={text}")
    assert copy["_parentrootroleid_value"] == names.fixed_id("role", names.AGENT)
    (root,) = api.rows("roles?$filter=name eq 'Omnichannel agent' and businessunitid/parentbusinessunitid eq null")
    assert root["_parentrootroleid_value"] == root["roleid"]
