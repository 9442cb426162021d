"""FetchXML: web-api.md 1.1, 1.6, 2.7, 7.2 (the simple cases; everything else is refused by name)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

PAGING = (
    "odata.include-annotations=" + '"Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords"'
)
NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")


def fetch(api: Api, xml: str, path: str = "queues", prefer: str = "") -> Any:
    return api.get(path, params={"fetchXml": xml}, headers={"Prefer": prefer} if prefer else {})


def rows(api: Api, xml: str, path: str = "queues", prefer: str = "") -> list[dict[str, Any]]:
    reply = fetch(api, xml, path, prefer)
    assert reply.status_code == 200, reply.text
    return reply.json()["value"]


def queue(inner: str, attributes: str = "") -> str:
    return f"<fetch {attributes}><entity name='queue'><attribute name='name'/>{inner}</entity></fetch>"


def test_rows_have_their_columns_key_and_etag(api: Api) -> None:
    (row,) = rows(api, queue("<attribute name='ownerid'/><filter><condition attribute='name' operator='eq' "
                             "value='nurses'/></filter>"))  # fmt: skip
    assert set(row) == {"@odata.etag", "name", "_ownerid_value", "queueid"}
    assert (row["name"], row["queueid"], row["_ownerid_value"]) == ("Nurses", names.NURSES, names.CALLER)


def test_annotations_and_context(api: Api) -> None:
    reply = fetch(api, queue("<attribute name='ownerid'/>", "top='1'"), prefer='odata.include-annotations="*"').json()
    assert reply["@odata.context"] == f"{api.root}$metadata#queues"
    assert reply["value"][0]["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "systemuser"
    assert reply["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1
    assert reply["@Microsoft.Dynamics.CRM.morerecords"] is False


@pytest.mark.parametrize("inner", ["", "<all-attributes/>"])
def test_all_columns(api: Api, inner: str) -> None:
    (row,) = rows(api, f"<fetch top='1'><entity name='queue'>{inner}</entity></fetch>")
    assert {"name", "description", "_ownerid_value", "createdon"} <= set(row)


DEFAULTS = {"Default entity queue", "Default messaging queue"}
FILTERS = [
    ("<condition attribute='name' operator='ne' value='Nurses'/>", {"Billing", *DEFAULTS}),
    ("<condition attribute='description' operator='null'/>", DEFAULTS),
    ("<condition attribute='description' operator='not-null'/>", {"Nurses", "Billing"}),
    ("<condition attribute='name' operator='like' value='%ill%'/>", {"Billing"}),
    ("<condition attribute='name' operator='like' value='ill'/>", set()),
    ("<condition attribute='name' operator='not-like' value='Default%'/>", {"Nurses", "Billing"}),
    ("<condition attribute='name' operator='begins-with' value='nur'/>", {"Nurses"}),
    ("<condition attribute='name' operator='ends-with' value='ING'/>", {"Billing"}),
    ("<condition attribute='name' operator='in'><value>Nurses</value><value>billing</value></condition>",
     {"Nurses", "Billing"}),
    ("<condition attribute='name' operator='not-in'><value>Nurses</value></condition>", {"Billing", *DEFAULTS}),
    ("<condition attribute='name' operator='between'><value>a</value><value>c</value></condition>", {"Billing"}),
    (f"<condition attribute='queueid' operator='eq' value='{{{names.NURSES.upper()}}}'/>", {"Nurses"}),
    (f"<condition attribute='ownerid' operator='eq' value='{names.CALLER}' uiname='x' uitype='systemuser'/>",
     {"Nurses", "Billing", *DEFAULTS}),
    ("<condition attribute='msdyn_isomnichannelqueue' operator='eq' value='1'/>", {"Nurses", "Billing", *DEFAULTS}),
    ("<condition attribute='msdyn_priority' operator='gt' value='1'/>", set()),
    ("<condition attribute='msdyn_priority' operator='ge' value='1'/>", {"Nurses", "Billing", *DEFAULTS}),
    ("<condition attribute='msdyn_priority' operator='lt' value='1'/>", set()),
    ("<condition attribute='createdon' operator='today'/>", {"Nurses", "Billing", *DEFAULTS}),
    ("<condition attribute='createdon' operator='on-or-before' value='2020-01-01'/>", set()),
    ("<condition attribute='createdon' operator='last-x-days' value='1'/>", {"Nurses", "Billing", *DEFAULTS}),
    ("<condition attribute='ownerid' operator='ne-userid'/>", set()),
    ("", {"Nurses", "Billing", *DEFAULTS}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "found"), FILTERS, ids=lambda case: case[:70] if isinstance(case, str) else "found"
)
def test_conditions(api: Api, condition: str, found: set[str]) -> None:
    assert {row["name"] for row in rows(api, queue(f"<filter>{condition}</filter>"))} == found


def test_and_or_nested(api: Api) -> None:
    inner = "".join(f"<condition attribute='name' operator='eq' value='{name}'/>" for name in ("Nurses", "Billing"))
    text = f"<filter type='and'><condition attribute='description' operator='not-null'/><filter type='or'>{inner}"
    assert {row["name"] for row in rows(api, queue(text + "</filter></filter>"))} == {"Nurses", "Billing"}
    assert rows(api, queue(f"<filter type='and'>{inner}</filter>")) == []


def test_order_and_top(api: Api) -> None:
    text = queue("<order attribute='msdyn_priority'/><order attribute='name' descending='true'/>", "top='2'")
    assert [row["name"] for row in rows(api, text)] == ["Nurses", "Default messaging queue"]


def test_pages_are_followed_by_the_cookie(api: Api) -> None:
    """1.6: decode twice, put it back with the page number; only with include-annotations."""
    seen, page, cookie = [], 1, ""
    while page:
        root = ET.fromstring(queue("<order attribute='name'/>", "count='3'"))  # noqa: S314  # our own text
        if cookie:
            root.set("page", str(page))
            root.set("paging-cookie", cookie)
        body = fetch(api, ET.tostring(root, encoding="unicode"), prefer=PAGING).json()
        seen += [row["name"] for row in body["value"]]
        page = 0
        if body["@Microsoft.Dynamics.CRM.morerecords"]:
            outer = ET.fromstring(body["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])  # noqa: S314  # our own text
            cookie, page = unquote(unquote(outer.attrib["pagingcookie"])), int(outer.attrib["pagenumber"])
            assert ET.fromstring(cookie).tag == "cookie"  # noqa: S314  # our own text
    assert seen == sorted(["Nurses", "Billing", *DEFAULTS])
    plain = fetch(api, queue("", "count='1'")).json()
    assert set(plain) == {"@odata.context", "value"}


def test_the_total(api: Api) -> None:
    text = queue("", "count='1' returntotalrecordcount='true'")
    assert fetch(api, text, prefer=PAGING).json()["@Microsoft.Dynamics.CRM.totalrecordcount"] == 4


def test_distinct_has_no_key_and_no_repetition(api: Api) -> None:
    text = "<fetch distinct='true'><entity name='queue'><attribute name='msdyn_priority'/></entity></fetch>"
    assert rows(api, text) == [{"msdyn_priority": 1}]


MEMBERS = (
    "<link-entity name='queuemembership' from='queueid' to='queueid' {0} intersect='true'>"
    "<link-entity name='systemuser' from='systemuserid' to='systemuserid' alias='u' {0}>{1}</link-entity></link-entity>"
)


def test_inner_joins_through_an_intersect(api: Api) -> None:
    inner = "<attribute name='fullname'/><order attribute='fullname'/>"
    found = rows(api, queue(MEMBERS.format("", inner)))
    assert [(row["name"], row["u.fullname"]) for row in found] == [
        ("Billing", "Billing One"), ("Billing", "Billing Two"), ("Nurses", "Former Nurse"), ("Nurses", "Nurse One"),
        ("Nurses", "Nurse Two"),
    ]  # fmt: skip


def test_outer_joins_keep_rows_without_a_partner(api: Api) -> None:
    """The filter of an outer join belongs to the join; conditions by entityname to the whole."""
    only = f"<condition attribute='systemuserid' operator='eq' value='{NURSE}'/>"
    only = f"<attribute name='fullname' alias='who'/><filter>{only}</filter>"
    found = rows(api, queue(MEMBERS.format("link-type='outer'", only)))
    assert {row["name"] for row in found} == {"Nurses", "Billing", *DEFAULTS}
    assert [row["name"] for row in found if "who" in row] == ["Nurses"]
    empty = "<filter><condition entityname='u' attribute='fullname' operator='null'/></filter>"
    missing = rows(api, queue(empty + MEMBERS.format("link-type='outer'", "")))
    assert {row["name"] for row in missing} == DEFAULTS


def test_lookups_of_a_joined_table(api: Api) -> None:
    link = (
        "<link-entity name='systemuser' from='systemuserid' to='ownerid'><attribute name='businessunitid'/>"
        "<attribute name='isdisabled'/></link-entity>"
    )
    row = rows(api, queue(link, "top='1'"), prefer='odata.include-annotations="*"')[0]
    assert row["systemuser1.businessunitid"] == names.ROOT_UNIT
    assert row["systemuser1.businessunitid@OData.Community.Display.V1.FormattedValue"] == "Contoso Health"
    assert row["systemuser1.isdisabled"] is False


def test_simple_paging_without_a_cookie_when_sorted_by_a_joined_column(api: Api) -> None:
    link = "<link-entity name='systemuser' from='systemuserid' to='ownerid'><order attribute='fullname'/></link-entity>"
    body = fetch(api, queue(link, "count='1'"), prefer=PAGING).json()
    assert body["@Microsoft.Dynamics.CRM.morerecords"] is True
    assert "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie" not in body


def where(condition: str) -> str:
    return queue(f"<filter><condition {condition}/></filter>")


REFUSED = [
    ("<fetch>", 400, "0x80041110", "Invalid XML"),
    ("<!DOCTYPE x><fetch/>", 400, "0x80041110", "DOCTYPE"),
    ("<fetch/>", 400, "0x80060888", "one <entity>"),
    ("<x><entity name='queue'/></x>", 400, "0x80060888", "one <fetch>"),
    ("<fetch><entity/></fetch>", 400, "0x80060888", "'name'"),
    ("<fetch><entity name='nope'/></fetch>", 400, "0x80041102", "MetadataCache"),
    ("<fetch><entity name='team'/></fetch>", 400, "0x80060888", "'queues'"),
    (queue("<attribute name='nope'/>"), 400, "0x80041103", "'nope'"),
    (queue("<order attribute='nope'/>"), 400, "0x80041103", "'nope'"),
    (where("attribute='nope' operator='null'"), 400, "0x80041103", "'nope'"),
    (where("attribute='name'"), 400, "0x80060888", "'operator'"),
    (where("attribute='name' operator='eq'"), 400, "0x80060888", "'eq'"),
    (where("attribute='name' operator='near' value='1'"), 400, "0x80060888", "'near'"),
    (where("attribute='msdyn_priority' operator='eq' value='x'"), 400, "0x80060888", "x"),
    (where("attribute='msdyn_priority' operator='like' value='x'"), 400, "0x80060888", "text"),
    (where("attribute='businessunitid' operator='under' value='x'"), 501, "0x80060888", "under"),
    (where("attribute='name' operator='eq' valueof='description'"), 501, "0x80060888", "valueof"),
    (where("entityname='x' attribute='name' operator='null'"), 400, "0x80060888", "'x'"),
    (queue("<filter type='xor'/>"), 400, "0x80060888", "xor"),
    (queue("<filter><x/></filter>"), 501, "0x80060888", "<x>"),
    (queue("", "aggregate='true'"), 501, "0x80060888", "aggregate"),
    (queue("", "options='x'"), 501, "0x80060888", "options"),
    (queue("", "top='x'"), 400, "0x80060888", "top"),
    (queue("", "top='1' page='2'"), 400, "0x80060888", "top"),
    (queue("", "distinct='perhaps'"), 400, "0x80060888", "distinct"),
    (queue("<attribute name='description' alias='name'/>"), 400, "0x80060888", "alias"),
    (queue("<x/>"), 501, "0x80060888", "<x>"),
    (queue("words"), 400, "0x80060888", "text"),
    (queue("<link-entity name='team' from='teamid' to='ownerid' link-type='exists'/>"), 501, "0x80060888", "exists"),
    (queue("<link-entity name='team' from='teamid'/>"), 400, "0x80060888", "'to'"),
    (queue("<link-entity name='team' from='nope' to='ownerid'/>"), 400, "0x80041103", "nope"),
    (queue("<link-entity name='team' from='teamid' to='ownerid' alias='a'/>" * 2), 400, "0x80060888", "twice"),
    (queue("<link-entity name='team' from='teamid' to='ownerid'/>" * 16), 400, "0x80060888", "15"),
    (queue("<filter>" + "<condition attribute='name' operator='null'/>" * 501 + "</filter>"), 400, "0x8004430c", "500"),
    ("<fetch>" + "<entity name='queue'>" * 200, 400, "0x80041110", "deep"),
]  # fmt: skip


@pytest.mark.parametrize(("xml", "status", "expected", "named"), REFUSED, ids=lambda case: str(case)[:80])
def test_refusals_name_what_is_wrong(api: Api, xml: str, status: int, expected: str, named: str) -> None:
    reply = fetch(api, xml)
    assert code(reply) == (status, expected), reply.text
    assert named in reply.json()["error"]["message"]


def test_other_options_cannot_stand_beside_it(api: Api) -> None:
    reply = api.get("queues", params={"fetchXml": queue(""), "$select": "name"})
    assert code(reply) == (400, "0x80060888")


def test_soft_deleted_users_are_hidden_as_in_other_reads(api: Api) -> None:
    text = "<fetch><entity name='systemuser'><attribute name='fullname'/>{}</entity></fetch>"
    api.emulator.execute("UPDATE systemuser SET deletedstate = 1 WHERE systemuserid = ?", [NURSE])
    assert NURSE not in {row["systemuserid"] for row in rows(api, text.format(""), "systemusers")}
    deleted = "<filter><condition attribute='deletedstate' operator='eq' value='1'/></filter>"
    assert {row["systemuserid"] for row in rows(api, text.format(deleted), "systemusers")} == {NURSE}
