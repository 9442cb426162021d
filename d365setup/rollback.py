"""Take a recorded run back: look, decide, carry out. What `rollback` and `apply --on-error rollback` call."""

from __future__ import annotations

from dataclasses import dataclass, replace

from d365setup import __version__
from d365setup.apply import Settings
from d365setup.apply.undoing import look, take_back, users_of
from d365setup.dataverse.client import Client
from d365setup.errors import Refused
from d365setup.journal import Recording, Runs
from d365setup.live import read_environment
from d365setup.model import Run, Status, Write
from d365setup.session import Progress, Watch, check_expected, traffic_of
from d365setup.undo import Undoing, decided, to_read


@dataclass(frozen=True)
class Rollback:
    """One recorded run, and the environment it was done to."""

    client: Client
    runs: Runs
    recording: Recording

    def decide(self, expected: str = "") -> Undoing:
        """How to take it back as things stand. Raises DataverseError, and Refused where it cannot be.

        ``expected`` names the organization it must be, where somebody says.
        """
        environment = read_environment(self.client)
        check_expected(environment, expected)
        if environment.organization_id != self.recording.environment.organization_id:
            was, now = self.recording.environment, environment
            raise Refused(
                f"run {self.recording.run} was done to {was.name} ({was.organization_id}), and {now.url} is {now.name} "
                f"({now.organization_id}): name the environment it was done to"
            )
        if self.runs.is_running(self.recording.run):
            raise Refused(f"run {self.recording.run} is still under way; wait for its end")
        now_there = look(self.client, to_read(self.recording))
        users = users_of(self.client, self.recording, now_there)
        return replace(decided(self.recording, environment, now_there, users.of), people=users.people)

    def carry_out(self, undoing: Undoing, settings: Settings, watch: Watch) -> Run:
        """Send it; the rollback is a run with a journal of its own. Raises Unrecorded before anything is sent."""
        writes: list[Write] = [write for step in undoing.steps for write in step.writes]
        journal = self.runs.start("rollback", undoing.plan, writes, __version__, undoes=self.recording.run)
        progress = Progress(undoing.plan, watch, journal)
        progress.follow(take_back(undoing, self.client, replace(settings, recorder=journal)))
        run = progress.run(traffic_of(self.client))
        left_out = any(each.status is Status.NOT_WRITTEN for each in run.outcomes)
        run = replace(run, command="rollback", undoes=self.recording.run, interrupted=settings.stopping() and left_out)
        progress.close(run.exit_code)
        return run
