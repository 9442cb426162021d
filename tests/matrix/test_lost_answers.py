"""Answers that never come, or too late: what was sent may land before, while and after we look, or not at all.

At each write of a green-field apply of each shipped playbook: a network that goes away for good with the request or
right behind it, one that fails until we have no more tries, and a request that lands when we have given it up.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from d365setup.cli import main
from d365setup.emulator import Fault
from d365setup.journal import Runs
from d365setup.outcome import Status
from d365setup.session import Unfinished
from tests.engine.driver import operations
from tests.matrix.ground import ARRIVING, VALUES, Ground, applied, new_client, patient
from tests.matrix.plain import Plainly, check_first, check_second, landed_in, rule, statuses_of
from tests.matrix.relay import Relay
from tests.test_shipped import FOLDER, SHIPPED


@pytest.mark.parametrize("lost", ["drop-before", "drop-after"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_network_that_goes_away_in_the_middle_of_a_write(
    name: str, lost: str, ground: Ground, plainly: Plainly, tmp_path: Path
) -> None:
    """Nobody knows whether it landed: that is said of it and of nothing else, and the next apply finds out."""
    plain = plainly(name)
    for number in plain.writing:
        ground.put_back()
        ground.emulator.fail(Fault(where=lost, skip=number))  # type: ignore[arg-type]
        ground.emulator.fail(Fault(where="drop-before", skip=number + (lost == "drop-after"), times=0))
        runs = Runs(tmp_path / str(number))
        with new_client(ground) as client, pytest.raises(Unfinished) as caught:
            applied(ground, name, runs, client)
        unknown = {str(each.id) for each in caught.value.unknown}
        statuses = statuses_of(caught.value.run)
        assert set(statuses) | unknown == set(plain.present)
        assert unknown
        assert not set(statuses) & unknown
        found = ground.traces(plain.changes)
        for key, status in statuses.items():
            assert found[key] == (plain.present if status is Status.VERIFIED else plain.absent)[key], (key, status)
        assert caught.value.exit_code == (7 if Status.VERIFIED in statuses.values() else 6)
        (run,) = runs.names()
        assert runs.read(run).is_open
        ground.emulator.faults.clear()
        told: list[str] = []
        second = applied(ground, name, runs, told=told)
        assert len(told) == 1, told
        settled = runs.read(run)
        assert (settled.settled_by, settled.unknown) == ("apply", ())
        assert landed_in(settled) == {key for key in found if found[key] == plain.present[key]}
        check_second(second, plain, ground, f"{lost} at {number}")


def test_the_command_says_that_it_does_not_know(ground: Ground, plainly: Plainly, tmp_path: Path) -> None:
    """Not reachable, what may or may not be written, and what to do; the next apply says what became of it."""
    plain = plainly("health-bot.yaml")
    ground.put_back()
    number = plain.writing[0]
    ground.emulator.fail(Fault(where="drop-after", skip=number))
    ground.emulator.fail(Fault(where="drop-before", skip=number + 1, times=0))
    where = ["--url", ground.emulator.url, "--state-dir", str(tmp_path), "--max-wait", "0", "--yes"]
    variables = {**VALUES, "D365_GATE_DIR": str(tmp_path / "gate")}
    call = ["apply", str(FOLDER / "health-bot.yaml"), *where]
    first = CliRunner().invoke(main, call, env=variables)
    assert (first.exit_code, first.stdout) == (6, "")
    assert first.stderr.startswith("error: an answer was lost, and nothing can be read any more (the connection to ")
    assert "0 of 11 changes are verified, 7 not known\n" in first.stderr
    assert "queue:Health bot: may or may not be written" in first.stderr
    assert "routing_rule:" not in first.stderr  # surely not written: what they need is not known to be there
    assert "next: run `d365setup plan`" in first.stderr
    ground.emulator.faults.clear()
    second = CliRunner().invoke(main, call, env=variables)
    assert second.exit_code == 0
    assert "of its change sets without an answer 1 landed and 1 did not; the run is settled now" in second.output
    assert ground.rows() == plain.after


@pytest.mark.parametrize("name", SHIPPED)
def test_a_write_that_is_lost_until_there_are_no_more_tries(
    name: str, ground: Ground, plainly: Plainly, tmp_path: Path
) -> None:
    """Lost before the work twice, and after it the third time."""
    plain = plainly(name)
    for number in plain.writing:
        ground.put_back()
        ground.emulator.fail(rule(Fault(where="drop-midway", times=2), plain.beginning(number)))
        ground.emulator.fail(rule(Fault(where="drop-after"), plain.answer(number)))
        runs = Runs(tmp_path / str(number))
        first = applied(ground, name, runs)
        assert ground.emulator.faults.waiting == []
        check_first(first, plain, ground, f"at {number}")
        check_second(applied(ground, name, runs), plain, ground, f"at {number}")


class Late:
    """Holds up one request that the client has given up, until somebody says so."""

    def __init__(self, ground: Ground, relay: Relay, *, at: int | None) -> None:
        self._ground, self._relay, self._left = ground, relay, at
        self.until: Callable[[], bool] = lambda: True
        self.is_over = False

    def __call__(self, seconds: float) -> None:
        """As the request of the number ``at`` comes in, or at the slow operation when there is none."""
        if self._left is None and seconds == ARRIVING:
            return
        if self._left:
            self._left -= 1
            return
        self._ground.on_sleep = self._ground.clock.sleep
        self._relay.hang_up()
        patient(self.until)
        self.is_over = True


@pytest.mark.parametrize("more", [0, 1], ids=["lost once", "lost twice"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_write_that_lands_after_we_looked_and_before_we_send_it_again(
    name: str, more: int, ground: Ground, plainly: Plainly, tmp_path: Path
) -> None:
    """Lost twice: what is sent meanwhile is lost as well, and the last try meets what the first one made."""
    plain = plainly(name)
    for place, number in enumerate(plain.writing):
        ground.put_back()
        runs = Runs(tmp_path / str(number))
        ground.emulator.fail(rule(Fault(where="slow", seconds=1), plain.beginning(number)))
        with Relay(ground.emulator.url) as relay, new_client(ground, relay.url) as client:
            late = Late(ground, relay, at=None)
            lose = [relay.hang_up] * more

            def sent_again(runs: Runs = runs, sent: int = place + 1, lose: list[Callable[[], int]] = lose) -> bool:
                tries = sendings(runs) - sent
                if tries and lose and lose[-1]():
                    lose.pop()
                return tries > more

            late.until = sent_again
            ground.on_sleep = late
            first = applied(ground, name, runs, client)
        assert (late.is_over, lose) == (True, [])
        assert set(statuses_of(first.run).values()) == {Status.VERIFIED}
        check_first(first, plain, ground, f"at {number}")
        check_second(applied(ground, name, runs), plain, ground, f"at {number}")


def sendings(runs: Runs) -> int:
    """How many change sets the one run has sent, as its journal says before each."""
    (run,) = runs.names()
    return len(runs.read(run).sent)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_write_that_comes_in_when_all_is_over(name: str, ground: Ground, plainly: Plainly, tmp_path: Path) -> None:
    """It was sent again meanwhile; its conditions keep it from doing anything a second time."""
    plain = plainly(name)
    for number in plain.writing:
        ground.put_back()
        runs = Runs(tmp_path / str(number))
        ended = threading.Event()
        with Relay(ground.emulator.url) as relay, new_client(ground, relay.url) as client:
            late = Late(ground, relay, at=number)
            late.until = ended.is_set
            ground.on_sleep = late
            first = applied(ground, name, runs, client)
            answered = len(ground.emulator.requests)
            ended.set()
            patient(lambda answered=answered: len(ground.emulator.requests) > answered)
        assert [status for *_, status in operations(ground.emulator.requests[-1])] == [412]
        assert set(statuses_of(first.run).values()) == {Status.VERIFIED}
        check_first(first, plain, ground, f"at {number}")
        check_second(applied(ground, name, runs), plain, ground, f"at {number}")


def test_somebody_changes_what_landed_before_we_look(ground: Ground, plainly: Plainly, tmp_path: Path) -> None:
    """The rest of the change set landed all the same, and is told so."""
    plain = plainly("health-bot.yaml")
    ground.put_back()
    number = plain.writing[0]
    ground.emulator.fail(rule(Fault(where="drop-after"), plain.answer(number)))
    came, one_by_one = itertools.count(), threading.Lock()

    def meddle(_: float) -> None:
        with one_by_one:  # or a look side by side would come first
            if next(came) == number + 1:
                (queue,) = ground.emulator.sql("SELECT queueid FROM queue WHERE name = 'Health bot'")
                ground.emulator.change("queue", *queue, msdyn_priority=7)

    ground.on_sleep = meddle
    first = applied(ground, "health-bot.yaml", Runs(tmp_path))
    statuses = statuses_of(first.run)
    written = {key for key, status in statuses.items() if status is Status.VERIFIED}
    assert statuses["queue:Health bot"] is Status.NOT_VERIFIED
    assert {"bot_user:Contoso Health Bot", "context_variable:Patient chat/Severity"} <= written
    found = ground.traces(plain.changes)
    assert {key for key in found if found[key] != plain.absent[key]} == {*written, "queue:Health bot"}
    assert first.recording is not None
    assert landed_in(first.recording) == {*written, "queue:Health bot"}
    check_second(applied(ground, "health-bot.yaml", Runs(tmp_path)), plain, ground, "")
