"""Queries as values, their labels, and filters that are never too long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from d365setup.dataverse.odata import guid, query

MOST_TERMS = 100  # in one filter; the service refuses more than 500
MOST_TEXT = 8000  # characters of one filter as it travels; an address may have 32 KB
STREAMS, VARIABLES, CONFIGURATIONS, STEPS = "work streams", "variables", "configurations", "steps"
RULE_SETS, MAPPINGS, OVERFLOW_ACTIONS = "rule sets", "mappings", "overflow actions"
QUEUES, HOURS, CALENDARS, BOTS, TEAMS = "queues", "operating hours", "calendars", "bots", "teams"
STREAM_PROFILES, USER_PROFILES, QUESTIONS = "work stream profiles", "user profiles", "questions"
LEGACY, DECLINES, MEMBERS = "legacy rules", "declines", "members"
ORGANIZATION, ROOT_UNIT = "organization", "root business unit"
KEYS = {  # the column that tells one row from another
    ORGANIZATION: "organizationid",
    ROOT_UNIT: "businessunitid",
    STREAMS: "msdyn_liveworkstreamid",
    VARIABLES: "msdyn_ocliveworkstreamcontextvariableid",
    CONFIGURATIONS: "msdyn_routingconfigurationid",
    STEPS: "msdyn_routingconfigurationstepid",
    RULE_SETS: "msdyn_decisionrulesetid",
    MAPPINGS: "msdyn_rulesetdependencymappingid",
    OVERFLOW_ACTIONS: "msdyn_overflowactionconfigid",
    QUEUES: "queueid",
    HOURS: "msdyn_operatinghourid",
    CALENDARS: "calendarid",
    BOTS: "systemuserid",
    TEAMS: "teamid",
    STREAM_PROFILES: "msdyn_liveworkstreamcapacityprofileid",
    USER_PROFILES: "msdyn_bookableresourcecapacityprofileid",
    QUESTIONS: "msdyn_surveyquestionid",
    LEGACY: "msdyn_ocruleitemid",
    DECLINES: "msdyn_omnichannelconfigurationid",
}


@dataclass(frozen=True)
class Part:
    """A part of an environment: names of work streams and queues, and Entra application ids of bots."""

    workstreams: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expand:
    """A navigation property followed; ``table`` is where it leads."""

    navigation: str
    table: str
    select: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.navigation}($select={','.join(self.select)})"


@dataclass(frozen=True)
class Query:
    """Rows of one table. Without ``select`` every column; ``page`` is how many rows may come at once, 0 for any."""

    label: str
    table: str
    entity_set: str
    select: tuple[str, ...]
    where: str = ""
    expand: tuple[Expand, ...] = ()
    page: int = 0
    needed: bool = False  # without it there is nothing to survey

    @property
    def path(self) -> str:
        """The address below the service root."""
        return query(self.entity_set, select=self.select, filter=self.where, expand=tuple(map(str, self.expand)))


def by_ids(column: str, ids: Iterable[str]) -> Iterator[str]:
    """Filters that find rows by an id."""
    return either(f"{column} eq {guid(each)}" for each in ids)


def either(terms: Iterable[str]) -> Iterator[str]:
    """The terms joined by `or`, in as few filters as the limits allow; nothing for no terms."""
    part: list[str] = []
    size = 0
    for term in dict.fromkeys(terms):
        length = len(quote(f" or {term}"))
        if part and (len(part) == MOST_TERMS or size + length > MOST_TEXT):
            yield " or ".join(part)
            part, size = [], 0
        part.append(term)
        size += length
    if part:
        yield " or ".join(part)
