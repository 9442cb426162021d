"""`?sql=`: web-api.md 1.1 and 8.1; the plain SELECT only, everything else refused by name."""

from __future__ import annotations

import pytest

from d365setup.emulator import fixtures as names

from .conftest import Api, Make, code

DEFAULTS = {"Default entity queue", "Default messaging queue"}
FOUND = [
    ("SELECT name FROM queue", {"Nurses", "Billing", *DEFAULTS}),
    ("select [name] from [queue] where name = 'nurses'", {"Nurses"}),
    ("SELECT q.name FROM queue AS q WHERE q.name <> N'Nurses' AND q.description IS NOT NULL;", {"Billing"}),
    ("SELECT queue.name FROM queue q WHERE queue.description IS NULL", DEFAULTS),
    ("SELECT name FROM queue WHERE name LIKE '%ill%' OR (name LIKE 'Nur%' AND msdyn_priority >= 1)",
     {"Nurses", "Billing"}),
    ("SELECT name FROM queue WHERE name NOT LIKE 'Default%' AND name != 'Billing'", {"Nurses"}),
    ("SELECT name FROM queue WHERE name IN ('Nurses', 'Billing') AND msdyn_priority < 5", {"Nurses", "Billing"}),
    ("SELECT name FROM queue WHERE name NOT IN ('Nurses') AND name BETWEEN 'a' AND 'c'", {"Billing"}),
    ("SELECT name FROM queue WHERE msdyn_priority NOT BETWEEN 1 AND 2", set()),
    ("SELECT name FROM queue WHERE msdyn_priority > -1 AND msdyn_priority <= 1 AND name = 'O''Brien'", set()),
    ("SELECT name FROM queue WHERE queueid = '{NURSES}'", {"Nurses"}),
    ("SELECT TOP 0 name FROM queue", set()),
    ("SELECT TOP (1) name FROM queue ORDER BY name DESC", {"Nurses"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), FOUND, ids=lambda case: case[:60] if isinstance(case, str) else "found")
def test_statements(api: Api, text: str, found: set[str]) -> None:
    assert {row["name"] for row in api.rows("queues", params={"sql": text.replace("{NURSES}", names.NURSES)})} == found


def test_columns_aliases_and_order(api: Api) -> None:
    text = "SELECT TOP 2 name AS who, ownerid FROM queue ORDER BY msdyn_priority ASC, name DESC"
    rows = api.rows("queues", params={"sql": text})
    assert [row["who"] for row in rows] == ["Nurses", "Default messaging queue"]
    assert set(rows[0]) == {"@odata.etag", "who", "_ownerid_value", "queueid"}
    distinct = api.rows("queues", params={"sql": "SELECT DISTINCT msdyn_priority FROM queue"})
    assert distinct == [{"msdyn_priority": 1}]


def test_pages_follow_a_next_link(make: Make) -> None:
    api = make(page_size=3)
    body = api.get("queues", params={"sql": "SELECT name FROM queue ORDER BY name"}).json()
    rest = api.get(body["@odata.nextLink"]).json()
    assert [row["name"] for row in body["value"] + rest["value"]] == sorted(["Nurses", "Billing", *DEFAULTS])
    assert "@odata.nextLink" not in rest
    for number in range(4):
        api.create("queues", {"name": "x", "msdyn_priority": 10 + number})
    assert code(api.get("queues", params={"sql": "SELECT DISTINCT msdyn_priority FROM queue"})) == (501, "0x80060888")


REFUSED = [
    ("SELECT * FROM queue", 501, "0x80060888", "*"),
    ("SELECT q.name FROM queue q JOIN team t ON t.teamid = q.ownerid", 501, "0x80060888", "JOIN"),
    ("SELECT name FROM queue LEFT JOIN team t ON t.teamid = ownerid", 501, "0x80060888", "LEFT"),
    ("SELECT COUNT(*) FROM queue", 501, "0x80060888", "COUNT"),
    ("SELECT name FROM queue GROUP BY name", 501, "0x80060888", "GROUP"),
    ("SELECT name FROM queue ORDER BY name OFFSET 1 ROWS", 501, "0x80060888", "OFFSET"),
    ("SELECT name FROM queue WHERE name IN (SELECT name FROM team)", 501, "0x80060888", "SELECT"),
    ("SELECT name FROM queue WHERE NOT name = 'x'", 501, "0x80060888", "NOT"),
    ("SELECT name FROM queue WHERE name = description", 501, "0x80060888", "two columns"),
    ("DELETE FROM queue", 501, "0x80060888", "DELETE"),
    ("SELECT name FROM queue; DELETE FROM queue", 501, "0x80060888", "DELETE"),
    ("SELECT name FROM queue UNION SELECT name FROM team", 501, "0x80060888", "UNION"),
    ("SELECT nope FROM queue", 400, "0x80041103", "nope"),
    ("SELECT name FROM nope", 400, "0x80041102", "nope"),
    ("SELECT name FROM team", 400, "0x80060888", "team"),
    ("SELECT x.name FROM queue q", 400, "0x80060888", "x.name"),
    ("SELECT TOP 5001 name FROM queue", 400, "0x80060888", "5001"),
    ("SELECT name FROM queue WHERE", 400, "0x80060888", "near"),
    ("SELECT name FROM queue WHERE name", 400, "0x80060888", "near"),
    ("SELECT name FROM queue WHERE name = ", 400, "0x80060888", "near"),
    ("SELECT name FROM queue WHERE name = \"x\"", 400, "0x80060888", "near"),
    ("SELECT name FROM queue WHERE msdyn_priority = 'x'", 400, "0x80060888", "x"),
    ("SELECT name FROM queue WHERE " + "(" * 50 + "name = 'x'" + ")" * 50, 400, "0x80060888", "deeply"),
    ("", 400, "0x80060888", "near"),
    ("-- x", 400, "0x80060888", "near"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "status", "expected", "named"), REFUSED, ids=lambda case: str(case)[:60])
def test_refusals_name_what_is_wrong(api: Api, text: str, status: int, expected: str, named: str) -> None:
    reply = api.get("queues", params={"sql": text})
    assert code(reply) == (status, expected), reply.text
    assert named in reply.json()["error"]["message"]
    assert len(api.rows("queues")) == 4


def test_other_options_cannot_stand_beside_it(api: Api) -> None:
    params = {"sql": "SELECT name FROM queue", "$filter": "name eq 'x'"}
    assert code(api.get("queues", params=params)) == (400, "0x80060888")
