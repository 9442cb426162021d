"""Each playbook that comes with the tool converges whatever the platform answers, and however it is disturbed.

The switches are those of `tests/engine/test_switches.py`: all topics multiplied out (144 combinations), the others
riding along. `health-bot.yaml` is applied under each; the other playbooks under as few of them as say whatever any
three of the eleven switches can say together, for all five under each take longer than such a test should.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any

import pytest

from d365setup.apply import Settings
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Limits, Options, Switches, fault_of
from d365setup.emulator.faults import KINDS as FAULT_KINDS
from d365setup.kinds import discover, specs
from d365setup.outcome import Status
from d365setup.playbook import Playbook, load_file
from d365setup.session import Session
from tests.engine.driver import operations
from tests.engine.rows import rows
from tests.engine.test_disturbed import Clock
from tests.engine.test_switches import EVERY, RIDERS, TOPICS
from tests.test_shipped import FOLDER, SHIPPED

pytestmark = pytest.mark.no_cover  # other tests measure what this repeats; tracing would double the time

KINDS = discover()
EVERYWHERE = "health-bot.yaml"
VALUES = {**TOPICS, **RIDERS}
WRITING = "method=PATCH|POST|DELETE"
FAULTS = (  # each meets the first write: those that look at operations by its method, the others by counting requests
    "429",
    "503",
    f"deadlock:{WRITING}",
    f"500:{WRITING}",
    f"403:{WRITING}",
    f"slow:time=5ms:{WRITING}",
    "drop-before",
    f"drop-midway:{WRITING}",
    "drop-within",
    "drop-after",
    "torn",
    f"stale:reads=6:{WRITING}",
)


def switches(number: int) -> Switches:
    """Combination by number. The factor of the riders is one with which every three answers meet."""
    riding = {name: values[number * 19 // 3 ** (place + 1) % 2] for place, (name, values) in enumerate(RIDERS.items())}
    return Switches(**EVERY[number], **riding)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Ran:
    """An apply: what it had to change, how that ended, what it sent."""

    statuses: Mapping[str, Status]
    changes: frozenset[str]
    requests: tuple[tuple[tuple[str, str, int], ...], ...]

    @property
    def writes(self) -> list[tuple[str, str, int]]:
        return [each for request in self.requests for each in request if _is_write(each)]

    @property
    def first_write(self) -> int:
        """How many requests came before the first that writes."""
        return next(n for n, request in enumerate(self.requests) if any(map(_is_write, request)))


def _is_write(operation: tuple[str, str, int]) -> bool:
    """A batch that was turned away as a whole is logged as one operation, and wrote nothing."""
    method, path, status = operation
    return method != "GET" and not (path.endswith("/$batch") and status == 429)


@cache
def shipped(name: str) -> Playbook:
    return load_file(FOLDER / name, specs(KINDS), {}, {}, examples=True)


@contextmanager
def serving(options: Options | None = None, clock: Clock | None = None) -> Iterator[Emulator]:
    emulator = Emulator(None, options) if clock is None else Emulator(None, options, sleep=clock.sleep, clock=clock)
    with closing(emulator), emulator.serve():
        yield emulator


def ran(emulator: Emulator, name: str, clock: Clock | None = None) -> Ran:
    """Apply a playbook as the command does; pauses are noted, not slept."""
    emulator.reset_log()
    sleep: Callable[[float], None] = [].append if clock is None else clock.sleep
    with Client(emulator.url, StaticToken("any"), sleep=sleep, clock=clock or time.monotonic) as client:
        session = Session(client, KINDS, shipped(name))
        decision = session.decide(session.look())
        run = session.carry_out(decision, Settings(sleep=sleep, contract_wait=5))
    return Ran(
        {str(each.change.id): each.status for each in run.outcomes},
        frozenset(str(each.id) for each in decision.plan.changes),
        tuple(tuple(operations(request)) for request in emulator.requests),
    )


@cache
def undisturbed(name: str) -> tuple[dict[str, list[Any]], Ran]:
    """The rows a plain run leaves, and that run."""
    with serving() as emulator:
        first = ran(emulator, name)
        return rows(emulator), first


def check_quiet(run: Ran, about: object = "") -> None:
    assert (run.changes, run.writes) == (frozenset(), []), about


def of(kind: str, keys: Mapping[str, Status] | frozenset[str]) -> set[str]:
    return {key for key in keys if key.startswith(f"{kind}:")}


def test_all_are_here() -> None:
    assert len(SHIPPED) == 5
    assert len(EVERY) == 144
    assert {rule.partition(":")[0] for rule in FAULTS} == {*FAULT_KINDS, "403"}


def threes(number: int) -> set[frozenset[tuple[str, str]]]:
    """What any three switches say together in a combination."""
    said = sorted((name, value) for name, value in vars(switches(number)).items() if name in VALUES)
    return set(map(frozenset, combinations(said, 3)))


@cache
def covering() -> tuple[int, ...]:
    """Combinations that together say all that three switches can say: always the one next that adds the most."""
    said = {number: threes(number) for number in range(len(EVERY))}
    left: set[frozenset[tuple[str, str]]] = set().union(*said.values())
    chosen = []
    while left:
        chosen.append(max(said, key=lambda number: len(said[number] & left)))
        left -= said[chosen[-1]]
    return tuple(sorted(chosen))


def test_whatever_three_switches_can_say_together_is_said() -> None:
    assert {*VALUES, "contract_delay_reads"} == set(Switches.__dataclass_fields__)
    possible = {
        frozenset(zip(names, said, strict=True))
        for names in combinations(VALUES, 3)
        for said in product(*(VALUES[name] for name in names))
    }
    assert len(possible) == 1698
    assert set().union(*map(threes, covering())) == possible
    print(f"{len(covering())} of {len(EVERY)} combinations")  # noqa: T201  # for whoever asks with -rP
    assert len(covering()) == 37


@pytest.mark.parametrize("contract", TOPICS["contract"])
@pytest.mark.parametrize("mappings", TOPICS["mappings"])
def test_each_converges_whatever_the_answers(contract: str, mappings: str) -> None:
    mine = [n for n, each in enumerate(EVERY) if (each["contract"], each["mappings"]) == (contract, mappings)]
    done = []
    for number in mine:
        chosen = switches(number)
        with serving(Options(switches=chosen)) as emulator:
            for name in SHIPPED if number in covering() else [EVERYWHERE]:
                emulator.reset()  # costs an eighth of a new one
                first, second = ran(emulator, name), ran(emulator, name)
                _check_first(first, chosen, (name, chosen))
                _check_second(second, of("routing_rule", first.changes), chosen, (name, chosen))
                done.append(name)
    others = len(SHIPPED) - 1
    assert done.count(EVERYWHERE) == 16
    assert len(done) - 16 == len({*mine} & {*covering()}) * others > 0


def _check_first(run: Ran, chosen: Switches, about: object) -> None:
    """Everything is as wanted, but what the platform's answers keep from being so."""
    kept_name = of("bot_user", run.changes) if chosen.full_name == "entra" else set()
    no_rules = of("routing_rule", run.changes) if chosen.contract == "never" else set()
    assert len(of("bot_user", run.changes)) == 1
    for key in run.changes:
        wanted = Status.NOT_VERIFIED if key in kept_name else Status.NOT_WRITTEN if key in no_rules else Status.VERIFIED
        assert run.statuses[key] == wanted, (about, key, run.statuses)


