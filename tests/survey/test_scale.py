"""A large environment: 500 queues, 5,000 people, 200 work streams with 100 rules each.

Requests depend on pages, never on queues, people or work streams. Rows are put into the emulator's tables by SQL: over
the Web API that would be a quarter of a million writes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from d365setup.center import ContactCenter
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator
from d365setup.emulator import fixtures as names
from d365setup.survey import Part, dump, load, read_center
from d365setup.survey.people import MOST_PEOPLE

from . import rule_text
from .site import Site, site

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

QUEUES, PEOPLE, STREAMS, RULES, BOTS, EACH = 500, 5000, 200, 100, 20, 20  # each person is in so many queues
PAGE = 5000  # rows, of the service
BATCHES = 4
ROUTE_PAGES = 1  # rule sets come 250 at a time
QUEUE, PERSON, BOT, STREAM, CONFIGURATION, STEP, RULE_SET, RULE, OTHER = range(1, 10)  # in ids


def row_id(kind: int, number: int) -> str:
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


def made(kind: int, number: str = "i") -> str:
    """The same id, in SQL."""
    return f"printf('{kind:08x}-0000-4000-8000-%012x', {number})"


def put(emulator: Emulator, table: str, count: int, **columns: str) -> None:
    """So many rows, each column an expression of `i` (0, 1, …) and, in `j`, the numbers below `EACH`."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count} - 1)"  # noqa: S608  # constants of this file
    below = f"(SELECT i AS j FROM n WHERE i < {EACH})"  # noqa: S608  # as above
    beside = f", {below}" if any("j" in each.split() for each in columns.values()) else ""
    rows = f"{numbers} SELECT {', '.join(columns.values())} FROM n{beside}"  # noqa: S608  # as above
    emulator.execute(f"INSERT INTO {table} ({', '.join(columns)}) {rows}")


def fill(emulator: Emulator) -> None:
    """Everything there is to read, straight into the tables; everybody is in queue 0 as well."""
    unit, agent = f"'{names.ROOT_UNIT}'", f"'{names.fixed_id('role', names.AGENT)}'"
    put(
        emulator, "queue", QUEUES, queueid=made(QUEUE), name="printf('Queue %03d', i)", queueviewtype="1",
        msdyn_isomnichannelqueue="1", msdyn_queuetype="192350000", msdyn_priority="1",
        msdyn_assignmentstrategy="192350000", statecode="0", versionnumber="i",
    )  # fmt: skip
    put(
        emulator, "systemuser", PEOPLE, systemuserid=made(PERSON), fullname="printf('Person %04d', i)",
        internalemailaddress="printf('person.n%04d@contoso.example', i)", businessunitid=unit, versionnumber="i",
        isdisabled="i % 10 = 0", msdyn_capacity="50 + i % 5",
    )  # fmt: skip
    put(
        emulator, "systemuser", BOTS, systemuserid=made(BOT), fullname="printf('Bot %02d', i)", businessunitid=unit,
        applicationid=made(OTHER), msdyn_botapplicationid=made(OTHER), msdyn_capacity="1000", versionnumber="i",
    )  # fmt: skip
    for kind, count in ((PERSON, PEOPLE), (BOT, BOTS)):
        put(
            emulator, "systemuserroles", count, systemuserroleid=made(OTHER, f"{kind}00000 + i"),
            systemuserid=made(kind), roleid=agent,
        )  # fmt: skip
    spread = f"CASE j WHEN 0 THEN 0 ELSE 1 + (i * 7 + j * 25) % ({QUEUES} - 1) END"
    put(
        emulator, "queuemembership", PEOPLE, queuemembershipid=made(PERSON, f"i * {EACH} + j "),
        systemuserid=made(PERSON), queueid=made(QUEUE, spread),
    )  # fmt: skip
    put(emulator, "queuemembership", BOTS, queuemembershipid=made(BOT), systemuserid=made(BOT), queueid=made(QUEUE))
    streams(emulator)


def streams(emulator: Emulator) -> None:
    """Work streams, each with its own rules, and a dependency mapping for every rule."""
    output = f"'{names.fixed_id('contract', 'msdyn_demandqueueidentificationoutput')}'"
    put(
        emulator, "msdyn_liveworkstream", STREAMS, msdyn_liveworkstreamid=made(STREAM),
        msdyn_name="printf('Stream %03d', i)", msdyn_mode="717210001", msdyn_workdistributionmode="192350000",
        msdyn_capacityformat="192350000", msdyn_capacityrequired="30", msdyn_defaultqueue=made(QUEUE),
        versionnumber="i",
    )  # fmt: skip
    put(
        emulator, "msdyn_routingconfiguration", STREAMS, msdyn_routingconfigurationid=made(CONFIGURATION),
        msdyn_isactiveconfiguration="1", msdyn_liveworkstreamid=made(STREAM),
    )  # fmt: skip
    put(
        emulator, "msdyn_routingconfigurationstep", STREAMS, msdyn_routingconfigurationstepid=made(STEP),
        msdyn_type="192350002", msdyn_rulesetid=made(RULE_SET), msdyn_routingconfigurationid=made(CONFIGURATION),
    )  # fmt: skip
    text = f"printf(replace('{rules()}', 'Stream', printf('Stream %03d', i)))"
    put(
        emulator, "msdyn_decisionruleset", STREAMS, msdyn_decisionrulesetid=made(RULE_SET), msdyn_name="'Rules'",
        msdyn_rulesetdefinition=text, msdyn_outputcontractid=output, versionnumber="i",
    )  # fmt: skip
    put(
        emulator, "msdyn_rulesetdependencymapping", STREAMS * RULES,
        msdyn_rulesetdependencymappingid=made(OTHER), msdyn_referencingrulesetid=made(RULE_SET, f"i / {RULES}"),
        msdyn_referencingruleid=made(RULE, f"i % {RULES}"),
        msdyn_referencedpolymorphicentityid=made(QUEUE, f"i % {RULES}"),
        msdyn_referencedpolymorphicentityidtype="'queue'",
    )  # fmt: skip


