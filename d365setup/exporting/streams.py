"""Work streams: fallback queue, variables, rules in their order; what stays untouched is remarked where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from d365setup.center import Workstream as Shown
from d365setup.exporting.fitting import Unsayable, name_problem
from d365setup.exporting.seen import Seen
from d365setup.exporting.tree import Entry, Items, Map, Remark, Value, flat
from d365setup.exporting.whens import when
from d365setup.kinds.context_variable import MOST_VARIABLES, ContextVariable, is_reserved
from d365setup.kinds.routing_rule import RoutingRule
from d365setup.kinds.workstream import Workstream
from d365setup.model import Live, ResourceId, fold, join_key
from d365setup.ruleset import Rule


@dataclass(frozen=True)
class Said:
    """A work stream under ``workstreams``, and the names of the queues it refers to."""

    entry: Map
    queues: frozenset[str] = frozenset()


def said(
    streams: Iterable[Shown], seen: Seen, queues: Mapping[str, str]
) -> tuple[tuple[Said, ...], tuple[Remark, ...]]:
    """The work streams that can be declared, and a remark for each that cannot; ``queues`` are names by row."""
    found: list[Said] = []
    remarks: list[Remark] = []
    names: set[str] = set()
    for each in streams:
        why = _problem(each, seen) or (
            "another one's name differs only by case or blanks" if fold(each.name) in names else ""
        )
        if why:
            told = f"The work stream {each.name or each.row_id} is left out: {why}."
            remarks.append(Remark(told, _id(each), "left out"))
        else:
            names.add(fold(each.name))
            found.append(_said(each, seen, queues))
    return tuple(found), tuple(remarks)


def _problem(stream: Shown, seen: Seen) -> str:
    live = seen.streams.get(stream.row_id)
    if live is None or live.spec.found is None:
        return "it was not found a second time"
    if unfit := name_problem(stream.name, 100):
        return f"its name {unfit}"
    if len(seen.live.rows_named(Workstream.kind, join_key(stream.name))) > 1:
        return "several work streams bear this name; rename all but one"
    if not live.spec.found.active:
        return "it is inactive"
    if not live.spec.found.unified:
        return "it is in legacy mode; migrate it to unified routing first"
    return "" if live.spec.found.push else "people pick their work there, and bots get work from push ones only"


def _said(stream: Shown, seen: Seen, queues: Mapping[str, str]) -> Said:
    variables = _Variables(seen, stream.name)
    rules = _Rules(seen, stream.name, queues, variables.types)
    fallback = seen.streams[stream.row_id].spec
    entries: list[Entry | Remark] = [Entry("name", stream.name)]
    named = queues.get(fallback.fallback_id.lower(), "")
    if named:
        entries.append(Entry("fallback_queue", named))
    elif fallback.fallback_id:
        told = f"Its fallback queue {fallback.fallback_queue} stays as it is: it is left out above."
        entries.append(Remark(told, _id(stream)))
    for key, part in (("context_variables", variables.items), ("routing_rules", rules.items)):
        entries += part.remarks if part.is_empty else (Entry(key, part),)
    entries += untouched(stream)
    referred = frozenset({named, *rules.queues} - {""})
    return Said(Map(tuple(entries)), referred)


def _id(stream: Shown) -> ResourceId:
    return ResourceId(Workstream.kind, join_key(stream.name or stream.row_id))


class _Variables:
    """The variables of one work stream; ``types`` are those declared, by name."""

    def __init__(self, seen: Seen, stream: str) -> None:
        self.types: dict[str, str] = {}
        found: list[Value | Remark] = []
        for live in seen.variables(stream):
            why = next(self._reasons(live, seen), "")
            if why:
                name = live.spec.name or live.row_id
                own = ResourceId(ContextVariable.kind, join_key(stream, name))
                found.append(Remark(f"The variable {name} is left out: {why}.", own, "left out"))
            else:
                self.types[live.spec.name] = live.spec.type or "text"
                found.append(self._entry(live.spec))
        self.items = Items(tuple(found))

    def _reasons(self, live: Live[ContextVariable], seen: Seen) -> Iterator[str]:
        """Why the variable cannot be declared."""
        have = live.spec
        if unfit := name_problem(have.name, 100):
            yield f"its name {unfit}"
        if is_reserved(have.name):
            yield "the platform keeps this name for itself"
        if not have.active:
            yield "it is inactive"
        if have.type not in ("text", "number"):
            yield f"it is of type {have.type or 'unknown'}, and a playbook knows text and number"
        if len(seen.live.rows_named(have.kind, have.identity)) > 1:
            yield "several variables of the work stream bear this name"
        if fold(have.name) in map(fold, self.types):
            yield "another variable's name differs from it only by case, blanks or Unicode form"
        if len(self.types) == MOST_VARIABLES:
            yield "the platform takes no more"

    def _entry(self, have: ContextVariable) -> Map:
        shown = have.display_name or ""
        other = shown and shown != have.name and not name_problem(shown, 100)
        named = {"display_name": shown} if other else {}
        return flat(name=have.name, type=have.type or "text", **named)


class _Rules:
    """The rules of one work stream in their order; ``queues`` are the names of those they lead to."""

    def __init__(self, seen: Seen, stream: str, queues: Mapping[str, str], types: Mapping[str, str]) -> None:
        self._seen, self._stream, self._names, self._types = seen, stream, queues, types
        self._facts = facts = seen.rules(stream)
        self.queues: set[str] = set()
        self._taken: set[str] = set()
        found: list[Value | Remark] = []
        if facts.problem:
            own = ResourceId(Workstream.kind, join_key(stream))
            found.append(Remark(f"Its rules stay as they are: {facts.problem}.", own))
        for rule in () if facts.problem else facts.rules:
            found += self._said(rule)
        self.items = Items(tuple(found))

    def _said(self, rule: Rule) -> Iterator[Value | Remark]:
        try:
            queue = self._queue(rule)
            condition = when(rule.condition, self._types)
        except Unsayable as reason:
            told = f"Here stands the rule {rule.name or rule.id!r}, which stays as it is: {reason}."
            yield Remark(told, self._id(rule), "left out")
            return
        self.queues.add(queue)
        self._taken.add(fold(rule.name))
        yield from (
            Remark(f"{each} of the next rule stays as it is, and is not written here.", self._id(rule))
            for each in _beside(rule)
        )
        entries = [Entry("name", rule.name), *([Entry("when", condition)] if condition is not None else [])]
        yield Map((*entries, Entry("queue", queue)), flow=True)

    def _id(self, rule: Rule) -> ResourceId:
        return ResourceId(RoutingRule.kind, join_key(self._stream, rule.name or rule.id))

    def _queue(self, rule: Rule) -> str:
        if unfit := name_problem(rule.name):
            raise Unsayable(f"its name {unfit}")
        if [each.name for each in self._facts.rules].count(rule.name) > 1:
            raise Unsayable("several rules bear this name")
        if fold(rule.name) in self._taken:
            raise Unsayable("another rule's name differs from it only by case, blanks or Unicode form")
        if rule.id in self._facts.disabled:
            raise Unsayable("somebody disabled it, and a playbook's rules are enabled")
        if rule.queue is None:
            raise Unsayable(f"it leads to no single queue ({rule.action})")
        if rule.queue not in self._names:
            led_to = self._seen.center.queue(rule.queue)
            raise Unsayable(f"its queue {led_to.name} is left out above" if led_to else "its queue is no longer there")
        return self._names[rule.queue]


def _beside(rule: Rule) -> Iterator[str]:
    if rule.overflow:
        yield "The overflow setting"


def untouched(stream: Shown) -> Iterator[Remark]:
    """What the work stream has that format 1 does not speak of."""
    for told in _untouched(stream):
        yield Remark(f"Untouched: {told}.", _id(stream))


def _untouched(stream: Shown) -> Iterator[str]:
    if stream.bot_user_id:
        yield "a bot of its own, which meets new conversations before any rule is looked at"
    if sets := stream.classifications:
        count = sum(len(each.rules) for each in sets)
        yield f"work classification ({', '.join(each.name or each.row_id for each in sets)}: {_counted(count, 'rule')})"
    if stream.steps("skills"):
        yield "the finding of skills"
    if stream.steps("agent group"):
        yield "the choice of a group of agents"
    if stream.steps("unknown"):
        yield "a routing step of a kind that d365setup does not know"
    if stream.legacy_rules:
        yield f"{_counted(len(stream.legacy_rules), 'rule')} of legacy routing"
    if stream.profiles:
        yield f"capacity by profiles ({', '.join(stream.profiles)})"
    if stream.routes is not None and stream.routes.hit_policy not in ("all", ""):
        yield f"the hit policy {stream.routes.hit_policy!r} of its rules"
    if stream.questions:
        yield f"{_counted(len(stream.questions), 'question')} asked before a conversation"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
