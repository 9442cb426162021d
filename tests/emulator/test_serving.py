"""Serving: faults, delays, the log, many threads, data that outlives the process."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from d365setup.emulator import DataFileError, Emulator, Fault, Options
from d365setup.emulator import fixtures as names
from d365setup.emulator.server import Server

from .conftest import ROOT, Api, Make, code
from .test_batches import batch, changeset, http

QUEUE = f"queues({names.NURSES})"


def test_a_fault_strikes_as_often_as_asked_and_skips_first(api: Api) -> None:
    api.emulator.fail(Fault(path="queues", status=503, code="0x80040216", times=2, skip=1))
    assert [api.get(QUEUE).status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_throttling(api: Api) -> None:
    """web-api.md 4: 429, one of three codes, Retry-After in whole seconds."""
    api.emulator.fail(Fault(where="request", status=429, code="0x80072326", message="Too many.", retry_after=2))
    reply = api.get("WhoAmI")
    assert code(reply) == (429, "0x80072326")
    assert reply.headers["Retry-After"] == "2"


def test_a_fault_of_a_whole_batch_is_plain_json(api: Api) -> None:
    """3.2: a throttled batch is an ordinary JSON error."""
    api.emulator.fail(Fault(where="request", path=r"\$batch", status=429, code="0x80072322", retry_after=1))
    assert code(api.batch(batch([http("GET", QUEUE)]))) == (429, "0x80072322")


@pytest.mark.parametrize(("where", "landed"), [("drop-before", False), ("drop-after", True)])
def test_dropped_connections(api: Api, where: str, landed: bool) -> None:
    row_id = api.new_id()
    api.emulator.fail(Fault(where=where, path=row_id))  # type: ignore[arg-type]
    with pytest.raises(requests.ConnectionError):
        api.patch(f"queues({row_id})", {"name": "Desk"})
    assert bool(api.emulator.sql("SELECT 1 FROM queue WHERE queueid = ?", [row_id])) == landed
    assert api.emulator.requests[-1].status == 0
    assert api.patch(f"queues({row_id})", {"name": "Desk"}).status_code == 204


def test_a_batch_dropped_after_its_work(api: Api) -> None:
    api.emulator.fail(Fault(where="drop-after", path=r"\$batch"))
    with pytest.raises(requests.ConnectionError):
        api.batch(batch([changeset([http("POST", "queues", {"name": "Desk"}, "1")])]))
    assert api.emulator.sql("SELECT count(*) FROM queue WHERE name = 'Desk'") == [(1,)]


def test_reset_forgets_faults_and_log(api: Api) -> None:
    api.emulator.fail(Fault(path="queues"))
    api.get("WhoAmI")
    api.emulator.reset()
    assert api.emulator.requests == []
    assert api.get(QUEUE).status_code == 200


def test_delays_add_up_inside_a_batch(make: Make) -> None:
    """Operations of one batch run one after another; the clock is passed in, so nothing waits here."""
    slept: list[float] = []
    api = make(rtt=0.08, op_time=0.02, sleep=slept.append)
    api.get(QUEUE)
    assert slept == [0.08, 0.02]
    slept.clear()
    members = [http("PATCH", QUEUE, {"description": str(n)}, str(n)) for n in range(3)]
    api.batch(batch([http("GET", QUEUE), changeset(members), http("GET", QUEUE)]))
    assert slept[0] == 0.08
    assert sum(slept[1:]) == pytest.approx(5 * 0.02)


def test_the_hint_can_be_chosen(make: Make) -> None:
    assert make(dop_hint=17).get("WhoAmI").headers["x-ms-dop-hint"] == "17"


def test_pages_of_the_service_can_be_smaller(make: Make) -> None:
    page = make(page_size=2).get("queues").json()
    assert len(page["value"]) == 2
    assert "@odata.nextLink" in page


def test_connections_are_kept_alive(api: Api) -> None:
    with api.session.get(api.root + QUEUE, stream=True, timeout=10) as reply:
        assert reply.headers.get("Connection") != "close"
        port = reply.raw.connection.sock.getsockname()[1]
        assert reply.json()["name"] == "Nurses"
    with api.session.get(api.root + QUEUE, stream=True, timeout=10) as reply:
        assert reply.raw.connection.sock.getsockname()[1] == port
        assert reply.json()["name"] == "Nurses"


def test_chunked_bodies(api: Api) -> None:
    body = iter([b'{"descr', b'iption":"chunked"}'])
    assert api.send("PATCH", QUEUE, data=body).status_code == 204
    assert api.get(QUEUE).json()["description"] == "chunked"


def test_only_loopback_is_bound(api: Api) -> None:
    for host in ("0.0.0.0", "192.0.2.1"):  # noqa: S104  # refused, that is the point
        with pytest.raises(ValueError, match="loopback"):
            Server(api.emulator.gateway, host=host)


def test_it_can_be_stopped_and_started_again() -> None:
    emulator = Emulator()
    with pytest.raises(RuntimeError, match="not listening"):
        _ = emulator.url
    with emulator.serve():
        assert emulator.url.startswith("http://127.0.0.1:")
        with pytest.raises(RuntimeError, match="already"):
            emulator.start()
    row_id = emulator.add("queue", name="Kept")
    with emulator.serve():
        reply = requests.get(f"{emulator.url}{ROOT}queues({row_id})", headers={"Authorization": "Bearer x"}, timeout=10)
        assert reply.json()["name"] == "Kept"
    emulator.close()


def test_eight_threads_lose_nothing(api: Api) -> None:
    def work(number: int) -> list[int]:
        mine = Api(api.emulator)
        done = []
        for turn in range(15):
            members = [http("POST", "queues", {"name": f"{number}-{turn}-{n}"}, str(n)) for n in range(2)]
            done.append(mine.batch(batch([changeset(members), http("GET", "queues?$top=1&$select=name")])).status_code)
            done.append(mine.get("queues?$select=name&$filter=contains(name,'-')").status_code)
        mine.session.close()
        return done

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for done in pool.map(work, range(8)) for status in done]
    assert set(statuses) == {200}
    names_made = api.emulator.sql("SELECT count(*), count(DISTINCT versionnumber) FROM queue WHERE name LIKE '%-%-%'")
    assert names_made == [(240, 240)]


def test_a_condition_holds_against_a_race(api: Api) -> None:
    """Eight writers with one ETag: exactly one lands."""
    tag = api.get(QUEUE).headers["ETag"]

    def work(number: int) -> int:
        mine = Api(api.emulator)
        status = mine.patch(QUEUE, {"description": str(number)}, headers={"If-Match": tag}).status_code
        mine.session.close()
        return status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == [204, *[412] * 7]


def test_five_thousand_rows(api: Api) -> None:
    columns = "queueid, name, queueviewtype, versionnumber, statecode"
    sql = f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5200)
              INSERT INTO queue ({columns})
              SELECT printf('aaaaaaaa-0000-4000-8000-%012d', i), 'Desk ' || i, 1, 5000000 + i, 0 FROM n"""  # noqa: S608
    api.emulator.execute(sql)
    page = api.get("queues?$select=name&$count=true&$filter=startswith(name,'desk')").json()
    assert (len(page["value"]), page["@odata.count"]) == (5000, 5000)
    assert len(api.get(page["@odata.nextLink"]).json()["value"]) == 200
    assert api.get("queues/$count").text == "5000"


