"""A contact center into things: bots, queues and their members, work streams with variables and rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from d365setup.center import ContactCenter, Hours, Overflow, Queue, RuleSet, User, Workstream
from d365setup.comparing.things import UNREAD, Names, Thing, Things
from d365setup.conditions import describe, normal
from d365setup.model import ResourceId
from d365setup.ruleset import Rule

_GUID = re.compile(r"\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Tables without which nothing of a sort can be told, by what the survey calls them.
_TABLES = {"systemuser": "bots", "queue": "queues", "msdyn_liveworkstream": "work streams"}


def things(center: ContactCenter) -> Things:
    """Everything comparable of a contact center."""
    read = _Reading(center)
    return Things({each.id: each for each in read.things()}, read.gaps)


class _Reading:
    """One look at one contact center; ``gaps`` fill up on the way."""

    def __init__(self, center: ContactCenter) -> None:
        self._center, self._names = center, Names()
        self.gaps = {
            _TABLES[each.table]: each.reason for each in center.unread if not each.column and each.table in _TABLES
        }

    def things(self) -> Iterator[Thing]:
        """In the order people read them."""
        for bot in _by_name(self._center.bots):
            yield Thing(self._names.id("bot_user", bot.name), _bot(bot), ("bots",))
        for queue in _by_name(self._center.queues):
            yield from self._queue(queue)
        for stream in _by_name(self._center.workstreams):
            yield from self._stream(stream)

    # -- queues ------------------------------------------------------------------------------------------------------

    def _queue(self, queue: Queue) -> Iterator[Thing]:
        owner = self._names.id("queue", queue.name)
        yield Thing(owner, self._queue_fields(queue), ("queues",))
        people, bots = f"people of {owner}", f"bots of {owner}"
        if queue.members is None:
            self.gaps |= {people: "not read", bots: "not read"}
        elif queue.left_out:
            self.gaps[people] = f"{queue.staff.people} people, of whom {queue.left_out} were not read one by one"
        for member in queue.members or ():
            called = member.name if member.is_bot else (member.email.casefold() or member.name)
            part = bots if member.is_bot else people
            yield Thing(self._names.id("queue_member", called, owner), {}, ("queues", part), owner)

    def _queue_fields(self, queue: Queue) -> dict[str, Any]:
        return {
            "type": queue.type,
            "priority": queue.priority,
            "assignment": queue.assignment,
            "active": queue.active,
            "omnichannel": queue.omnichannel,
            "default queue": queue.is_default,
            "hours": _hours(queue.hours) if queue.hours_read else UNREAD,
            "overflow before queueing": self._overflow(queue.prequeue),
            "overflow in the queue": self._overflow(queue.inqueue),
        }

    def _overflow(self, lines: tuple[Overflow, ...] | None) -> Any:
        if lines is None or any(line.queue_id and not self._center.queue(line.queue_id) for line in lines):
            return UNREAD
        return tuple(self._overflow_line(each) for each in lines)

    def _overflow_line(self, line: Overflow) -> str:
        limit = "" if line.limit is None else f" {line.limit}"
        target = f" to {self._queue_name(line.queue_id)}" if line.queue_id else ""
        told = f": {self._without_ids(line.text)}" if line.when == "unknown" or line.action == "unknown" else ""
        return f"{line.when}{limit}: {line.action}{target}{told}"

    # -- work streams ------------------------------------------------------------------------------------------------

    def _stream(self, stream: Workstream) -> Iterator[Thing]:
        owner = self._names.id("workstream", stream.name)
        yield Thing(owner, self._stream_fields(stream), ("work streams",))
        yield from self._variables(stream, owner)
        yield from self._rules(stream, owner)

    def _variables(self, stream: Workstream, owner: ResourceId) -> Iterator[Thing]:
        part = f"variables of {owner}"
        if stream.variables is None:
            self.gaps[part] = "not read"
        for each in _by_name(stream.variables or ()):
            name = self._names.id("context_variable", each.name, owner)
            yield Thing(name, {"type": each.type or "(unknown)"}, ("work streams", part), owner)

    def _rules(self, stream: Workstream, owner: ResourceId) -> Iterator[Thing]:
        found, part = stream.routes, f"rules of {owner}"
        if stream.configurations is None or (found is not None and found.problem):
            self.gaps[part] = found.problem if found else "not read"
            return
        if found is not None:
            for rule in found.rules:
                name = self._names.id("routing_rule", rule.name, owner)
                yield Thing(name, self._rule(rule, found), ("work streams", part), owner)

    def _rule(self, rule: Rule, found: RuleSet) -> dict[str, Any]:
        return {
            "when": self._without_ids(describe(normal(rule.condition))),
            "queue": self._target(rule),
            "overflow": self._rule_overflow(rule),
            "enabled": UNREAD if found.disabled is None else not found.is_disabled(rule),
        }

    def _target(self, rule: Rule) -> Any:
        if rule.shares:
            shares = [(share, self._queue_name(queue)) for queue, share in rule.shares]
            known = all(isinstance(name, str) for _, name in shares)
            return ", ".join(f"{share} % {name}" for share, name in shares) if known else UNREAD
        return self._queue_name(rule.queue) or f"(none: {self._without_ids(rule.action)})"

    def _rule_overflow(self, rule: Rule) -> Any:
        if rule.overflow is None:
            return None
        lines = self._center.overflows.get(rule.overflow)
        return self._overflow(lines)

    def _stream_fields(self, stream: Workstream) -> dict[str, Any]:
        asked = stream.questions
        return {
            "active": stream.active,
            "unified routing": stream.unified,
            "push": stream.push,
            "capacity by units": stream.unit_based,
            "units": stream.units,
            "closest match of skills": stream.closest_match,
            "channel": stream.channel,
            "fallback_queue": self._queue_name(stream.fallback_id) if stream.fallback_read else UNREAD,
            "bot": self._bot_name(stream.bot_user_id),
            "bot queue": self._queue_name(stream.bot_queue_id),
            "questions": UNREAD if asked is None else tuple(f"{each.name} ({each.type})" for each in asked),
            "capacity profiles": UNREAD if stream.profiles is None else tuple(sorted(stream.profiles)),
            "legacy rules": UNREAD if stream.legacy_rules is None else tuple(stream.legacy_rules),
            "classification": self._classification(stream),
            "order of rules": self._order(stream),
        }

    def _classification(self, stream: Workstream) -> Any:
        sets = stream.classifications
        if stream.configurations is None or any(each.problem for each in sets):
            return UNREAD
        return tuple(self._classified(rule, each) for each in sets for rule in each.rules)

    def _classified(self, rule: Rule, found: RuleSet) -> str:
        sets = ", ".join(f"{name} = {'(computed)' if value is None else value}" for name, value in rule.sets)
        off = " (disabled)" if found.is_disabled(rule) else ""
        return self._without_ids(f"{rule.name}{off}: when {describe(normal(rule.condition))}: {sets or rule.action}")

    def _order(self, stream: Workstream) -> Any:
        found = stream.routes
        if stream.configurations is None or (found is not None and found.problem):
            return UNREAD
        return tuple(each.name for each in found.rules) if found else ()

    # -- names in the place of ids -----------------------------------------------------------------------------------

    def _queue_name(self, row_id: str | None) -> Any:
        """None without an id; UNREAD for a queue that nobody read, or that is gone."""
        found = self._center.queue(row_id or "")
        return (found.name if found else UNREAD) if row_id else None

    def _bot_name(self, row_id: str) -> Any:
        found = self._center.user(row_id)
        return (found.name if found else UNREAD) if row_id else None

    def _without_ids(self, text: str) -> str:
        return _GUID.sub(lambda found: self._named(found[0].strip("{}").lower()), text)

    def _named(self, row_id: str) -> str:
        found = self._center.queue(row_id) or self._center.user(row_id)
        return found.name if found else "(an id)"


def _by_name(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda each: str(each.name))


def _bot(bot: User) -> Mapping[str, Any]:
    return {
        "email": bot.email.casefold(),
        "enabled": bot.enabled,
        "capacity": bot.capacity,
        "roles": UNREAD if bot.roles is None else tuple(sorted(each.name for each in bot.roles)),
        "roles through teams": UNREAD if bot.team_roles is None else tuple(sorted(bot.team_roles)),
        "capacity profiles": UNREAD if bot.profiles is None else tuple(sorted(bot.profiles)),
    }


def _hours(hours: Hours | None) -> Any:
    if hours is None:
        return None
    if hours.problem:
        return UNREAD
    spans = [f"{_DAYS[day % 7]} {_clock(begin)}-{_clock(end)}" for day, begin, end in hours.spans]
    closed = [f"closed {each}" for each in hours.holidays]
    return (hours.zone, *spans, *closed)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
