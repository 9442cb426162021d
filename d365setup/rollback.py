"""Take a recorded run back: look, decide, carry out. What `rollback` and `apply --on-error rollback` call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from d365setup import __version__
from d365setup.apply import Settings
from d365setup.apply.undoing import look, take_back, users_of
from d365setup.beside import OtherSide, preceded, summed
from d365setup.dataverse.client import Client
from d365setup.errors import Refused
from d365setup.journal import Recording, Runs
from d365setup.live import read_environment
from d365setup.model import Cost, Errand, Note, Plan, Write
from d365setup.outcome import Outcome, Run, Status, Traffic
from d365setup.session import Progress, Watch, check_expected, traffic_of
from d365setup.undo import Undoing, decided, to_read


@dataclass(frozen=True)
class Rollback:
    """One recorded run, and the environment it was done to; ``client`` is None where it went to a Health Bot alone."""

    client: Client | None
    runs: Runs
    recording: Recording
    other: OtherSide | None = None  # the Health Bot, where the run went there too
    remarks: tuple[Note, ...] = ()  # what is to be told with the plan

    def decide(self, expected: str = "") -> Undoing:
        """How to take it back as things stand. Raises DataverseError, and Refused where it cannot be.

        ``expected`` names the organization it must be, where somebody says.
        """
        if self.client is None:
            return self._of_bot(expected)
        environment = read_environment(self.client)
        check_expected(environment, expected)
        if environment.organization_id != self.recording.environment.organization_id:
            was, now = self.recording.environment, environment
            raise Refused(
                f"run {self.recording.run} was done to {was.name} ({was.organization_id}), and {now.url} is {now.name} "
                f"({now.organization_id}): name the environment it was done to"
            )
        self._check_ended()
        here = self.recording.here
        now_there = look(self.client, to_read(here))
        users = users_of(self.client, here, now_there)
        undoing = replace(decided(here, environment, now_there, users.of), people=users.people)
        return self._with_other_side(undoing)

    def _of_bot(self, expected: str) -> Undoing:
        where, recording = self.recording.environment, self.recording
        check_expected(where, expected)
        self._check_ended()
        return self._with_other_side(Undoing(Plan(where, recording.playbook, recording.sha256), (), {}))

    def _check_ended(self) -> None:
        if self.runs.is_running(self.recording.run):
            raise Refused(f"run {self.recording.run} is still under way; wait for its end")

    @property
    def traffic(self) -> Traffic:
        """What went over the wires so far."""
        return summed(traffic_of(self.client) if self.client else Traffic(), self.other)

    def _with_other_side(self, undoing: Undoing) -> Undoing:
        errand = self.other.take_back(self.recording) if self.other else Errand()
        cost = self.other.price(errand) if self.other else Cost()
        plan = replace(
            undoing.plan,
            changes=(*errand.changes, *undoing.plan.changes),
            warnings=(*undoing.plan.warnings, *errand.notes, *self.remarks),
            cost=undoing.plan.cost.and_then(cost),
        )
        return replace(undoing, plan=plan, elsewhere=errand)

    def carry_out(self, undoing: Undoing, settings: Settings, watch: Watch) -> Run:
        """Send it; the rollback is a run with a journal of its own. Raises Unrecorded before anything is sent."""
        writes: list[Write] = [*undoing.elsewhere.writes, *(write for step in undoing.steps for write in step.writes)]
        journal = self.runs.start("rollback", undoing.plan, writes, __version__, undoes=self.recording.run)
        progress = Progress(undoing.plan, watch, journal)
        progress.follow(self._taken_back(undoing, replace(settings, recorder=journal)))
        run = progress.run(self.traffic)
        left_out = any(each.status is Status.NOT_WRITTEN for each in run.outcomes)
        run = replace(run, command="rollback", undoes=self.recording.run, interrupted=settings.stopping() and left_out)
        progress.close(run.exit_code)
        return run

    def _taken_back(self, undoing: Undoing, settings: Settings) -> Iterator[Outcome]:
        there = {change.id for change in undoing.elsewhere.changes}
        changes = [change for change in undoing.plan.changes if change.id not in there]
        here = take_back(undoing, self.client, settings) if self.client else iter(())
        return preceded(undoing.elsewhere, here, changes, self.other, settings)
