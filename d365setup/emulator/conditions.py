"""Query operators to SQL: FetchXML's, by their own names; query functions and query expressions map to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from . import periods
from .errors import ServiceError, bad_query, not_served
from .schema import Column

_COMPARE = {"eq": "=", "ne": "<>", "neq": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_TEXT = {
    "like": ("like", False), "not-like": ("like", True),
    "begins-with": ("startswith", False), "not-begin-with": ("startswith", True),
    "ends-with": ("endswith", False), "not-end-with": ("endswith", True),
}  # fmt: skip
_COUNTS = {"null": (0, 0), "not-null": (0, 0), "between": (2, 2), "not-between": (2, 2), "in": (0, None),
           "not-in": (0, None), "contain-values": (1, None), "not-contain-values": (1, None)}  # fmt: skip
_ABSENT = re.compile(
    r"(not-)?(under|above)|eq-or-(under|above)|.*fiscal.*|eq-useroruserhierarchy.*|eq-userlanguage|.*roleb.*"
)
"""Documented, and not acted out: hierarchies, fiscal years, the caller's language."""


@dataclass(frozen=True)
class Caller:
    """Who asks, for the operators that mean the caller."""

    user_id: str = ""
    unit_id: str = ""


@dataclass(frozen=True)
class Subject:
    """The SQL of a column, and what its values are written with."""

    sql: str
    column: Column
    caller: Caller
    mark: Callable[[Any], str]
    """Return the mark that stands for a parameter."""
    stored: Callable[[str], Any]
    """Return the stored form of a value; raises on a value the column cannot hold."""
    not_equal_null: bool
    """Whether ne finds rows whose column is empty."""


def test(subject: Subject, operator: str, values: Sequence[str]) -> str:
    """Return the SQL condition of one operator; ServiceError when it is not known, or not acted out."""
    if operator in _COMPARE:
        return _compared(subject, operator, values)
    if operator in _TEXT:
        return _text(subject, operator, values)
    if operator in _COUNTS:
        return _listed(subject, operator, values)
    if operator in _CALLER:
        _count(operator, values, 0)
        return _CALLER[operator](subject)
    if operator in periods.ON or periods.is_period(operator):
        return _time(subject, operator, values)
    if _ABSENT.fullmatch(operator):
        raise not_served(f"the condition operator '{operator}'")
    raise bad_query(f"The condition operator '{operator}' is not known.")


def _count(operator: str, values: Sequence[str], least: int, most: int | None = 0) -> None:
    highest = least if most == 0 else most
    if len(values) < least or (highest is not None and len(values) > highest):
        raise bad_query(f"The condition operator '{operator}' has {len(values)} values: that is not what it takes.")


def _key(subject: Subject, sql: str) -> str:
    return f"sort_key({sql})" if subject.column.edm == "Edm.String" else sql


def _compared(subject: Subject, operator: str, values: Sequence[str]) -> str:
    _count(operator, values, 1)
    mark = subject.mark(subject.stored(values[0]))
    sql = f"({_key(subject, subject.sql)} {_COMPARE[operator]} {_key(subject, mark)})"
    included = operator in {"ne", "neq"} and subject.not_equal_null
    return f"({subject.sql} IS NULL OR {sql})" if included else sql


def _text(subject: Subject, operator: str, values: Sequence[str]) -> str:
    _count(operator, values, 1)
    if subject.column.edm != "Edm.String":
        raise bad_query(f"The condition operator '{operator}' needs a column of text, not '{subject.column.name}'.")
    where, opposite = _TEXT[operator]
    sql = f"sql_like('{where}', {subject.sql}, {subject.mark(subject.stored(values[0]))})"
    return f"(NOT {sql})" if opposite else f"({sql})"


def _listed(subject: Subject, operator: str, values: Sequence[str]) -> str:
    least, most = _COUNTS[operator]
    _count(operator, values, least, None if most is None else most or 0)
    if operator in {"null", "not-null"}:
        return f"({subject.sql} IS {'NOT ' if operator == 'not-null' else ''}NULL)"
    positive = _POSITIVE[operator.removeprefix("not-")](subject, values)
    return f"(NOT coalesce({positive}, 0))" if operator.startswith("not-") else positive


def _in(subject: Subject, values: Sequence[str]) -> str:
    key = _key(subject, subject.sql)
    tests = [f"{key} = {_key(subject, subject.mark(subject.stored(value)))}" for value in values]
    return f"({' OR '.join(tests) or '0'})"


def _between(subject: Subject, values: Sequence[str]) -> str:
    low, high = (_key(subject, subject.mark(subject.stored(value))) for value in values)
    return f"({_key(subject, subject.sql)} BETWEEN {low} AND {high})"


def _contain(subject: Subject, values: Sequence[str]) -> str:
    if subject.column.type != "MultiSelectPicklist":
        raise bad_query(f"'{subject.column.name}' is no column of several choices.")
    tests = [
        f"instr(',' || {subject.sql} || ',', {subject.mark(f',{subject.stored(value)},')}) > 0" for value in values
    ]
    return f"({' OR '.join(tests)})"


_POSITIVE: Mapping[str, Callable[[Subject, Sequence[str]], str]] = {
    "in": _in,
    "between": _between,
    "contain-values": _contain,
}


