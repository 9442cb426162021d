"""`d365setup fleet … --scheduler`: a real Dask scheduler, real worker processes, and what becomes of their deaths."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from d365setup import __version__
from d365setup.emulator import Emulator, Fault, Options
from d365setup.emulator import fixtures as names
from tests.cli.process import start
from tests.fleet.clusters import DaskCluster, dask_cluster, tapped, waited
from tests.fleet.conftest import Call, written

if not os.environ.get("CI"):  # there it is installed, or the tests fail
    pytest.importorskip("distributed", reason="needs the extra `fleet`")

SLOW = Fault(where="slow", seconds=0.5, times=0)
CANARY = "canary-secret-of"
PAGES = ("info/main/workers.html", "info/main/logs.html", "json/counts.json", "metrics", "health")
ADMINISTRATOR = names.CALLER_APPLICATION  # who acts in a fresh emulator
Serve = Callable[..., Emulator]


@contextmanager
def called(*args: str) -> Iterator[subprocess.Popen[str]]:
    """`d365setup fleet` beside us."""
    with start("fleet", *args, variables=dict(os.environ)) as process:
        try:
            yield process
        finally:
            process.kill()


def result(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def ended() -> set[str]:
    """The environments that the only run has recorded as ended."""
    lines = [line for path in Path(".d365setup/fleet/runs").glob("*.jsonl") for line in path.read_text().splitlines()]
    events = [json.loads(line) for line in lines if line]
    return {each["result"]["environment"] for each in events if "result" in each}


def test_a_worker_dies_and_every_environment_is_done_once_and_no_secret_leaves_the_workers(
    serving: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinics = [f"clinic-{n}" for n in range(6)]
    emulators = {name: serving(Options(users={f"{CANARY}-{name}": ADMINISTRATOR})) for name in clinics}
    for each in list(emulators.values())[:3]:
        each.fail(SLOW)
    variables = {name: name.replace("-", "_").upper() + "_TOKEN" for name in clinics}
    written({name: f'"{emulators[name].url}", sign_in: {{token: {variables[name]}}}' for name in clinics})
    monkeypatch.setenv("CLINIC_0_TOKEN", f"{CANARY}-caller")  # nothing of this machine's variables may travel
    monkeypatch.setenv("D365_CLIENT_SECRET", f"{CANARY}-caller")
    secrets = {variables[name]: f"{CANARY}-{name}" for name in clinics}
    with dask_cluster(tmp_path / "dask") as cluster, tapped(cluster) as tap:
        workers = [f"worker-{n}" for n in range(3)]
        for name in workers:
            state = {"D365_STATE_DIR": str(tmp_path / "host" / "state"), "D365_GATE_DIR": str(tmp_path / "gates")}
            cluster.start_worker(name, tmp_path / name, tap.address, **secrets, **state)
        waited("too few workers", lambda: cluster.page("json/counts.json").count('"workers": 3'))
        to = ("--format", "json", "--report", "m.html", "--scheduler", tap.address)
        with called("apply", "fleet.yaml", "--yes", *to) as process:
            first = waited("nothing began", lambda: begun(cluster, workers))
            pages = "".join(map(cluster.page, (*PAGES, *linked(cluster))))
            cluster.kill(first)
            assert process.poll() is None
            code, out, err = result(process)
        logs = cluster.logs()
    document = json.loads(out)
    assert (code, document["counts"]) == (0, {"verified": 6}), [each["message"] for each in document["environments"]]
    assert [each["name"] for each in document["environments"]] == clinics
    for name in clinics:
        rows = emulators[name].sql("SELECT COUNT(*) FROM queue WHERE name = 'Health bot'")
        assert rows[0][0] == 1
        assert list(Path(".d365setup/fleet/environments", name, "runs").glob("*.jsonl")), "its journal came back"
    assert b"clinic-3" in tap.heard  # what is searched is what was said
    assert b"CLINIC_3_TOKEN" in tap.heard
    assert "clinic" in pages
    assert f"{CANARY}-clinic-3".encode() not in tap.heard
    kept = [
        path.read_bytes() for top in (Path(".d365setup"), Path("host")) for path in top.rglob("*") if path.is_file()
    ]
    said = [out, err, logs, pages, Path("m.html").read_text(encoding="utf-8")]
    everything = [bytes(tap.heard), *kept, *(each.encode() for each in said)]
    assert len(kept) > len(clinics)
    assert not [each[:200] for each in everything if CANARY.encode() in each]


def begun(cluster: DaskCluster, workers: list[str]) -> str:
    """A worker that is at work on an environment: its process has a child."""
    psutil = pytest.importorskip("psutil")  # comes with Dask
    return next((name for name in workers if psutil.Process(cluster.processes[name].pid).children()), "")


def linked(cluster: DaskCluster) -> list[str]:
    """The pages of each worker, and of the tasks they have."""
    found = {"info/main/workers.html"}
    for _ in range(2):
        pages = "".join(map(cluster.page, found))
        found |= {f"info/{each}" for each in re.findall(r'href="\.\./((?:worker|task)/[^"]+)"', pages)}
    return sorted(found)


def certificate(folder: Path) -> dict[str, str]:
    """Variables that make Dask trust one made-up certificate, and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleet")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    text = made.public_bytes(serialization.Encoding.PEM)
    (folder / "tls.pem").write_bytes(text)
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    both = {"CERT": str(folder / "tls.pem"), "KEY": str(folder / "key.pem")}
    own = {f"{tls}{who}__{what}": path for who in ("SCHEDULER", "WORKER", "CLIENT") for what, path in both.items()}
    return {f"{tls}CA_FILE": str(folder / "tls.pem"), **own}


