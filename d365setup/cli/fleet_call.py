"""What the fleet's commands share: their options, the way from the file to a run, and what is shown meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from d365setup.cli.environment import Surroundings
from d365setup.cli.fleet_playbooks import Declared, playbooks
from d365setup.cli.options import age, gathered, seconds
from d365setup.cli.output import Output
from d365setup.cli.stopping import stoppable
from d365setup.errors import Refused, UsageError
from d365setup.fleet.choosing import Batch, chosen, frozen, waves
from d365setup.fleet.entries import Environment, Fleet
from d365setup.fleet.file import load
from d365setup.fleet.record import Past, Record
from d365setup.fleet.results import LEFT_OUT, Command, FleetRun, Result
from d365setup.fleet.running import Rollout, run_fleet
from d365setup.fleet.working import Order, perform
from d365setup.kinds import discover
from d365setup.report.visible import visible

_OFTEN = 0.2  # seconds between two looks whether somebody wants to stop, during a pause
_SHOWN = 6  # environments named as running


@dataclass(frozen=True)
class Wide:
    """Which environments, how many at a time, and how patient."""

    only: tuple[str, ...] = ()
    workers: int = 8
    timeout: float = 900.0
    resume: str | None = None
    state_dir: Path | None = None
    max_wait: float = 300.0
    ca_bundle: Path | None = None

    @property
    def reach(self) -> tuple[str, ...]:
        """The options that each environment's command gets."""
        bundle = (f"--ca-bundle={self.ca_bundle}",) if self.ca_bundle else ()
        return (f"--max-wait={self.max_wait:g}", *bundle)


with_wide = gathered(
    Wide,
    "wide",
    click.option(
        "--only", multiple=True, metavar="WHICH", help="Only these: group=NAME, label=NAME, or an environment. Repeats."
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 256),
        default=8,
        show_default=True,
        metavar="N",
        help="How many environments at a time.",
    ),
    click.option(
        "--timeout",
        type=lambda text: age(text) if text[-1:] in "mhd" else seconds(text),
        default="15m",
        show_default=True,
        metavar="TIME",
        help="How long one environment may take, as 90s, 15m or 2h; then it is ended.",
    ),
    click.option("--resume", metavar="RUN", help="Go on with a run: what it finished is left alone."),
    click.option(
        "--state-dir",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="What lasts between runs. [env: D365_STATE_DIR; default: .d365setup]",
    ),
    click.option(
        "--max-wait",
        type=seconds,
        default="300",
        show_default=True,
        metavar="SECONDS",
        help="How long one request may wait in all when the service is busy.",
    ),
    click.option(
        "--ca-bundle",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Certificates to trust, where a proxy signs with its own. [env: D365_CA_BUNDLE]",
    ),
)


@dataclass(frozen=True)
class Prepared:
    """A fleet ready to go: the environments meant, and what their playbooks declare."""

    fleet: Fleet
    environments: tuple[Environment, ...]
    declared: Declared


@dataclass
class Watch:
    """What somebody at a terminal sees: each end as it comes, and what is running."""

    count: int
    running: dict[str, None] = field(default_factory=dict)
    ended: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def began(self, name: str) -> None:
        """Called by the thread that begins it."""
        with self.lock:
            self.running[name] = None

    def over(self, result: Result) -> None:
        """One line, on a terminal."""
        with self.lock:
            self.running.pop(result.environment, None)
            self.ended += 1
            now = list(self.running)
        if sys.stderr.isatty():
            more = f" and {len(now) - _SHOWN} more" if len(now) > _SHOWN else ""
            tail = f"; running: {', '.join(now[:_SHOWN])}{more}" if now else ""
            took = f"{result.seconds:.1f} s"
            click.echo(
                visible(f"{self.ended}/{self.count}  {result.state}  {result.environment}  {took}{tail}"), err=True
            )


def prepared(file: Path, wide: Wide, command: Command, options: Sequence[str]) -> Prepared:
    """Read the file and every playbook it names. Raises FleetError with all mistakes, before anything is sent."""
    fleet = load(file, discover())
    environments = chosen(fleet, wide.only)
    return Prepared(fleet, environments, playbooks(environments, (command, *options)))


