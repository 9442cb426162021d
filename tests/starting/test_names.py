"""Whatever somebody calls things: it is refused, or the playbook means exactly that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.cli.testing import proven_alone
from d365setup.errors import UsageError
from d365setup.kinds import discover, specs
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.workstream import Workstream
from d365setup.playbook import Playbook, load
from d365setup.starting import Choices, chosen, new_files, next_steps

SPECS = specs(discover())
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp")), min_size=1, max_size=40),
    st.sampled_from(["no", "on", "~", "1_0", "a: b", "# x", "- a", "'", '"', "\\", "@QUEUE@", "${x}", "$${x}", "a/b"]),
    st.sampled_from(
        ["${bot_application_id}", "{a: b}", "[a]", "&a", "*a", "!!int 1", "%TAG", "0x1f", "2026-01-01", "=x"]
    ),
)


def playbook(choices: Choices) -> Playbook:
    text = next(each.text for each in new_files(choices) if each.path == "playbook.yaml")
    return load(text, SPECS, {}, examples=True)


def names(found: Playbook, kind: type[Any]) -> set[str]:
    return {each.name for each in found.desired.of(kind)}


@settings(deadline=None)  # the machine may be busy
@given(bot=NAMES, queue=NAMES, stream=NAMES, name=st.sampled_from(["", "intake", "0-x", "A b"]))
def test_a_name_is_meant_as_it_stands(bot: str, queue: str, stream: str, name: str) -> None:
    try:
        choices = chosen(Choices(bot_name=bot, queue=queue, workstream=stream, name=name))
    except UsageError:
        return
    found = playbook(choices)
    assert names(found, BotUser) == {choices.bot_name}
    assert names(found, Queue) == {choices.queue, choices.bot_queue}
    assert names(found, Workstream) == {choices.workstream}
    assert found.name == choices.playbook
    assert proven_alone(found).exit_code == 0


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.from_regex(r"[a-z.'+-]{1,9}@[a-z]{1,9}\.example", fullmatch=True), min_size=1, max_size=9))
def test_people_are_members(people: list[str]) -> None:
    choices = chosen(Choices(people=tuple(people)))
    members = {each.name for each in playbook(choices).desired.of(QueueMember)}
    assert members == {*people, choices.bot_name}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Choices(bot_name=" "), "--bot-name is empty"),
        (Choices(bot_name="x" * 101), "--bot-name is longer than 100"),
        (Choices(queue="Nurses\nfallback_queue: x"), "--queue 'Nurses\\nfallback_queue: x' holds a character"),
        (Choices(workstream="a\u202eb"), "--workstream"),
        (Choices(bot_name="bot@contoso.example"), "--bot-name 'bot@contoso.example' would be taken for a person"),
        (Choices(bot_name="A person"), "would be taken for a person"),
        (Choices(name="Intake Bot"), "--name 'Intake Bot' may hold"),
        (Choices(queue="contoso health bot FIRST"), "is what the bot's own queue is called"),
        (Choices(people=("nurse",)), "--people 'nurse' is no e-mail address"),
        (Choices(people=("a@b.example\n",  "x y@b.example")), "--people 'x y@b.example'"),
        (Choices(people=(" , ",)), "--people takes one to 50"),
        (Choices(source="contoso/d365setup"), "--source takes"),
        (Choices(source="a/b@v1\nx: y"), "--source takes"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(wrong: Choices, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(wrong)
    assert told in str(caught.value)


def test_names_of_the_clinic_need_no_reset() -> None:
    calls = [call for call, _ in next_steps(Choices(), ".")]
    assert calls[0] == "d365setup validate playbook.yaml --examples"
    own = replace(Choices(), workstream="Intake; chat", people=("intake.one@contoso.example",))
    first, *_ = next_steps(own, ".")
    assert first[0] == "d365setup emulator reset --workstream 'Intake; chat' --person intake.one@contoso.example"
