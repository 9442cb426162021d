"""The playbooks that come with the tool: they load from nothing, teach, and do not get in each other's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from d365setup.errors import PlaybookError
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.workstream import Workstream
from d365setup.playbook import Playbook, load_file
from tests.playbook.cases import SPECS

FOLDER = Path(__file__).parents[2] / "playbooks"
FILES = sorted(FOLDER.rglob("*.yaml"))
PEOPLE = {"nurse.one@contoso.example", "nurse.two@contoso.example", "billing.one@contoso.example"}  # of fixture clinic


def shipped() -> list[Playbook]:
    return [load_file(file, SPECS, {}, {}, examples=True) for file in FILES]


def test_which_there_are() -> None:
    assert [file.relative_to(FOLDER).as_posix() for file in FILES] == [
        "bot-only-queue.yaml",
        "health-bot.yaml",
        "mixed-queue.yaml",
        "multi-clinic/base.yaml",
        "multi-clinic/north.yaml",
        "multi-clinic/south.yaml",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_needs_nothing_with_examples_and_its_values_without(file: Path) -> None:
    assert load_file(file, SPECS, {}, {}, examples=True).tests
    with pytest.raises(PlaybookError) as caught:
        load_file(file, SPECS, {}, {})
    assert all("has no value" in mistake.message for mistake in caught.value.mistakes)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_runs_on_the_clinic_as_it_is(file: Path) -> None:
    playbook = load_file(file, SPECS, {}, {}, examples=True)
    assert [stream.name for stream in playbook.desired.of(Workstream)] == ["Patient chat"]
    assert {queue.name for queue in playbook.desired.of(Queue) if queue.existing} <= {"Nurses", "Billing"}
    assert {member.name for member in playbook.desired.of(QueueMember) if member.is_person} <= PEOPLE


def test_no_two_share_what_they_make() -> None:
    playbooks = shipped()
    names = [playbook.name for playbook in playbooks]
    bots = [bot.identity for playbook in playbooks for bot in playbook.desired.of(BotUser)]
    rules = [rule.name for playbook in playbooks for rule in playbook.desired.of(RoutingRule)]
    queues = [
        queue.name
        for playbook in playbooks
        for queue in playbook.desired.of(Queue)
        if queue.name not in {"Nurses", "Billing"}
    ]
    for found in (names, bots, rules, queues):
        assert len(found) == len(set(found))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_explains_itself(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert sum("#" in line for line in lines) >= 4
    assert max(map(len, lines)) <= 125


def test_an_overlay_adds_moves_and_removes() -> None:
    south = load_file(FOLDER / "multi-clinic" / "south.yaml", SPECS, {}, {}, examples=True)
    assert [rule.name for rule in south.desired.of(RoutingRule)] == [
        "South: urgent",
        "South: any hand-off",
        "South: the bot first",
    ]
    assert [queue.name for queue in south.desired.of(Queue)] == ["South bot", "South nurses", "Nurses", "South urgent"]
