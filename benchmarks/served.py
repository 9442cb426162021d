"""The emulator as a process of its own, over TLS, told on stdin what to do: `python -m benchmarks.served`.

TLS because Microsoft's SDK takes no other address. Its rows live in a temporary file that is not flushed to the
disk, so that the disk is not measured.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Any

from benchmarks import rows
from benchmarks.jobs import JOBS, Job
from d365setup.emulator import Emulator, Options, Request
from d365setup.emulator.server import Server


def main() -> None:
    """Answer each command on stdin with one line of JSON, until stdin ends."""
    given = _arguments()
    job = JOBS[given.job]
    emulator = Emulator(None, Options(rtt=given.rtt, op_time=given.op_time, dop_hint=given.dop_hint))
    server = _listening(emulator, given.certificate, given.key)
    commands: dict[str, Callable[[], Any]] = {
        "reset": lambda: _reset(emulator, server, job),
        "forget": server.log.clear,
        "counts": lambda: counts(server.log, given.rtt, given.op_time),
        "rows": lambda: rows.found(emulator.sql, job),
    }
    print(json.dumps(f"https://127.0.0.1:{server.socket.getsockname()[1]}"), flush=True)
    for line in sys.stdin:
        print(json.dumps(commands[line.strip()]()), flush=True)
    server.stop()
    emulator.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--job", choices=list(JOBS), required=True)
    parser.add_argument("--rtt", type=float, default=0.0)
    parser.add_argument("--op-time", type=float, default=0.0)
    parser.add_argument("--dop-hint", type=int, default=4)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--key", required=True)
    return parser.parse_args()


def _listening(emulator: Emulator, certificate: str, key: str) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(emulator.gateway)
    # The handshake belongs to the connection's own thread: in the accepting one it would hold up all others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


def _reset(emulator: Emulator, server: Server, job: Job) -> None:
    """The fixture `clinic`, and what the large job finds there: people and work streams."""
    emulator.reset("clinic")
    unit = emulator.sql("SELECT businessunitid FROM businessunit WHERE parentbusinessunitid IS NULL")[0][0]
    for n in range(job.people):
        address = f"person{n:02}@contoso.example"
        named = {"firstname": "Person", "lastname": f"{n:02}", "internalemailaddress": address, "domainname": address}
        emulator.add("systemuser", businessunitid=unit, msdyn_capacity=50 + n, **named)
    there = {name for (name,) in emulator.sql("SELECT msdyn_name FROM msdyn_liveworkstream")}
    for stream in job.streams:
        if stream.name not in there:
            emulator.add(
                "msdyn_liveworkstream",
                msdyn_name=stream.name,
                msdyn_mode=717210001,
                msdyn_workdistributionmode=192350000,
                msdyn_streamsource=192360000,
                msdyn_capacityformat=192350000,
                msdyn_capacityrequired=30,
            )
    server.log.clear()


def counts(log: list[Request], rtt: float, op_time: float) -> dict[str, float]:
    """What went over the wire: requests, operations (those inside a `$batch` one by one), writes, rounds.

    `rounds` are round trips in a row: the longest chain of requests of which each began after the one before had ended.
    `latency` is what the emulator was told to add to such a chain, in seconds: it knows no noise.
    """
    done = [(r, each) for r in log for each in (r.operations or ((r.method, r.path, r.status),))]
    return {
        "requests": len(log),
        "operations": len(done),
        "writes": sum(method != "GET" for _, (method, _, _) in done),
        "refused": sum(status >= 400 for _, (_, _, status) in done),
        "rounds": _longest(log, lambda _: 1),
        "latency": _longest(log, lambda request: rtt + op_time * max(1, len(request.operations))),
    }


def _longest(log: list[Request], weight: Callable[[Request], float]) -> float:
    chains: list[tuple[float, float]] = []
    for request in sorted(log, key=lambda each: each.started):
        before = max((length for ended, length in chains if ended <= request.started), default=0)
        chains.append((request.ended, before + weight(request)))
    return max((length for _, length in chains), default=0)


if __name__ == "__main__":
    main()