def _time(subject: Subject, operator: str, values: Sequence[str]) -> str:
    if subject.column.type != "DateTime":
        raise bad_query(f"The condition operator '{operator}' needs a date, which '{subject.column.name}' is not.")
    counted = operator in periods.ON or periods.takes_count(operator)
    _count(operator, values, int(counted))
    try:
        if operator in periods.ON:
            start, end = periods.on_day(operator, values[0])
        else:
            start, end = periods.span(operator, int(values[0]) if counted else 0, datetime.now(UTC))
    except (ValueError, OverflowError):
        raise bad_query(f"'{values[0]}' is no value the condition operator '{operator}' takes.") from None
    tests = [f"{subject.sql} >= {subject.mark(periods.written(start))}"] if start is not None else []
    if end is not None:
        until = "<=" if operator.startswith("last-x") else "<"
        tests.append(f"{subject.sql} {until} {subject.mark(periods.written(end))}")
    joined = f"({' AND '.join(tests)})"
    return f"(NOT {joined})" if operator == "not-on" else joined


def _is_user(subject: Subject) -> str:
    return f"({subject.sql} = {subject.mark(subject.caller.user_id)})"


def _is_unit(subject: Subject) -> str:
    return f"({subject.sql} = {subject.mark(subject.caller.unit_id)})"


def _in_teams(subject: Subject) -> str:
    mark = subject.mark(subject.caller.user_id)
    return f"({subject.sql} IN (SELECT teamid FROM teammembership WHERE systemuserid = {mark}))"  # noqa: S608  # a mark, no value


_CALLER: Mapping[str, Callable[[Subject], str]] = {
    "eq-userid": _is_user,
    "ne-userid": lambda subject: f"(NOT coalesce({_is_user(subject)}, 0))",
    "eq-businessid": _is_unit,
    "ne-businessid": lambda subject: f"(NOT coalesce({_is_unit(subject)}, 0))",
    "eq-userteams": _in_teams,
    "eq-useroruserteams": lambda subject: f"({_is_user(subject)} OR {_in_teams(subject)})",
}

_NAMES = {
    "Equal": "eq", "NotEqual": "ne", "GreaterThan": "gt", "GreaterEqual": "ge", "LessThan": "lt", "LessEqual": "le",
    "Like": "like", "NotLike": "not-like", "BeginsWith": "begins-with", "DoesNotBeginWith": "not-begin-with",
    "EndsWith": "ends-with", "DoesNotEndWith": "not-end-with", "In": "in", "NotIn": "not-in", "Between": "between",
    "NotBetween": "not-between", "Null": "null", "NotNull": "not-null", "ContainValues": "contain-values",
    "DoesNotContainValues": "not-contain-values", "EqualUserId": "eq-userid", "NotEqualUserId": "ne-userid",
    "EqualBusinessId": "eq-businessid", "NotEqualBusinessId": "ne-businessid", "EqualUserTeams": "eq-userteams",
    "EqualUserOrUserTeams": "eq-useroruserteams", "On": "on", "NotOn": "not-on", "OnOrBefore": "on-or-before",
    "OnOrAfter": "on-or-after", "Yesterday": "yesterday", "Today": "today", "Tomorrow": "tomorrow",
    "Last7Days": "last-seven-days", "Next7Days": "next-seven-days",
    **{f"{kind}X{unit}": f"{kind.lower()}-x-{unit.lower()}"
       for kind in ("Last", "Next") for unit in ("Hours", "Days", "Weeks", "Months", "Years")},
    **{f"OlderThanX{unit}": f"olderthan-x-{unit.lower()}"
       for unit in ("Minutes", "Hours", "Days", "Weeks", "Months", "Years")},
    **{f"{kind}{unit}": f"{kind.lower()}-{unit.lower()}"
       for kind in ("Last", "This", "Next") for unit in ("Week", "Month", "Year")},
}  # fmt: skip
"""Operators of query expressions to FetchXML's names; the Web API's query functions are named alike."""

QUERY_FUNCTIONS = frozenset(_NAMES) - {
    "Equal", "NotEqual", "GreaterThan", "GreaterEqual", "LessThan", "LessEqual", "Like", "NotLike", "BeginsWith",
    "DoesNotBeginWith", "EndsWith", "DoesNotEndWith", "Null", "NotNull",
}  # fmt: skip
"""Names that may stand in `$filter`; for the others it has operators of its own."""
ABSENT_FUNCTIONS = re.compile(
    r"(Not)?(Under|Above)|(Under|Above)OrEqual|.*Fiscal.*|.*Hierarchy.*|EqualUserLanguage|.*RoleB.*"
)


def fetch_name(operator: str) -> str:
    """Return FetchXML's name of an operator of a query expression."""
    if operator not in _NAMES:
        if ABSENT_FUNCTIONS.fullmatch(operator):
            raise not_served(f"the condition operator '{operator}'")
        raise bad_query(f"The condition operator '{operator}' is not known.")
    return _NAMES[operator]


def too_many(limit: int) -> ServiceError:
    """Return the refusal of a query with more conditions than the service takes."""
    message = f"Number of conditions in query exceeded maximum limit of {limit}."
    return ServiceError(400, "0x8004430c", message)
