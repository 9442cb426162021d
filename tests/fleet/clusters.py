"""A Dask cluster on loopback, of processes as people start them; whatever happens, they end with their test."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.cli.process import PACKAGES

_LONG = 60.0  # seconds after which a test gives up waiting


def waited(said: str, is_so: Callable[[], Any]) -> Any:
    """What it answers, once that is something."""
    until = time.monotonic() + _LONG
    while not (found := is_so()):
        assert time.monotonic() < until, said
        time.sleep(0.05)
    return found


@dataclass
class DaskCluster:
    """A scheduler and its workers. Logs, spill space and the scheduler's file are in ``folder``."""

    folder: Path
    protocol: str = "tcp"
    around: dict[str, str] = field(default_factory=dict)  # variables of all of them
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def described(self) -> dict[str, Any]:
        """What the scheduler says of itself."""
        found: dict[str, Any] = json.loads((self.folder / "scheduler.json").read_text(encoding="utf-8"))
        return found

    @property
    def address(self) -> str:
        """Where the scheduler listens."""
        return str(self.described["address"])

    def page(self, path: str) -> str:
        """A page of the scheduler's dashboard."""
        port = self.described["services"]["dashboard"]
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:  # our own process
            return str(answer.read().decode())

    def logs(self) -> str:
        """What all of them said."""
        return "".join(each.read_text(encoding="utf-8") for each in self.folder.glob("*.log"))

    def start_scheduler(self) -> None:
        """It listens when this returns."""
        file = self.folder / "scheduler.json"
        self._start(
            "scheduler", self.folder, {}, "--port", "0", "--dashboard-address", "127.0.0.1:0",
            "--scheduler-file", str(file), "--protocol", self.protocol,
        )  # fmt: skip
        waited("no scheduler", lambda: file.is_file() and file.read_text(encoding="utf-8").endswith("}"))

    def start_worker(self, name: str, cwd: Path, at: str = "", /, **variables: str) -> None:
        """One that does one task at a time; it need not be there yet when this returns."""
        space = str(self.folder / "space")
        options = ("--no-nanny", "--no-dashboard", "--nthreads", "1", "--name", name, "--local-directory", space)
        self._start(name, cwd, variables, at or self.address, *options, "--protocol", self.protocol)

    def kill(self, name: str) -> None:
        """End one of them as a power failure would."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def _start(self, name: str, cwd: Path, variables: dict[str, str], *options: str) -> None:
        what = "scheduler" if name == "scheduler" else "worker"
        call = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--host", "127.0.0.1"]
        cwd.mkdir(exist_ok=True, parents=True)
        with (self.folder / f"{name}.log").open("wb") as log:
            around = {"PYTHONPATH": PACKAGES, "PATH": "", "TMPDIR": str(self.folder), **self.around, **variables}
            self.processes[name] = subprocess.Popen(call, cwd=cwd, env=around, stdout=log, stderr=log)  # noqa: S603

    def close(self) -> None:
        """End all of them."""
        for each in self.processes.values():
            each.kill()
        for each in self.processes.values():
            each.wait()


@contextmanager
def dask_cluster(folder: Path, protocol: str = "tcp", **around: str) -> Iterator[DaskCluster]:
    """A scheduler without workers."""
    folder.mkdir()
    with closing(DaskCluster(folder, protocol, around)) as found:
        found.start_scheduler()
        yield found


@dataclass
class Tap:
    """Between others and the scheduler: it hands on what they say, and keeps it."""

    target: tuple[str, int]
    heard: bytearray = field(default_factory=bytearray)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    open: list[socket.socket] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where to speak with it."""
        return f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Until closed."""
        with suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(self.target)
                self.open += [near, far]
                for pair in ((near, far), (far, near)):
                    self._begin(self._hand_on, *pair)

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while found := source.recv(65536):
                self.heard += found
                sink.sendall(found)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _begin(self, target: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=target, args=given)
        self.threads.append(thread)
        thread.start()


@contextmanager
def tapped(cluster: DaskCluster) -> Iterator[Tap]:
    """What goes to the scheduler of a cluster and comes from there."""
    host, _, port = cluster.address.removeprefix("tcp://").partition(":")
    tap = Tap((host, int(port)))
    serving = threading.Thread(target=tap.serve)
    serving.start()
    try:
        yield tap
    finally:
        with suppress(OSError):
            tap.listener.shutdown(socket.SHUT_RDWR)
        tap.listener.close()
        serving.join()
        for each in tap.open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in tap.threads:
            thread.join()
        for each in tap.open:
            each.close()
