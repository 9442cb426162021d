"""A contact center as routing sees it: work streams, their rules, queues, and who is in them. Values only.

`survey` reads them from an environment or a snapshot, `intended` derives them from a playbook, `routing` decides over
them, `audit` judges them, `report` draws them. None stands for "not read": whoever looks must say *not checked* or
*cannot decide*, never take it for empty. Ids are lower-case GUIDs without braces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from d365setup.model import NOWHERE, Source
from d365setup.ruleset import Rule

AGENT_ROLE = "Omnichannel agent"


@dataclass(frozen=True)
class HeldRole:
    """A security role a user holds directly; ``business_unit`` is that of the role's copy."""

    name: str
    row_id: str = ""
    business_unit: str = ""


@dataclass(frozen=True)
class User:
    """A person or a bot. ``bot_id`` is `msdyn_botapplicationid` as stored; ``capacity`` are units."""

    row_id: str
    name: str
    email: str = ""
    enabled: bool = True
    application_id: str = ""
    bot_id: str = ""
    agent_type: int | None = None  # msdyn_agentType
    capacity: int = 0
    business_unit: str = ""
    roles: tuple[HeldRole, ...] | None = None
    team_roles: tuple[str, ...] | None = None  # names of roles held through teams only: they do not count for routing
    profiles: tuple[str, ...] | None = None  # names of capacity profiles
    modified_on: str = ""
    source: Source = field(default=NOWHERE, compare=False)  # the playbook's line, where it is declared

    @property
    def is_bot(self) -> bool:
        """Omnichannel knows a bot by its filled bot application id (routing facts, section 0, fact 8)."""
        return bool(self.bot_id)

    @property
    def is_person(self) -> bool:
        """Neither a bot nor any other application."""
        return not self.bot_id and not self.application_id

    @property
    def has_agent_role(self) -> bool | None:
        """Whether it holds the agent role directly; None where roles were not read."""
        return None if self.roles is None else any(role.name == AGENT_ROLE for role in self.roles)


@dataclass(frozen=True)
class Staff:
    """All people among a queue's members, counted page by page: the members themselves may be too many to keep.

    ``able`` are the units of those who are enabled and hold the agent role, with how many have that number.
    ``without_role`` is None where roles were not read; ``able`` then holds the enabled ones.
    """

    people: int = 0
    enabled: int = 0
    without_role: int | None = 0
    able: tuple[tuple[int, int], ...] = ()

    @property
    def most_units(self) -> int:
        """The highest capacity among those who can serve; 0 where nobody can."""
        return max((units for units, _ in self.able), default=0)

    def serving(self, units: int) -> int:
        """How many can serve a conversation that costs this many units."""
        return sum(count for each, count in self.able if each >= units)


@dataclass(frozen=True)
class Hours:
    """When a queue is open. ``spans`` are (weekday 0 = Monday, first minute, minute after the last), local time.

    ``problem`` says why the calendar cannot be understood; then nobody may call the queue open or closed.
    """

    row_id: str
    name: str
    zone: str = "UTC"  # IANA name
    spans: tuple[tuple[int, int, int], ...] = ()
    holidays: tuple[str, ...] = ()  # ISO dates
    problem: str = ""


OverflowWhen = Literal["out of hours", "work items", "estimated wait", "waited", "unknown"]
OverflowAction = Literal["end conversation", "transfer", "assign anyway", "unknown"]


@dataclass(frozen=True)
class Overflow:
    """One line of a queue's overflow settings. ``limit`` is a number of items, or seconds for the waits."""

    when: OverflowWhen
    action: OverflowAction
    limit: int | None = None
    queue_id: str = ""  # where a transfer goes
    name: str = ""
    text: str = ""  # as stored, for what is unknown


@dataclass(frozen=True)
class Queue:
    """A queue. ``members`` are all its bots, and people up to one page; ``left_out`` tells of the others."""

    row_id: str
    name: str
    type: str = "messaging"  # messaging, record, voice; "" for another
    priority: int = 1
    assignment: str = "highest capacity"  # the service's method by its name; "" for one nobody knows
    active: bool = True
    private: bool = True
    omnichannel: bool = True
    members: tuple[User, ...] | None = ()
    left_out: int = 0
    staff: Staff = Staff()
    hours: Hours | None = None
    hours_read: bool = True
    prequeue: tuple[Overflow, ...] | None = ()
    inqueue: tuple[Overflow, ...] | None = ()
    managed: bool = False
    is_default: bool = False
    modified_on: str = ""
    source: Source = field(default=NOWHERE, compare=False)

    @property
    def bots(self) -> tuple[User, ...]:
        """Its bots; empty also where members were not read."""
        return tuple(each for each in self.members or () if each.is_bot)

    @property
    def is_bot_only(self) -> bool:
        """Bots and not one person, enabled or not."""
        return bool(self.bots) and not self.staff.people


@dataclass(frozen=True)
class Variable:
    """A context variable's row. ``type`` is text, number, boolean, entity reference, or "" for another."""

    name: str
    type: str
    row_id: str = ""
    source: Source = field(default=NOWHERE, compare=False)


@dataclass(frozen=True)
class RuleSet:
    """A rule set as understood; ``problem`` says why its text cannot be read, and then it has no rules.

    ``disabled`` are ids of rules, None where the environment does not have the column. ``mappings`` are the pairs
    (rule id, referenced row id) of its dependency mappings, None where they were not read.
    """

    row_id: str
    name: str = ""
    rules: tuple[Rule, ...] = ()
    hit_policy: str = "all"
    problem: str = ""
    text: str = field(default="", repr=False)
    output_contract: str = ""  # unique name
    disabled: frozenset[str] | None = frozenset()
    mappings: frozenset[tuple[str, str]] | None = None
    managed: bool = False
    customizable: bool = True
    modified_on: str = ""
    sources: Mapping[str, Source] = field(default_factory=dict, compare=False, repr=False)  # by rule id

    def is_disabled(self, rule: Rule) -> bool:
        """Whether the environment skips the rule."""
        return rule.id in (self.disabled or ())


