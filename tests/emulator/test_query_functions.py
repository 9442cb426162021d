"""Query functions in `$filter`: web-api.md 1.8; the spans of time they speak of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.emulator import Emulator, periods
from d365setup.emulator import fixtures as names

from .conftest import Api, code

CRM = "Microsoft.Dynamics.CRM."
NURSE = names.fixed_id("systemuser", "nurse.one@contoso.example")
NOW = datetime(2026, 2, 25, 13, 30, tzinfo=UTC)  # a Wednesday


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory):
    emulator = Emulator()  # one for all rows of the table: nothing here writes
    emulator.execute("DELETE FROM queue WHERE name LIKE 'Default%'")
    for name, hours, owner in (("Old", -24 * 400, NURSE), ("Recent", -30, names.CALLER), ("Future", 30, NURSE)):
        moment = periods.written(datetime.now(UTC) + timedelta(hours=hours))
        emulator.add("queue", name=name, overriddencreatedon=moment, ownerid=owner, msdyn_priority=abs(hours))
    with emulator.serve():
        api = Api(emulator)
        yield api
        api.session.close()
    emulator.close()


ALL = {"Nurses", "Billing", "Old", "Recent", "Future"}
FOUND = [
    ("Between(PropertyName='msdyn_priority',PropertyValues=['30','9600'])", {"Old", "Recent", "Future"}),
    ("NotBetween(PropertyName='msdyn_priority',PropertyValues=['2','9600'])", {"Nurses", "Billing"}),
    ("Between(PropertyName='name',PropertyValues=[\"a\",\"c\"])", {"Billing"}),
    ("EqualUserId(PropertyName='ownerid')", {"Nurses", "Billing", "Recent"}),
    ("NotEqualUserId(PropertyName='ownerid')", {"Old", "Future"}),
    ("EqualBusinessId(PropertyName='owningbusinessunit')", ALL),
    ("NotEqualBusinessId(PropertyName='owningbusinessunit')", set()),
    ("EqualUserTeams(PropertyName='ownerid')", set()),
    ("EqualUserOrUserTeams(PropertyName='ownerid')", {"Nurses", "Billing", "Recent"}),
    ("Today(PropertyName='createdon')", ALL),
    ("Tomorrow(PropertyName='createdon')", set()),
    ("Yesterday(PropertyName='createdon')", set()),
    ("LastXDays(PropertyName='overriddencreatedon',PropertyValue=3)", {"Recent"}),
    ("LastXHours(PropertyName='overriddencreatedon',PropertyValue='40')", {"Recent"}),
    ("LastXYears(PropertyName='overriddencreatedon',PropertyValue=2)", {"Old", "Recent"}),
    ("NextXDays(PropertyName='overriddencreatedon',PropertyValue=3)", {"Future"}),
    ("NextXWeeks(PropertyName='overriddencreatedon',PropertyValue=1)", {"Future"}),
    ("Last7Days(PropertyName='overriddencreatedon')", {"Recent"}),
    ("Next7Days(PropertyName='overriddencreatedon')", {"Future"}),
    ("OlderThanXMonths(PropertyName='overriddencreatedon',PropertyValue=2)", {"Old"}),
    ("OnOrAfter(PropertyName='createdon',PropertyValue='2020-01-01')", ALL),
    ("OnOrBefore(PropertyName='createdon',PropertyValue=@d)&@d='2020-01-01'", set()),
    ("On(PropertyName='createdon',PropertyValue='2020-01-01T10:00:00Z')", set()),
    ("NotOn(PropertyName='createdon',PropertyValue='2020-01-01')", ALL),
    ("ThisYear(PropertyName='overriddencreatedon') and name eq 'Old'", set()),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found"), FOUND, ids=lambda case: case[:50] if isinstance(case, str) else "found")
def test_functions(queues: Api, text: str, found: set[str]) -> None:
    condition, _, rest = text.partition("&")
    alias = dict([rest.split("=", 1)]) if rest else {}
    rows = queues.rows("queues", params={"$select": "name", "$filter": CRM + condition, **alias})
    assert {row["name"] for row in rows} == found


def test_columns_of_several_choices(api: Api) -> None:
    column = "PropertyName='msdyn_allowedpresences'"
    for values, found in (("['192360001']", 1), ("['19236000']", 0), ("['1','192360000']", 1)):
        text = f"{CRM}ContainValues({column},PropertyValues={values})"
        assert len(api.rows(f"msdyn_liveworkstreams?$filter={text}")) == found
        opposite = f"{CRM}DoesNotContainValues({column},PropertyValues={values})"
        assert len(api.rows(f"msdyn_liveworkstreams?$filter={opposite}")) == 1 - found


REFUSED = [
    "Between(PropertyName='msdyn_priority',PropertyValues=['1'])",
    "Between(PropertyName='msdyn_priority',PropertyValue='1')",
    "Between(PropertyName='msdyn_priority')",
    "In(PropertyName='msdyn_priority',PropertyValue='1')",
    "On(PropertyName='createdon',PropertyValues=['2026-01-01'])",
    "On(PropertyName='createdon')",
    "On(PropertyName='createdon',PropertyValue='soon')",
    "On(PropertyName='name',PropertyValue='2026-01-01')",
    "Today(PropertyName='name')",
    "Today(PropertyName='createdon',PropertyValue='1')",
    "LastXDays(PropertyName='createdon',PropertyValue='0')",
    "LastXDays(PropertyName='createdon',PropertyValue='x')",
    "LastXYears(PropertyName='createdon',PropertyValue=9999)",
    "LastXDays(PropertyName='createdon',PropertyValue=99999999999)",
    "ContainValues(PropertyName='name',PropertyValues=['1'])",
    "EqualUserId()",
    "EqualUserId(PropertyName='nope')",
    "Like(PropertyName='name',PropertyValue='x')",
    "Nope(PropertyName='name')",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(queues: Api, text: str) -> None:
    assert code(queues.get("queues", params={"$filter": CRM + text})) == (400, "0x80060888")


ABSENT = ["Under", "AboveOrEqual", "InFiscalYear", "EqualRoleBusinessId", "EqualUserLanguage"]


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_documented_but_not_acted_out_is_named(queues: Api, name: str) -> None:
    reply = queues.get("queues", params={"$filter": f"{CRM}{name}(PropertyName='ownerid')"})
    assert code(reply) == (501, "0x80060888")
    assert name in reply.json()["error"]["message"]


SPANS = [
    ("today", 0, "2026-02-25T00:00:00Z", "2026-02-26T00:00:00Z"),
    ("last-x-hours", 2, "2026-02-25T11:30:00Z", "2026-02-25T13:30:00Z"),
    ("last-x-days", 2, "2026-02-23T00:00:00Z", "2026-02-25T13:30:00Z"),
    ("last-seven-days", 0, "2026-02-18T00:00:00Z", "2026-02-25T13:30:00Z"),
    ("next-x-days", 2, "2026-02-25T13:30:00Z", "2026-02-28T00:00:00Z"),
    ("next-x-months", 12, "2026-02-25T13:30:00Z", "2027-02-26T00:00:00Z"),
    ("olderthan-x-minutes", 30, None, "2026-02-25T13:00:00Z"),
    ("olderthan-x-years", 1, None, "2025-02-25T13:30:00Z"),
    ("this-week", 0, "2026-02-22T00:00:00Z", "2026-03-01T00:00:00Z"),
    ("last-week", 0, "2026-02-15T00:00:00Z", "2026-02-22T00:00:00Z"),
    ("next-month", 0, "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"),
    ("last-year", 0, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("operator", "count", "start", "end"), SPANS)
def test_spans(operator: str, count: int, start: str | None, end: str | None) -> None:
    found = [None if each is None else periods.written(each) for each in periods.span(operator, count, NOW)]
    assert found == [start, end]


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy adds the zone


@given(MOMENTS, st.sampled_from(["minutes", "hours", "days", "weeks", "months", "years"]), st.integers(1, 500))
def test_moving_there_and_back_loses_at_most_the_days_a_month_lacks(moment: datetime, unit: str, count: int) -> None:
    back = periods.moved(periods.moved(moment, unit, count), unit, -count)
    assert timedelta(0) <= moment - back <= timedelta(days=3)


@given(MOMENTS, st.sampled_from(["week", "month", "year"]))
def test_calendar_spans_meet_and_hold_the_present(moment: datetime, unit: str) -> None:
    last, this, following = (periods.span(f"{which}-{unit}", 0, moment) for which in ("last", "this", "next"))
    assert (last[1], this[1]) == (this[0], following[0])
    assert this[0] is not None
    assert this[1] is not None
    assert this[0] <= moment < this[1]
