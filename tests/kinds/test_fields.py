"""What a playbook's fields accept, and what a condition may look like: cases as data."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from d365setup.conditions import All, AnyOf, Condition, Operator, Test
from d365setup.kinds.fields import Email, Guid, Name100, Priority, Units, Value4000
from d365setup.kinds.queue import MembersField
from d365setup.kinds.when import WhenCondition

CLEAN = "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f"
GOOD = [
    (Guid, CLEAN, CLEAN),
    (Guid, f"{{{CLEAN.upper()}}}", CLEAN),
    (Name100, "Ünïcode / & <name>", "Ünïcode / & <name>"),
    (Name100, "x" * 100, "x" * 100),
    (Email, "nurse.one@contoso.example", "nurse.one@contoso.example"),
    (Priority, 1, 1),
    (Units, 0, 0),
    (Units, 2147483647, 2147483647),
    (Value4000, "two\nlines\tand tabs\r\n", "two\nlines\tand tabs\r\n"),
    (Value4000, " blanks count ", " blanks count "),
]
BAD = [
    (Guid, "5f2c3a1e", "is not a GUID"),
    (Guid, CLEAN + "\n", "is not a GUID"),
    (Guid, "00000000-0000-0000-0000-000000000000", "is the all-zero GUID"),
    (Name100, "", "at least 1 character"),
    (Name100, "x" * 101, "at most 100 characters"),
    (Name100, " name", "begins or ends with white space"),
    (Name100, "name\u00a0", "begins or ends with white space"),
    (Name100, "a\tb", "holds a control character"),
    (Name100, "a\nb", "holds a control character"),
    (Name100, "a\x85b", "holds a control character"),
    (Name100, "a\u2028b", "holds a control character"),
    (Name100, "a\uffffb", "holds a control character"),
    (Email, "nobody", "is not an e-mail address"),
    (Email, "a b@c.d", "is not an e-mail address"),
    (Email, "a@b.c\n", "is not an e-mail address"),
    (Email, f"{'x' * 96}@b.cd", "at most 100 characters"),
    (Priority, 0, "greater than or equal to 1"),
    (Priority, "1", "valid integer"),
    (Priority, True, "valid integer"),
    (Units, -1, "greater than or equal to 0"),
    (Units, 2147483648, "less than or equal to 2147483647"),
    (Value4000, "", "at least 1 character"),
    (Value4000, "x" * 4001, "at most 4000 characters"),
    (Value4000, "a\x00b", "holds a control character, which a rule set cannot hold"),
    (Value4000, "a\ufffeb", "holds a control character, which a rule set cannot hold"),
    (Value4000, 7, "valid string"),
]


@pytest.mark.parametrize(("field", "value", "kept"), GOOD, ids=range(len(GOOD)))
def test_accepted(field: Any, value: Any, kept: Any) -> None:
    assert TypeAdapter(field).validate_python(value) == kept


@pytest.mark.parametrize(("field", "value", "message"), BAD, ids=range(len(BAD)))
def test_refused(field: Any, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(field).validate_python(value)


def test_a_plain_list_of_members_is_included() -> None:
    members: Any = TypeAdapter(MembersField)
    found = members.validate_python(["Bot"])
    assert (found.users, found.mode) == (("Bot",), "include")
    assert members.validate_python({"users": ["Bot"], "mode": "exact"}).mode == "exact"


def _eq(variable: str, value: str | int) -> Test:
    return Test(variable, Operator.EQUALS, value)


CONDITIONS: list[tuple[Any, Condition]] = [
    ({"Topic": "Nurse"}, _eq("Topic", "Nurse")),
    ({"Topic": "Nurse", "Severity": 7}, All((_eq("Topic", "Nurse"), _eq("Severity", 7)))),
    ({"any": "x"}, _eq("any", "x")),
    ({"all": 3}, _eq("all", 3)),
    ({"variable": "T", "operator": "equals", "value": "x"}, _eq("T", "x")),
    ({"variable": "T", "operator": "has a value"}, Test("T", Operator.HAS_A_VALUE)),
    ({"variable": "T", "operator": "is one of", "value": ["a", 1]}, Test("T", Operator.IS_ONE_OF, ("a", 1))),
    ({"variable": "T", "operator": "more than", "value": -3}, Test("T", Operator.MORE_THAN, -3)),
    ({"variable": "T", "operator": "at least", "value": 3}, Test("T", Operator.AT_LEAST, 3)),
    ({"any": [{"T": "x"}, {"U": "y"}]}, AnyOf((_eq("T", "x"), _eq("U", "y")))),
    ({"all": [{"T": "x"}, {"any": [{"U": 1}]}]}, All((_eq("T", "x"), AnyOf((_eq("U", 1),))))),
]
MISSHAPEN = [
    ({"variable": "T", "operator": "has a value", "value": "x"}, "'has a value' takes no value: leave it out"),
    ({"variable": "T", "operator": "is one of", "value": "x"}, "'is one of' takes a list"),
    ({"variable": "T", "operator": "is one of", "value": []}, "'is one of' takes a list"),
    ({"variable": "T", "operator": "is one of"}, "'is one of' takes a list"),
    ({"variable": "T", "operator": "equals"}, "'equals' takes one value"),
    ({"variable": "T", "operator": "equals", "value": ["x"]}, "'equals' takes one value"),
    ({"variable": "T", "operator": "at least", "value": "7"}, "'at least' compares numbers"),
    ({"variable": "T", "operator": "contains", "value": "7"}, "Input should be 'equals'"),
    ({"variable": "T", "operator": "equals", "value": True}, "valid integer"),
    ({"variable": "T"}, "Field required"),
    ({"any": []}, "at least 1 item"),
    ({"all": []}, "at least 1 item"),
    ({}, "at least 1 item"),
    ({"T": None}, "valid integer"),
    ({"T": 1.5}, "valid integer"),
    ("Topic", "valid dictionary"),
]


@pytest.mark.parametrize(("written", "meant"), CONDITIONS)
def test_a_condition(written: Any, meant: Condition) -> None:
    assert TypeAdapter(WhenCondition).validate_python(written) == meant


@pytest.mark.parametrize(("written", "message"), MISSHAPEN)
def test_no_condition(written: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(WhenCondition).validate_python(written)