StepType = Literal["classification", "skills", "route to queue", "agent group", "unknown"]


@dataclass(frozen=True)
class RoutingStep:
    """One step of a routing configuration."""

    row_id: str
    type: StepType
    order: int = 0
    active: bool = True
    rule_set: RuleSet | None = None


@dataclass(frozen=True)
class Configuration:
    """A work stream's routing configuration; one of them should be the active one."""

    row_id: str
    active: bool = True
    steps: tuple[RoutingStep, ...] = ()
    managed: bool = False


@dataclass(frozen=True)
class Question:
    """A pre-conversation question; it makes a context variable of its name. ``type`` as in `Variable`, or ""."""

    name: str
    type: str = "text"


@dataclass(frozen=True)
class Workstream:
    """A work stream with everything that decides where its conversations go."""

    row_id: str
    name: str
    unified: bool = True
    push: bool = True
    active: bool = True
    unit_based: bool = True
    units: int = 0  # what one conversation costs; inert where capacity goes by profiles
    closest_match: bool = False  # skills are matched as closely as possible, and sorted by
    channel: int | None = None  # msdyn_streamsource
    fallback_id: str = ""  # "" for none
    fallback_read: bool = True
    bot_user_id: str = ""  # the work stream's own bot
    bot_queue_id: str = ""
    bot_rule: str = ""
    variables: tuple[Variable, ...] | None = ()
    contract: Mapping[str, str] | None = None  # variable -> data type, as the routing contract shows them
    contract_problem: str = ""
    configurations: tuple[Configuration, ...] | None = ()
    legacy_rules: tuple[str, ...] | None = ()  # names of rules of legacy routing
    questions: tuple[Question, ...] | None = ()
    profiles: tuple[str, ...] | None = ()  # names of capacity profiles
    managed: bool = False
    modified_on: str = ""
    source: Source = field(default=NOWHERE, compare=False)

    def steps(self, kind: StepType) -> tuple[RoutingStep, ...]:
        """The active steps of one type in the active configurations, in their order."""
        configurations = (each for each in self.configurations or () if each.active)
        found = (step for each in configurations for step in each.steps if step.type == kind and step.active)
        return tuple(sorted(found, key=lambda step: step.order))

    @property
    def routes(self) -> RuleSet | None:
        """The rule set that chooses the queue: the first one, should there be several."""
        return next((step.rule_set for step in self.steps("route to queue") if step.rule_set), None)

    @property
    def classifications(self) -> tuple[RuleSet, ...]:
        """The rule sets of work classification, in order."""
        return tuple(step.rule_set for step in self.steps("classification") if step.rule_set)

    def variable(self, name: str) -> Variable | None:
        """The variable of exactly this name."""
        return next((each for each in self.variables or () if each.name == name), None)


@dataclass(frozen=True)
class Unread:
    """What an environment did not tell: a table (or one column of it), and why."""

    table: str
    column: str = ""
    reason: str = ""

    def __str__(self) -> str:
        what = f"{self.table}.{self.column}" if self.column else self.table
        return f"{what}: {self.reason}"


Origin = Literal["live", "snapshot", "playbook", "merged"]  # merged: live, as it will be once a playbook is applied


@dataclass(frozen=True)
class ContactCenter:
    """Everything that decides where conversations go, at one moment. ``users`` are all bots, in a queue or not."""

    workstreams: tuple[Workstream, ...] = ()
    queues: tuple[Queue, ...] = ()
    users: tuple[User, ...] = ()
    origin: Origin = "playbook"
    taken_at: str = ""  # ISO 8601, UTC; "" for a playbook's intent
    url: str = ""
    organization_id: str = ""
    organization: str = ""
    root_business_unit: str = ""
    declines_allowed: int | None = None
    # What a rule has instead of its queue's own, by overflow rule set id (`Rule.overflow`); one not here was not read.
    overflows: Mapping[str, tuple[Overflow, ...]] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()

    @cached_property
    def _queues(self) -> Mapping[str, Queue]:
        return {queue.row_id: queue for queue in self.queues}

    @cached_property
    def _users(self) -> Mapping[str, User]:
        members = (user for queue in self.queues for user in queue.members or ())
        return {user.row_id: user for user in (*members, *self.users)}

    def queue(self, row_id: str) -> Queue | None:
        """The queue with this id."""
        return self._queues.get(row_id)

    def user(self, row_id: str) -> User | None:
        """The user with this id, if it is a bot or a member that was kept."""
        return self._users.get(row_id)

    def queue_named(self, name: str) -> Queue | None:
        """The first queue of exactly this name."""
        return next((each for each in self.queues if each.name == name), None)

    def workstream(self, name: str) -> Workstream | None:
        """The first work stream of exactly this name."""
        return next((each for each in self.workstreams if each.name == name), None)

    @property
    def bots(self) -> tuple[User, ...]:
        """Every bot, each once."""
        return tuple(each for each in self._users.values() if each.is_bot)

    def memberships(self, user_id: str) -> Iterator[Queue]:
        """The queues a user is in."""
        return (queue for queue in self.queues if any(each.row_id == user_id for each in queue.members or ()))


def record_link(url: str, table: str, row_id: str) -> str:
    """Where a browser shows a row; "" without an environment or a row."""
    if not url or not row_id:
        return ""
    return f"{url.rstrip('/')}/main.aspx?pagetype=entityrecord&etn={table}&id={row_id}"
