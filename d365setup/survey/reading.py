"""Reading a contact center: waves of queries until nothing is missing any more, then the members page by page.

The first wave asks for all that needs no id; the others for queues that rules, fallbacks and overflow lead to, for
rule sets of overflow, and for calendars. How many requests that takes depends on pages, not on queues or people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from d365setup.center import ContactCenter, User
from d365setup.dataverse.client import Client
from d365setup.dataverse.odata import guid
from d365setup.errors import Unresolvable
from d365setup.model import Note, ResourceId
from d365setup.survey import queries, queue_queries, stream_queries
from d365setup.survey.asking import Inquiry
from d365setup.survey.gathered import Gathered
from d365setup.survey.people import Beside, Roll, bare, profiles_of_users, roles_of_teams, user
from d365setup.survey.queries import Part, Query
from d365setup.survey.queues import queues
from d365setup.survey.streams import workstreams

Row = Mapping[str, Any]
Make = Callable[[Iterable[str]], Iterator[Query]]

_BY_PROFILE = 192360000  # msdyn_liveworkstream.msdyn_capacityformat
_MOST_WAVES = 20  # transfers from queue to queue are followed one link a wave, and not for ever


def read_center(client: Client, part: Part | None = None) -> ContactCenter:
    """An environment as routing sees it, or a part of it with every queue that part leads to.

    What the environment refuses or lacks is in `unread`, and None in the values. Raises DataverseError where it cannot
    be reached or signed in to, Unresolvable where it is no such environment.
    """
    found = _Survey(client, part).center()
    taken_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return replace(found, origin="live", taken_at=taken_at, url=client.url)


class _Survey:
    """One look at one environment."""

    def __init__(self, client: Client, part: Part | None) -> None:
        self._inquiry, self._part, self._url = Inquiry(client), part, client.url
        self._gathered = Gathered()
        self._asked: set[tuple[str, str]] = set()  # label and id
        self._profiles_asked = part is None

    def center(self) -> ContactCenter:
        """Ask for everything, and say what it amounts to."""
        self._gathered.add(self._inquiry.ask(_first(self._part)), self._is_meant)
        for _ in range(_MOST_WAVES):
            wanted = list(self._missing())
            if not wanted:
                break
            self._gathered.add(self._inquiry.ask(wanted))
        else:
            self._inquiry.note("queue", "", f"one queue leads to the next for more than {_MOST_WAVES} queues")
        organization, unit = self._about()
        beside = self._beside()
        roll = self._call_roll(beside)
        gathered, lines = self._gathered, self._gathered.overflow_lines
        declines = (row.get("msdyn_number_of_declines_allowed") for row in gathered.of(queries.DECLINES))
        return ContactCenter(
            workstreams(gathered.answers, gathered.sets),
            queues(gathered, roll),
            self._bots(beside),
            organization_id=bare(organization.get("organizationid")),
            organization=organization.get("name") or "",
            root_business_unit=bare(unit.get("businessunitid")),
            declines_allowed=next((each for each in declines if each is not None), None),
            overflows={each: lines[each] for each in sorted(set(gathered.own_overflow_sets) & set(lines))},
            unread=self._inquiry.unread,
        )

    def _about(self) -> tuple[Row, Row]:
        organizations, units = self._gathered.of(queries.ORGANIZATION), self._gathered.of(queries.ROOT_UNIT)
        if len(organizations) != 1 or len(units) != 1:
            found = f"found {len(organizations)} and {len(units)}"
            message = f"expected one organization and one root business unit, {found}"
            raise Unresolvable([Note("error", ResourceId("environment", self._url), message)])
        return organizations[0], units[0]

    def _is_meant(self, label: str, row: Row) -> bool:
        """The service compares names without regard to case: near misses come along, and are not meant."""
        if self._part is None or label not in {queries.STREAMS, queries.QUEUES}:
            return True
        if label == queries.STREAMS:
            return row.get("msdyn_name") in self._part.workstreams
        return row.get("name") in self._part.queues

    def _missing(self) -> Iterator[Query]:
        """What is led to and was neither read nor asked for yet."""
        gathered = self._gathered
        yield from self._once(queries.QUEUES, gathered.queues_led_to, queue_queries.queues)
        yield from self._once(queries.RULE_SETS, gathered.overflow_sets, stream_queries.rule_sets)
        yield from self._once(queries.HOURS, gathered.hours_led_to, queue_queries.hours)
        yield from self._once(queries.CALENDARS, gathered.calendars_led_to, queue_queries.calendars)
        yield from self._once(queries.BOTS, gathered.bots_led_to, queue_queries.users)
        if self._part is not None:
            yield from self._once(queries.MAPPINGS, gathered.sets or (), stream_queries.mappings)
        counted = (row.get("msdyn_capacityformat") for row in gathered.of(queries.STREAMS))
        if not self._profiles_asked and _BY_PROFILE in counted:
            self._profiles_asked = True
            yield queue_queries.user_profiles()

    def _once(self, label: str, ids: Iterable[str], make: Make) -> Iterator[Query]:
        known = self._gathered.by_id(label)
        if known is None:
            return
        new = sorted({each for each in ids if _is_id(each) and each not in known and (label, each) not in self._asked})
        self._asked.update((label, each) for each in new)
        yield from make(new)

    def _beside(self) -> Beside:
        answers = self._gathered.answers
        profiles = answers[queries.USER_PROFILES] if self._profiles_asked else None
        return Beside(roles_of_teams(answers[queries.TEAMS]), profiles_of_users(profiles))

    def _call_roll(self, beside: Beside) -> Roll | None:
        """Count the members of every queue, page by page; None where they could not be read."""
        roll = Roll()
        for query, counted in self._calls():
            for page in self._inquiry.pages(query):
                if page is None or any("queuemembership_association" not in row for row in page):
                    return None
                roll.call(page, counted, beside)
                del page  # before the next one comes
        return roll

    def _calls(self) -> Iterator[tuple[Query, frozenset[str]]]:
        """The queries for members, each with the queues it is about: a user may come up in several of them."""
        rows = self._gathered.of(queries.QUEUES)
        whole = {bare(row["queueid"]) for row in rows if self._part is None and row.get("msdyn_isomnichannelqueue")}
        if self._part is None:
            yield from ((query, frozenset(whole)) for query in queue_queries.members(None))
        for chunk in _chunks(sorted({bare(row["queueid"]) for row in rows} - whole)):
            yield from ((query, frozenset(chunk)) for query in queue_queries.members(chunk))

    def _bots(self, beside: Beside) -> tuple[User, ...]:
        found = (user(row, beside) for row in self._gathered.of(queries.BOTS))
        return tuple(sorted(found, key=lambda each: (each.name, each.row_id)))


def _first(part: Part | None) -> Iterator[Query]:
    """The first wave: everything that can be asked for without knowing a row's id."""
    yield Query(queries.ORGANIZATION, "organization", "organizations", ("organizationid", "name"), needed=True)
    root = "_parentbusinessunitid_value eq null"
    yield Query(queries.ROOT_UNIT, "businessunit", "businessunits", ("businessunitid",), root, needed=True)
    yield from stream_queries.of_streams(None if part is None else part.workstreams)
    yield from queue_queries.of_queues(part)
    columns = ("msdyn_omnichannelconfigurationid", "msdyn_number_of_declines_allowed")
    yield Query(queries.DECLINES, "msdyn_omnichannelconfiguration", "msdyn_omnichannelconfigurations", columns)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + queries.MOST_TERMS] for start in range(0, len(ids), queries.MOST_TERMS))


def _is_id(text: str) -> bool:
    try:
        return bool(guid(text))
    except ValueError:
        return False
