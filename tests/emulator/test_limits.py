"""Service protection (web-api.md 4): three limits by user over a sliding window. The clock is the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.emulator import Emulator, Limits, Options
from d365setup.emulator import fixtures as names
from d365setup.emulator.errors import ServiceError
from d365setup.emulator.limits import ROUNDING, Protection

from .conftest import Api, code
from .test_batches import batch, http

REQUESTS, EXECUTION, CONCURRENT = "0x80072322", "0x80072321", "0x80072326"


class Clock:
    """Seconds that pass only when somebody says so, or sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


Start = Callable[..., tuple[Api, Clock]]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Api] = []

    def begin(limits: Limits | None = None, **options: object) -> tuple[Api, Clock]:
        clock = Clock()
        chosen = Options(limits=limits or Limits(), **options)  # type: ignore[arg-type]
        made.append(Api(Emulator(None, chosen, sleep=clock.sleep, clock=clock).start()))
        return made[-1], clock

    yield begin
    for api in made:
        api.session.close()
        assert api.emulator.gateway.failures == []
        api.emulator.close()


def refused(reply: requests.Response) -> tuple[str, int]:
    """Code and `Retry-After` of a refusal."""
    status, which = code(reply)
    assert status == 429
    return which, int(reply.headers["Retry-After"])


def test_the_published_numbers_are_the_default() -> None:
    assert Limits() == Limits(requests=6000, execution=1200, concurrent=52, window=300)


def test_too_many_requests(start: Start) -> None:
    api, clock = start(Limits(requests=3))
    for expected in (2, 1, 0):
        reply = api.get("WhoAmI")
        assert reply.status_code == 200
        assert reply.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == str(expected)
        clock.sleep(10)
    reply = api.get("WhoAmI")
    assert refused(reply) == (REQUESTS, 270)  # the first of the three was 30 seconds ago
    assert reply.json()["error"]["message"] == (
        "Number of requests exceeded the limit of 3 over time window of 300 seconds."
    )


def test_who_obeys_is_let_in_again(start: Start) -> None:
    api, clock = start(Limits(requests=1, window=5))
    api.get("WhoAmI")
    clock.sleep(1.5)
    which, wait = refused(api.get("WhoAmI"))
    assert (which, wait) == (REQUESTS, 4)
    clock.sleep(wait)
    assert api.get("WhoAmI").status_code == 200


def test_who_comes_back_early_waits_longer(start: Start) -> None:
    api, clock = start(Limits(requests=1, window=5))
    api.get("WhoAmI")
    waits = [refused(api.get("WhoAmI"))[1]]
    for _ in range(3):
        clock.sleep(1)
        waits.append(refused(api.get("WhoAmI"))[1])
    assert waits == sorted(set(waits)), "each longer than the one before"
    clock.sleep(5)  # the window alone has room again, but not the patience
    assert refused(api.get("WhoAmI"))[0] == REQUESTS
    clock.sleep(refused(api.get("WhoAmI"))[1])
    assert api.get("WhoAmI").status_code == 200
    assert refused(api.get("WhoAmI")) == (REQUESTS, 5), "and all is forgotten"


def test_requests_side_by_side_are_no_disobedience(start: Start) -> None:
    api, _ = start(Limits(requests=1, window=60))
    api.get("WhoAmI")
    assert {refused(api.get("WhoAmI"))[1] for _ in range(4)} == {60}


def test_too_much_execution_time(start: Start) -> None:
    api, clock = start(Limits(execution=10), op_time=4.0)
    assert [api.get("WhoAmI").headers["x-ms-ratelimit-time-remaining-xrm-requests"] for _ in range(2)] == [
        "6.00",
        "2.00",
    ]
    assert api.get("WhoAmI").status_code == 200
    reply = api.get("WhoAmI")
    assert refused(reply)[0] == EXECUTION
    assert "exceeded limit of 10,000 milliseconds over time window of 300 seconds." in reply.text
    clock.sleep(refused(reply)[1])
    assert api.get("WhoAmI").status_code == 200