def rules() -> str:
    """A hundred rules, each to a queue of its own; named after their work stream, so that no two texts are equal."""
    conditions = (rule_text.equals("Topic", n) for n in range(RULES))
    each = (
        rule_text.rule(f"Stream {n}", when, rule_text.sends(row_id(QUEUE, n)), row_id(RULE, n))
        for n, when in enumerate(conditions)
    )
    return rule_text.text(each)


@pytest.fixture(scope="module")
def large() -> Iterator[Site]:
    with site() as here:
        fill(here.emulator)
        yield here


@pytest.fixture(scope="module")
def read(large: Site) -> Callable[[], ContactCenter]:
    """Read everything, once, when a test asks: fixtures are measured, and tracing would double the time."""

    @cache
    def once() -> ContactCenter:
        large.emulator.reset_log()
        return large.center()

    return once


def test_everything_is_read_in_so_many_pages(large: Site, read: Callable[[], ContactCenter]) -> None:
    center = read()
    mappings = STREAMS * RULES
    members = PEOPLE + BOTS
    sent = len(large.emulator.requests)
    assert sent == BATCHES + (_pages(mappings) - 1) + ROUTE_PAGES + _pages(members)
    assert sent == 10
    assert len(center.queues) == QUEUES + 2
    assert len(center.users) == BOTS
    assert [len(each.routes.rules) for each in center.workstreams if each.routes] == [RULES] * STREAMS
    assert {len(each.routes.mappings or ()) for each in center.workstreams if each.routes} == {RULES}
    assert center.unread == ()


def _pages(rows: int) -> int:
    return -(-rows // PAGE)


def test_people_are_counted_and_no_more_than_a_page_of_them_is_held(read: Callable[[], ContactCenter]) -> None:
    center = read()
    everybody = center.queue(row_id(QUEUE, 0))
    assert everybody is not None
    assert (everybody.staff.people, everybody.staff.enabled) == (PEOPLE, PEOPLE * 9 // 10)
    assert everybody.left_out == PEOPLE - MOST_PEOPLE
    assert sum(count for _, count in everybody.staff.able) == everybody.staff.enabled
    assert max(len(each.members or ()) for each in center.queues) <= MOST_PEOPLE + BOTS <= PAGE
    assert all(each.bots for each in center.queues if each.name <= "Queue 019" and each.name.startswith("Queue"))


def test_a_part_asks_about_its_own_queues_only(large: Site) -> None:
    large.emulator.reset_log()
    part = large.center(Part(("Stream 150",), (), ()))
    assert len(part.queues) == RULES + 1  # those of its rules, and its fallback
    assert len(large.emulator.requests) <= 2 * BATCHES + 8


def test_its_snapshot_comes_back(read: Callable[[], ContactCenter]) -> None:
    center = read()
    some = replace(center, workstreams=center.workstreams[:3])
    assert load(dump(some)).center == replace(some, origin="snapshot")


class _Row(dict[str, Any]):
    """A row that can be watched."""


class _Watching(Client):
    """A client that looks, whenever a page is asked for, whether any row of the pages before is still held."""

    held: int = 0
    pages_seen: int = 0

    def pages(self, path: str, size: int = 0) -> Iterator[list[dict[str, Any]]]:
        before: list[weakref.ref[_Row]] = []
        for page in super().pages(path, size):
            if path.startswith("systemusers"):
                self.held = max(self.held, sum(1 for each in before if each() is not None))
                self.pages_seen += 1
            rows: list[dict[str, Any]] = [_Row(row) for row in page]
            before = [weakref.ref(row) for row in rows]  # type: ignore[type-var]  # they are _Row
            del page
            yield rows
            del rows


def test_members_are_read_page_by_page_and_let_go() -> None:
    with site("clinic", page_size=2) as small:
        queue = small.make_queue("Ward")
        for number in range(7):
            small.make_person(f"nurse.n{number}@contoso.example", queue=queue)
        with _Watching(small.emulator.url, StaticToken("t"), read_only=True) as client:
            found = read_center(client).queue(queue)
            assert found is not None
            assert found.staff.people == 7
            assert client.pages_seen > 5
            assert client.held == 0
