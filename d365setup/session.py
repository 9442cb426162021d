"""One environment, one playbook: look, decide, carry out. What the commands (and later fleets) are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from d365setup.apply import Settings, apply_plan, estimate
from d365setup.dataverse.client import Client
from d365setup.errors import D365SetupError, Refused
from d365setup.kinds import Kinds
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.users import Membership, User
from d365setup.live import ABOUT, read_live, wanted
from d365setup.model import Change, Environment, LiveState, Note, Outcome, Run, Status, Traffic
from d365setup.plan import Decision, decide
from d365setup.playbook import Playbook

Watch = Callable[[Outcome], None]
INTERRUPTED = 130  # what a shell reports for a program ended by SIGINT


class Unfinished(D365SetupError):
    """An apply that ended in the middle: ``run`` holds what is known, ``unknown`` changes may be written or not.

    Exit code 130 when somebody stopped it, else as for any run: 7 when something landed, 1 when not.
    """

    def __init__(self, run: Run, unknown: tuple[Change, ...], cause: BaseException) -> None:
        self.run, self.unknown, self.cause = run, unknown, cause
        self.exit_code = INTERRUPTED if self.is_interrupted else 7 if run.landed else 1
        done = sum(1 for each in run.outcomes if each.status is Status.VERIFIED)
        why = "interrupted" if self.is_interrupted else f"d365setup itself failed ({type(cause).__name__}: {cause})"
        super().__init__(f"{why}: {done} of {len(run.plan.changes)} changes are verified, {len(unknown)} not known")

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C; otherwise it is a bug."""
        return isinstance(self.cause, KeyboardInterrupt)


@dataclass(frozen=True)
class Session:
    """A client for one environment, and the playbook to hold against it."""

    client: Client
    kinds: Kinds
    playbook: Playbook

    def look(self, expected: str = "") -> LiveState:
        """The live state, one wave of reads. Raises DataverseError, and Refused for another than the expected one."""
        live = read_live(self.client, self.kinds, self.playbook.desired)
        check_expected(live.environment, expected)
        return live

    def decide(self, live: LiveState, *, whole_stages: bool = False) -> Decision:
        """The plan, priced. Raises Unresolvable with everything the environment cannot resolve."""
        reads = len(ABOUT) + len(tuple(wanted(self.kinds, self.playbook.desired)))
        decision = decide(self.playbook.name, self.playbook.sha256, self.playbook.desired, live, self.kinds)
        if not decision.plan.changes:
            return decision
        cost = estimate(decision, self.kinds, self.client.width, reads, whole=whole_stages)
        return replace(decision, plan=decision.plan.with_cost(cost))

    def carry_out(self, decision: Decision, settings: Settings, watch: Watch = lambda _outcome: None) -> Run:
        """Apply the decision; ``watch`` hears of each outcome as it comes.

        What the service refuses is in the run. Raises Unfinished when it ends before all is known.
        """
        progress = _Progress(decision, watch)
        try:
            progress.follow(apply_plan(decision, self.client, self.kinds, settings))
        except (Exception, KeyboardInterrupt) as error:
            raise Unfinished(progress.run(self.traffic), progress.open, error) from error
        return progress.run(self.traffic)

    @property
    def traffic(self) -> Traffic:
        """What went over the wire so far."""
        stats = self.client.stats
        return Traffic(stats.requests, stats.operations, stats.retries, stats.waited_seconds)


class _Progress:
    """Outcomes as they come in, kept in the plan's order."""

    def __init__(self, decision: Decision, watch: Watch) -> None:
        self._plan, self._watch = decision.plan, watch
        self._outcomes: dict[str, Outcome] = {}
        self._notes: list[Note] = []

    def follow(self, events: Iterable[Outcome | Note]) -> None:
        for event in events:
            if isinstance(event, Note):
                self._notes.append(event)
            else:
                self._outcomes[str(event.change.id)] = event
                self._watch(event)

    @property
    def open(self) -> tuple[Change, ...]:
        """Changes without an outcome."""
        return tuple(change for change in self._plan.changes if str(change.id) not in self._outcomes)

    def run(self, traffic: Traffic) -> Run:
        found = (self._outcomes.get(str(change.id)) for change in self._plan.changes)
        return Run(self._plan, tuple(filter(None, found)), tuple(self._notes), traffic)


def check_expected(environment: Environment, expected: str) -> None:
    """Raise Refused when this is not the organization somebody expects, by its name or id."""
    if not expected or expected == environment.name or expected.strip("{}").lower() == environment.organization_id:
        return
    shown = f"{environment.name} ({environment.organization_id})"
    raise Refused(
        f"{environment.url} is the organization {shown}, and --expect-organization says {expected}: check the address"
    )


def people_of(live: LiveState) -> Iterator[tuple[str, str]]:
    """Full name and address of every person the reading came across."""
    users = [*live.known(User), *(each.user for each in live.known(Membership))]
    yield from dict.fromkeys((user.full_name, user.email) for user in users if user.is_person)


def bots_of(playbook: Playbook) -> Iterator[str]:
    """Names and addresses of the playbook's bots."""
    for bot in playbook.desired.of(BotUser):
        yield from filter(None, (bot.name, bot.email))