def test_data_goes_on_in_the_same_file(tmp_path: Path, make: Make) -> None:
    file = tmp_path / "deep" / "emulator.db"
    first = make(file, fixture="empty")
    row_id = first.create("queues", {"name": "Kept"})
    first.emulator.close()
    second = make(file, fixture="clinic")
    assert second.get(f"queues({row_id})").json()["name"] == "Kept"
    assert second.rows("msdyn_liveworkstreams") == [], "the fixture is for new files only"


SERVE = """
import sys
from d365setup.emulator import Emulator
Emulator(sys.argv[1]).serve_forever(0, lambda url: print("listening on", url, flush=True))
"""


def test_acknowledged_writes_outlive_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "emulator.db"
    made = []
    with subprocess.Popen([sys.executable, "-c", SERVE, str(file)], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        with requests.Session() as session:
            session.headers["Authorization"] = "Bearer x"
            for number in range(20):
                reply = session.post(f"{url}{ROOT}queues", json={"name": f"Desk {number}"}, timeout=10)
                made.append(reply.headers["OData-EntityId"].rpartition("(")[2].rstrip(")"))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    emulator = Emulator(file, Options())
    found = {row[0] for row in emulator.sql("SELECT queueid FROM queue")}
    emulator.close()
    assert set(made) <= found


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be looked at as one " * 40)
    with pytest.raises(DataFileError, match=r"notes\.txt cannot be used"):
        Emulator(file)
    assert file.read_text().startswith("not a database")


def test_older_files_get_the_columns_they_lack(tmp_path: Path) -> None:
    file = tmp_path / "emulator.db"
    emulator = Emulator(file)
    emulator.execute("ALTER TABLE queue DROP COLUMN emailaddress")
    emulator.close()
    emulator = Emulator(file)
    assert emulator.sql("SELECT emailaddress FROM queue WHERE name = 'Nurses'") == [(None,)]
    emulator.close()


def test_a_defect_is_answered_500_and_kept(make: Make) -> None:
    """Nothing is hidden: the reply says so, and the test that meets it fails."""
    api = make()
    api.emulator.execute("DROP TABLE solution")
    assert code(api.get("solutions")) == (500, "0x80040216")
    members = [http("POST", "solutions", {"friendlyname": "x"}, "1")]
    assert api.batch(batch([changeset(members)])).status_code == 500
    assert len(api.emulator.gateway.failures) == 2
    api.emulator.gateway.failures.clear()


@pytest.mark.parametrize("line", ["", "zz\r\n", "-5\r\n"])
def test_broken_chunks_are_refused(api: Api, line: str) -> None:
    with socket.create_connection(("127.0.0.1", int(api.emulator.url.rpartition(":")[2])), timeout=10) as raw:
        head = f"PATCH {ROOT}{QUEUE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw.sendall((head + line).encode())
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_serving_until_interrupted(tmp_path: Path) -> None:
    heard: list[str] = []

    def ready(url: str) -> None:
        heard.append(url)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Emulator(tmp_path / "emulator.db").serve_forever(0, ready)
    assert heard[0].startswith("http://127.0.0.1:")
