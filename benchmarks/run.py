"""`python -m benchmarks.run --job small|large --latency 80ms/20ms|none`: the table, as Markdown on stdout."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import rows
from benchmarks.environment import ROOT, Environment, Latency
from benchmarks.jobs import JOBS, Job

LATENCIES = {"none": (0.0, 0.0), "80ms/20ms": (0.08, 0.02)}
SHOWN = {
    "d365setup": "`d365setup apply`",
    "untested": "`d365setup apply --skip-tests`",
    "sdk": "Microsoft's SDK, straightforward",
    "plain": "plain `requests` script",
    "tuned": "tuned script, 8 threads",
    "minimum": "hand-written minimum",
    "proved": "hand-written minimum with gate and read-back",
}
TOOL = {"d365setup": (), "untested": ("--skip-tests",)}  # options of the command; only the small job has tests


@dataclass
class Measured:
    """One contender's first and second run; seconds of every repeat, and those of them it computed."""

    counts: dict[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"first": [], "second": []})
    computed: dict[str, list[float]] = field(default_factory=lambda: {"first": [], "second": []})

    def best(self, which: str) -> float:
        """The least of all repeats: what else runs on the machine only ever adds."""
        return min(self.seconds[which])


def command(name: str, job: Job, environment: Environment) -> list[str]:
    """What is run: for d365setup the real command, for all others their script."""
    if name not in TOOL:
        return [sys.executable, "-m", "benchmarks.contenders", name, job.name, environment.url]
    playbook = environment.folder / "job.yaml"
    playbook.write_text(job.playbook)
    call = ["-m", "d365setup", "apply", str(playbook), "--yes", "--url", environment.url]
    return [sys.executable, *call, "--ca-bundle", str(environment.ca), *TOOL[name], *_variables(job)]


def _variables(job: Job) -> Iterator[str]:
    """The small job's playbook asks for its ids."""
    if job.name == "small":
        yield from ("--var", f"bot_application_id={job.bots[0].application_id}")
        yield from ("--var", f"health_bot_id={job.bots[0].bot_id}")


def surroundings(environment: Environment) -> dict[str, str]:
    """Environment variables of every contender alike; bytecode is kept, as it is of anything installed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {"D365_ACCESS_TOKEN": "benchmark", "REQUESTS_CA_BUNDLE": str(environment.ca), "PYTHONPATH": str(ROOT)}
    return {**kept, **own, "PYTHONPYCACHEPREFIX": str(environment.folder / "bytecode")}


def timed(name: str, job: Job, environment: Environment) -> tuple[float, float]:
    """Seconds from the start of the process to its end, and those it computed. Raises RuntimeError when it fails."""
    call = command(name, job, environment)
    variables = surroundings(environment)
    before, began = _computed(), time.perf_counter()
    done = subprocess.run(call, env=variables, cwd=environment.folder, capture_output=True, text=True, check=False)  # noqa: S603
    seconds = time.perf_counter() - began
    if done.returncode:
        message = f"{name} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        raise RuntimeError(message)
    return seconds, _computed() - before


def _computed() -> float:
    """Processor seconds of the processes that have ended; the emulator's has not."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def twice(name: str, job: Job, environment: Environment) -> Iterator[tuple[str, tuple[float, float], dict[str, float]]]:
    """The first and the second run, each checked against the rows there must be. Raises RuntimeError for others."""
    environment.ask("reset")
    must = rows.wants(job, environment.ask("rows"))
    for which in ("first", "second"):
        environment.ask("forget")
        seconds = timed(name, job, environment)
        counts: dict[str, float] = environment.ask("counts")
        wrong = rows.differences(environment.ask("rows"), must)
        wrong += [f"{counts['refused']} requests were refused"] if counts["refused"] else []
        wrong += [f"{counts['writes']} writes of nothing new"] if which == "second" and counts["writes"] else []
        if wrong:
            raise RuntimeError(f"{name}, {which} run: " + "\n".join(wrong[:20]))
        yield which, seconds, counts


def measured(
    job: Job, latency: Latency, names: list[str], repeat: int, told: Callable[[str], Any]
) -> dict[str, Measured]:
    """Every contender in turn, as often as asked; a turn before, without latency and not counted, writes bytecode."""
    found = {name: Measured() for name in names}
    with tempfile.TemporaryDirectory() as scratch:
        with Environment(job.name, Latency(), Path(scratch)) as environment:
            for name in names:
                list(twice(name, job, environment))
        with Environment(job.name, latency, Path(scratch)) as environment:
            for turn, name in product(range(1, repeat + 1), names):
                for which, (seconds, computed), counts in twice(name, job, environment):
                    told(f"{job.name}, {latency.shown}: turn {turn}, {name}, {which}: {seconds:.2f} s")
                    found[name].seconds[which].append(seconds)
                    found[name].computed[which].append(computed)
                    found[name].counts[which] = counts
    return found


def table(found: Mapping[str, Measured]) -> Iterator[str]:
    """Markdown. Ratios are best seconds against those of d365setup in the same run: above 1, d365setup is ahead."""
    yield "| | run | requests | operations | rounds | seconds, best | worst | computing | latency | against d365setup |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for which in ("first", "second"):
        base = found["d365setup"].best(which) if "d365setup" in found else None
        for name, each in found.items():
            seconds, counts = each.seconds[which], each.counts[which]
            ratio = f"{each.best(which) / base:.2f}" if base else ""
            cells = [SHOWN[name], which, *(f"{counts[each]:.0f}" for each in ("requests", "operations", "rounds"))]
            times = (min(seconds), max(seconds), min(each.computed[which]), counts["latency"])
            yield "| " + " | ".join([*cells, *(f"{number:.2f}" for number in times), ratio]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", choices=list(JOBS), default="small")
    parser.add_argument("--latency", choices=list(LATENCIES), default="80ms/20ms")
    parser.add_argument("--dop-hint", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many is told, and the worst")
    parser.add_argument("--only", nargs="+", choices=list(SHOWN), default=list(SHOWN))
    given = parser.parse_args()
    latency = Latency(*LATENCIES[given.latency], given.dop_hint)
    found = measured(JOBS[given.job], latency, given.only, given.repeat, lambda text: print(text, file=sys.stderr))
    print(f"### {given.job} job, {latency.shown}\n")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
