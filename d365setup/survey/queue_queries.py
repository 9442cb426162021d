"""What is asked about queues and users: settings, hours, overflow actions, who is where with which roles. Pure.

Tables, columns and navigation names: `docs/dataverse.md`; calendars: `hours`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from d365setup.dataverse.odata import quote_string
from d365setup.survey.queries import (
    BOTS,
    CALENDARS,
    HOURS,
    MEMBERS,
    OVERFLOW_ACTIONS,
    QUEUES,
    TEAMS,
    USER_PROFILES,
    Expand,
    Part,
    Query,
    by_ids,
    either,
)

_BOT_TYPE = 192350001  # systemuser.msdyn_agentType: bot application user
_USER = (
    "systemuserid",
    "fullname",
    "internalemailaddress",
    "isdisabled",
    "applicationid",
    "_businessunitid_value",
    "msdyn_botapplicationid",
    "msdyn_agentType",
    "msdyn_capacity",
    "modifiedon",
)
_USER_EXPANDS = (
    Expand("systemuserroles_association", "role", ("roleid", "name", "_businessunitid_value")),
    Expand("teammembership_association", "team", ("teamid",)),
)


def of_queues(part: Part | None) -> Iterator[Query]:
    """Queues and bots, and what there is to know beside them."""
    yield from _queues(part)
    yield from (_bots(each) for each in _bot_filters(part))
    yield _overflow_actions()
    yield _teams()
    if part is None:
        yield user_profiles()


def _queues(part: Part | None) -> Iterator[Query]:
    if part is None:
        yield _queue("msdyn_isomnichannelqueue eq true")
    else:
        yield from (_queue(where) for where in either(f"name eq {quote_string(name)}" for name in part.queues))


def queues(ids: Iterable[str]) -> Iterator[Query]:
    """Queues by id, whatever they are."""
    yield from (_queue(where) for where in by_ids("queueid", ids))


def _queue(where: str) -> Query:
    columns = (
        "queueid",
        "name",
        "queueviewtype",
        "statecode",
        "modifiedon",
        "msdyn_isomnichannelqueue",
        "msdyn_isdefaultqueue",
        "msdyn_queuetype",
        "msdyn_priority",
        "msdyn_assignmentstrategy",
        "_msdyn_operatinghourid_value",
        "_msdyn_prequeueoverflowrulesetid_value",  # the bare name is refused (routing facts, section 1.2)
        "_msdyn_inqueueoverflowrulesetid_value",
    )
    return Query(QUEUES, "queue", "queues", columns, where)


def hours(ids: Iterable[str]) -> Iterator[Query]:
    """Operating hours by id."""
    columns = ("msdyn_operatinghourid", "msdyn_name", "msdyn_calendarid")
    for where in by_ids("msdyn_operatinghourid", ids):
        yield Query(HOURS, "msdyn_operatinghour", "msdyn_operatinghours", columns, where)


def calendars(ids: Iterable[str]) -> Iterator[Query]:
    """Calendars by id, with their rules: the rules cannot be asked for by themselves."""
    select = (
        "pattern",
        "timezonecode",
        "offset",
        "duration",
        "starttime",
        "effectiveintervalstart",
        "effectiveintervalend",
        "timecode",
        "_innercalendarid_value",
    )
    rules = Expand("calendar_calendar_rules", "calendarrule", select)
    for where in by_ids("calendarid", ids):
        columns = ("calendarid", "_holidayschedulecalendarid_value")
        yield Query(CALENDARS, "calendar", "calendars", columns, where, (rules,))


def _overflow_actions() -> Query:
    table = "msdyn_overflowactionconfig"
    columns = (f"{table}id", "msdyn_name", "msdyn_overflowactiontype", "msdyn_overflowactiondata")
    return Query(OVERFLOW_ACTIONS, table, f"{table}s", columns)


def user_profiles() -> Query:
    """Which capacity profiles users have."""
    table = "msdyn_bookableresourcecapacityprofile"
    expand = (
        Expand("msdyn_bookableresourceid", "bookableresource", ("_userid_value",)),
        Expand("msdyn_capacityprofileid", "msdyn_capacityprofile", ("msdyn_name",)),
    )
    return Query(USER_PROFILES, table, f"{table}s", (f"{table}id", "statecode"), "", expand)


def _teams() -> Query:
    roles = Expand("teamroles_association", "role", ("name",))
    return Query(TEAMS, "team", "teams", ("teamid",), "teamroles_association/any()", (roles,))


def _bot_filters(part: Part | None) -> Iterator[str]:
    if part is None:
        yield f"msdyn_botapplicationid ne null or msdyn_agentType eq {_BOT_TYPE}"
    else:
        yield from by_ids("applicationid", part.bots)


def _bots(where: str) -> Query:
    return Query(BOTS, "systemuser", "systemusers", _USER, where, _USER_EXPANDS)


def users(ids: Iterable[str]) -> Iterator[Query]:
    """Bots by their row's id."""
    yield from (_bots(where) for where in by_ids("systemuserid", ids))


def members(queues: Iterable[str] | None) -> Iterator[Query]:
    """Who is in these queues, or in any of Omnichannel, each with the queues he or she is in."""
    if queues is None:
        yield _members("queuemembership_association/any(q:q/msdyn_isomnichannelqueue eq true)")
    else:
        yield from (
            _members(f"queuemembership_association/any(q:{where})") for where in by_ids("q/queueid", sorted(queues))
        )


def _members(where: str) -> Query:
    joined = Expand("queuemembership_association", "queue", ("queueid",))
    return Query(MEMBERS, "systemuser", "systemusers", _USER, where, (*_USER_EXPANDS, joined))
