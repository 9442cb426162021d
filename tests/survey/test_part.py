"""A playbook's part of an environment: its work streams, every queue something of theirs leads to, its bots."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from d365setup.center import ContactCenter
from d365setup.survey import Part

from .rule_text import equals, rule, sends, splits, text
from .site import Site


@pytest.fixture
def two(here: Site) -> Site:
    """Two work streams that share nothing but the environment; the first one's transfers go on over three queues."""
    nurses, desk, night, late = (here.make_queue(name) for name in ("Nurses", "Desk", "Night", "Late"))
    other, split = here.make_queue("Other"), here.make_queue("Split")
    here.make_bot("Declared", application_id="5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f")
    here.make_bot("Undeclared")
    bot = here.make_bot("Stream's own")
    here.make_person("nurse.one@contoso.example", queue=nurses)
    here.make_person("desk.one@contoso.example", queue=desk)
    here.make_person("other.one@contoso.example", queue=other)
    chat = here.make_workstream("Patient chat", fallback=nurses, bot=bot)
    here.make_variable(chat, "Topic")
    here.make_rule_text(
        chat,
        text(
            [rule("Shared", equals("Topic", "x"), splits([(nurses, 50), (split, 50)])), rule("All", None, sends(desk))]
        ),
    )
    here.make_overflow(desk, [("work items", 5, "transfer", night)])
    here.make_overflow(night, [("out of hours", None, "transfer", late)])
    here.make_overflow(late, [("work items", 5, "transfer", desk)])
    strange = here.make_workstream("patient CHAT", fallback=other)
    here.make_rule_set(strange, [("All", None, other)])
    here.ask(strange, "Name")
    here.make_legacy_rule(chat, "Old")
    return here


def test_what_belongs_to_a_work_stream(two: Site) -> None:
    whole = two.center()
    part = two.center(Part(("Patient chat",), (), ("5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",)))
    assert [each.name for each in part.workstreams] == ["Patient chat"]
    assert part.workstreams == (whole.workstream("Patient chat"),)
    assert [each.name for each in part.queues] == ["Desk", "Late", "Night", "Nurses", "Split"]
    assert all(whole.queue(each.row_id) == _with_profiles(each) for each in part.queues)
    assert [each.name for each in part.users] == ["Declared", "Stream's own"]
    assert part.unread == ()


def _with_profiles(queue: object) -> object:
    """A part asks for capacity profiles of users only where a work stream goes by them."""
    members = [replace(each, profiles=()) for each in queue.members]  # type: ignore[attr-defined]
    return replace(queue, members=tuple(members))  # type: ignore[type-var]


def test_a_declared_queue_and_nothing_else(two: Site) -> None:
    part = two.center(Part((), ("Desk", "desk "), ()))
    assert (part.workstreams, part.users) == ((), ())
    assert [each.name for each in part.queues] == ["Desk", "Late", "Night"]


def test_an_empty_part(two: Site) -> None:
    empty = two.center(Part())
    assert (empty.workstreams, empty.queues, empty.users, empty.unread) == ((), (), (), ())
    assert empty.organization == "Contoso Health"


def test_profiles_are_read_where_a_work_stream_goes_by_them(two: Site) -> None:
    chat = two.rows("msdyn_liveworkstreams?$filter=msdyn_name eq 'Patient chat'")
    (row_id,) = [row["msdyn_liveworkstreamid"] for row in chat if row["msdyn_name"] == "Patient chat"]
    profile = two.make_profile("Chats")
    two.attach_profile(row_id, profile)
    bot = two.rows("systemusers?$filter=lastname eq 'Declared'")[0]["systemuserid"]
    two.give_profile(bot, profile)
    part = two.center(Part(("Patient chat",), (), ("5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",)))
    assert {each.name: each.profiles for each in part.users} == {"Declared": ("Chats",), "Stream's own": ()}


def test_more_names_than_one_filter_holds(here: Site) -> None:
    names = [f"Stream {number:03} of a rather long name, O'Neill & sons %" for number in range(120)]
    for name in names:
        here.emulator.add("msdyn_liveworkstream", msdyn_name=name, msdyn_mode=717210001)
    found: ContactCenter = here.center(Part(tuple(names)))
    assert [each.name for each in found.workstreams] == names


def test_a_chain_of_queues_without_end_is_said_not_to_be_read(here: Site) -> None:
    queues = [here.make_queue(f"Queue {number:02}") for number in range(25)]
    for queue, following in pairwise(queues):
        here.make_overflow(queue, [("work items", 5, "transfer", following)])
    part = here.center(Part((), ("Queue 00",), ()))
    assert len(part.queues) < len(queues)
    assert [str(each) for each in part.unread] == ["queue: one queue leads to the next for more than 20 queues"]
    assert here.center().unread == ()
