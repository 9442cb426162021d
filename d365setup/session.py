"""One environment, one playbook: look, decide, carry out. What the commands (and later fleets) are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from d365setup import __version__
from d365setup.apply import Settings, apply_plan, estimate, failure_of
from d365setup.apply.parcels import Parcel, loaded
from d365setup.beside import OtherSide, followed, summed
from d365setup.dataverse.batch import MAX_REQUESTS
from d365setup.dataverse.client import Client
from d365setup.dataverse.errors import BadRequest, DataverseError, Forbidden, NotFound, ReadFailed
from d365setup.errors import D365SetupError, Refused, Unrecorded
from d365setup.journal import Journal, Recording, Runs
from d365setup.kinds import Kinds, widened
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.usage import OPTIONAL
from d365setup.kinds.users import Membership, User
from d365setup.live import ABOUT, read_live, wanted
from d365setup.model import Change, Cost, Desired, Environment, Errand, LiveState, Note, Plan, ResourceId
from d365setup.outcome import INTERRUPTED, Outcome, Run, Status, Traffic
from d365setup.plan import Decision, Differ, decide
from d365setup.playbook import Playbook
from d365setup.scope import Prune

Watch = Callable[[Outcome], None]


class Unfinished(D365SetupError):
    """An apply that ended in the middle: ``run`` holds what is known, ``unknown`` changes may be written or not.

    Exit code 130 when somebody stopped it, else as for any run: 7 when something landed; when not, 1 or what the
    environment's last answer deserves.
    """

    def __init__(self, run: Run, unknown: tuple[Change, ...], cause: BaseException) -> None:
        self.run, self.unknown, self.cause = run, unknown, cause
        code, why = 1, f"d365setup itself failed ({type(cause).__name__}: {cause})"
        if self.is_interrupted:
            why = "interrupted"
        elif isinstance(cause, DataverseError):
            code, why = failure_of(cause).exit_code, f"an answer was lost, and nothing can be read any more ({cause})"
        self.exit_code = INTERRUPTED if self.is_interrupted else 7 if run.landed else code
        done = sum(1 for each in run.outcomes if each.status is Status.VERIFIED)
        super().__init__(f"{why}: {done} of {len(run.plan.changes)} changes are verified, {len(unknown)} not known")

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody pressed Ctrl-C; otherwise the environment is out of reach, or it is a bug."""
        return isinstance(self.cause, KeyboardInterrupt)


class Decides(Protocol):
    """What commands need to make a plan: a session on an environment, or on what a snapshot kept of one."""

    @property
    def playbook(self) -> Playbook:
        """What should be."""

    @property
    def prune(self) -> Prune | None:
        """Whether what is undeclared goes too."""

    def pruning(self) -> Decides:
        """The same, which also takes away what this playbook made and no longer declares."""

    def look(self, expected: str = "", /) -> LiveState:
        """What is."""

    def decide(self, live: LiveState, /, *, whole_stages: bool = False) -> Decision:
        """The plan, priced."""

    def left_open(self, live: LiveState, /) -> list[Recording]:
        """Runs whose process died before it wrote down how they ended."""


