"""Reads: web-api.md 1.4 to 1.7 (select-columns, page-results, count-rows pages)."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from urllib.parse import unquote

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

ANNOTATED = {"Prefer": 'odata.include-annotations="*"'}
STREAM = f"msdyn_liveworkstreams({names.PATIENT_CHAT})"


def test_the_key_comes_unasked_and_users_carry_ownerid(api: Api) -> None:
    """1.5."""
    row = api.rows("queues?$select=name&$top=1")[0]
    assert list(row) == ["@odata.etag", "name", "queueid"]
    user = api.get(f"systemusers({names.CALLER})?$select=fullname").json()
    assert set(user) == {"@odata.context", "@odata.etag", "fullname", "systemuserid", "ownerid"}


def test_without_select_every_column_comes_nulls_included(api: Api) -> None:
    row = api.get(f"queues({names.NURSES})").json()
    assert row["emailaddress"] is None
    assert row["_msdyn_operatinghourid_value"] is None
    assert "ownerid" not in row
    assert "msdyn_operatinghourid" not in row
    assert row["createdon"].endswith("Z")
    assert (row["msdyn_isomnichannelqueue"], row["msdyn_priority"]) == (True, 1)
    stream = api.get(STREAM).json()
    assert stream["ismanaged"] is False
    assert stream["iscustomizable"]["Value"] is True
    user = api.get(f"systemusers({names.CALLER})").json()
    assert "msdyn_agentType" in user
    assert "msdyn_agenttype" not in user


def test_contexts(api: Api) -> None:
    """1.5: @odata.context fragments."""
    base = api.root + "$metadata#"
    assert api.get("queues").json()["@odata.context"] == base + "queues"
    listed = api.get("queues?$select=name,_ownerid_value").json()
    assert listed["@odata.context"] == base + "queues(name,_ownerid_value)"
    single = api.get(f"queues({names.NURSES})?$select=name").json()
    assert single["@odata.context"] == base + "queues(name)/$entity"
    expanded = api.get("queues?$select=name&$expand=queuemembership_association($select=fullname)").json()
    assert expanded["@odata.context"] == base + "queues(name,queuemembership_association(fullname))"
    deep = "queues?$select=name&$expand=createdby($select=fullname;$expand=businessunitid($select=name)),ownerid"
    shown = "queues(name,createdby(fullname,businessunitid(name)),ownerid())"
    assert api.get(deep).json()["@odata.context"] == base + shown
    references = api.get("queues?$select=name&$expand=createdby/$ref").json()
    assert references["@odata.context"] == base + "queues(name,createdby,createdby/$ref())"


def test_annotations_stand_before_their_property(api: Api) -> None:
    """1.5: formatted values, lookup notes; none for nulls."""
    api.patch(STREAM, {"msdyn_defaultqueue@odata.bind": f"/queues({names.NURSES})"})
    select = "msdyn_mode,_msdyn_defaultqueue_value,_msdyn_bot_user_value,msdyn_capacityrequired,msdyn_isdefault"
    reply = api.get(f"{STREAM}?$select={select}", headers=ANNOTATED)
    row, keys = reply.json(), list(reply.json())
    assert row["msdyn_mode@OData.Community.Display.V1.FormattedValue"]
    assert row["_msdyn_defaultqueue_value@OData.Community.Display.V1.FormattedValue"] == "Nurses"
    lookup = "_msdyn_defaultqueue_value@Microsoft.Dynamics.CRM."
    assert row[lookup + "associatednavigationproperty"] == "msdyn_defaultqueue"
    assert row[lookup + "lookuplogicalname"] == "queue"
    assert keys.index(lookup + "lookuplogicalname") < keys.index("_msdyn_defaultqueue_value")
    assert row["_msdyn_bot_user_value"] is None
    assert not [key for key in keys if key.startswith("_msdyn_bot_user_value@")]
    assert "odata.include-annotations" in reply.headers["Preference-Applied"]


def test_annotation_patterns(api: Api) -> None:
    """1.4: comma list and wildcards."""
    prefer = {"Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'}
    row = api.get(f"queues({names.NURSES})?$select=_ownerid_value,queueviewtype", headers=prefer).json()
    assert "_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname" in row
    assert not [key for key in row if "FormattedValue" in key]


def test_pages_are_followed_by_next_links(api: Api) -> None:
    """1.6: maxpagesize, an opaque skiptoken, no link on the last page."""
    for number in range(7):
        api.emulator.add("queue", name=f"Desk {number}")
    prefer = {"Prefer": "odata.maxpagesize=3"}
    seen, url = [], "queues?$select=name&$filter=startswith(name,'Desk')&$orderby=name desc&$count=true"
    pages = 0
    while url:
        reply = api.get(url, headers=prefer)
        assert "odata.maxpagesize=3" in reply.headers["Preference-Applied"]
        page = reply.json()
        assert page["@odata.count"] == 7
        seen += [row["name"] for row in page["value"]]
        url, pages = page.get("@odata.nextLink", ""), pages + 1
    assert seen == [f"Desk {number}" for number in range(6, -1, -1)]
    assert pages == 3


def test_the_skip_token_is_a_cookie_in_a_cookie(api: Api) -> None:
    """1.6: pagingcookie is XML, URL-encoded twice."""
    link = api.get("queues?$select=name", headers={"Prefer": "odata.maxpagesize=1"}).json()["@odata.nextLink"]
    token = unquote(link.partition("$skiptoken=")[2])
    assert token.startswith('<cookie pagenumber="2" pagingcookie="%253Ccookie%2520page%253D%25221')
    inner = unquote(unquote(token.partition('pagingcookie="')[2].partition('"')[0]))
    assert inner.startswith('<cookie page="1"><queueid last="{')


def test_top_and_page_size(api: Api) -> None:
    """1.6: $top alone gives no nextLink; together with maxpagesize it is ignored."""
    alone = api.get("queues?$top=2").json()
    assert (len(alone["value"]), "@odata.nextLink" in alone) == (2, False)
    both = api.get("queues?$top=1", headers={"Prefer": "odata.maxpagesize=3"}).json()
    assert (len(both["value"]), "@odata.nextLink" in both) == (3, True)


def test_counts(api: Api) -> None:
    """1.1, 1.7."""
    reply = api.get("queues/$count")
    assert reply.headers["Content-Type"] == "text/plain"
    assert int(reply.text) == len(api.rows("queues")) == 4
    assert api.get("queues/$count?$filter=name eq 'Nurses'").text == "1"
    assert api.get(f"queues({names.NURSES})/queuemembership_association/$count").text == "3"
    body = api.get("queues?$select=name", headers=ANNOTATED).json()
    assert body["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1


def test_sorting(api: Api) -> None:
    """1.8: several keys, and through a single-valued path."""
    people = api.rows("systemusers?$select=fullname&$filter=applicationid eq null&$orderby=lastname,firstname desc")
    assert [row["fullname"] for row in people] == [
        "Former Nurse", "Nurse One", "Billing One", "Nurse Two", "Billing Two"
    ]  # fmt: skip
    assert api.get("queues?$orderby=createdby/fullname desc,name").status_code == 200
    assert code(api.get("queues?$orderby=nope")) == (400, "0x80060888")
    assert code(api.get("queues?$orderby=name sideways")) == (400, "0x80060888")


def test_collections_of_a_row(api: Api) -> None:
    """1.1: navigation."""
    path = f"queues({names.NURSES})/queuemembership_association"
    members = api.rows(f"{path}?$select=internalemailaddress&$filter=isdisabled eq false&$orderby=msdyn_capacity desc")
    assert [row["internalemailaddress"] for row in members] == [
        "nurse.two@contoso.example", "nurse.one@contoso.example"
    ]  # fmt: skip
    listed = api.rows(f"{path}/$ref")
    assert {row["@odata.id"] for row in listed} == {
        f"{api.root}systemusers({row['systemuserid']})" for row in api.rows(path)
    }
    assert code(api.get("queues(0f0f0f0f-0000-4000-8000-00000000dead)/queuemembership_association")) == (
        404,
        "0x80040217",
    )
    copies = api.rows(f"businessunits({names.CHILD_UNIT})/business_unit_roles?$select=name")
    assert len(copies) == len(names.ROLES)


def test_a_lookup_as_an_address(api: Api) -> None:
    """1.1: queues(id)/createdby; 204 when it is empty."""
    row = api.get(f"queues({names.NURSES})/createdby?$select=fullname").json()
    assert (row["fullname"], row["systemuserid"]) == ("# d365setup pipeline", names.CALLER)
    assert api.get(f"queues({names.NURSES})/msdyn_operatinghourid").status_code == 204
    reference = api.get(f"queues({names.NURSES})/createdby/$ref").json()["@odata.id"]
    assert reference == f"{api.root}systemusers({names.CALLER})"


def test_rows_by_key_forms(api: Api) -> None:
    """1.1, 6.2: queues(queueid=...), systemusers(ownerid=...), the Entra alternate key."""
    assert api.get(f"queues(queueid={names.NURSES})").json()["name"] == "Nurses"
    assert api.get(f"systemusers(ownerid={names.CALLER})").status_code == 200
    entra = names.fixed_id("entra", "nurse.one@contoso.example")
    found = api.get(f"systemusers(azureactivedirectoryobjectid={entra})?$select=fullname").json()
    assert found["fullname"] == "Nurse One"


def test_doubled_slash_and_older_versions(api: Api) -> None:
    """Section 0 item 1."""
    for path in ("//api/data/v9.2/WhoAmI", "/api/data/v9.1/WhoAmI", "/api/data/v9.0/WhoAmI()"):
        assert api.get(api.emulator.url + path).status_code == 200


def test_functions(api: Api) -> None:
    """6.5."""
    me = api.get("WhoAmI").json()
    assert me == {
        "@odata.context": api.root + "$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": names.ROOT_UNIT,
        "UserId": names.CALLER,
        "OrganizationId": names.ORGANIZATION,
    }
    assert api.get("RetrieveVersion()").json()["Version"].startswith("9.2.")
    access = "@p1=Microsoft.Dynamics.CRM.EndpointAccessType'Default'"
    detail = api.get(f"RetrieveCurrentOrganization(AccessType=@p1)?{access}").json()["Detail"]
    assert (detail["FriendlyName"], detail["OrganizationId"]) == ("Contoso Health", names.ORGANIZATION)
    assert len(detail["Endpoints"]["Keys"]) == detail["Endpoints"]["Count"]


def test_the_total_of_tables(api: Api) -> None:
    """1.7, 6.5."""
    body = api.get("RetrieveTotalRecordCount(EntityNames=['queue','team'])").json()
    assert body["@odata.context"].endswith("#Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse")
    found = body["EntityRecordCountCollection"]
    assert (found["Keys"], found["Count"]) == (["queue", "team"], 2)
    assert found["Values"] == [len(api.rows("queues")), len(api.rows("teams"))]
    alias = api.get('RetrieveTotalRecordCount(EntityNames=@n)?@n=["role"]').json()
    assert alias["EntityRecordCountCollection"]["Values"] == [len(api.rows("roles"))]


FUNCTIONS = [
    ("WhoAmI(x=1)", "0x80060888"),
    ("RetrieveCurrentOrganization", "0x80060888"),
    ("RetrieveCurrentOrganization(AccessType='x')", "0x80060888"),
    ("RetrieveTotalRecordCount(EntityNames='queue')", "0x80060888"),
    ("RetrieveTotalRecordCount(EntityNames=['nope'])", "0x80041102"),
]


@pytest.mark.parametrize(("path", "expected"), FUNCTIONS)
def test_parameters_of_functions_are_compulsory(api: Api, path: str, expected: str) -> None:
    """6.5."""
    assert code(api.get(path)) == (400, expected)


def test_change_tracking_is_refused_by_name(api: Api) -> None:
    """1.4: a reply without a delta link would look like a table without changes."""
    reply = api.get("queues", headers={"Prefer": "odata.track-changes"})
    assert code(reply) == (501, "0x80060888")


def test_the_service_document_lists_the_sets(api: Api) -> None:
    """7.1."""
    sets = {row["name"] for row in api.rows("/api/data/v9.2/")}
    assert {"systemusers", "queues", "msdyn_decisionrulesets", "queuememberships"} <= sets


# 9 and routing.md 1.2, 1.3: switches of what is read


def test_the_default_queue_column_may_be_missing(make: Make) -> None:
    api = make(default_queue_column="missing")
    api.patch(STREAM, {"msdyn_defaultqueue@odata.bind": f"/queues({names.NURSES})"})
    row = api.get(
        f"{STREAM}?$select=msdyn_name,_msdyn_defaultqueue_value&$expand=msdyn_defaultqueue($select=queueid)"
    ).json()
    assert "_msdyn_defaultqueue_value" not in row
    assert row["msdyn_defaultqueue"]["queueid"] == names.NURSES


def test_the_disabled_rules_column_may_be_absent(make: Make, api: Api) -> None:
    assert api.get("msdyn_decisionrulesets?$select=msdyn_disabledrules").status_code == 200
    old = make(disabled_rules_column="absent")
    assert code(old.get("msdyn_decisionrulesets?$select=msdyn_disabledrules")) == (400, "0x80060888")
    body = {"msdyn_name": "r", "msdyn_uniquename": "r", "msdyn_disabledrules": "[]"}
    assert code(old.post("msdyn_decisionrulesets", body)) == (400, "0x80048d19")


@pytest.mark.parametrize(("switch", "expected"), [("as sent", "a\nb\r\nc"), ("crlf", "a\r\nb\r\nc")])
def test_line_ends_of_long_text(make: Make, switch: str, expected: str) -> None:
    api = make(memo_line_ends=switch)
    api.patch(f"queues({names.NURSES})", {"description": "a\nb\r\nc"})
    assert api.get(f"queues({names.NURSES})?$select=description").json()["description"] == expected
    assert api.emulator.sql("SELECT description FROM queue WHERE queueid = ?", [names.NURSES]) == [("a\nb\r\nc",)]


def test_text_comes_back_character_by_character(api: Api) -> None:
    text = "  <a b='c'>\t\n& Ünïcode 🩺 \\ \" end\n\n"
    api.patch(f"queues({names.NURSES})", {"description": text})
    raw = api.get(f"queues({names.NURSES})?$select=description").content
    assert json.loads(raw)["description"] == text


def test_dates_are_stored_in_utc_to_the_second(api: Api) -> None:
    row_id = api.create("queues", {"name": "Desk", "overriddencreatedon": "2026-01-02T03:04:05.678+02:00"})
    row = api.get(f"queues({row_id})?$select=overriddencreatedon").json()
    assert row["overriddencreatedon"] == "2026-01-02T01:04:05Z"


def test_several_choices_are_one_text(api: Api) -> None:
    """1.5: a string such as "1,3"; formatted values are joined."""
    api.patch(STREAM, {"msdyn_allowedpresences": "192360000, 192360001"})
    row = api.get(f"{STREAM}?$select=msdyn_allowedpresences", headers=ANNOTATED).json()
    assert row["msdyn_allowedpresences"] == "192360000,192360001"
    assert "; " in row["msdyn_allowedpresences@OData.Community.Display.V1.FormattedValue"]


def test_errors_say_more_when_annotations_are_asked_for(api: Api) -> None:
    """2.6."""
    error = api.get("Queues", headers=ANNOTATED).json()["error"]
    assert error["@Microsoft.PowerApps.CDS.ErrorDetails.ApiExceptionHttpStatusCode"] == "404"


def test_a_changed_link_of_a_page_is_refused(api: Api) -> None:
    link = api.get("queues?$select=name", headers={"Prefer": "odata.maxpagesize=1"}).json()["@odata.nextLink"]
    assert code(api.get(link.replace("pagenumber", "page"))) == (400, "0x80060888")


def test_prefer_may_be_repeated(api: Api) -> None:
    """1.4: several preferences, in one header or in several."""
    host, port = "127.0.0.1", int(api.emulator.url.rpartition(":")[2])
    connection = HTTPConnection(host, port, timeout=10)
    connection.putrequest("GET", "/api/data/v9.2/queues?$select=queueviewtype")
    connection.putheader("Authorization", "Bearer x")
    connection.putheader("Prefer", "odata.maxpagesize=1")
    connection.putheader("Prefer", 'odata.include-annotations="OData.Community.*"')
    connection.endheaders()
    page = json.loads(connection.getresponse().read())
    connection.close()
    assert len(page["value"]) == 1
    assert page["value"][0]["queueviewtype@OData.Community.Display.V1.FormattedValue"]
