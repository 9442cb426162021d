"""`kill -9` at any moment: every acknowledged write is in the file, and no change set by half.

A server in a process of its own is killed again and again over the same file, while several clients write as fast as
they can. The moment is that of a seeded number of acknowledged requests: the others are then anywhere on their way.
"""

from __future__ import annotations

import itertools
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from d365setup.emulator import Emulator
from d365setup.emulator import fixtures as names

from .conftest import ROOT
from .test_batches import batch, changeset, http

KILLS = 20
CLIENTS = 3
SIZE = 4
SERVE = """
import sys
from d365setup.emulator import Emulator
Emulator(sys.argv[1]).serve_forever(0, lambda url: print(url, flush=True))
"""

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")


class Writers:
    """Clients that write until the server is gone, and note what was acknowledged."""

    def __init__(self, url: str, life: int) -> None:
        self._url = url
        self._life = life
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self._count = 0
        self.acknowledged: list[str] = []
        """Names of queues that must be there; those of a change set begin with `set`."""
        self.reached = threading.Event()
        self._goal = 0

    def run(self, goal: int) -> list[threading.Thread]:
        self._goal = goal
        threads = [threading.Thread(target=self._write, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def _write(self, number: int) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = "Bearer x"
            try:
                while True:
                    self._one(session, number)
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                return  # the server is gone: that is the test

    def _one(self, session: requests.Session, number: int) -> None:
        turn = next(self._turns)
        if turn % 2:
            name = f"one {self._life} {turn} {number}"
            reply = session.post(f"{self._url}{ROOT}queues", json={"name": name}, timeout=20)
            self._note(reply.status_code == 204, name)
            return
        name = f"set {self._life} {turn} {number}"
        members = [http("POST", "queues", {"name": name}, str(each)) for each in range(SIZE)]
        members.append(http("PATCH", f"queues({names.NURSES})", {"description": name}, "last"))
        headers = {"Content-Type": "multipart/mixed; boundary=batch_1"}
        text = batch([changeset(members)]).encode()
        reply = session.post(f"{self._url}{ROOT}$batch", data=text, headers=headers, timeout=20)
        self._note(reply.status_code == 200 and reply.text.count("HTTP/1.1 204") == SIZE + 1, name)

    def _note(self, landed: bool, name: str) -> None:
        assert landed, name
        with self._lock:
            self.acknowledged.append(name)
            self._count += 1
            if self._count >= self._goal:
                self.reached.set()


@contextmanager
def server(file: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", SERVE, str(file)], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


def kept(file: Path) -> dict[str, int]:
    """How often each queue's name is there; the file itself must be sound."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(connection.execute("SELECT name, count(*) FROM queue GROUP BY name"))


@pytest.mark.parametrize("seed", [1807])
def test_acknowledged_writes_outlive_kills_and_change_sets_stay_whole(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # repeatable on purpose
    file = tmp_path / "emulator.db"
    acknowledged: list[str] = []
    for life in range(KILLS):
        with server(file) as process:
            assert process.stdout is not None
            writers = Writers(process.stdout.readline().strip(), life)
            threads = writers.run(chance.randint(1, 25))
            assert writers.reached.wait(60)
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive()
        acknowledged += writers.acknowledged
        found = kept(file)
        assert set(acknowledged) <= set(found), f"lost after kill {life}"
        halves = {name: count for name, count in found.items() if name.startswith("set ") and count != SIZE}
        assert not halves
        assert {count for name, count in found.items() if name.startswith("one ")} <= {1}
    assert len(acknowledged) > KILLS
    emulator = Emulator(file)
    last = emulator.sql("SELECT description FROM queue WHERE queueid = ?", [names.NURSES])[0][0]
    versions = emulator.sql("SELECT count(*), count(DISTINCT versionnumber) FROM queue")[0]
    emulator.close()
    assert last in kept(file), "the other half of the last change set"
    assert versions[0] == versions[1]


def test_killed_while_the_file_is_made(tmp_path: Path) -> None:
    """A fixture is there whole or not at all, and the next start makes what is missing."""
    for number in range(4):
        file = tmp_path / f"{number}.db"
        with server(file) as process:
            while not file.exists():
                assert process.poll() is None
            process.send_signal(signal.SIGKILL)
        emulator = Emulator(file)
        assert emulator.sql("SELECT count(*) FROM organization") == [(1,)]
        assert emulator.sql("SELECT count(*) FROM msdyn_liveworkstream") == [(1,)]
        emulator.close()
