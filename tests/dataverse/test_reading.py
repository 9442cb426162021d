"""One wave of reads over real sockets: how it spreads, follows pages, repeats and reports."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d365setup.dataverse import reading
from d365setup.dataverse.errors import NotFound, ReadFailed, Throttled, Unavailable, UnexpectedAnswer
from d365setup.dataverse.reading import spread

from .service import THROTTLED, Answer, Asked, Clock, Tables, batched, client, loopback, rows


@pytest.fixture
def clock():
    return Clock()


def wave(count: int) -> dict[str, object]:
    return {f"t{number}": rows(number) for number in range(count)}


@given(st.integers(0, 5000), st.integers(1, 20))
def test_spreading_keeps_order_and_is_even(count, width):
    groups = spread(range(count), width)
    assert [index for group in groups for index in group] == list(range(count))
    sizes = [len(group) for group in groups]
    assert len(groups) <= max(width, -(-count // 1000))
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    assert max(sizes, default=0) <= 1000


@pytest.mark.parametrize(
    ("count", "plain", "sizes"), [(0, 0, []), (1, 1, []), (3, 3, []), (6, 2, [2, 2]), (10, 0, [2, 2, 3, 3])]
)
def test_a_wave_is_one_request_per_worker(clock, count, plain, sizes):
    with loopback(Tables(wave(count))) as server, client(clock, server.url) as found:
        assert found.read([f"t{number}" for number in range(count)]) == [[{"n": number}] for number in range(count)]
        assert found.stats.requests == plain + len(sizes)
        assert found.stats.operations == count
    assert sum(asked.method == "GET" for asked in server.asked) == plain
    assert sorted(len(batched(asked)) for asked in server.asked if asked.method == "POST") == sizes
    prefer = {asked.headers.get("prefer") for asked in server.asked if asked.method == "POST"}
    assert prefer <= {"odata.continue-on-error"}


def test_a_single_row_or_a_function_travels_in_a_wave_as_its_only_row(clock):
    tables = Tables({"WhoAmI": {"UserId": "u"}, "queues(1)": {"name": "x"}, "queues": rows(1)})
    with loopback(tables) as server, client(clock, server.url, limit=1) as found:
        assert found.read(list(tables.pages)) == [[{"UserId": "u"}], [{"name": "x"}], [{"n": 1}]]


def test_the_requests_of_a_wave_are_under_way_together(clock):
    together = threading.Barrier(4, timeout=20)

    def decide(asked: Asked) -> Answer:
        together.wait()
        return Tables(wave(12))(asked)

    with loopback(decide) as server, client(clock, server.url) as found:
        assert len(found.read([f"t{number}" for number in range(12)])) == 12


def test_no_more_than_the_width_at_once(clock):
    lock, now, most = threading.Lock(), [0], [0]

    def decide(asked: Asked) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        answer = Tables(wave(12))(asked)
        with lock:
            now[0] -= 1
        return answer

    with loopback(decide) as server, client(clock, server.url, limit=2) as found:
        found.read([f"t{number}" for number in range(12)])
    assert most[0] <= 2
    assert len(server.asked) == 2


def test_pages_that_are_left_are_followed_in_order(clock):
    tables = Tables(wave(9))
    with loopback(tables) as server, client(clock, server.url) as found:
        root = f"{server.url}/api/data/v9.2/"
        tables.pages["t3"] = rows(1, next_link=f"{root}t3?$skiptoken=2")
        tables.pages["t3?$skiptoken=2"] = rows(2, next_link=f"{root}t3?$skiptoken=3")
        tables.pages["t3?$skiptoken=3"] = rows(3)
        result = found.read([f"t{number}" for number in range(9)])
        assert result[3] == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert result[8] == [{"n": 8}]
        assert found.rows("t3") == result[3]


def test_pages_that_lead_in_a_circle_end(clock):
    tables = Tables({})
    with loopback(tables) as server, client(clock, server.url) as found:
        link = f"{server.url}/api/data/v9.2/t?$skiptoken=2"
        tables.pages |= {"t": rows(1, next_link=link), "t?$skiptoken=2": rows(2, next_link=link)}
        with pytest.raises(UnexpectedAnswer, match="leads back"):
            found.rows("t")


def test_pages_without_end_end(clock, monkeypatch):
    monkeypatch.setattr(reading, "MAX_PAGES", 3)
    tables = Tables({})
    with loopback(tables) as server, client(clock, server.url) as found:
        for number in range(5):
            link = f"{server.url}/api/data/v9.2/t{number + 1}"
            tables.pages[f"t{number}"] = rows(number, next_link=link)
        with pytest.raises(UnexpectedAnswer, match="after 3 pages"):
            found.rows("t0")


# --- expanded collections


def expanded(members: list, link: str) -> dict:
    return {"value": [{"queueid": 1, "members": members, "members@odata.nextLink": link}]}


def test_a_full_expanded_collection_is_read_from_its_own_link(clock, monkeypatch):
    monkeypatch.setattr(reading, "PAGE", 2)
    tables = Tables({})
    with loopback(tables) as server, client(clock, server.url) as found:
        link = f"{server.url}/api/data/v9.2/queues(1)/members"
        tables.pages |= {"queues": expanded([{"n": 1}, {"n": 2}], link), "queues(1)/members": rows(1, 2, 3)}
        assert found.rows("queues") == [{"queueid": 1, "members": [{"n": 1}, {"n": 2}, {"n": 3}]}]
        assert found.read(["queues", "queues"])[1] == [{"queueid": 1, "members": [{"n": 1}, {"n": 2}, {"n": 3}]}]


def test_a_link_with_a_skiptoken_goes_on_behind_what_is_there(clock):
    tables = Tables({})
    with loopback(tables) as server, client(clock, server.url) as found:
        nested = {
            "n": 0,
            "tags": ["plain", "values"],
            "inner": [{"n": 1}],
            "inner@odata.nextLink": f"{server.url}/api/data/v9.2/in?$skiptoken=2",
        }
        tables.pages |= {"queues": {"value": [{"one": nested}]}, "in?$skiptoken=2": rows(2)}
        assert found.rows("queues") == [{"one": {"n": 0, "tags": ["plain", "values"], "inner": [{"n": 1}, {"n": 2}]}}]


def test_the_link_beside_a_complete_collection_is_left_alone(clock):
    tables = Tables({})
    with loopback(tables) as server, client(clock, server.url) as found:
        tables.pages["queues"] = expanded([{"n": 1}], f"{server.url}/api/data/v9.2/queues(1)/members")
        found.rows("queues")
    assert len(server.asked) == 1


# --- trouble


def test_all_errors_of_a_wave_are_told_by_path(clock):
    with (
        loopback(Tables(wave(4))) as server,
        client(clock, server.url, limit=2) as found,
        pytest.raises(ReadFailed) as failed,
    ):
        found.read(["t0", "missing", "t1", "gone", "t2"])
    assert "no missing (and 1 more" in str(failed.value)
    assert list(failed.value.errors) == [1, 3]
    assert isinstance(failed.value.first, NotFound)
    assert failed.value.status == 404


def test_a_throttled_part_is_asked_again_by_itself(clock):
    tables = Tables(wave(4), {"t1": [(429, THROTTLED, {"Retry-After": "5"})], "t3": [(503, {}, {})]})
    with loopback(tables) as server, client(clock, server.url, limit=1) as found:
        assert found.read(["t0", "t1", "t2", "t3"]) == [[{"n": number}] for number in range(4)]
    assert clock.slept == [5.0]
    assert [asked.path.rpartition("/")[2] for asked in server.asked] == ["$batch", "t1", "t3"]


def test_a_part_that_stays_throttled_is_told_in_the_end(clock):
    tables = Tables(wave(4), {"t1": [(429, THROTTLED, {"Retry-After": "5"})] * 99})
    with (
        loopback(tables) as server,
        client(clock, server.url, limit=1) as found,
        pytest.raises(ReadFailed) as failed,
    ):
        found.read(["t0", "t1"])
    assert isinstance(failed.value.errors[1], Throttled)
    assert sum(clock.slept) == 300  # the longest wait, not a number of tries
    assert len(server.asked) == 61


def test_a_torn_answer_is_asked_for_again_path_by_path(clock):
    tables = Tables(wave(3))

    def decide(asked: Asked) -> Answer:
        answer = tables(asked)
        torn = asked.path.endswith("$batch")
        return Answer(200, answer.body[:-30], answer.headers) if torn else answer

    with loopback(decide) as server, client(clock, server.url, limit=1) as found:
        assert found.read(["t0", "t1", "t2"]) == [[{"n": number}] for number in range(3)]
    assert len(server.asked) == 4


def test_a_batch_refused_as_a_whole_fails_each_of_its_paths(clock):
    def decide(asked: Asked) -> Answer:
        return Answer(503, b"<html>down</html>")

    with (
        loopback(decide) as server,
        client(clock, server.url, limit=1) as found,
        pytest.raises(ReadFailed) as failed,
    ):
        found.read(["t0", "t1"])
    assert [type(error) for error in failed.value.errors.values()] == [Unavailable, Unavailable]
    assert len(server.asked) == 5


def test_a_connection_dropped_while_reading_is_made_again(clock):
    dropped = []

    def decide(asked: Asked) -> Answer | None:
        dropped.append(asked.path)
        if len(dropped) == 1:
            return None
        if len(dropped) == 2:
            return Answer(200, b'{"value": [', declared_length=500)
        return Tables(wave(1))(asked)

    with loopback(decide) as server, client(clock, server.url) as found:
        assert found.rows("t0") == [{"n": 0}]
        assert found.stats.retries == 2
    assert len(clock.slept) == 2


@pytest.mark.parametrize("page", [{}, 5, {"value": 1}, {"value": [1]}, [], {"value": [], "@odata.nextLink": 5}])
def test_what_is_no_list_of_rows_is_unexpected(clock, page):
    with (
        loopback(Tables({"t": page})) as server,
        client(clock, server.url) as found,
        pytest.raises(UnexpectedAnswer) as failed,
    ):
        found.rows("t")
    assert " t " in failed.value.message
