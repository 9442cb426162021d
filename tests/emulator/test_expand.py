"""`$expand`: web-api.md 1.9 and 1.6 (query/join-tables page)."""

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

STREAM = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"
MEMBERS = "queuemembership_association"


def test_single_valued(api: Api) -> None:
    """1.9: no etag inside, null for an empty lookup."""
    row = api.get(
        f"{STREAM}?$select=msdyn_name&$expand=msdyn_routingcontractid($select=msdyn_uniquename),msdyn_bot_user"
    ).json()
    assert set(row["msdyn_routingcontractid"]) == {"msdyn_uniquename", "msdyn_decisioncontractid"}
    assert row["msdyn_bot_user"] is None


def test_a_reference_only(api: Api) -> None:
    row = api.get(f"{STREAM}?$select=msdyn_name&$expand=msdyn_routingcontractid/$ref").json()
    assert set(row["msdyn_routingcontractid"]) == {"@odata.id"}
    assert code(api.get(f"queues?$expand={MEMBERS}/$ref")) == (400, "0x80060888")


def test_collections_and_their_options(api: Api) -> None:
    options = (
        "$select=fullname;$filter=contains(fullname,'Nurse') and isdisabled eq false;$orderby=fullname desc;$top=1"
    )
    rows = api.rows(f"queues?$select=name&$filter=name eq 'Nurses' or name eq 'Billing'&$expand={MEMBERS}({options})")
    found = {row["name"]: [each["fullname"] for each in row[MEMBERS]] for row in rows}
    assert found == {"Nurses": ["Nurse Two"], "Billing": []}


def test_flat_collections_always_carry_a_link_without_a_token(api: Api) -> None:
    """1.6: even when complete or empty; following it lists the collection."""
    row = api.get(f"queues({names.NURSES})?$expand={MEMBERS}($select=fullname)").json()
    link = row[f"{MEMBERS}@odata.nextLink"]
    assert link == f"{api.root}queues({names.NURSES})/{MEMBERS}?$select=fullname"
    assert [each["fullname"] for each in api.rows(link)] == [each["fullname"] for each in row[MEMBERS]]
    empty = api.get(f"queues({names.DEFAULT_ENTITY_QUEUE})?$expand={MEMBERS}($select=fullname)").json()
    assert empty[MEMBERS] == []
    assert f"{MEMBERS}@odata.nextLink" in empty


def test_rows_of_collections_have_etags(api: Api) -> None:
    row = api.get(f"queues({names.NURSES})?$expand={MEMBERS}($select=fullname)").json()
    assert all(each["@odata.etag"].startswith('W/"') for each in row[MEMBERS])


def test_nested(api: Api) -> None:
    """1.9: below a collection only lookups; no link there."""
    nested = f"{MEMBERS}($select=fullname;$expand=businessunitid($select=name))"
    row = api.get(f"queues({names.NURSES})?$select=name&$expand={nested}").json()
    assert {each["businessunitid"]["name"] for each in row[MEMBERS]} == {"Contoso Health"}
    assert f"{MEMBERS}@odata.nextLink" not in row


def test_one_to_many(api: Api) -> None:
    variables = "msdyn_msdyn_liveworkstream_msdyn_ocliveworkstreamcontextvariable_liveworkstreamid"
    bind = {"msdyn_liveworkstreamid@odata.bind": f"/{STREAM}"}
    for name in ("Topic", "Severity"):
        api.create("msdyn_ocliveworkstreamcontextvariables", {"msdyn_name": name, **bind})
    row = api.get(f"{STREAM}?$expand={variables}($select=msdyn_name;$orderby=msdyn_name)").json()
    assert [each["msdyn_name"] for each in row[variables]] == ["Severity", "Topic"]


REFUSED = [
    f"queues?$expand={MEMBERS}($top=1;$expand=businessunitid)",
    f"queues?$expand={MEMBERS}($orderby=fullname;$expand=businessunitid)",
    f"queues?$expand={MEMBERS}($expand=systemuserroles_association)",
    f"queues?$expand=createdby($expand={MEMBERS})",
    f"queues?$expand={MEMBERS}($skip=1)",
    f"queues?$expand={MEMBERS}($count=true)",
    f"queues?$expand={MEMBERS}($select=nope)",
    f"queues?$expand={MEMBERS}($filter=nope eq 1)",
    f"queues?$expand={MEMBERS}($select=fullname",
    "queues?$expand=_ownerid_value",
    "queues?$expand=Createdby",
    "msdyn_liveworkstreams?$expand=msdyn_defaultqueue($select=ownerid)",
    "queues?$expand=" + ",".join(["createdby"] * 16),
]


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path[:70])
def test_refused(api: Api, path: str) -> None:
    assert code(api.get(path)) == (400, "0x80060888")


def test_fifteen_are_allowed(api: Api) -> None:
    path = "queues?$expand=" + ",".join(["createdby($select=fullname)"] * 15)
    assert api.get(path).status_code == 200


def test_a_polymorphic_lookup_is_expanded_by_its_target(api: Api) -> None:
    ruleset = api.emulator.add("msdyn_decisionruleset", msdyn_name="r", msdyn_uniquename="r")
    api.emulator.add(
        "msdyn_rulesetdependencymapping",
        msdyn_referencingrulesetid=ruleset,
        msdyn_referencedpolymorphicentityid=names.NURSES,
        msdyn_referencedpolymorphicentityidtype="queue",
    )
    start = "msdyn_referencedpolymorphicentityid_msdyn_rulesetdependencymapping_"
    (row,) = api.rows(f"msdyn_rulesetdependencymappings?$expand={start}queue($select=name),{start}msdyn_liveworkstream")
    assert row[f"{start}queue"]["name"] == "Nurses"
    assert row[f"{start}msdyn_liveworkstream"] is None
