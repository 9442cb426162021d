"""What the fleet's commands share: their options, and the way from the file to a run."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from d365setup.cli.environment import Surroundings
from d365setup.cli.fleet_playbooks import playbooks
from d365setup.cli.fleet_rolling import THREADS, Means, Prepared, Sides, rolled_out
from d365setup.cli.options import age, ca_bundle, gathered, max_wait, seconds, state_dir
from d365setup.cli.output import Output
from d365setup.errors import Refused, UsageError
from d365setup.fleet.choosing import Batch, chosen, frozen, waves
from d365setup.fleet.file import load
from d365setup.fleet.joining import joined
from d365setup.fleet.luggage import packed
from d365setup.fleet.order import Order
from d365setup.fleet.record import Past, Record
from d365setup.fleet.results import GOOD, Command, Result
from d365setup.kinds import discover
from d365setup.report.visible import visible

_MOST_HERE = 256  # processes at a time on this machine


@dataclass(frozen=True)
class Wide:
    """Which environments, how many at a time, and how patient."""

    only: tuple[str, ...] = ()
    workers: int | None = None
    scheduler: str | None = None
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


def _patience(text: str) -> float:
    """A time, written as 90s, 15m or 2h; none at all would end every environment before it begins."""
    found = age(text) if text[-1:] in "mhd" else seconds(text)
    if not found:
        raise click.BadParameter("no environment can be done in no time; write it like 90s, 15m or 2h")
    return found


with_wide = gathered(
    Wide,
    "wide",
    click.option(
        "--only", multiple=True, metavar="WHICH", help="Only these: group=NAME, label=NAME, or an environment. Repeats."
    ),
    click.option(
        "--workers",
        type=click.IntRange(1, 10_000),
        metavar="N",
        help="How many environments at a time. [default: 8; with --scheduler as many as its workers take]",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Do the work on a Dask cluster: tcp://HOST:8786 or tls://HOST:8786 (docs/fleet.md).",
    ),
    click.option(
        "--timeout",
        type=_patience,
        default="15m",
        show_default=True,
        metavar="TIME",
        help="How long one environment may take, as 90s, 15m or 2h; then it is ended.",
    ),
    click.option("--resume", metavar="RUN", help="Go on with a run: what it finished is left alone."),
    state_dir,
    max_wait,
    ca_bundle,
)


def prepared(file: Path, wide: Wide, command: Command, options: Sequence[str]) -> Prepared:
    """Read the file and every playbook it names. Raises FleetError with all mistakes, before anything is sent."""
    fleet = load(file, discover())
    environments = chosen(fleet, wide.only)
    declared = playbooks(environments, (command, *options))
    if wide.scheduler is not None:  # workers have none of our variables
        known = declared.variables
        environments = tuple(replace(each, variables=known[each.name] | each.variables) for each in environments)
    return Prepared(fleet, environments, declared)


def carried_out(ready: Prepared, wide: Wide, order: Order, output: Output, *, yes: bool = True) -> int:
    """Run it and print what became of it; the answer is the exit code."""
    folder = Path(order.state_dir)
    with _means(ready, wide, order) as means, closing(Record(folder, wide.resume or "")) as record:
        past = record.past() if wide.resume else Past(order.command)
        if past.command != order.command:
            raise UsageError(f"run {record.run} was a fleet {past.command}: go on with that, or leave --resume out")
        todo, settled = _sorted_out(ready, past, order.command)
        if not yes and todo:
            _ask(ready, todo, output)
        record.began(order.command, ready.fleet.file)
        run = rolled_out(ready, means, order, Sides(todo, settled, record))
        return output.emit(replace(run, options=_again(wide, order, yes=yes)))


def _again(wide: Wide, order: Order, *, yes: bool) -> tuple[str, ...]:
    """What a call that goes on must say again: which environments, and what to do there."""
    only = (f"--only={each}" for each in wide.only)
    return (*only, *(each for each in order.options if yes or each != "--yes"))


@contextmanager
def _means(ready: Prepared, wide: Wide, order: Order) -> Iterator[Means]:
    """Threads, or the cluster; what is wrong with that is told before anything is recorded or sent."""
    if wide.scheduler is not None:
        luggage = packed(order, ready.declared.texts, secrets.token_hex(8))
        with joined(wide.scheduler) as link:
            yield Means(wide.workers, link, luggage, wide.max_wait)
        return
    if wide.workers and wide.workers > _MOST_HERE:
        raise UsageError(f"--workers {wide.workers}: here it can be {_MOST_HERE} at most; a cluster takes more")
    yield Means(wide.workers or THREADS)


def _sorted_out(ready: Prepared, past: Past, command: Command) -> tuple[tuple[Batch, ...], tuple[Result, ...]]:
    """The waves with what is left to do, and what is not to be done: frozen now, or done by the run that is resumed."""
    settled: dict[str, Result] = {}
    now = datetime.now(UTC)
    for each in ready.environments:
        told, result = past.done.get(each.name, ("", None))
        if result is not None and told == ready.declared.told[each.name] and result.state in GOOD:
            settled[each.name] = replace(result, earlier=True)
        elif command == "apply" and (why := frozen(ready.fleet, each, now)):
            settled[each.name] = Result(each.name, each.url, "frozen", message=why, cure=_THAWED)
    every = waves(ready.fleet.waves if command == "apply" else (), ready.environments)
    left = (replace(b, environments=tuple(e for e in b.environments if e.name not in settled)) for b in every)
    return tuple(each for each in left if each.environments), tuple(settled.values())


_THAWED = "wait, or except it in the fleet file's `freeze`, by name"


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
    folder = Surroundings.here().state_dir(wide.state_dir) / "fleet"
    return Order(
        command,
        tuple(options),
        (*wide.reach, *redact),
        str(folder.absolute()),
        wide.timeout,
        ready.fleet.limits,
        ready.fleet.references,
    )


def looked(command: Command, file: Path, wide: Wide, output: Output, options: Sequence[str] = ()) -> int:
    """A command that only reads, in all environments at once."""
    ready = prepared(file, wide, command, options)
    return carried_out(ready, wide, order_of(command, ready, wide, output, options), output)
