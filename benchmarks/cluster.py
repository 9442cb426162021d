"""`python -m benchmarks.cluster`: what an environment costs on a Dask cluster, in processor time, as Markdown.

Processor time, because it stays the same when other things run on the machine: an idle task tells what the scheduler,
the command and a worker spend on a task; a real `fleet apply` on emulators tells what a worker spends on its work.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil

from d365setup.fleet.entries import Environment
from d365setup.fleet.link import Link
from d365setup.fleet.luggage import Luggage, Pack
from d365setup.fleet.order import Order

ROOT = Path(__file__).parents[1]
IDLE, REAL, WORKERS = 2000, 12, 2
VARIABLES = {
    "PYTHONPATH": str(ROOT),
    "BENCH_TOKEN": "made-up",
    "BOT_APPLICATION_ID": "5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
    "HEALTH_BOT_ID": "9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01",
}


@contextmanager
def process(*call: str, cwd: Path, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A Python module as a process, ended with us."""
    with subprocess.Popen([sys.executable, "-m", *call], cwd=cwd, env={**os.environ, **VARIABLES}, **streams) as found:  # noqa: S603
        try:
            yield found
        finally:
            found.terminate()


def spent(*processes: subprocess.Popen[bytes], children: bool = False) -> float:
    """Processor seconds so far; of their children that ended, where asked for."""
    times = [psutil.Process(each.pid).cpu_times() for each in processes]
    return sum(each.children_user + each.children_system if children else each.user + each.system for each in times)


def idle(address: str) -> float:
    """Tasks that end at once, for they are of another version; the command's own processor seconds."""
    client = importlib.import_module("distributed").Client(address, set_as_default=False)
    link, ended = Link(client, address), SimpleQueue[tuple[str, Any]]()
    luggage = Luggage(Order("plan"), (Pack("bot.yaml", (("bot.yaml", b"x" * 5000),)),), "1dle", "none")
    every = [Environment(name=f"e{n}", url="https://contoso.crm.dynamics.com") for n in range(IDLE)]
    begun = time.process_time()
    futures = link.begin(every, link.pack(luggage), luggage.run, ended)
    for _ in every:
        name, future = ended.get()
        link.result(name, future, ended)
        del futures[name]
    client.close()
    return time.process_time() - begun


def fleet(folder: Path, urls: list[str]) -> None:
    """A fleet file of these environments."""
    (folder / "bot.yaml").write_text((ROOT / "playbooks" / "health-bot.yaml").read_text())
    lines = [f'  - {{name: e{n}, url: "{url}", sign_in: {{token: BENCH_TOKEN}}}}' for n, url in enumerate(urls)]
    (folder / "fleet.yaml").write_text("\n".join(("fleet: 1", "playbook: bot.yaml", "environments:", *lines, "")))


def main() -> None:
    """Start a cluster on loopback, measure, print."""
    with tempfile.TemporaryDirectory() as place:
        folder, quiet = Path(place), {"stderr": subprocess.DEVNULL}
        dask = ("--host", "127.0.0.1", "--no-dashboard")
        file = folder / "scheduler.json"
        call = ("distributed.cli.dask_scheduler", *dask, "--port", "0", "--scheduler-file", str(file))
        with process(*call, cwd=folder, **quiet) as scheduler:
            while not file.is_file() or not file.read_text().endswith("}"):
                time.sleep(0.1)
            address = json.loads(file.read_text())["address"]
            call = ("distributed.cli.dask_worker", address, *dask, "--no-nanny", "--nthreads", "1")
            with process(*call, cwd=folder, **quiet) as one, process(*call, cwd=folder, **quiet) as two:
                orgs = ("d365setup", "emulator", "serve", "--orgs", str(REAL))
                with process(*orgs, cwd=folder, stdout=subprocess.PIPE, **quiet) as emulator:
                    urls = [emulator.stdout.readline().decode().split()[-1] for _ in range(REAL)]  # type: ignore[union-attr]
                    fleet(folder, urls)
                    report(folder, address, scheduler, (one, two))


def report(
    folder: Path,
    address: str,
    scheduler: subprocess.Popen[bytes],
    workers: tuple[subprocess.Popen[bytes], ...],
) -> None:
    """The table."""
    apply = [sys.executable, "-m", "d365setup", "fleet", "apply", "fleet.yaml", "--yes", "--scheduler", address]
    ended = subprocess.run(apply, cwd=folder, env={**os.environ, **VARIABLES}, capture_output=True, check=False)  # noqa: S603
    assert ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode()
    work = spent(*workers, children=True) / REAL
    before = spent(scheduler), spent(*workers)
    ours = idle(address)
    after = spent(scheduler), spent(*workers)
    milliseconds = [1000 * each / IDLE for each in (after[0] - before[0], after[1] - before[1], ours)]
    print("| processor time for one environment | |\n|---|---|")
    print(f"| its work, in a process of a worker (first apply of `health-bot.yaml`) | {work:.2f} s |")
    for who, each in zip(("the scheduler", "a worker", "the command"), milliseconds, strict=True):
        print(f"| {who}, for its task | {each:.1f} ms |")


if __name__ == "__main__":
    main()
