"""Rows created within rows: web-api.md 2.1 (create-entity page, deep insert)."""

from __future__ import annotations

from typing import Any

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

VARIABLES = "msdyn_msdyn_liveworkstream_msdyn_ocliveworkstreamcontextvariable_liveworkstreamid"
UNIT = {"businessunitid@odata.bind": f"/businessunits({names.ROOT_UNIT})"}


def test_a_lookup_a_collection_and_a_many_to_many(api: Api) -> None:
    user = {"applicationid": api.new_id(), "lastname": "Deep bot", **UNIT}
    stream = {
        "msdyn_name": "Deep",
        "msdyn_streamsource": 192360000,
        "msdyn_mode": 717210001,
        "msdyn_defaultqueue": {"name": "Deep queue", "queuemembership_association": [user]},
        VARIABLES: [{"msdyn_name": "Topic"}, {"msdyn_name": "Severity"}],
    }
    row_id = api.create("msdyn_liveworkstreams", stream)
    expand = f"msdyn_defaultqueue($select=name),{VARIABLES}($select=msdyn_name;$orderby=msdyn_name)"
    row = api.get(f"msdyn_liveworkstreams({row_id})?$select=msdyn_name&$expand={expand}").json()
    assert row["msdyn_defaultqueue"]["name"] == "Deep queue"
    assert [each["msdyn_name"] for each in row[VARIABLES]] == ["Severity", "Topic"]
    members = api.rows(f"queues({row['msdyn_defaultqueue']['queueid']})/queuemembership_association")
    assert [each["lastname"] for each in members] == ["Deep bot"]


def test_the_product_acts_on_every_row_of_it(api: Api) -> None:
    """A variable made within a work stream shows in its contract like any other."""
    stream = {"msdyn_name": "Deep", "msdyn_streamsource": 192360000, "msdyn_mode": 717210001,
              VARIABLES: [{"msdyn_name": "Topic"}]}  # fmt: skip
    row_id = api.create("msdyn_liveworkstreams", stream)
    row = api.get(f"msdyn_liveworkstreams({row_id})?$expand=msdyn_routingcontractid").json()
    assert 'name="Topic"' in row["msdyn_routingcontractid"]["msdyn_contractdefinition"]


def test_the_representation_expands_what_was_made(api: Api) -> None:
    prefer = {"Prefer": "return=representation"}
    path = "teams?$select=name&$expand=queueid($select=name)"
    reply = api.post(path, {"name": "T", "queueid": {"name": "Q"}, **UNIT}, headers=prefer)
    assert (reply.status_code, reply.json()["queueid"]["name"]) == (201, "Q")


def test_upserts_that_create_may_go_deep(api: Api) -> None:
    row_id = api.new_id()
    assert api.patch(f"teams({row_id})", {"name": "T", "queueid": {"name": "Q"}, **UNIT}).status_code == 204
    assert api.get(f"teams({row_id})?$expand=queueid").json()["queueid"]["name"] == "Q"


def test_polymorphic_lookups_need_a_type(api: Api) -> None:
    owner = {"name": "Owners", **UNIT}
    assert code(api.post("queues", {"name": "Q", "ownerid": owner})) == (400, "0x80048d19")
    wrong = {"@odata.type": "Microsoft.Dynamics.CRM.queue", **owner}
    assert code(api.post("queues", {"name": "Q", "ownerid": wrong})) == (400, "0x80048d19")
    typed = {"@odata.type": "#Microsoft.Dynamics.CRM.team", **owner}
    row_id = api.create("queues", {"name": "Q", "ownerid": typed})
    assert api.get(f"queues({row_id})/ownerid").json()["name"] == "Owners"


def nested(depth: int) -> dict[str, Any]:
    body: dict[str, Any] = {"name": "Q"}
    for _ in range(depth):
        body = {"name": "Q", "queuemembership_association": [{"queueid": body}]}
    return body


REFUSED = [
    ("queues", {"name": "Q", "queuemembership_association": [1]}, 400, "0x80048d19"),
    ("queues", {"name": "Q", "queuemembership_association": [{"nope": 1}]}, 400, "0x80048d19"),
    ("teams", {"name": "T", "queueid": {"name": "Q", "queueid": names.NURSES}, **UNIT}, 412, "0x80040237"),
    ("teams", {"name": "T", "queueid": {"name": "x" * 201}, **UNIT}, 400, "0x80044331"),
    ("teams", {"name": "T", "queueid": [{"name": "Q"}], **UNIT}, 400, "0x80048d19"),
    ("queues", nested(30), 400, "0x80048d19"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "expected"), REFUSED, ids=lambda case: str(case)[:50])
def test_one_bad_row_undoes_all(api: Api, path: str, body: Any, status: int, expected: str) -> None:
    before = api.emulator.sql("SELECT count(*) FROM queue"), api.emulator.sql("SELECT count(*) FROM team")
    assert code(api.post(path, body)) == (status, expected)
    assert (api.emulator.sql("SELECT count(*) FROM queue"), api.emulator.sql("SELECT count(*) FROM team")) == before


@pytest.mark.parametrize("body", [{"queueid": {"name": "Q"}}, {"teammembership_association": [{"lastname": "x"}]}])
def test_updates_do_not_go_deep(api: Api, body: Any) -> None:
    row_id = api.create("teams", {"name": "T", **UNIT})
    assert code(api.patch(f"teams({row_id})", body)) == (400, "0x80048d19")