@dataclass(frozen=True)
class Session:
    """A client for one environment, and the playbook to hold against it."""

    client: Client
    kinds: Kinds
    playbook: Playbook
    runs: Runs | None = None  # where journals are kept; None keeps none
    prune: Prune | None = None  # what is undeclared and of this playbook's making is taken away too
    other: OtherSide | None = None  # the Health Bot, where the playbook has scenarios for it
    remarks: tuple[Note, ...] = ()  # what is to be told with every plan

    def pruning(self, *, everything: bool = False) -> Session:
        """The same, which also takes away what this playbook made and no longer declares; or all that it made."""
        return replace(self, prune=Prune(everything=everything))

    def look(self, expected: str = "") -> LiveState:
        """The live state, one wave of reads. Raises DataverseError, and Refused for another than the expected one."""
        live = self._read()
        check_expected(live.environment, expected)
        return self.other.look(live) if self.other else live

    def decide(self, live: LiveState, *, whole_stages: bool = False) -> Decision:
        """The plan, priced. Raises Unresolvable with everything the environment cannot resolve."""
        reads = len(ABOUT) + len(tuple(wanted(self._reading, self.playbook.desired)))
        decision = self._decided(live)
        if not decision.plan.changes:
            return decision
        cost = priced(decision.about(self.kinds), self.kinds, self.client.width, reads, whole_stages=whole_stages)
        if self.other is not None:
            cost = cost.and_then(self.other.price(self._errand(decision)))
        return replace(decision, plan=decision.plan.with_cost(cost))

    def _decided(self, live: LiveState) -> Decision:
        """Both sides in one plan, the other one behind Dataverse."""
        desired, kinds = self.playbook.desired, dict[str, Differ](self.kinds)
        if self.other is not None:
            desired, kinds = Desired((*desired.specs, *self.other.specs)), {**kinds, **self.other.kinds}
        name, sha256 = self.playbook.name, self.playbook.sha256
        found = decide(name, sha256, desired, live, kinds, prune=with_links(self.prune, self.runs, live, name))
        return replace(found, plan=replace(found.plan, warnings=(*found.plan.warnings, *self.remarks)))

    def _errand(self, decision: Decision) -> Errand:
        there = decision.about(self.other.kinds if self.other else ())
        return Errand(there.plan.changes, there.writes)

    @property
    def _reading(self) -> Kinds:
        return self.kinds if self.prune is None else widened(self.kinds)

    def _read(self) -> LiveState:
        """For pruning, what this environment does not tell is left out: nothing that depends on it is taken away."""
        desired = self.playbook.desired
        try:
            return read_live(self.client, self._reading, desired)
        except ReadFailed as error:
            asked = tuple(wanted(self._reading, desired))
            labels = {asked[index - len(ABOUT)].label if index >= len(ABOUT) else "" for index in error.errors}
            closed = all(isinstance(each, BadRequest | Forbidden | NotFound) for each in error.errors.values())
            if not (closed and labels <= set(OPTIONAL)):
                raise
            return read_live(self.client, widened(self.kinds, without=labels), desired)

    def carry_out(
        self, decision: Decision, settings: Settings, watch: Watch = lambda _outcome: None, command: str = "apply"
    ) -> Run:
        """Apply the decision; ``watch`` hears of each outcome as it comes, a journal of everything.

        What the service refuses is in the run. Raises Unfinished when it ends before all is known: the journal then
        stays open, for the next apply to settle; and Unrecorded, before anything is sent, where none can be written.
        """
        journal = self.runs.start(command, decision.plan, decision.writes, __version__) if self.runs else None
        progress = Progress(decision.plan, watch, journal)
        if journal is not None:
            settings = replace(settings, recorder=journal)
        try:
            here = apply_plan(decision.about(self.kinds), self.client, self.kinds, settings)
            progress.follow(followed(here, self._errand(decision), self.other, settings))
        except (Exception, KeyboardInterrupt) as error:
            progress.close(None)
            raise Unfinished(progress.run(self.traffic), progress.open, error) from error
        run = progress.run(self.traffic)
        left_out = any(each.status is Status.NOT_WRITTEN for each in run.outcomes)
        run = replace(run, command=command, interrupted=settings.stopping() and left_out)
        progress.close(run.exit_code)
        return run

    def left_open(self, live: LiveState) -> list[Recording]:
        """Runs on this environment whose process died before it wrote down how they ended."""
        return self.runs.left_open(live.environment.organization_id) if self.runs else []

    def settle(self, live: LiveState) -> list[Note]:
        """Find out what such runs left behind, write it down, and say so. Raises Unrecorded and DataverseError.

        A run that went to another side than this session has stays open.
        """
        told = []
        for each in self.left_open(live):
            from d365setup.apply.undoing import settled  # noqa: PLC0415  # seldom wanted, and every start would load it

            there = self.other.settled(each) if self.other else dict[int, bool | None]()
            if len(there) < len(each.elsewhere.unknown):
                told.append(unsettled(each))
                continue
            landed = settled(self.client, each.here) | there
            if self.runs:
                self.runs.settle(each, landed, "apply")
            told.append(_settled(each, landed))
        return told

    @property
    def traffic(self) -> Traffic:
        """What went over the wire so far."""
        return summed(traffic_of(self.client), self.other)


