"""Environments of any size are exported in as many requests: they depend on pages, never on queues or people."""

from __future__ import annotations

import pytest

from d365setup.emulator import Emulator
from d365setup.emulator import fixtures as names
from d365setup.exporting import NAMES
from d365setup.kinds.queue import Queue
from d365setup.kinds.queue_member import QueueMember
from d365setup.kinds.routing_rule import RoutingRule
from tests.exporting.driver import export
from tests.survey import rule_text
from tests.survey.site import Site, site
from tests.survey.test_scale import OTHER, PERSON, QUEUE, made, put, row_id

LOOKS = 3  # at the contact center, at the same as a plan sees it, and the proof
BATCHES = 4  # side by side, for each look
PAGES = 1  # of people, and of rule sets, each read by themselves
RULES = 100


def fill(here: Site, count: int) -> None:
    """So many queues with a person in each, and a work stream with a rule for each of the first hundred."""
    emulator: Emulator = here.emulator
    unit = f"'{names.ROOT_UNIT}'"
    put(
        emulator, "queue", count, queueid=made(QUEUE), name="printf('Queue %03d', i)", queueviewtype="1",
        msdyn_isomnichannelqueue="1", msdyn_queuetype="192350000", msdyn_priority="1",
        msdyn_assignmentstrategy="192350000", statecode="0", versionnumber="i",
    )  # fmt: skip
    put(
        emulator, "systemuser", count, systemuserid=made(PERSON), fullname="printf('Person %04d', i)",
        internalemailaddress="printf('person.n%04d@contoso.example', i)", businessunitid=unit, versionnumber="i",
        isdisabled="0", msdyn_capacity="50",
    )  # fmt: skip
    put(
        emulator, "queuemembership", count, queuemembershipid=made(OTHER), systemuserid=made(PERSON),
        queueid=made(QUEUE),
    )  # fmt: skip
    chat = here.make_workstream("Patient chat", fallback=row_id(QUEUE, 0))
    here.make_variable(chat, "Topic")
    rules = [(f"Rule {n}", rule_text.equals("Topic", n), row_id(QUEUE, n)) for n in range(min(count, RULES))]
    here.make_rule_set(chat, rules)


@pytest.mark.parametrize("count", [10, 500])
def test_requests_do_not_grow_with_the_environment(count: int) -> None:
    with site() as here:
        fill(here, count)
        here.emulator.reset_log()
        found = export(here.emulator)
        assert found.code == 0, found.err
        assert len(here.emulator.requests) == len(NAMES) + LOOKS * BATCHES + 2 * PAGES
        desired = found.playbook.desired
        assert [len(desired.of(kind)) for kind in (Queue, QueueMember)] == [count, count]
        assert len(desired.of(RoutingRule)) == min(count, RULES)
