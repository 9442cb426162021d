"""The roll of a queue: right however the pages fall, and never longer than it may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from d365setup.center import AGENT_ROLE
from d365setup.survey.people import MOST_PEOPLE, Beside, Roll, user

QUEUES = ("q1", "q2", "q3")  # nobody is in the last one


def row(number: int, **columns: Any) -> dict[str, Any]:
    """A user's row as it is read."""
    known = {"systemuserid": f"u{number:05}", "fullname": f"Person {number:05}", "isdisabled": False}
    role = [{"name": AGENT_ROLE, "roleid": "r", "_businessunitid_value": "b"}]
    return {**known, "msdyn_capacity": 100, "systemuserroles_association": role, **columns}


PERSON = st.builds(
    dict,
    isdisabled=st.booleans(),
    msdyn_capacity=st.sampled_from([None, 0, 50, 100]),
    msdyn_botapplicationid=st.sampled_from([None, "bot"]),
    applicationid=st.sampled_from([None, "A"]),
    systemuserroles_association=st.sampled_from([[], [{"name": "x"}], [{"name": "x"}, {"name": AGENT_ROLE}]]),
    queuemembership_association=st.sampled_from(
        [[], *([{"queueid": each} for each in ["Q1", "Q2"][:n]] for n in (1, 2))]
    ),
)


def called(rows: Sequence[dict[str, Any]], size: int) -> Roll:
    roll = Roll()
    for start in range(0, len(rows), size):
        roll.call(rows[start : start + size], None, Beside())
    return roll


@settings(deadline=None)  # the machine may be busy
@given(st.lists(PERSON, max_size=12), st.integers(1, 13))
def test_pages_do_not_matter_and_the_figures_are_right(people: list[dict[str, Any]], size: int) -> None:
    rows = [row(number, **columns) for number, columns in enumerate(people)]
    roll, whole = called(rows, size), called(rows, 1000)
    for queue in QUEUES:
        inside = [
            user(each, Beside()) for each in rows if {"queueid": queue.upper()} in each["queuemembership_association"]
        ]
        persons = [each for each in inside if each.is_person]
        able = Counter(each.capacity for each in persons if each.enabled and each.has_agent_role)
        staff = roll.staff(queue)
        assert staff == whole.staff(queue)
        assert (staff.people, staff.enabled) == (len(persons), sum(each.enabled for each in persons))
        assert (staff.without_role, dict(staff.able)) == (staff.enabled - able.total(), dict(able))
        assert set(roll.members(queue)) == set(inside)
        assert roll.left_out(queue) == 0


def test_people_beyond_the_bound_are_counted_and_not_kept_but_every_bot_is() -> None:
    joined = [{"queueid": "q1"}]
    people = (row(number, queuemembership_association=joined) for number in range(MOST_PEOPLE + 40))
    bots = (row(90000 + n, queuemembership_association=joined, msdyn_botapplicationid="b") for n in range(3))
    roll = Roll()
    roll.call((*people, *bots), None, Beside())
    assert len(roll.members("q1")) == MOST_PEOPLE + 3
    assert sum(each.is_bot for each in roll.members("q1")) == 3
    assert roll.left_out("q1") == 40
    assert roll.staff("q1").people == MOST_PEOPLE + 40
    assert roll.staff("q1").able == ((100, MOST_PEOPLE + 40),)


def test_a_queue_that_is_not_asked_about_is_not_counted() -> None:
    roll = Roll()
    both = [{"queueid": "q1"}, {"queueid": "q2"}]
    roll.call([row(1, queuemembership_association=both)], frozenset({"q1"}), Beside())
    roll.call([row(1, queuemembership_association=both)], frozenset({"q2"}), Beside())
    assert [roll.staff(queue).people for queue in QUEUES] == [1, 1, 0]


def test_roles_that_were_not_read_make_everybody_enabled_able() -> None:
    unread = row(1, queuemembership_association=[{"queueid": "q1"}])
    del unread["systemuserroles_association"]
    roll = Roll()
    roll.call([unread], None, Beside())
    assert roll.staff("q1").without_role is None
    assert roll.staff("q1").able == ((100, 1),)
    assert roll.members("q1")[0].roles is None


def test_profiles_and_roles_of_teams() -> None:
    teams = {"t1": ("Supervisor", AGENT_ROLE), "t2": ("Clerk",)}
    each = row(1, teammembership_association=[{"teamid": "T1"}, {"teamid": "t2"}, {"teamid": "t3"}])
    found = user(each, Beside(teams, {"u00001": ("Chats",)}))
    assert (found.team_roles, found.profiles) == (("Clerk", "Supervisor"), ("Chats",))
    assert user(each, Beside(None, None)).team_roles is None
