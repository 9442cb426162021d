"""Rows of users as people and bots, and the roll of every queue, called page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from d365setup.center import HeldRole, Staff, User

MOST_PEOPLE = 500  # of one queue that are kept; the others are only counted

Row = Mapping[str, Any]
Names = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Beside:
    """What is known of users from elsewhere: roles of teams, capacity profiles. None: it could not be read."""

    team_roles: Names | None = None  # by team
    profiles: Names | None = None  # by user


def user(row: Row, beside: Beside) -> User:
    """The user a row describes."""
    row_id = bare(row["systemuserid"])
    roles = _roles(row.get("systemuserroles_association"))
    return User(
        row_id,
        row.get("fullname") or "",
        row.get("internalemailaddress") or "",
        enabled=not row.get("isdisabled"),
        application_id=bare(row.get("applicationid")),
        bot_id=row.get("msdyn_botapplicationid") or "",
        agent_type=row.get("msdyn_agentType"),
        capacity=row.get("msdyn_capacity") or 0,
        business_unit=bare(row.get("_businessunitid_value")),
        roles=roles,
        team_roles=_team_roles(row.get("teammembership_association"), roles, beside.team_roles),
        profiles=None if beside.profiles is None else beside.profiles.get(row_id, ()),
        modified_on=row.get("modifiedon") or "",
    )


def roles_of_teams(rows: Sequence[Row] | None) -> Names | None:
    """The names of the roles each team has."""
    if rows is None or any("teamroles_association" not in row for row in rows):
        return None
    return {bare(row["teamid"]): tuple(each.get("name") or "" for each in row["teamroles_association"]) for row in rows}


def profiles_of_users(rows: Sequence[Row] | None) -> Names | None:
    """The names of the active capacity profiles each user has."""
    if rows is None:
        return None
    found: dict[str, list[str]] = {}
    for row in rows:
        resource, profile = row.get("msdyn_bookableresourceid"), row.get("msdyn_capacityprofileid")
        if not row.get("statecode") and resource and profile:
            found.setdefault(bare(resource.get("_userid_value")), []).append(profile.get("msdyn_name") or "")
    return {each: tuple(sorted(names)) for each, names in found.items()}


def bare(value: Any) -> str:
    """An id as the values have it: lower case, no braces; "" for none."""
    return str(value or "").strip().strip("{}").lower()


def _roles(rows: Iterable[Row] | None) -> tuple[HeldRole, ...] | None:
    if rows is None:
        return None
    found = (
        HeldRole(row.get("name") or "", bare(row.get("roleid")), bare(row.get("_businessunitid_value"))) for row in rows
    )
    return tuple(sorted(found, key=lambda role: (role.name, role.row_id)))


def _team_roles(
    teams: Iterable[Row] | None, roles: tuple[HeldRole, ...] | None, known: Names | None
) -> tuple[str, ...] | None:
    """Names of roles held through teams and not directly."""
    if teams is None or roles is None or known is None:
        return None
    held = {name for team in teams for name in known.get(bare(team.get("teamid")), ())}
    return tuple(sorted(held - {role.name for role in roles}))


@dataclass
class _Tally:
    bots: list[User] = field(default_factory=list)
    people: list[User] = field(default_factory=list)
    counted: int = 0
    enabled: int = 0
    without_role: int = 0
    roles_read: bool = True
    units: Counter[int] = field(default_factory=Counter)

    def add(self, each: User) -> None:
        if not each.is_person:
            self.bots.append(each)
            return
        self.counted += 1
        if len(self.people) < MOST_PEOPLE:
            self.people.append(each)
        if each.enabled:
            self.enabled += 1
            self._count(each)

    def _count(self, each: User) -> None:
        if each.has_agent_role is None:
            self.roles_read = False
        if each.has_agent_role is False:
            self.without_role += 1
        else:
            self.units[each.capacity] += 1


class Roll:
    """Who is in which queue. Of a queue's people no more than `MOST_PEOPLE` are kept, however many pages come."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def call(self, page: Iterable[Row], queues: frozenset[str] | None, beside: Beside) -> None:
        """Count a page of users, each in the queues it is in; ``queues`` are the only ones that count, None for all."""
        for row in page:
            joined = {bare(each.get("queueid")) for each in row.get("queuemembership_association") or ()}
            each = user(row, beside)
            for queue in joined if queues is None else joined & queues:
                self._tallies.setdefault(queue, _Tally()).add(each)

    def members(self, queue: str) -> tuple[User, ...]:
        """A queue's bots, then the people that were kept, by name."""
        tally = self._tallies.get(queue, _Tally())
        return (*sorted(tally.bots, key=_by_name), *sorted(tally.people, key=_by_name))

    def left_out(self, queue: str) -> int:
        """How many people of a queue were counted and not kept."""
        tally = self._tallies.get(queue, _Tally())
        return tally.counted - len(tally.people)

    def staff(self, queue: str) -> Staff:
        """A queue's people in figures."""
        tally = self._tallies.get(queue, _Tally())
        without = tally.without_role if tally.roles_read else None
        return Staff(tally.counted, tally.enabled, without, tuple(sorted(tally.units.items())))


def _by_name(each: User) -> tuple[str, str]:
    return each.name, each.row_id
