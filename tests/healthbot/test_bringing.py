"""The Health Bot as a session's other side, over HTTP, where somebody or something comes in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from d365setup.apply import Settings
from d365setup.apply.application import Unrecording
from d365setup.bringing import HealthBotSide
from d365setup.dataverse.auth import Secret, StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Options, fault_of
from d365setup.errors import Unrecorded
from d365setup.healthbot.management import Management
from d365setup.healthbot.portal import Portal
from d365setup.healthbot.scenario import StoredScenario
from d365setup.healthbot.side import wanted
from d365setup.journal import Runs
from d365setup.kinds import discover, specs
from d365setup.model import Errand, Write
from d365setup.outcome import Run, Status
from d365setup.playbook import load_file
from d365setup.session import Session, Unfinished
from tests.test_shipped import FOLDER

LINK = "https://eastus.healthbot.microsoft.com/account/contoso-bot-ab12cd3"
ESCALATE, END = "Escalate to nurse", "End conversation"


@dataclass(frozen=True)
class Place:
    emulator: Emulator
    session: Session
    side: HealthBotSide

    def applied(self, between: Callable[[], None] = lambda: None, **settings: object) -> Run:
        """Look, decide, let somebody act, carry out."""
        decision = self.session.decide(self.session.look())
        between()
        return self.session.carry_out(decision, Settings(**settings))  # type: ignore[arg-type]

    def put(self, name: str = ESCALATE, text: str = "Hold on.", code: str = "") -> None:
        step = {"id": "a", "type": "statement", "designer": {}, "text": text}
        own = {"id": "1", "name": name, "scenario_trigger": "escalate_nurse", "active": True}
        self.emulator.health_bot.bots.put({**own, "code": code or json.dumps({"version": 3, "steps": [step]})})

    @property
    def imports(self) -> int:
        return sum(1 for each in self.emulator.health_bot.requests if each.method == "POST")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    kinds = discover()
    playbook = load_file(FOLDER / "health-bot.yaml", specs(kinds), {}, {}, examples=True)
    emulator = Emulator(None, Options())
    bot = emulator.health_bot
    with (
        emulator.serve(),
        Client(emulator.url, StaticToken("any")) as client,
        Management(Portal.parse(bot.portal(emulator.url)), Secret(bot.secret)) as management,
    ):
        side = HealthBotSide(LINK, management, wanted(playbook))
        yield Place(emulator, Session(client, kinds, playbook, Runs(tmp_path), other=side), side)
    emulator.close()


def ended(run: Run) -> dict[str, tuple[Status, str]]:
    """Each scenario's outcome."""
    return {e.change.id.key: (e.status, e.detail) for e in run.outcomes if e.change.id.kind == "scenario"}


def test_what_somebody_changed_since_the_plan_is_not_overwritten(place: Place) -> None:
    run = place.applied(place.put)
    found = ended(run)
    assert found[ESCALATE][0] is Status.FAILED
    assert found[ESCALATE][1].startswith("changed by somebody since it was read: now ")
    assert found[END] == (Status.VERIFIED, "")
    assert run.exit_code == 7
    assert "Hold on." in json.dumps(place.emulator.health_bot.bots.exports())


def test_what_somebody_deleted_since_the_plan_is_not_made_again(place: Place) -> None:
    place.put()
    run = place.applied(lambda: place.emulator.health_bot.bots.remove(ESCALATE))
    assert ended(run)[ESCALATE] == (
        Status.FAILED,
        "changed by somebody since it was read: now missing; plan again",
    )
    assert place.applied().exit_code == 0


def test_what_somebody_else_imported_already_counts(place: Place) -> None:
    def other() -> None:
        place.side.bot.post([each.stored for each in place.side.specs])

    run = place.applied(other)
    assert set(ended(run).values()) == {(Status.VERIFIED, "")}
    assert place.imports == 1