def _check_second(run: Ran, rules: set[str], chosen: Switches, about: object) -> None:
    """Nothing is written any more, and nothing is left but the rules an unextended contract keeps away."""
    assert run.changes == (rules if chosen.contract == "never" else set()), about
    assert run.writes == [], about
    assert set(run.statuses.values()) <= {Status.NOT_WRITTEN}, about


@pytest.mark.parametrize("name", SHIPPED)
def test_it_converges_over_a_long_wire(name: str) -> None:
    with serving(Options(rtt=0.02)) as emulator:
        assert set(ran(emulator, name).statuses.values()) == {Status.VERIFIED}
        assert rows(emulator) == undisturbed(name)[0]
        check_quiet(ran(emulator, name))


@pytest.mark.parametrize("limits", [Limits(requests=2, window=5), Limits(requests=3, window=60)], ids=str)
@pytest.mark.parametrize("name", SHIPPED)
def test_it_converges_while_throttled(name: str, limits: Limits) -> None:
    clock = Clock()
    with serving(Options(limits=limits), clock) as emulator:
        run = ran(emulator, name, clock)
        assert set(run.statuses.values()) == {Status.VERIFIED}
        assert 429 in {status for request in run.requests for _, _, status in request}
        assert rows(emulator) == undisturbed(name)[0]
        check_quiet(ran(emulator, name, clock))


@pytest.mark.parametrize("name", SHIPPED)
def test_it_converges_after_each_fault_on_a_write(name: str) -> None:
    """The run that is struck may fail; the next one ends where a plain run does."""
    expected, plain = undisturbed(name)
    with serving() as emulator:
        for rule in FAULTS:
            emulator.reset()
            emulator.fail(fault_of(rule if "method=" in rule else f"{rule}:skip={plain.first_write}"))
            ran(emulator, name)
            assert emulator.faults.waiting == [], (rule, "it has struck")
            emulator.gateway.snapshots.release()
            second = ran(emulator, name)
            assert set(second.statuses.values()) <= {Status.VERIFIED}, rule
            assert rows(emulator) == expected, rule
            check_quiet(ran(emulator, name) if second.changes else second, rule)