def test_interrupted_it_finishes_what_is_under_way_and_without_its_scheduler_it_says_so(
    fleet: Call, serving: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TLS; the workers share our folder, as they do on one machine."""
    quick, *slow = emulators = [serving() for _ in range(4)]
    for each in slow:
        each.fail(SLOW)
    written({f"c-{n}": f'"{each.url}"' for n, each in enumerate(emulators)})
    tls = certificate(tmp_path)
    for name, value in tls.items():
        monkeypatch.setenv(name, value)
    variables = {"NORTH_TOKEN": "made-up-token", "D365_GATE_DIR": str(tmp_path / "gates")}
    with dask_cluster(tmp_path / "dask", "tls", **tls) as cluster:
        assert cluster.address.startswith("tls://")
        for n in range(2):
            cluster.start_worker(f"worker-{n}", tmp_path, **variables)
        call = ("apply", "fleet.yaml", "--yes", "--scheduler", cluster.address)
        some = ("--only", "c-1", "--only", "c-2", "--only", "c-3", "--workers", "1")
        with called(*call, *some) as process:
            waited("it never began", lambda: Path(".d365setup/fleet/environments/c-1/runs").exists())
            process.send_signal(signal.SIGINT)
            code, out, err = result(process)
        assert code == 130, out + err
        assert ("1 stopped" in out or "1 verified" in out, "2 not started" in out) == (True, True), out
        assert not slow[1].requests

        with called(*call, "--format", "json") as process:
            waited("the quick one never ended", lambda: "c-0" in ended())
            cluster.kill("scheduler")
            code, out, err = result(process)
    document = json.loads(out)
    assert code == 7, out + err
    found = {each["name"]: each for each in document["environments"]}
    assert found["c-0"]["state"] == "verified"
    lost = [each for each in found.values() if each["state"] == "failed"]
    assert lost
    assert all("was lost" in each["message"] and "--resume" in each["cure"] for each in lost)
    assert "Traceback" not in err
    for each in slow:
        each.faults.clear()
    seen = len(quick.requests)
    again = fleet("apply", "fleet.yaml", "--yes", "--resume", document["run"], "--format", "json")
    assert (again.code, again.json["counts"]) == (0, {"verified": 4})
    assert len(quick.requests) == seen


def test_what_is_wrong_with_a_cluster_is_told_before_anything_is_written(
    fleet: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written({"north": '"http://127.0.0.1:9"'})
    old = tmp_path / "old"
    for path, text in (
        ("distributed-2025.1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: distributed\nVersion: 2025.1.0\n"),
        ("d365setup/__init__.py", "raise ModuleNotFoundError(name='d365setup')\n"),
    ):
        (old / path).parent.mkdir(parents=True, exist_ok=True)
        (old / path).write_text(text, encoding="utf-8")
    call = ("apply", "fleet.yaml", "--yes", "--scheduler")
    wrong = fleet(*call, "tcp://nobody")
    assert (wrong.code, "tcp://HOST:8786" in wrong.err) == (2, True)
    with dask_cluster(tmp_path / "dask") as cluster:
        cluster.start_worker("old", tmp_path, PYTHONPATH=str(old))
        waited("no worker", lambda: cluster.page("json/counts.json").count('"workers": 1'))
        mixed = fleet(*call, cluster.address)
        assert mixed.code == 2
        assert "2025.1.0" in mixed.err
        assert f"d365setup is {__version__} here, and not installed on worker tcp://" in mixed.err
        assert "pip install 'd365setup[fleet]" in mixed.err
        unproved = fleet(*call, cluster.address.replace("tcp:", "tls:"))
        assert (unproved.code, "TLS" in unproved.err) == (2, True)
        assert not Path(".d365setup").exists()
        cluster.kill("old")
        waited("it is there still", lambda: cluster.page("json/counts.json").count('"workers": 0'))
        alone = fleet("plan", "fleet.yaml", "--max-wait", "1", "--scheduler", cluster.address)
        assert (alone.code, "has had no worker" in alone.out) == (6, True)
        address = cluster.address
    before = sorted(Path(".d365setup").rglob("*"))
    gone = fleet(*call, address)
    assert (gone.code, "no Dask scheduler answers" in gone.err) == (6, True)
    assert sorted(Path(".d365setup").rglob("*")) == before
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    bare = fleet(*call, address)
    assert (bare.code, "pip install 'd365setup[fleet]'" in bare.err) == (2, True)