def test_a_stop_before_the_import_is_told(place: Place) -> None:
    assert place.applied().exit_code == 0
    place.put()
    run = place.applied(stopping=lambda: True)
    assert ended(run) == {ESCALATE: (Status.NOT_WRITTEN, "not tried: it was stopped before")}
    assert (run.interrupted, place.imports) == (True, 1)


def test_a_stop_in_dataverse_is_one_for_the_bot(place: Place) -> None:
    def stopping() -> bool:
        return any(method != "GET" for r in place.emulator.requests for method, _, _ in r.operations)

    found = ended(place.applied(stopping=stopping))
    assert {status for status, _ in found.values()} == {Status.NOT_WRITTEN}
    assert place.imports == 0


class Broken(Unrecording):
    """A mistake of ours in the middle of Dataverse's side."""

    def sending(self, change_sets: Sequence[Sequence[Write]], /) -> Sequence[int]:
        raise KeyError(len(change_sets))


def test_where_dataverse_ends_in_the_middle_the_bot_is_known_to_be_as_it_was(place: Place) -> None:
    bare = replace(place, session=replace(place.session, runs=None))
    with pytest.raises(Unfinished) as failed:
        bare.applied(recorder=Broken())
    assert set(ended(failed.value.run).values()) == {(Status.NOT_WRITTEN, "not tried: the apply ended before")}
    assert not {each.id.kind for each in failed.value.unknown} & {"scenario"}
    assert place.imports == 0


class Full:
    """A journal on a disk that is full when the import comes."""

    def sending(self, change_sets: Sequence[Sequence[Write]], /) -> Sequence[int]:
        if any(write.path.startswith(LINK) for writes in change_sets for write in writes):
            raise Unrecorded("the disk is full")
        return [1] * len(change_sets)

    def answered(self, number: int, /, *, landed: bool | None) -> None:
        del number, landed


def test_nothing_is_imported_that_cannot_be_recorded(place: Place) -> None:
    bare = replace(place, session=replace(place.session, runs=None))
    run = bare.applied(recorder=Full())
    assert set(ended(run).values()) == {(Status.NOT_WRITTEN, "not sent: the disk is full")}
    assert place.imports == 0


def test_an_import_that_reads_back_otherwise_is_not_verified(place: Place) -> None:
    """Somebody else's import wins in the same moment: what is there is neither as it was nor as wanted."""

    class Overtaken(Management):
        def post(self, scenarios: Sequence[StoredScenario]) -> None:
            super().post(scenarios)
            place.put()

    bot = place.emulator.health_bot
    with Overtaken(Portal.parse(bot.portal(place.emulator.url)), Secret(bot.secret)) as overtaken:
        side = replace(place.side, bot=overtaken)
        found = ended(replace(place, session=replace(place.session, other=side)).applied())
    assert found[ESCALATE][0] is Status.NOT_VERIFIED
    assert found[ESCALATE][1].startswith("imported, but read back as ")


def test_an_unreadable_bot_is_nobodys_guess(place: Place) -> None:
    assert place.applied().exit_code == 0
    place.put(code="no JSON")
    with pytest.raises(Exception, match="holds a scenario that cannot be read"):
        place.session.look()


def test_the_price_is_what_is_sent(place: Place) -> None:
    decision = place.session.decide(place.session.look())
    run = place.session.carry_out(decision, Settings())
    assert (decision.plan.cost.requests, decision.plan.cost.operations) == (
        run.traffic.requests,
        run.traffic.operations,
    )
    assert place.side.price(Errand()).requests == 1


def test_a_run_takes_the_lost_import_for_what_it_became(place: Place) -> None:
    place.emulator.fail(fault_of("drop-before:path=/scenarios:method=POST"))
    run = place.applied()
    assert {status for status, _ in ended(run).values()} == {Status.FAILED}
    assert place.session.runs is not None
    recording = place.session.runs.read(run.id)
    assert [each.landed for each in recording.elsewhere.sent] == [False, False]
    assert not recording.elsewhere.unknown
