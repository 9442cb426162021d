"""The large playbook: 5 bots, 20 queues with 10 members each, 5 work streams with 10 variables and 20 rules each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from d365setup.emulator import Emulator, Fault
from d365setup.outcome import Status
from tests.engine.driver import applied, decided, operations, rounds

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

BOTS, QUEUES, MEMBERS, STREAMS, VARIABLES, RULES = 5, 20, 10, 5, 10, 20


def lines() -> Iterator[str]:
    yield "playbook: 1\nname: large\nbot_users:"
    for n in range(BOTS):
        yield f"  - {{name: Bot {n}, application_id: 5f2c3a1e-7d0b-4e55-8f3a-0000000000{n:02}, capacity: {1000 + n},"
        yield f"     bot_application_id: 9b1e6c2d-4a7f-4c1b-9e0d-0000000000{n:02}, email: bot{n}@contoso.example}}"
    yield "queues:"
    for n in range(QUEUES):
        people = ", ".join(f"person{m:02}@contoso.example" for m in range(MEMBERS - 1))
        yield f"  - {{name: Queue {n:02}, priority: {n + 1}, members: [Bot {n % BOTS}, {people}]}}"
    yield "workstreams:"
    for n in range(STREAMS):
        yield f"  - name: Stream {n}\n    fallback_queue: Queue {n:02}\n    context_variables:"
        yield from (f"      - {{name: Topic{v}, type: text}}" for v in range(VARIABLES))
        yield "    routing_rules:"
        for r in range(RULES):
            when, queue = f"Topic{r % VARIABLES}: value {r}", f"Queue {(n + r) % QUEUES:02}"
            yield f"      - {{name: Rule {r:02}, when: {{{when}}}, queue: {queue}}}"


LARGE = "\n".join(lines()) + "\n"
CHANGES = BOTS * 2 + QUEUES * (1 + MEMBERS) + STREAMS * (1 + VARIABLES + RULES)


@pytest.fixture
def large(served: Callable[..., Emulator]) -> Emulator:
    emulator = served(dop_hint=8, rtt=0.4)
    prepare(emulator)
    return emulator


def prepare(emulator: Emulator) -> None:
    unit = emulator.sql("SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")[0][0]
    for n in range(MEMBERS - 1):
        emulator.add(
            "systemuser",
            firstname="Person",
            lastname=f"{n:02}",
            internalemailaddress=f"person{n:02}@contoso.example",
            domainname=f"person{n:02}@contoso.example",
            businessunitid=unit,
            msdyn_capacity=50 + n,
        )
    for n in range(STREAMS):
        emulator.add(
            "msdyn_liveworkstream",
            msdyn_name=f"Stream {n}",
            msdyn_mode=717210001,
            msdyn_workdistributionmode=192350000,
            msdyn_streamsource=192360000,
            msdyn_capacityformat=192350000,
            msdyn_capacityrequired=30,
        )


def test_round_trips_requests_and_change_sets(large: Emulator) -> None:
    large.reset_log()
    decision = decided(large, LARGE)
    assert rounds(tuple(large.requests)) == 1
    assert len(large.requests) <= 16
    assert len(decision.plan.changes) == CHANGES

    first = applied(large, LARGE)
    assert set(first.statuses.values()) == {Status.VERIFIED}
    assert len(first.statuses) == CHANGES
    assert first.rounds == 4
    writing = [r for r in first.requests if any(method != "GET" for method, _, _ in operations(r))]
    assert len(writing) == 8 + 8 + 5  # things and links eight side by side; the routes of five work streams

    again = applied(large, LARGE)
    assert (again.rounds, again.writes, again.decision.plan.unchanged) == (1, [], CHANGES)


def test_reads_do_not_grow_with_unchanged_rows(large: Emulator) -> None:
    large.reset_log()
    decided(large, LARGE)
    fresh = sum(len(list(operations(r))) for r in large.requests)
    applied(large, LARGE)
    for n in range(300):
        large.add("queue", name=f"Somebody's {n}", msdyn_isomnichannelqueue=True, queueviewtype=1)
    large.reset_log()
    decided(large, LARGE)
    assert sum(len(list(operations(r))) for r in large.requests) == fresh


def test_one_changed_row_is_one_write(large: Emulator) -> None:
    applied(large, LARGE)
    queue = large.sql("SELECT queueid FROM queue WHERE name = 'Queue 07'")[0][0]
    large.change("queue", queue, msdyn_priority=99)
    again = applied(large, LARGE)
    assert [method for method, _, _ in again.writes] == ["PATCH"]
    assert again.rounds == 2


def test_a_failed_change_set_leaves_the_others_whole(large: Emulator) -> None:
    large.fail(
        Fault(method="PATCH", path=r"/queues\(", status=400, code="0x80040265", message="plug-in says no", skip=3)
    )
    first = applied(large, LARGE)
    made = {row[0] for row in large.sql("SELECT name FROM queue WHERE name LIKE 'Queue %'")}
    verified = {
        key.removeprefix("queue:")
        for key, s in first.statuses.items()
        if key.startswith("queue:") and s is Status.VERIFIED
    }
    assert made == verified
    assert 0 < len(made) < QUEUES
    bots = {key.removeprefix("bot_user:") for key, s in first.statuses.items() if s is Status.VERIFIED}
    for key, status in first.statuses.items():
        if key.startswith("queue_member:"):
            queue, member = key.removeprefix("queue_member:").split("/")
            assert (status is Status.VERIFIED) == (queue in made and ("@" in member or member in bots)), key
    applied(large, LARGE)
    assert applied(large, LARGE).decision.plan.changes == ()