def priced(decision: Decision, kinds: Kinds, width: int, reads: int, *, whole_stages: bool = False) -> Cost:
    """What applying it takes, the look before it included, with so many requests side by side. Raises Refused."""
    stages = loaded(decision, kinds).stages(width, whole=whole_stages)
    check_batches(stages, whole=whole_stages)
    return estimate(stages, width, reads)


def with_links(prune: Prune | None, runs: Runs | None, live: LiveState, playbook: str) -> Prune | None:
    """What is to go, with the links that journals kept here say this playbook made."""
    if prune is None or runs is None:
        return prune
    return replace(prune, links=runs.made_links(live.environment.organization_id, playbook))


def traffic_of(client: Client) -> Traffic:
    """What a client has sent so far."""
    stats = client.stats
    return Traffic(stats.requests, stats.operations, stats.retries, stats.waited_seconds)


class Progress:
    """Outcomes as they come in, written down at once and kept in the plan's order."""

    def __init__(self, plan: Plan, watch: Watch, journal: Journal | None) -> None:
        self._plan, self._watch, self._journal = plan, watch, journal
        self._outcomes: dict[str, Outcome] = {}
        self._notes: list[Note] = []

    def follow(self, events: Iterable[Outcome | Note]) -> None:
        """Take them all in."""
        for event in events:
            if isinstance(event, Note):
                self._notes.append(event)
                continue
            self._outcomes[str(event.change.id)] = event
            self._watch(event)
            if self._journal is not None:
                with suppress(Unrecorded):  # it was told when the change set could not be recorded
                    self._journal.outcome(event)

    def close(self, exit_code: int | None) -> None:
        """The journal ends; without an exit code it stays open."""
        if self._journal is not None:
            with suppress(Unrecorded):  # then it stays open, and is settled later
                self._journal.close(exit_code)

    @property
    def open(self) -> tuple[Change, ...]:
        """Changes without an outcome."""
        return tuple(change for change in self._plan.changes if str(change.id) not in self._outcomes)

    def run(self, traffic: Traffic) -> Run:
        """What is known so far."""
        found = (self._outcomes.get(str(change.id)) for change in self._plan.changes)
        journal = self._journal.run if self._journal else ""
        return Run(self._plan, tuple(filter(None, found)), tuple(self._notes), traffic, journal)


def unsettled(recording: Recording) -> Note:
    """That a run did not end, for a command that only looks."""
    count = len(recording.unknown)
    told = f"its process died, {count} of its change sets without an answer; the next apply finds out what landed"
    return Note("warning", ResourceId("run", recording.run), told)


def _settled(recording: Recording, landed: Mapping[int, bool | None]) -> Note:
    counts = Counter(landed.values())
    told = (
        f"its process died; of its change sets without an answer {counts[True]} landed and {counts[False]} did not"
        + (f", {counts[None]} cannot be told" if counts[None] else "")
    )
    return Note("warning", ResourceId("run", recording.run), f"{told}; the run is settled now")


def check_batches(stages: Sequence[Sequence[Parcel]], *, whole: bool) -> None:
    """Raise Refused when a change set and the reads behind it are more than the service takes in one request."""
    for stage in stages:
        for parcel in stage:
            count = len(parcel.writes) + len(parcel.queries)
            if count > MAX_REQUESTS:
                told = f"a change set of {len(parcel.writes)} writes and the reads behind it are {count} operations"
                cure = "leave out --transaction stage" if whole else "declare fewer of them, apply, then the others"
                raise Refused(f"{told}, and the service takes {MAX_REQUESTS} in one request; {cure}")


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
