"""Where hand-overs go: for each way in which a bot gets a conversation, what the rules make of what it hands over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from d365setup.audit.destinations import live_rules, targets
from d365setup.audit.overlap import Asked, as_number, clauses
from d365setup.center import ContactCenter, Queue, Workstream
from d365setup.conditions import All, Condition, Operator, Test, normal
from d365setup.routing import Reading
from d365setup.routing.contexts import minimal_escalations
from d365setup.routing.deciding import decide
from d365setup.routing.journey import Value
from d365setup.ruleset import Rule

Context = Mapping[str, Value]
MOST_ENTRIES = 64  # of one rule: its alternatives, each a way to the bot


@dataclass(frozen=True)
class Entry:
    """A way in which bots get a conversation that then only people, or other bots, can take.

    ``context`` is what must be set for it; ``by`` says what leads to them, for people.
    """

    bots: frozenset[str]
    context: Context
    by: str


@dataclass(frozen=True)
class Match:
    """A rule that matches a hand-over; ``is_sure``: whichever way texts are compared, and wholly understood."""

    rule: Rule
    is_sure: bool


@dataclass(frozen=True)
class Route:
    """A rule in use, and what it surely needs: each variable, and the texts it must be one of (None: any)."""

    rule: Rule
    needs: tuple[tuple[str, frozenset[str] | None], ...]

    def may_match(self, context: Context) -> bool:
        """False where it surely does not, however texts are compared: seen at a glance, for there are many to try."""
        for name, texts in self.needs:
            value = context.get(name)
            if value is None:
                return False
            if texts is not None and _folded(value) not in texts and as_number(str(value)) is None:
                return False
        return True


def entries(center: ContactCenter, stream: Workstream) -> Iterator[Entry]:
    """The work stream's own bot, and each queue of bots alone that a rule leads to."""
    if stream.bot_user_id:
        bot = center.user(stream.bot_user_id)
        yield Entry(frozenset({stream.bot_user_id}), {}, f"its own bot {bot.name if bot else stream.bot_user_id}")
    for rule in live_rules(stream):
        for queue in filter(None, map(center.queue, targets(rule))):
            if queue.is_bot_only:
                bots = frozenset(bot.row_id for bot in queue.bots)
                for context in _ways_in(rule, stream):
                    yield Entry(bots, context, f"the rule {rule.name!r}")


def handed_over(stream: Workstream, entry: Entry) -> Mapping[str, tuple[Context, ...]]:
    """By variable, the contexts of a hand-over that sets this variable alone, beside what led to the bot."""
    found: dict[str, list[Context]] = {}
    for each in minimal_escalations(stream):
        (name,) = each
        if name not in entry.context:
            found.setdefault(name, []).append({**entry.context, **each})
    return {name: tuple(contexts) for name, contexts in found.items()}


def routes(stream: Workstream) -> tuple[Route, ...]:
    """The rules in use, in their order."""
    return tuple(Route(rule, tuple(_needs(normal(rule.condition)))) for rule in live_rules(stream))


def matched(stream: Workstream, rules: Sequence[Route], context: Context) -> tuple[Match, ...]:
    """The rules that match or may match, in their order."""
    found = []
    for rule in (each.rule for each in rules if each.may_match(context)):
        answers = {decide(rule.condition, context, stream.variables, reading) for reading in Reading}
        if answers != {False}:
            found.append(Match(rule, answers == {True}))
    return tuple(found)


def strands(queue: Queue | None, bots: frozenset[str]) -> bool | None:
    """Whether nobody but these bots is in the queue; None where its members are not known."""
    if queue is None:
        return False
    if queue.members is None:
        return None
    return bool(queue.members) and not queue.staff.people and {each.row_id for each in queue.members} <= bots


def _needs(condition: Condition) -> Iterator[tuple[str, frozenset[str] | None]]:
    """What every conversation that meets the condition has, as far as that can be told from its outermost parts."""
    for part in condition.parts if isinstance(condition, All) else (condition,):
        if isinstance(part, Test):
            listed = part.operator in (Operator.EQUALS, Operator.IS_ONE_OF)
            yield part.variable, frozenset(map(_folded, part.texts)) if listed else None


def _folded(value: Value) -> str:
    return str(value).strip().casefold()


def _ways_in(rule: Rule, stream: Workstream) -> Iterator[Context]:
    """For each alternative of a condition, values that meet it."""
    numbers = frozenset(each.name for each in stream.variables or () if each.type == "number")
    for clause in (clauses(rule.condition, numbers) or ())[:MOST_ENTRIES]:
        yield {name: _value(asked, name in numbers) for name, asked in clause.asked.items() if not asked.is_absent}


def _value(asked: Asked, is_number: bool) -> Value:  # noqa: FBT001  # what the variable is
    if asked.values:
        text = min(asked.values)
        return int(text) if is_number and text.lstrip("+-").isdigit() else text
    if asked.bound is not None:
        return int(asked.bound) + 1
    return 1 if is_number else "something"