def test_thousands_of_seconds_are_written_with_a_comma(start: Start) -> None:
    """1.3: the header of a fresh user reads 1,200.00."""
    api, _ = start()
    assert api.get("WhoAmI").headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,200.00"


def test_a_batch_is_one_request_but_its_time_counts_in_full(start: Start) -> None:
    api, _ = start(Limits(requests=2, execution=20), op_time=3.0)
    reply = api.batch(batch([http("GET", "WhoAmI") for _ in range(5)]))
    assert reply.status_code == 200
    assert reply.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] == "1"
    assert reply.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "5.00"


def test_a_throttled_batch_is_plain_json_and_does_nothing(start: Start) -> None:
    """3.2."""
    api, _ = start(Limits(requests=1))
    api.get("WhoAmI")
    reply = api.batch(batch([http("POST", "queues", {"name": "Desk"})]))
    assert refused(reply)[0] == REQUESTS
    assert api.emulator.sql("SELECT 1 FROM queue WHERE name = 'Desk'") == []


def test_each_user_has_their_own(start: Start) -> None:
    users = {"a": names.CALLER, "b": "Nurse One"}
    api, _ = start(Limits(requests=1), users=users)
    answers = []
    for token in "aabb":
        reply = api.get("WhoAmI", headers={"Authorization": f"Bearer {token}"})
        answers.append(reply.status_code)
    assert answers == [200, 429, 200, 429]


def test_too_many_at_once() -> None:
    """52 run, the 53rd is refused; the round trip itself does not count."""
    inside, leave = threading.Semaphore(0), threading.Event()

    def sleep(_seconds: float) -> None:
        inside.release()
        assert leave.wait(30)

    emulator = Emulator(None, Options(op_time=1), sleep=sleep)
    with emulator.serve(), ThreadPoolExecutor(52) as pool:

        def ask(_number: int = 0) -> requests.Response:
            return requests.get(
                f"{emulator.url}/api/data/v9.2/WhoAmI", headers={"Authorization": "Bearer x"}, timeout=30
            )

        running = [pool.submit(ask, number) for number in range(52)]
        for _ in running:
            assert inside.acquire(timeout=30)
        reply = ask()
        leave.set()
        assert refused(reply) == (CONCURRENT, 1)
        assert reply.json()["error"]["message"] == "Number of concurrent requests exceeded the limit of 52."
        assert {each.result().status_code for each in running} == {200}
        assert ask().status_code == 200
    emulator.close()


def test_reset_and_the_log_of_a_refusal(start: Start) -> None:
    api, _ = start(Limits(requests=1))
    api.get("WhoAmI")
    assert refused(api.get("WhoAmI"))[0] == REQUESTS
    assert [each.status for each in api.emulator.requests] == [200, 429]
    api.emulator.reset()
    assert api.get("WhoAmI").status_code == 200


@settings(max_examples=150, deadline=None)
@given(
    limits=st.builds(
        Limits,
        requests=st.integers(1, 5),
        execution=st.floats(0.5, 10),
        concurrent=st.just(52),
        window=st.integers(2, 30).map(float),
    ),
    steps=st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3)), max_size=40),
)
def test_never_more_than_allowed_and_obedience_pays(limits: Limits, steps: list[tuple[float, float]]) -> None:
    """However requests come: within any window no more than allowed get through, and the wait told suffices."""
    clock = Clock()
    protection = Protection(limits, clock)
    passed: list[float] = []
    for pause, work in steps:
        clock.sleep(pause)
        try:
            with protection.admitted("u"):
                passed.append(clock())
                clock.sleep(work)
        except ServiceError as refusal:
            clock.sleep(float(dict(refusal.headers)["Retry-After"]))
            with protection.admitted("u"):
                passed.append(clock())
        for begun in passed:
            assert sum(begun - limits.window + 2 * ROUNDING < each <= begun for each in passed) <= limits.requests
