"""Any environment exports to a playbook with an empty plan there, which makes the same rows elsewhere; and whatever
row is lost afterwards, that playbook's plan makes it again: an empty export could do neither."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup import ruleset
from d365setup.emulator import Emulator, Options, Switches
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.role_assignment import RoleAssignment
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.model import Spec
from d365setup.outcome import Status
from d365setup.playbook import Playbook
from tests.engine.driver import applied, decided
from tests.engine.test_convergence import answers, hands, playbooks, started
from tests.exporting.driver import bare, creates, export, rows

MAKEABLE = (BotUser, ContextVariable, Queue, QueueMember, RoleAssignment, RoutingRule)


def makeable(playbook: Playbook) -> list[Spec]:
    """What the playbook would make where it is missing."""
    return [each for each in playbook.desired.specs if isinstance(each, MAKEABLE) and not each.only_refers]


def lose(emulator: Emulator, spec: Spec) -> None:
    """Take the row of one thing away behind everybody's back."""
    match spec:
        case Queue():
            row = emulator.sql("SELECT queueid FROM queue WHERE name = ?", [spec.name])[0][0]
            emulator.execute("DELETE FROM queuemembership WHERE queueid = ?", [row])
            emulator.execute("DELETE FROM queue WHERE queueid = ?", [row])
        case QueueMember():
            emulator.execute(
                "DELETE FROM queuemembership WHERE queueid IN (SELECT queueid FROM queue WHERE name = ?) AND "
                "systemuserid IN (SELECT systemuserid FROM systemuser WHERE internalemailaddress = ? OR fullname = ?)",
                [spec.queue, spec.name, spec.name],
            )
        case BotUser():
            row = emulator.sql("SELECT systemuserid FROM systemuser WHERE applicationid = ?", [spec.application_id])[0][
                0
            ]
            for table in ("queuemembership", "systemuserroles", "systemuser"):
                emulator.execute(f"DELETE FROM {table} WHERE systemuserid = ?", [row])  # noqa: S608  # our own names
        case RoleAssignment():
            emulator.execute(
                "DELETE FROM systemuserroles WHERE systemuserid IN (SELECT systemuserid FROM systemuser WHERE "
                "applicationid = ?) AND roleid IN (SELECT roleid FROM role WHERE name = ?)",
                [spec.application_id, spec.name],
            )
        case ContextVariable():
            emulator.execute("DELETE FROM msdyn_ocliveworkstreamcontextvariable WHERE msdyn_name = ?", [spec.name])
        case RoutingRule():
            _without_rule(emulator, spec.name)


def _without_rule(emulator: Emulator, name: str) -> None:
    found = emulator.sql("SELECT msdyn_decisionrulesetid, msdyn_rulesetdefinition FROM msdyn_decisionruleset")
    for row_id, text in found:
        gone = [rule.id for rule in ruleset.read(text).rules if rule.name == name] if text else []
        if gone:
            sql = "UPDATE msdyn_decisionruleset SET msdyn_rulesetdefinition = ? WHERE msdyn_decisionrulesetid = ?"
            emulator.execute(sql, [ruleset.without(text, gone), row_id])


def along_with(spec: Spec, playbook: Playbook) -> set[str]:
    """The links that are lost with a row."""
    links = (*playbook.desired.of(QueueMember), *playbook.desired.of(RoleAssignment))
    if isinstance(spec, Queue):
        return {str(link.id) for link in links if getattr(link, "queue", "") == spec.name}
    if isinstance(spec, BotUser):
        return {str(link.id) for link in links if spec.name in (getattr(link, "user", ""), link.name)}
    return set()


def test_the_clinic_as_it_comes_is_made_again() -> None:
    emulator = Emulator(None, Options())
    with closing(emulator), emulator.serve(), bare() as other:
        found = export(emulator)
        assert found.code == 0, found.err
        assert len(makeable(found.playbook)) == 6  # two queues, and four people in them
        assert set(applied(other, found.filled).statuses.values()) == {Status.VERIFIED}
        assert rows(other) == rows(emulator)


WHOLE = """\
playbook: 1
name: whole
bot_users:
  - name: Bot
    application_id: 5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f
    bot_application_id: 9b1e6c2d-4a7f-4c1b-9e0d-3f5a7b8c9d01
    email: bot@contoso.example
    roles: [Omnichannel agent, Omnichannel supervisor]
queues:
  - {name: Empty, priority: 3}
  - {name: First, members: [Bot, nurse.one@contoso.example]}
workstreams:
  - name: Patient chat
    fallback_queue: First
    context_variables: [{name: Topic, type: text}, {name: Unused, type: number}]
    routing_rules:
      - {name: Asked, when: {Topic: Nurse}, queue: First}
      - {name: Everyone, queue: Empty}
"""


def test_each_row_of_a_whole_environment_is_made_again_when_it_is_lost(tmp_path: Path) -> None:
    source = Emulator(tmp_path / "source.db", Options())
    with closing(source), source.serve():
        applied(source, WHOLE)
        found = export(source)
        assert found.code == 0, found.err
    lost = makeable(found.playbook)
    assert {type(each) for each in lost} == set(MAKEABLE)
    for each in lost:
        shutil.copy(tmp_path / "source.db", tmp_path / "copy.db")
        copy = Emulator(tmp_path / "copy.db", Options())
        with closing(copy), copy.serve():
            assert creates(decided(copy, found.filled)) == []
            lose(copy, each)
            made = set(creates(decided(copy, found.filled)))
            assert made - along_with(each, found.playbook) == {str(each.id)}  # one, and the links that went with it


@pytest.mark.no_cover  # test_export.py measures what this repeats; tracing would double the time
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(playbook=playbooks(), acts=hands, switches=answers, data=st.data())
def test_an_export_is_in_line_and_makes_the_same_again(
    playbook: dict[str, Any], acts: list[str], switches: Switches, data: st.DataObject
) -> None:
    text = yaml.safe_dump(playbook, sort_keys=False, allow_unicode=True)
    with started(switches, acts) as emulator:
        applied(emulator, text)
        found = export(emulator)
        assert found.code == 0, found.err
        assert decided(emulator, found.filled).plan.changes == ()
        with bare() as other:
            again = applied(other, found.filled)
            assert set(again.statuses.values()) == {Status.VERIFIED}, again.outcomes
            assert rows(other) == rows(emulator)
        lost = data.draw(st.sampled_from(makeable(found.playbook)))
        lose(emulator, lost)
        made = creates(decided(emulator, found.filled))
        assert [each for each in made if each.startswith(f"{lost.kind}:")] == [str(lost.id)]
        assert set(made) == {str(lost.id)} | along_with(lost, found.playbook)