def carried_out(ready: Prepared, wide: Wide, order: Order, output: Output, *, yes: bool = True) -> int:
    """Run it and print what became of it; the answer is the exit code."""
    folder = Path(order.state_dir)
    with closing(Record(folder, wide.resume or "")) as record:
        past = record.past() if wide.resume else Past(order.command)
        if past.command != order.command:
            raise UsageError(f"run {record.run} was a fleet {past.command}: go on with that, or leave --resume out")
        todo, settled = _sorted_out(ready, past, order.command)
        if not yes and todo:
            _ask(ready, todo, output)
        record.began(order.command, ready.fleet.file)
        return output.emit(_rolled_out(ready, wide, order, _Sides(todo, settled, record)))


@dataclass(frozen=True)
class _Sides:
    """What is left to do, wave by wave; what is settled already; where it is recorded."""

    todo: tuple[Batch, ...]
    settled: tuple[Result, ...]
    record: Record


def _rolled_out(ready: Prepared, wide: Wide, order: Order, sides: _Sides) -> FleetRun:
    found = {each.environment: each for each in sides.settled}
    watch = Watch(sum(len(each.environments) for each in sides.todo))
    in_waves = order.command == "apply" and bool(ready.fleet.waves)
    limit = ready.fleet.max_failed if order.command == "apply" else 100
    with stoppable() as stop, ThreadPoolExecutor(wide.workers, "fleet") as executor:

        def job(environment: Environment) -> Result:
            if rollout.stopped:
                return Result(environment.name, environment.url, "not started", message=rollout.stopped)
            watch.began(environment.name)
            return perform(order, environment, stop)

        run = partial(run_fleet, job=job, executor=executor)
        rollout = Rollout(sides.todo, run, partial(_between, stop), limit)
        for ended in rollout.results():
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


def _sorted_out(ready: Prepared, past: Past, command: Command) -> tuple[tuple[Batch, ...], tuple[Result, ...]]:
    """The waves with what is left to do, and what is not to be done: frozen now, or done by the run that is resumed."""
    settled: dict[str, Result] = {}
    now = datetime.now(UTC)
    for each in ready.environments:
        told, result = past.done.get(each.name, ("", None))
        if result is not None and told == ready.declared.told[each.name] and _is_done(result):
            settled[each.name] = replace(result, earlier=True)
        elif command == "apply" and (why := frozen(ready.fleet, each, now)):
            settled[each.name] = Result(each.name, each.url, "frozen", message=why, cure=_THAWED)
    every = waves(ready.fleet.waves if command == "apply" else (), ready.environments)
    left = (replace(b, environments=tuple(e for e in b.environments if e.name not in settled)) for b in every)
    return tuple(each for each in left if each.environments), tuple(settled.values())


_THAWED = "wait, or except it in the fleet file's `freeze`, by name"


def _is_done(result: Result) -> bool:
    return not result.is_broken and result.state not in LEFT_OUT and result.state != "by hand"


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
        return told
    click.echo(f"wave {batch.wave.of} is done; go on with {following.wave.of}? [y/N] ", nl=False, err=True)
    return "" if sys.stdin.readline().strip().lower() in ("y", "yes") else told


def _ask(ready: Prepared, todo: Sequence[Batch], output: Output) -> None:
    """Which environments, in which waves; then a yes. Raises Refused."""
    for batch in todo:
        names = ", ".join(each.name for each in batch.environments)
        click.echo(visible(f"wave {batch.wave.of}: {names}"), err=True)
    if not sys.stdin.isatty():
        raise Refused("there is no terminal to ask on, and nothing was written; add --yes to apply without asking")
    count = sum(len(each.environments) for each in todo)
    many = "1 environment" if count == 1 else f"{count} environments"
    if not output.confirmed(f"Apply {ready.fleet.file} to {many} ({len(todo)} waves)?"):
        raise Refused("not applied: you did not say yes; nothing was written")


def order_of(command: Command, ready: Prepared, wide: Wide, output: Output, options: Sequence[str]) -> Order:
    """What each environment's process is told."""
    redact = ("--redact",) if output.settings.redact else ()
    state_dir = Surroundings.here().state_dir(wide.state_dir) / "fleet"
    return Order(
        command,
        tuple(options),
        (*wide.reach, *redact),
        str(state_dir.absolute()),
        wide.timeout,
        ready.fleet.limits,
        ready.fleet.references,
    )


def looked(command: Command, file: Path, wide: Wide, output: Output, options: Sequence[str] = ()) -> int:
    """A command that only reads, in all environments at once."""
    ready = prepared(file, wide, command, options)
    return carried_out(ready, wide, order_of(command, ready, wide, output, options), output)
