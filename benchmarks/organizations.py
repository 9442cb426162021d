"""Many organizations in one process of its own: `python -m benchmarks.organizations 40 0.08 0.02` prints their URLs.

Their rows are in temporary files that are not flushed to the disk, so that the disk is not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from benchmarks.environment import ROOT, Latency
from d365setup.emulator import Options, Organizations


@contextmanager
def served(count: int, latency: Latency) -> Iterator[tuple[str, ...]]:
    """Where they listen, while they do."""
    call = [sys.executable, "-m", "benchmarks.organizations", str(count), str(latency.rtt), str(latency.op_time)]
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own module
        assert process.stdout is not None
        try:
            yield tuple(json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def reset(urls: tuple[str, ...]) -> None:
    """All of them begin again."""
    for url in urls:
        requests.post(f"{url}/_emulator/reset", json={"fixture": "clinic"}, timeout=60).raise_for_status()


def main(count: str, rtt: str, op_time: str) -> None:
    found = Organizations(None, Options(rtt=float(rtt), op_time=float(op_time)), int(count))
    found.serve_forever(0, lambda urls: print(json.dumps(urls), flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:4])
