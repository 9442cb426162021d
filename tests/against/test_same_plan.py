"""A plan against a snapshot is the plan on the environment it was taken of, whatever is there and whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d365setup.apply import Settings
from d365setup.dataverse.auth import StaticToken
from d365setup.dataverse.client import Client
from d365setup.emulator import Emulator, Fault, Switches
from d365setup.emulator.fixtures import CHILD_UNIT
from d365setup.journal import Runs
from d365setup.kinds.bot_user import BotUser
from d365setup.kinds.context_variable import ContextVariable
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.role_assignment import RoleAssignment
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.workstream import Workstream
from d365setup.model import Desired, Spec
from d365setup.session import Session
from d365setup.survey import Kept
from tests.against.driver import both, differing, kept
from tests.engine.driver import APPLICATION, BOT_ID, HEAD, KINDS, applied, playbook
from tests.engine.test_convergence import answers, hands, playbooks, started
from tests.pruning import OTHER_APPLICATION, OTHER_BOT_ID, WARD, made
from tests.survey.rule_text import equals, has_value
from tests.survey.site import site

NAMES = (
    "Nurses", "nurses", "NURSES  ", "Nürses", "O'Neil / <sons>", "o'neil / <SONS>", "Nobody's", "Public", "public ",
    "Patient chat", "PATIENT CHAT", "Other chat", "Topic", "topic", "Omnichannel agent", "omnichannel AGENT",
    "Ward role",
)  # fmt: skip
PEOPLE = (  # of those in queues: of others nobody knows
    "nurse.one@contoso.example",
    "NURSE.ONE@contoso.example",
    "twin@contoso.example",
)
IDS = (APPLICATION, OTHER_APPLICATION, "11111111-1111-4111-8111-111111111111")
BOT_IDS = (BOT_ID, OTHER_BOT_ID, "22222222-2222-4222-8222-222222222222")

names = st.sampled_from(NAMES)
specs: st.SearchStrategy[Spec] = st.one_of(
    st.builds(BotUser, name=names, application_id=st.sampled_from(IDS), bot_application_id=st.sampled_from(BOT_IDS)),
    st.builds(RoleAssignment, name=names, user=names, application_id=st.sampled_from(IDS)),
    st.builds(Queue, name=names),
    st.builds(QueueMember, name=st.sampled_from(PEOPLE), queue=names),
    st.builds(Workstream, name=names),
    st.builds(ContextVariable, name=names, workstream=names),
    st.builds(RoutingRule, name=names, workstream=names, queue=names),
)


class Odd:
    """An environment and what was kept of it; no dataclass, for Hypothesis would print all of it."""

    def __init__(self, emulator: Emulator, held: Kept) -> None:
        self.emulator, self.held = emulator, held


@pytest.fixture(scope="module")
def odd() -> Iterator[Odd]:
    """An environment with near misses, twins, things outside Omnichannel, and a bot in a queue of its own."""
    with site() as here:
        nurse, twin = here.make_person("nurse.one@contoso.example"), here.make_person("twin@contoso.example")
        here.make_person("twin@contoso.example", capacity=5)
        nurses = here.make_queue("Nurses", members=[nurse], description="On duty.")
        sons = here.make_queue("O'Neil / <sons>", members=[twin])
        public = here.make_queue("Public", queueviewtype=0, msdyn_isomnichannelqueue=False)
        bot = here.make_bot("Ward bot", queue=sons, application_id=OTHER_APPLICATION, bot_id=f"{{{OTHER_BOT_ID}}}")
        here.make_queue("<Ward bot>", members=[bot, nurse], msdyn_isomnichannelqueue=False)
        here.make_queue("<Nurse One>", members=[nurse], msdyn_isomnichannelqueue=False)
        here.make_role("Ward role", CHILD_UNIT)
        for name in ("Patient chat", "Other chat"):
            chat = here.make_workstream(name, fallback=public)
            here.make_variable(chat, "Topic")
            rules = [("To a nurse", equals("Topic", "Nurse"), nurses), ("Any", has_value("Topic"), sons)]
            here.make_rule_set(chat, rules)
            here.make_rule_set(chat, rules, step="classification")
        yield Odd(here.emulator, kept(here.emulator))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(specs, min_size=1, max_size=12))
def test_every_question_is_answered_as_by_the_environment(odd: Odd, wishes: list[Spec]) -> None:
    assert differing(odd.emulator, odd.held, Desired(tuple(wishes))) == {}


def test_the_queues_made_for_users_are_not_kept(odd: Odd) -> None:
    queues = [each for each in odd.held.answers if each.query.entity_set == "queues"]
    names_kept = {row["name"] for each in queues for row in each.rows or ()}
    assert {"<Ward bot>", "Public", "Nurses"} <= names_kept
    assert "<Nurse One>" not in names_kept


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answers, hands, st.none() | playbooks(), playbooks(), st.booleans())
def test_the_plan_is_the_same(
    switches: Switches, acts: list[str], earlier: dict[str, Any] | None, wish: dict[str, Any], prune: bool
) -> None:
    """Something was applied earlier or not, people did things by hand, and then any playbook is planned."""
    switches = replace(switches, contract="at once")  # one that shows late is another at each look
    with (
        started(switches, [each for each in acts if each != "earlier apply"]) as emulator,
        TemporaryDirectory() as kept_in,
    ):
        if earlier is not None:
            applied(emulator, yaml.safe_dump(earlier, allow_unicode=True, sort_keys=False))
        wanted = playbook(yaml.safe_dump(wish, allow_unicode=True, sort_keys=False))
        there, here = both(emulator, kept(emulator, wanted.desired), wanted, Runs(Path(kept_in)), prune=prune)
    assert there == here


def test_what_a_journal_says_is_pruned_alike(tmp_path: Path) -> None:
    """The links a playbook made are known from the journals kept beside, not from the environment."""
    runs = Runs(tmp_path)
    with started(Switches(), []) as emulator:
        with Client(emulator.url, StaticToken("anything")) as writing:
            session = Session(writing, KINDS, playbook(WARD), runs)
            assert session.carry_out(session.decide(session.look()), Settings()).exit_code == 0
        less = playbook(WARD.replace(", nurse.two@contoso.example", ""))
        there, here = both(emulator, kept(emulator), less, runs, prune=True)
    assert there == here
    gone = {each["key"] for each in there[0]["changes"] if each["action"] == "delete"}
    assert "Ward/nurse.two@contoso.example" in gone


@pytest.mark.parametrize("table", ["msdyn_ocliveworkitems", "msdyn_ocruleitems", "queueitems"])
def test_pruning_goes_on_without_what_the_environment_does_not_tell(table: str, tmp_path: Path) -> None:
    with started(Switches(), []) as emulator:
        made(emulator)
        emulator.fail(Fault(path=rf"{table}\?", status=403, code="0x80040220", message="No privilege.", times=0))
        there, here = both(emulator, kept(emulator), playbook(HEAD), Runs(tmp_path), prune=True)
    assert there == here
    assert any("could not be read" in each["message"] for each in there[0]["warnings"])


def test_of_every_kind_something_is_planned(odd: Odd) -> None:
    """A kind that is added is asked about here: what it reads must be kept."""
    kinds = {type(each).kind for each in EVERY}
    assert kinds == set(KINDS)
    assert differing(odd.emulator, odd.held, Desired(EVERY)) == {}


EVERY: tuple[Spec, ...] = (
    BotUser(name="Ward bot", application_id=OTHER_APPLICATION),
    RoleAssignment(name="Omnichannel agent", user="Ward bot", application_id=OTHER_APPLICATION),
    Queue(name="Nurses"),
    QueueMember(name="nurse.one@contoso.example", queue="Nurses"),
    Workstream(name="Patient chat"),
    ContextVariable(name="Topic", workstream="Patient chat"),
    RoutingRule(name="To a nurse", workstream="Patient chat", queue="Nurses"),
)
