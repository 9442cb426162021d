"""`python -m benchmarks.fleet`: environments a second, beside the time one takes alone, as Markdown on stdout.

With --write it goes into docs/performance.md. Every run is checked: all environments verified, or in line.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import document, peak
from benchmarks.environment import ROOT, Latency
from benchmarks.jobs import JOBS, SHIPPED
from benchmarks.organizations import reset, served
from benchmarks.run import LATENCIES

COMMANDS = {"apply": ("--yes",), "verify": ()}
WORKERS = (2, 4, 8)
LARGE = 200  # environments, for what memory does
ALONE = 3  # repetitions of one environment alone; the best counts


@dataclass(frozen=True)
class Measured:
    """A command on so many environments. ``workers`` is 0 for `d365setup apply` or `verify` on one alone."""

    command: str
    latency: str
    count: int
    workers: int
    seconds: float
    computed: float  # processor seconds of the fleet's process and all environments' processes
    peak: int = 0  # kilobytes of the fleet's process

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        name = f"fleet {self.command} --workers {self.workers}" if self.workers else f"{self.command}, one alone"
        rate, computed = self.count / self.seconds, self.computed / self.count
        memory = f"{self.peak / 1024:.0f} MB" if self.peak else ""
        times = (f"{self.seconds:.1f}", f"{rate:.2f}", f"{computed:.2f}")
        return (f"`{name}`", self.latency, str(self.count), *times, memory)


def table(found: Sequence[Measured]) -> Iterator[str]:
    """Markdown."""
    yield "| | latency | environments | seconds | environments a second | computing for each, s | memory |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    yield from ("| " + " | ".join(each.cells) + " |" for each in found)


def measured(count: int, latency: str, workers: Sequence[int], told: Callable[[str], Any]) -> Iterator[Measured]:
    """Each command alone, then on all of them with each number of workers; what apply did is there for verify."""
    with served(count, Latency(*LATENCIES[latency])) as urls, tempfile.TemporaryDirectory() as scratch:
        yield from _alone(urls, latency, Path(scratch), told)
        for number in workers:
            reset(urls)
            for command in COMMANDS:
                yield _timed(_fleet(command, urls, number, Path(scratch)), command, latency, count, number, told)


def large(told: Callable[[str], Any], count: int = LARGE) -> Measured:
    """Apply to many; for its memory."""
    with served(count, Latency()) as urls, tempfile.TemporaryDirectory() as scratch:
        return _timed(_fleet("apply", urls, 4, Path(scratch)), "apply", "none", count, 4, told)


def _alone(urls: tuple[str, ...], latency: str, folder: Path, told: Callable[[str], Any]) -> Iterator[Measured]:
    calls = {
        command: _Call(["-m", "d365setup", command, str(SHIPPED), *options, "--url", urls[0]], folder)
        for command, options in COMMANDS.items()
    }
    reset(urls[:1])
    for call in calls.values():  # not counted: it writes the bytecode
        _timed(call, "", latency, 1, 0, told)
    for command, call in calls.items():
        turns = []
        for _ in range(ALONE):
            if command == "apply":
                reset(urls[:1])
            turns.append(_timed(call, command, latency, 1, 0, told))
        yield min(turns, key=lambda each: each.seconds)


@dataclass(frozen=True)
class _Call:
    arguments: list[str]
    folder: Path


def _fleet(command: str, urls: tuple[str, ...], workers: int, folder: Path) -> _Call:
    lines = [f"  - {{name: e{number}, url: {url}}}" for number, url in enumerate(urls)]
    head = f"fleet: 1\nplaybook: {SHIPPED}\nsign_in: {{token: BENCHMARK_TOKEN}}\nenvironments:\n"
    (folder / "fleet.yaml").write_text(head + "\n".join(lines) + "\n")
    options = [*COMMANDS[command], "--workers", str(workers), "--format", "json"]
    return _Call(["-c", peak.PROGRAM, "fleet", command, "fleet.yaml", *options], folder)


def _timed(  # what a row of the table says
    call: _Call, command: str, latency: str, count: int, workers: int, told: Callable[[str], Any]
) -> Measured:
    """Seconds from the start of the process to its end. Raises RuntimeError for any end but success."""
    before, began = _computed(), time.perf_counter()
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, *call.arguments],
        env=_surroundings(call.folder), cwd=call.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if done.returncode:
        message = f"{call.arguments} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        raise RuntimeError(message)
    found = Measured(command, latency, count, workers, seconds, _computed() - before, peak.held(call.folder))
    told(f"{command}, {latency}, {count} environments, {workers} workers: {seconds:.1f} s")
    return found


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _surroundings(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    (bot,) = JOBS["small"].bots
    ids = {"BOT_APPLICATION_ID": bot.application_id, "HEALTH_BOT_ID": bot.bot_id}
    own = {"D365_ACCESS_TOKEN": "benchmark", "BENCHMARK_TOKEN": "benchmark", "PYTHONPATH": str(ROOT)}
    places = {"D365_GATE_DIR": str(folder / "gates"), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    return {**kept, **ids, **own, **places}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="environments of each run")
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--write", action="store_true", help="put it into docs/performance.md")
    given = parser.parse_args()
    found: list[Measured] = []
    for latency in ("80ms/20ms", "none"):
        found += measured(given.count, latency, given.workers, lambda text: print(text, file=sys.stderr))
    found.append(large(lambda text: print(text, file=sys.stderr)))
    text = "\n".join(table(found))
    print(text)
    if given.write:
        document.put(document.PAGE, "fleet", text)
        day = datetime.datetime.now(datetime.UTC).date()
        told = f"Measured {day}; busy processes in its last minute, ours among them: {os.getloadavg()[0]:.1f}."
        document.put(document.PAGE, "fleet when", told)


if __name__ == "__main__":
    main()
