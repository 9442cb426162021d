"""The ways to ask agree: `$filter`, query functions, FetchXML and SQL find the same rows; odd text is no defect."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator
from d365setup.emulator.apply import parse_apply
from d365setup.emulator.errors import ServiceError
from d365setup.emulator.fetchxml import parse_fetch
from d365setup.emulator.sql import parse_sql
from d365setup.emulator.syntax import parse_filter

from .conftest import Api

NAMES = ["alpha", "Alpha ", "beta", "b%ta", "it's", "[x]", "gamma_1", None]
SELECT = "SELECT name FROM queue WHERE description "
CRM = "Microsoft.Dynamics.CRM."


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory):
    emulator = Emulator()
    emulator.execute("DELETE FROM queue")
    for number, name in enumerate(NAMES):
        emulator.add("queue", name=name or "none", description=name, msdyn_priority=number % 3 or None)
    with emulator.serve():
        api = Api(emulator)
        yield api
        api.session.close()
    emulator.close()


def ids(api: Api, **query: str) -> set[str]:
    return {row["queueid"] for row in api.rows("queues", params=query)}


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


COMPARISONS = {"eq": ("eq", "="), "ne": ("ne", "<>"), "gt": ("gt", ">"), "ge": ("ge", ">="), "lt": ("lt", "<"),
               "le": ("le", "<=")}  # fmt: skip
VALUES = st.sampled_from([name for name in NAMES if name] + ["ALPHA", "zzz"])


@settings(max_examples=60)
@given(st.sampled_from(sorted(COMPARISONS)), VALUES)
def test_comparisons_of_text(queues: Api, operator: str, value: str) -> None:
    fetch, sql = COMPARISONS[operator]
    condition = f"<condition attribute='description' operator='{fetch}' value={quoteattr(value)}/>"
    by_filter = ids(queues, **{"$filter": f"description {operator} {text(value)}"})
    xml = f"<fetch><entity name='queue'><filter>{condition}</filter></entity></fetch>"
    assert ids(queues, fetchXml=xml) == by_filter
    assert ids(queues, sql=SELECT + f"{sql} {text(value)}") == by_filter


@settings(max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=4), st.booleans())
def test_lists(queues: Api, values: list[str], opposite: bool) -> None:
    listed = ",".join(text(value) for value in values)
    name, word = ("NotIn", "NOT IN") if opposite else ("In", "IN")
    by_function = ids(queues, **{"$filter": f"{CRM}{name}(PropertyName='description',PropertyValues=[{listed}])"})
    inner = "".join(f"<value>{value}</value>" for value in values)
    condition = f"<condition attribute='description' operator='{word.lower().replace(' ', '-')}'>{inner}</condition>"
    xml = f"<fetch><entity name='queue'><filter>{condition}</filter></entity></fetch>"
    assert ids(queues, fetchXml=xml) == by_function
    assert ids(queues, sql=SELECT + f"{word} ({listed})") == by_function


@settings(max_examples=40)
@given(st.text("ab%t_[]x'", max_size=5))
def test_patterns(queues: Api, value: str) -> None:
    by_filter = ids(queues, **{"$filter": f"contains(description,{text(value)})"})
    assert ids(queues, sql=SELECT + "LIKE " + text(f"%{value}%")) == by_filter


@given(st.sampled_from([1, 2]))
def test_figures_are_those_of_the_rows(queues: Api, priority: int) -> None:
    step = f"filter(msdyn_priority eq {priority})/aggregate($count as n)"
    assert queues.rows("queues", params={"$apply": step}) == [
        {"n": len(ids(queues, **{"$filter": f"msdyn_priority eq {priority}"}))}
    ]


PIECES = st.sampled_from(["SELECT", "name", " ", ",", "FROM", "queue", "WHERE", "=", "'x'", "(", ")", "AND", "NOT",
                          "IN", "IS", "NULL", "TOP", "1", "ORDER", "BY", "N'", "[a]", "a.b", ";", "*"])  # fmt: skip
TAGS = st.sampled_from([
    "<fetch>", "</fetch>", "<entity name='queue'>", "</entity>", "<filter type='or'>", "</filter>", "<a>", "&b;",
    "<condition attribute='name' operator='eq' value='1'/>", "<attribute name='x'/>", "<order attribute='a'/>",
    "<link-entity name='a' from='b' to='c'>", "</link-entity>",
])  # fmt: skip
STEPS = st.sampled_from(["filter(", "groupby(", "aggregate(", ")", "(", "/", ",", "name", " with ", "sum", " as ", "n",
                         "$count", " eq ", "'x'", "'"])  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join)))
def test_odd_sql_is_refused_not_choked_on(given_text: str) -> None:
    try:
        parse_sql(given_text)
    except ServiceError as error:
        assert error.status in {400, 501}  # noqa: PT017  # either way out is right


@given(st.one_of(st.text(), st.lists(TAGS).map("".join)))
def test_odd_xml_is_refused_not_choked_on(given_text: str) -> None:
    try:
        parse_fetch(given_text)
    except ServiceError as error:
        assert error.status in {400, 501}  # noqa: PT017  # as above


@given(st.one_of(st.text(), st.lists(STEPS).map("".join)))
def test_odd_steps_are_refused_not_choked_on(given_text: str) -> None:
    for parse in (parse_apply, parse_filter):
        try:
            parse(given_text, {})
        except ServiceError as error:
            assert error.status in {400, 501}  # noqa: PT017  # as above
