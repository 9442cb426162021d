"""RetrieveMetadataChanges: what Microsoft's SDK for Python asks for typed columns, and hostile variants of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from .conftest import Api, code


def condition(name: str, operator: str, value: Any) -> dict[str, Any]:
    return {
        "PropertyName": name,
        "ConditionOperator": operator,
        "Value": {"Type": "System.String", "Value": value},
    }


def ask(api: Api, query: Any, call: str = "RetrieveMetadataChanges(Query=@p1)") -> requests.Response:
    return api.get(call, params={"@p1": query if isinstance(query, str) else json.dumps(query)})


QUEUE = {"Conditions": [condition("LogicalName", "Equals", "queue")]}


def test_typed_columns_of_one_table(api: Api) -> None:
    query = {
        "Properties": {"PropertyNames": ["LogicalName", "Attributes"]},
        "Criteria": QUEUE,
        "AttributeQuery": {
            "Properties": {"PropertyNames": ["MaxLength", "MinValue", "LogicalName"]},
            "Criteria": {"Conditions": [condition("LogicalName", "In", ["name", "msdyn_priority"])]},
        },
    }
    reply = ask(api, query).json()
    (table,) = reply["EntityMetadata"]
    assert set(table) == {"MetadataId", "LogicalName", "Attributes"}
    columns = {each["LogicalName"]: each for each in table["Attributes"]}
    assert columns["name"]["MaxLength"] == 200
    assert columns["msdyn_priority"]["MinValue"] == 1
    assert reply["ServerVersionStamp"]


CRITERIA: list[tuple[dict[str, Any], set[str]]] = [
    (QUEUE, {"queue"}),
    ({"FilterOperator": "Or", "Conditions": [condition("LogicalName", "Equals", n) for n in ("queue", "team")]},
     {"queue", "team"}),
    ({"Conditions": [condition("LogicalName", "In", ["role", "nope"])]}, {"role"}),
    ({"Filters": [QUEUE, {"Conditions": [condition("IsIntersect", "Equals", "False")]}]}, {"queue"}),
    ({"Conditions": [condition("OwnershipType", "Equals", "None"), condition("IsIntersect", "NotEquals", "true")]},
     {"audit", "calendarrule", "organization", "queueitem"}),
    ({"Conditions": [condition("LogicalName", "Equals", "nope")]}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("criteria", "found"), CRITERIA)
def test_criteria(api: Api, criteria: dict[str, Any], found: set[str]) -> None:
    query = {"Properties": {"PropertyNames": ["LogicalName"]}, "Criteria": criteria}
    rows = ask(api, query).json()["EntityMetadata"]
    assert {row["LogicalName"] for row in rows} == found


def test_everything_of_a_table(api: Api) -> None:
    (table,) = ask(api, {"Criteria": QUEUE}).json()["EntityMetadata"]
    assert {"Attributes", "Keys", "OneToManyRelationships", "ManyToOneRelationships"} <= set(table)
    assert [each["SchemaName"] for each in table["ManyToManyRelationships"]] == ["queuemembership_association"]


DEEP: Any = {"Criteria": {}}
for _ in range(30):
    DEEP = {"Criteria": {"Filters": [DEEP["Criteria"]]}}

BAD: list[tuple[Any, str, int, str]] = [
    ("", "RetrieveMetadataChanges(Query=@p1)", 400, "0x80048d19"),
    ("[" * 5000, "RetrieveMetadataChanges(Query=@p1)", 400, "0x80048d19"),
    ([], "RetrieveMetadataChanges(Query=@p1)", 400, "0x80048d19"),
    ({"Properties": {"PropertyNames": "x"}}, "RetrieveMetadataChanges(Query=@p1)", 400, "0x80048d19"),
    ({"Criteria": []}, "RetrieveMetadataChanges(Query=@p1)", 400, "0x80048d19"),
    (DEEP, "RetrieveMetadataChanges(Query=@p1)", 400, "0x80060888"),
    ({"Criteria": {"Conditions": [condition("LogicalName", "GreaterThan", "a")]}},
     "RetrieveMetadataChanges(Query=@p1)", 400, "0x80040203"),
    ({}, "RetrieveMetadataChanges", 400, "0x80048d19"),
    ({}, "RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)", 501, "0x80060888"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "call", "status", "expected"), BAD)
def test_refused(api: Api, query: Any, call: str, status: int, expected: str) -> None:
    assert code(ask(api, query, call)) == (status, expected)
