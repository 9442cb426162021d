"""Many organizations in one process: each is one of its own, and the paths stay as they are."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from d365setup.emulator import Emulator, Options, Organizations

CALLER = {"Authorization": "Bearer any"}


def organization(url: str) -> tuple[str, str]:
    """Id and name, as a client learns them."""
    reply = requests.get(f"{url}/api/data/v9.2/organizations?$select=name", headers=CALLER, timeout=10)
    (row,) = reply.json()["value"]
    who = requests.get(f"{url}/api/data/v9.2/WhoAmI", headers=CALLER, timeout=10).json()
    assert who["OrganizationId"] == row["organizationid"]
    return row["organizationid"], row["name"]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Organizations]:
    found = Organizations(tmp_path / "fleet.db", Options(), 3)
    yield found.start()
    found.close()


def test_each_is_an_organization_of_its_own_and_the_same_next_time(three: Organizations, tmp_path: Path) -> None:
    found = [organization(url) for url in three.urls]
    assert [name for _, name in found] == ["Contoso Health", "Contoso Health 2", "Contoso Health 3"]
    assert len({row_id for row_id, _ in found}) == 3
    for number in (3, 1):
        again = Emulator(tmp_path / f"alone-{number}.db", Options(organization=number))
        with again.serve():
            assert organization(again.url) == found[number - 1]
        again.close()


def test_what_is_written_to_one_is_in_no_other(three: Organizations, tmp_path: Path) -> None:
    queues = "/api/data/v9.2/queues"
    made = requests.post(three.urls[1] + queues, headers=CALLER, json={"name": "Only here"}, timeout=10)
    assert made.status_code == 204
    there = [each.sql("SELECT COUNT(*) FROM queue WHERE name = 'Only here'") for each in three.emulators]
    assert there == [[(0,)], [(1,)], [(0,)]]
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["fleet-2.db", "fleet-3.db", "fleet.db"]
    assert [len(each.requests) for each in three.emulators] == [0, 1, 0]


def test_one_that_rests_answers_as_before(three: Organizations) -> None:
    for each in three.emulators:
        before = organization(each.url)
        each.rest()
        each.rest()
        assert organization(each.url) == before


def test_begun_again_a_file_is_the_organization_it_was(three: Organizations, tmp_path: Path) -> None:
    before = organization(three.urls[2])
    three.close()
    emulator = Emulator(tmp_path / "fleet-3.db")
    emulator.reset("empty")
    with emulator.serve():
        assert organization(emulator.url) == before
    emulator.close()


def test_a_port_in_use_ends_them_all(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] - 1
        found = Organizations(tmp_path / "fleet.db", Options(), 2)
        with pytest.raises(OSError, match="in use"):
            found.start(port)
        for each in found.emulators:
            with pytest.raises(RuntimeError, match="not listening"):
                _ = each.url
        found.close()


def test_a_file_that_is_none_of_ours_ends_it(tmp_path: Path) -> None:
    (tmp_path / "fleet-2.db").write_text("no database, but text that is longer than a header of one would be" * 40)
    with pytest.raises(sqlite3.DatabaseError, match=r"fleet-2\.db"):
        Organizations(tmp_path / "fleet.db", Options(), 2)
