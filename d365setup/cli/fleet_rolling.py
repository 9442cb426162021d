"""A fleet's run, here or on a cluster: wave by wave, each end recorded as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import click

from d365setup.cli.fleet_playbooks import Declared
from d365setup.cli.fleet_watch import Watch
from d365setup.cli.stopping import stoppable
from d365setup.fleet.choosing import Batch
from d365setup.fleet.cluster import Cluster, Watched
from d365setup.fleet.entries import Environment, Fleet
from d365setup.fleet.link import Link
from d365setup.fleet.luggage import Luggage
from d365setup.fleet.order import Order
from d365setup.fleet.record import Record
from d365setup.fleet.results import LEFT_OUT, FleetRun, Result
from d365setup.fleet.running import Place, Rollout, Threads
from d365setup.fleet.working import perform

_OFTEN = 0.2  # seconds between two looks whether somebody wants to stop, during a pause
THREADS = 8  # environments at a time here


@dataclass(frozen=True)
class Prepared:
    """A fleet ready to go: the environments meant, and what their playbooks declare."""

    fleet: Fleet
    environments: tuple[Environment, ...]
    declared: Declared


@dataclass(frozen=True)
class Sides:
    """What is left to do, wave by wave; what is settled already; where it is recorded."""

    todo: tuple[Batch, ...]
    settled: tuple[Result, ...]
    record: Record


@dataclass(frozen=True)
class Means:
    """How many at a time; and the cluster that does it, what goes there, how long it may be without workers."""

    workers: int | None = THREADS
    link: Link | None = None
    luggage: Luggage | None = None
    patience: float = 300.0


def rolled_out(ready: Prepared, means: Means, order: Order, sides: Sides) -> FleetRun:
    """Do it, and say what became of each environment."""
    found = {each.environment: each for each in sides.settled}
    watch = Watch(sum(len(each.environments) for each in sides.todo))
    in_waves = order.command == "apply" and bool(ready.fleet.waves)
    limit = ready.fleet.max_failed if order.command == "apply" else 100
    with stoppable() as stop:
        watched = Watched(stop, lambda: rollout.stopped, watch.began, watch.said)
        place = _place(means, order, watched)
        rollout = Rollout(sides.todo, place.run, partial(_between, stop), limit)
        for ended in rollout.results():
            rollout.stopped = place.lost or rollout.stopped
            result = ended if in_waves else replace(ended, wave="")
            watch.over(result)
            found[result.environment] = result
            if result.state not in LEFT_OUT:
                sides.record.ended(result, ready.declared.told[result.environment])
        interrupted = stop()
    results = tuple(found[each.name] for each in ready.environments)
    things = {} if order.command == "audit" else ready.declared.things  # an audit's rows are what it found
    declared = tuple(things.get(each.name, ()) for each in ready.environments)
    stopped = "interrupted" if interrupted else rollout.stopped
    return FleetRun(
        order.command, ready.fleet.file, results, declared, sides.record.run, stopped, interrupted=interrupted
    )


def _place(means: Means, order: Order, watched: Watched) -> Place:
    if means.link is None or means.luggage is None:
        job = partial(perform, order, stopping=watched.stopping)
        return Threads(job, means.workers or THREADS, watched.held, watched.began)
    return Cluster(means.link, means.luggage, watched, means.patience, means.workers)


def _between(stop: Callable[[], bool], batch: Batch, following: Batch) -> str:
    """Wait, and ask where a gate is; "" to go on."""
    until = time.monotonic() + batch.wave.seconds
    while time.monotonic() < until and not stop():
        time.sleep(min(_OFTEN, max(0.0, until - time.monotonic())))
    if stop():
        return "interrupted"
    if not batch.wave.gate:
        return ""
    told = f"the gate behind wave {batch.wave.of} is shut"
    if not sys.stdin.isatty():
        return f"{told}: there is no terminal to ask on, and --resume opens it"
    click.echo(f"wave {batch.wave.of} is done; go on with {following.wave.of}? [y/N] ", nl=False, err=True)
    return "" if sys.stdin.readline().strip().lower() in ("y", "yes") else told
