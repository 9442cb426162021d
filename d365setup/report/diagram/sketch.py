"""A contact center -> the scene: who hands over to which work stream, which rule leads where, who is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from d365setup.center import ContactCenter, Overflow, Queue, User, Workstream
from d365setup.conditions import describe
from d365setup.report.diagram.choosing import MOST_BOTS, leads_to, left_out, not_drawn, rule_marks, rules, streams
from d365setup.report.diagram.marks import Marks
from d365setup.report.diagram.scene import Column, Edge, Line, Node, Scene, Tone
from d365setup.report.diagram.wording import counted
from d365setup.routing import Simulation
from d365setup.ruleset import Rule

MOST_QUEUES = 40


def sketch(center: ContactCenter, marks: Marks, path: Simulation | None = None) -> Scene:
    """Everything that is to be drawn, nothing of where."""
    return _Sketch(center, marks, path).scene


@dataclass(frozen=True)
class _Sketch:
    center: ContactCenter
    marks: Marks
    path: Simulation | None

    @property
    def scene(self) -> Scene:
        nodes = (*self._bots(), *self._streams(), *self._queues(), *self._members())
        edges = (*self._handoffs(), *self._rule_edges(), *self._overflows(), *self._member_edges())
        return Scene(nodes, tuple(dict.fromkeys(edges)), self._left_out(), is_simulated=self.path is not None)

    @cached_property
    def drawn(self) -> tuple[Workstream, ...]:
        return streams(self.center, self.marks, self.path)

    @cached_property
    def used(self) -> frozenset[str]:
        """Ids of the rules a simulated conversation was caught by, and of the queues it was in."""
        legs = self.path.strict.legs if self.path else ()
        caught = (rule.rule_id for leg in legs for rule in leg.rules if rule.result == "matched")
        return frozenset((*caught, *(leg.queue_id for leg in legs if leg.queue_id)))

    @cached_property
    def rules(self) -> dict[str, tuple[tuple[int, Rule], ...]]:
        """The rules to draw, by work stream."""
        return {each.row_id: rules(each, self.marks, self.used) for each in self.drawn}

    @cached_property
    def queues(self) -> tuple[str, ...]:
        """Ids of the queues to draw."""
        return self.wanted_queues[:MOST_QUEUES]

    @cached_property
    def wanted_queues(self) -> tuple[str, ...]:
        """Where rules lead, where their queues spill over to, where the simulation went: ids."""
        named = [each for stream in self.drawn for each in self._reached(stream)]
        named += [each.row_id for each in self.center.queues if each.row_id in self.used]
        found = dict.fromkeys(named)
        for row_id in list(found):
            found.update(dict.fromkeys(each.queue_id for each in _transfers(self.center.queue(row_id))))
        return tuple(found)

    def _reached(self, stream: Workstream) -> Iterator[str]:
        """As far as the rules that are drawn."""
        hidden = {rule.id for rule in (stream.routes.rules if stream.routes else ())}
        hidden -= {rule.id for _, rule in self.rules[stream.row_id]}
        if not hidden:
            yield from leads_to(stream)
            return
        ends = (queue for _, rule in self.rules[stream.row_id] for queue in _ends(rule))
        yield from (each for each in (stream.bot_queue_id, *ends, stream.fallback_id) if each)

    # -- nodes -------------------------------------------------------------------------------------------------------

    def _bots(self) -> Iterator[Node]:
        for bot in self.bots:
            detail = "disabled" if not bot.enabled else f"capacity {bot.capacity:,}"
            yield Node(_bot(bot), Column.BOTS, bot.name, detail, "bot", self.marks.on("bot_user", bot.name, bot.row_id))

    @cached_property
    def bots(self) -> tuple[User, ...]:
        """The bots to draw."""
        return self.wanted_bots[:MOST_QUEUES]

    @cached_property
    def wanted_bots(self) -> tuple[User, ...]:
        """The bots in the queues that are drawn, and those with problems."""
        inside = {bot.row_id for queue in self._known() for bot in queue.bots}
        own = {stream.bot_user_id for stream in self.drawn}
        wanted = (
            bot
            for bot in self.center.bots
            if bot.row_id in inside | own or (not self.path and self.marks.on("bot_user", bot.name, bot.row_id))
        )
        return tuple(wanted)

    def _streams(self) -> Iterator[Node]:
        for at, stream in enumerate(self.drawn):
            detail = _stream_detail(stream)
            marks = self.marks.on("workstream", stream.name, stream.row_id)
            yield Node(_stream(stream), Column.STREAMS, stream.name, detail, "plain", marks, at)
            yield from (replace(node, at=at) for node in self._rules(stream))

    def _rules(self, stream: Workstream) -> Iterator[Node]:
        place = _stream(stream)
        if stream.bot_queue_id:
            yield Node(f"{place}-own", Column.RULES, "The work stream's own bot", stream.bot_rule or "answers first")
        for number, rule in self.rules[stream.row_id]:
            yield self._rule(stream, number, rule)
        told = _missing_rules(stream, len(self.rules[stream.row_id]))
        if told:
            yield Node(f"{place}-more", Column.RULES, told, tone="quiet")
        yield _fallback(stream)

    def _rule(self, stream: Workstream, number: int, rule: Rule) -> Node:
        disabled = bool(stream.routes and stream.routes.is_disabled(rule))
        detail = f"{'disabled; ' if disabled else ''}{describe(rule.condition)}{_action(rule)}"
        tone: Tone = "quiet" if disabled else "plain"
        marks = rule_marks(stream, rule, self.marks)
        return Node(_rule_id(stream, number), Column.RULES, f"{number}. {rule.name}", detail, tone, marks)

    def _queues(self) -> Iterator[Node]:
        for row_id in self.queues:
            queue = self.center.queue(row_id)
            if queue is None:
                yield Node(f"q-{row_id}", Column.QUEUES, "A queue that is not there", row_id, "missing")
            else:
                marks = self.marks.on("queue", queue.name, row_id)
                tone: Tone = "plain" if queue.active else "quiet"
                yield Node(f"q-{row_id}", Column.QUEUES, queue.name, _queue_detail(queue), tone, marks)

    def _members(self) -> Iterator[Node]:
        return (node for queue in self._known() for node in _inside(queue))

    # -- edges -------------------------------------------------------------------------------------------------------

    def _handoffs(self) -> Iterator[Edge]:
        for stream in self.drawn:
            inside = {bot.row_id for each in leads_to(stream) for bot in _bots_of(self.center.queue(each))}
            inside.add(stream.bot_user_id)
            for bot in self.bots:
                if bot.row_id in inside:
                    yield Edge(_bot(bot), _stream(stream), "handoff", "hands over")

    def _rule_edges(self) -> Iterator[Edge]:
        for stream in self.drawn:
            place = _stream(stream)
            yield from (Edge(place, node.id, "rule") for node in self._rules(stream))
            if stream.bot_queue_id:
                yield from self._to(f"{place}-own", stream.bot_queue_id, "flow")
            for number, rule in self.rules[stream.row_id]:
                for queue in _ends(rule):
                    yield from self._to(_rule_id(stream, number), queue, "flow", dict(rule.shares).get(queue, ""))
            if stream.fallback_id:
                yield from self._to(f"{place}-fallback", stream.fallback_id, "fallback")

    def _to(self, start: str, queue_id: str, line: Line, share: str = "") -> Iterator[Edge]:
        if queue_id in self.queues:
            yield Edge(start, f"q-{queue_id}", line, f"{share} %" if share else "")

    def _overflows(self) -> Iterator[Edge]:
        for queue in self._known():
            for each in _transfers(queue):
                if each.queue_id != queue.row_id:
                    yield from self._to(f"q-{queue.row_id}", each.queue_id, "overflow")

    def _member_edges(self) -> Iterator[Edge]:
        known = self._known()
        return (Edge(f"q-{queue.row_id}", node.id, "member") for queue in known for node in _inside(queue))

    # -- the rest ----------------------------------------------------------------------------------------------------

    def _known(self) -> Iterator[Queue]:
        return (queue for row_id in self.queues if (queue := self.center.queue(row_id)))

    def _left_out(self) -> tuple[str, ...]:
        queues, bots = len(self.wanted_queues) - len(self.queues), len(self.wanted_bots) - len(self.bots)
        return (
            *left_out(self.center, self.drawn, self.path),
            *not_drawn(queues, "more queue is", "more queues are"),
            *not_drawn(bots, "more bot is", "more bots are"),
        )


def _bot(bot: User) -> str:
    return f"b-{bot.row_id}"


def _stream(stream: Workstream) -> str:
    return f"w-{stream.row_id}"


def _rule_id(stream: Workstream, number: int) -> str:
    return f"{_stream(stream)}-r{number}"


def _ends(rule: Rule) -> tuple[str, ...]:
    return (rule.queue,) if rule.queue else tuple(queue for queue, _ in rule.shares)


def _bots_of(queue: Queue | None) -> tuple[User, ...]:
    return queue.bots if queue else ()


def _transfers(queue: Queue | None) -> Iterator[Overflow]:
    settings: Iterable[Overflow] = (*(queue.prequeue or ()), *(queue.inqueue or ())) if queue else ()
    return (each for each in settings if each.action == "transfer" and each.queue_id)


def _stream_detail(stream: Workstream) -> str:
    if not stream.active:
        return "inactive"
    mode = "pushed" if stream.push else "picked by people"
    return f"{mode}, {counted(stream.units, 'unit')} each" if stream.unit_based else f"{mode}, by capacity profiles"


def _missing_rules(stream: Workstream, drawn: int) -> str:
    routes = stream.routes
    if stream.configurations is None:
        return "Its rules were not read"
    if routes is None:
        return "It has no rules"
    if routes.problem:
        return f"Its rules cannot be read: {routes.problem}"
    hidden = len(routes.rules) - drawn
    return f"{counted(hidden, 'more rule is', 'more rules are')} not drawn" if hidden else ""


def _fallback(stream: Workstream) -> Node:
    told = "the fallback queue" if stream.fallback_id else "there is no fallback queue"
    if not stream.fallback_read:
        told = "the fallback queue was not read"
    return Node(f"{_stream(stream)}-fallback", Column.RULES, "No rule matches", told, "quiet")


def _action(rule: Rule) -> str:
    return "" if rule.queue or rule.shares else f" → {rule.action}"


def _queue_detail(queue: Queue) -> str:
    kind = queue.assignment or "assignment not known"
    return kind if queue.active else f"inactive; {kind}"


def _inside(queue: Queue) -> Iterator[Node]:
    """A box for each bot of a queue, the first ones, and one for all its people."""
    for bot in queue.bots[:MOST_BOTS]:
        yield Node(f"m-{queue.row_id}-{bot.row_id}", Column.PEOPLE, bot.name, "", "bot")
    if len(queue.bots) > MOST_BOTS:
        more = counted(len(queue.bots) - MOST_BOTS, "more bot")
        yield Node(f"m-{queue.row_id}-bots", Column.PEOPLE, more, "", "bot")
    yield Node(f"m-{queue.row_id}", Column.PEOPLE, *_people(queue))


def _people(queue: Queue) -> tuple[str, str, Tone]:
    """What stands in the box of a queue's people: how many, and how many of them can be given work."""
    if queue.members is None:
        return "Members not read", "", "missing"
    staff = queue.staff
    if not staff.people:
        return "No person", "", "missing"
    able = sum(count for _, count in staff.able)
    told = (
        f"{counted(staff.people, 'person', 'people')}, {able:,} {'enabled' if staff.without_role is None else 'able'}"
    )
    return told, "", "people" if able else "missing"
