"""`$apply`: web-api.md 1.10 (query/aggregate-data page)."""

from __future__ import annotations

from typing import Any

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, code

USERS = "filter(applicationid eq null)"


def applied(api: Api, text: str, path: str = "systemusers", **headers: str) -> list[dict[str, Any]]:
    return api.rows(path, params={"$apply": text}, headers=headers)


FIGURES = [
    ("msdyn_capacity with sum as n", 400),
    ("msdyn_capacity with average as n", 80),
    ("msdyn_capacity with min as n", 60),
    ("msdyn_capacity with max as n", 100),
    ("firstname with countdistinct as n", 3),
    ("$count as n", 5),
]


@pytest.mark.parametrize(("text", "value"), FIGURES)
def test_figures(api: Api, text: str, value: float) -> None:
    assert applied(api, f"{USERS}/aggregate({text})") == [{"n": value}]


def test_groups(api: Api) -> None:
    """Text is grouped without regard to case, as it is compared."""
    api.emulator.execute("UPDATE systemuser SET firstname = 'NURSE' WHERE lastname = 'Two' AND firstname = 'Nurse'")
    found = applied(api, f"{USERS}/groupby((firstname),aggregate($count as n,msdyn_capacity with sum as s))")
    assert [(row["firstname"].lower(), row["n"], row["s"]) for row in found] == [
        ("billing", 2, 150), ("former", 1, 90), ("nurse", 2, 160)
    ]  # fmt: skip
    assert applied(api, "groupby((isdisabled))") == [{"isdisabled": False}, {"isdisabled": True}]


def test_paths_come_back_with_an_underscore(api: Api) -> None:
    found = applied(api, f"{USERS}/groupby((businessunitid/name,isdisabled),aggregate($count as n))")
    assert found == [
        {"businessunitid_name": "Contoso Health", "isdisabled": False, "n": 4},
        {"businessunitid_name": "Contoso Health", "isdisabled": True, "n": 1},
    ]


def test_context_and_annotations(api: Api) -> None:
    prefer = {"Prefer": 'odata.include-annotations="*"'}
    text = "groupby((_ownerid_value,queueviewtype),aggregate($count as n))"
    body = api.get("queues", params={"$apply": text}, headers=prefer).json()
    assert body["@odata.context"] == f"{api.root}$metadata#queues"
    (row,) = body["value"]
    assert (row["_ownerid_value"], row["n"]) == (names.CALLER, 4)
    assert row["_ownerid_value@OData.Community.Display.V1.FormattedValue"] == "# d365setup pipeline"
    assert row["queueviewtype@OData.Community.Display.V1.FormattedValue"]


def test_filters_with_quotes_slashes_and_aliases(api: Api) -> None:
    api.create("queues", {"name": "a/b(c)"})
    params = {"$apply": "filter(name eq 'a/b(c)' or name eq @p)/aggregate($count as n)", "@p": "'Nurses'"}
    assert api.rows("queues", params=params) == [{"n": 2}]


def test_soft_deleted_users_do_not_count(api: Api) -> None:
    api.emulator.execute("UPDATE systemuser SET deletedstate = 1 WHERE firstname = 'Billing'")
    assert applied(api, f"{USERS}/aggregate($count as n)") == [{"n": 3}]


REFUSED = [
    ("aggregate(firstname with sum as n)", 400, "firstname"),
    ("aggregate(nope with sum as n)", 400, "nope"),
    ("aggregate(msdyn_capacity with median as n)", 400, "median"),
    ("aggregate(msdyn_capacity)", 400, "msdyn_capacity"),
    ("aggregate()", 400, "aggregate"),
    ("aggregate($count as n,$count as n)", 400, "twice"),
    ("aggregate(accessmode with sum as n)", 400, "accessmode"),
    ("aggregate(queuemembership_association with countdistinct as n)", 400, "queuemembership_association"),
    ("groupby((nope))", 400, "nope"),
    ("groupby(())", 400, "groupby"),
    ("groupby(firstname)", 400, "groupby"),
    ("groupby((businessunitid))", 400, "businessunitid"),
    ("groupby((year(createdon)))", 400, "groupby"),
    ("nonsense", 400, "nonsense"),
    (USERS, 501, "filter"),
    ("orderby(firstname)", 501, "orderby"),
    ("groupby((firstname))/aggregate($count as n)", 501, "groupby"),
]


@pytest.mark.parametrize(("text", "status", "named"), REFUSED)
def test_refused(api: Api, text: str, status: int, named: str) -> None:
    reply = api.get("systemusers", params={"$apply": text})
    assert code(reply) == (status, "0x80060888")
    assert named in reply.json()["error"]["message"]


@pytest.mark.parametrize("option", ["$filter", "$select", "$orderby", "$top", "$expand", "$count"])
def test_nothing_stands_beside_it(api: Api, option: str) -> None:
    """No ordering on aggregates; filters belong inside."""
    params = {"$apply": "aggregate($count as n)", option: "1"}
    assert code(api.get("systemusers", params=params)) == (400, "0x80060888")


def test_at_most_50000_rows(api: Api) -> None:
    """2.7: 0x8004e023."""
    sql = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
             INSERT INTO queue (queueid, name, versionnumber) SELECT 'made-' || i, 'Desk', 1 FROM n"""
    api.emulator.execute(sql)
    assert code(api.get("queues", params={"$apply": "aggregate($count as n)"})) == (400, "0x8004e023")
    only = "filter(name eq 'Desk')/aggregate($count as n)"
    assert api.rows("queues", params={"$apply": only}) == [{"n": 50_000}]
