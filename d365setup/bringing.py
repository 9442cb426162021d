"""The Health Bot brought in line: read, import, read again, compare. What a session has as its other side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from d365setup.apply import Settings, failure_of
from d365setup.dataverse.errors import DataverseError
from d365setup.errors import Unrecorded
from d365setup.healthbot.management import Management
from d365setup.healthbot.meaning import changed
from d365setup.healthbot.scenario import StoredScenario, read_scenario
from d365setup.healthbot.side import SWITCHED_OFF, Scenarios, WantedScenario, is_as_expected, portal_in, seen
from d365setup.healthbot.taking_back import became, taken_back
from d365setup.journal import Recording
from d365setup.model import Change, Cost, Errand, LiveState, Write
from d365setup.outcome import Failure, Outcome, Status, Traffic
from d365setup.plan import Differ

_STOPPED = "not tried: it was stopped before"
Found = Mapping[str, StoredScenario]


@dataclass(frozen=True)
class HealthBotSide:
    """One bot, and the scenarios it should have. ``portal`` is its link as the playbook has it, wherever it answers."""

    portal: str
    bot: Management
    specs: tuple[WantedScenario, ...] = ()
    kinds: Mapping[str, Differ] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", {Scenarios.kind: Scenarios(self.portal, self.specs)})

    @property
    def traffic(self) -> Traffic:
        """What went over the wire so far."""
        stats = self.bot.stats
        return Traffic(stats.requests, stats.operations, stats.retries, stats.waited_seconds)

    def look(self, live: LiveState) -> LiveState:
        """The live state with the bot's scenarios."""
        return seen(live, self.bot.scenarios())

    def price(self, errand: Errand) -> Cost:
        """The look of the plan; then one more before the import, and one behind it."""
        count = 4 if errand.writes else 1
        return Cost(count, count, count)

    def take_back(self, recording: Recording) -> Errand:
        """What puts back the scenarios that a run overwrote."""
        return taken_back(recording.elsewhere, self.portal, self.bot.scenarios())

    def settled(self, recording: Recording) -> dict[int, bool | None]:
        """Of each import without an answer whether it landed, as the scenarios tell."""
        mine = [each for each in recording.elsewhere.unknown if portal_in(each.writes[0].path) == self.portal]
        found = self._found() if mine else {}
        return {
            each.number: became(each.writes[0], found.get(str((each.writes[0].body or {})["name"]))) for each in mine
        }

    def carry_out(self, errand: Errand, settings: Settings) -> Iterator[Outcome]:
        """Import what is to be written, in one request, and see what became of each."""
        writes = {write.changes[0]: write for write in errand.writes}
        yield from (Outcome(each, Status.MANUAL, each.manual) for each in errand.changes if each.id not in writes)
        imports = [_Import(each, writes[each.id]) for each in errand.changes if each.id in writes]
        if not imports:
            return
        if settings.stopping():
            yield from (each.not_written(_STOPPED) for each in imports)
            return
        try:
            now = self._found()
        except DataverseError as error:
            yield from (each.failed(error) for each in imports)
            return
        ready = [each for each in imports if is_as_expected(each.write.condition, now.get(each.name))]
        yield from (each.overtaken(now.get(each.name)) for each in imports if each not in ready)
        yield from self._imported(ready, settings)

    def _imported(self, imports: Sequence[_Import], settings: Settings) -> Iterator[Outcome]:
        if not imports:
            return
        try:
            numbers = settings.recorder.sending([[each.write] for each in imports])
        except Unrecorded as error:
            yield from (each.not_written(f"not sent: {error}") for each in imports)
            return
        refusal = self._refusal(imports)
        try:
            now: Found | DataverseError = self._found()
        except DataverseError as error:
            now = error
        for each, number in zip(imports, numbers, strict=True):
            landed, outcome = each.judged(refusal, now)
            with suppress(Unrecorded):  # the journal stays open then, and is settled later
                settings.recorder.answered(number, landed=landed)
            yield from outcome
        if isinstance(now, DataverseError) and refusal is not None and _may_have_landed(refusal):
            raise refusal from now

    def _refusal(self, imports: Iterable[_Import]) -> DataverseError | None:
        try:
            self.bot.post([each.wanted for each in imports])
        except DataverseError as error:
            return error
        return None

    def _found(self) -> dict[str, StoredScenario]:
        return {each.name: each for each in self.bot.scenarios()}


@dataclass(frozen=True)
class _Import:
    """One scenario to import, and the change it carries out."""

    change: Change
    write: Write

    @property
    def wanted(self) -> StoredScenario:
        """As it should be then."""
        return read_scenario(self.write.body)

    @property
    def name(self) -> str:
        """What it is called there."""
        return str((self.write.body or {})["name"])

    def judged(
        self, refusal: DataverseError | None, now: Found | DataverseError
    ) -> tuple[bool | None, Sequence[Outcome]]:
        """Whether it landed, and how the change ended; no outcome where nobody knows."""
        if isinstance(now, DataverseError):
            if refusal is None:
                told = f"imported, but could not be read back: {now}"
                return True, [Outcome(self.change, Status.NOT_VERIFIED, told, failure_of(now))]
            return (None, []) if _may_have_landed(refusal) else (False, [self.failed(refusal)])
        found = now.get(self.name)
        if found is not None and not tuple(changed(found, self.wanted)):
            return True, [self._there(found)]
        untouched = is_as_expected(self.write.condition, found)
        if refusal is not None:
            return not untouched, [self.failed(refusal) if untouched else self._otherwise(found)]
        return not untouched, [self._otherwise(found)]

    def _there(self, found: StoredScenario) -> Outcome:
        if found.active is False:
            return Outcome(self.change, Status.MANUAL, SWITCHED_OFF)
        return Outcome(self.change, Status.VERIFIED)

    def _otherwise(self, found: StoredScenario | None) -> Outcome:
        return Outcome(self.change, Status.NOT_VERIFIED, f"imported, but read back as {self._shown(found)}")

    def overtaken(self, found: StoredScenario | None) -> Outcome:
        """Somebody changed it since it was read: theirs is not overwritten, unless it is what we want."""
        if found is not None and not tuple(changed(found, self.wanted)):
            return self._there(found)
        told = f"changed by somebody since it was read: now {self._shown(found)}; plan again"
        return Outcome(self.change, Status.FAILED, told, Failure(told))

    def failed(self, error: DataverseError) -> Outcome:
        """The service refused it, or could not be asked."""
        return Outcome(self.change, Status.FAILED, str(error), failure_of(error))

    def not_written(self, why: str) -> Outcome:
        """It was not sent."""
        return Outcome(self.change, Status.NOT_WRITTEN, why)

    def _shown(self, found: StoredScenario | None) -> str:
        if found is None:
            return "missing"
        return ", ".join(f"{each.field} {each.before!r}" for each in changed(found, self.wanted))


def _may_have_landed(error: DataverseError) -> bool:
    """Whether an import may be in the bot all the same: no answer came, or the service broke down over it."""
    return error.may_have_acted or (error.status or 0) >= 500
