"""A collection page by page, and waves in which some paths may fail."""

import pytest

from d365setup.dataverse.errors import AuthError, NotFound, UnexpectedAnswer

from .service import Answer, Asked, Clock, Tables, client, error, loopback, rows


def pages(url: str) -> dict[str, object]:
    root = f"{url}/api/data/v9.2/"
    return {
        "t": rows(1, 2, next_link=f"{root}t?$skiptoken=2"),
        "t?$skiptoken=2": rows(3, next_link=f"{root}t?$skiptoken=3"),
        "t?$skiptoken=3": rows(),
        "u": rows(9),
    }


def test_a_page_is_asked_for_when_the_one_before_is_done_with():
    tables = Tables({})
    with loopback(tables) as server, client(Clock(), server.url) as found:
        tables.pages.update(pages(server.url))
        coming = found.pages("t")
        assert server.asked == []
        assert [row["n"] for row in next(coming)] == [1, 2]
        assert len(server.asked) == 1
        assert [[row["n"] for row in page] for page in coming] == [[3], []]
        assert len(server.asked) == 3


def test_the_size_of_a_page_is_said_with_every_page():
    tables = Tables({})
    with loopback(tables) as server, client(Clock(), server.url) as found:
        tables.pages.update(pages(server.url))
        assert len(list(found.pages("t", 2))) == 3
        assert {asked.headers.get("prefer") for asked in server.asked} == {"odata.maxpagesize=2"}
        list(found.pages("u"))
        assert "prefer" not in server.asked[-1].headers


def test_a_page_that_leads_back_is_told():
    def decide(asked: Asked) -> Answer:
        return Tables({"t": rows(1, next_link=f"http://{asked.headers['host']}/api/data/v9.2/t")})(asked)

    with loopback(decide) as server, client(Clock(), server.url) as found:
        coming = found.pages("t")
        next(coming)
        with pytest.raises(UnexpectedAnswer, match="already read"):
            list(coming)


def test_a_failure_stands_in_the_place_of_its_rows():
    tables = Tables({"a": rows(1), "c": rows(3)})
    with loopback(tables) as server, client(Clock(), server.url, limit=1) as found:
        first, missing, last = found.gather(["a", "b", "c"])
        assert (first, last) == ([{"n": 1}], [{"n": 3}])
        assert isinstance(missing, NotFound)
        assert found.stats.requests == 1


def test_a_batch_that_fails_fails_all_its_paths():
    def decide(asked: Asked) -> Answer:
        del asked
        return Answer(401, b"", {"WWW-Authenticate": "Bearer"})

    with loopback(decide) as server, client(Clock(), server.url, limit=1) as found:
        assert [type(each) for each in found.gather(["a", "b"])] == [AuthError, AuthError]


def test_gathering_nothing_asks_nothing():
    with loopback(Tables({"a": (404, error("0x1"))})) as server, client(Clock(), server.url) as found:
        assert found.gather([]) == []
        assert server.asked == []
