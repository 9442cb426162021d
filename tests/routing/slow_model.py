"""A second reading of how routing works, as plain and slow as possible. It knows nothing of `d365setup`.

What nobody knows (an operator, whether a queue is open, what a setting does) is a question. A step is played once for
every combination of answers, each time with nothing in doubt; what comes out every time is certain, the rest is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Ask = Callable[..., bool]
UNKNOWN = "?"


@dataclass
class Member:
    id: str
    name: str
    kind: str  # bot, person, application
    units: int = 0
    enabled: bool = True
    role: bool | None = True
    profiles: list[str] | None = field(default_factory=list)
    hidden: bool = False  # only counted, not named


@dataclass
class Line:
    when: str
    action: str
    limit: int | None = None
    to: str = ""


@dataclass
class Place:
    id: str
    name: str
    kind: str = "messaging"
    method: str = "highest capacity"
    active: bool = True
    members: list[Member] | None = field(default_factory=list)
    hours: Any = None  # None: always open; UNKNOWN; or (zone, [(weekday, from, to)], [holidays])
    before: list[Line] | None = field(default_factory=list)
    inside: list[Line] | None = field(default_factory=list)


@dataclass
class Route:
    name: str
    condition: Any  # ("all", parts), ("any", parts), ("test", variable, operator, literals), ("odd",)
    to: Any = None  # queue id, [(queue id, percentage)], or UNKNOWN
    own: str = ""  # its own overflow settings, by id
    disabled: bool = False
    sets: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass
class Stream:
    kind: str = "messaging"
    units: int = 0
    unit_based: bool = True
    push: bool = True
    closest: bool = False
    profiles: list[str] | None = field(default_factory=list)
    variables: dict[str, str] | None = field(default_factory=dict)
    classification: list[tuple[str, list[Route]]] = field(default_factory=list)
    skills: list[Route] = field(default_factory=list)
    policy: str = "all"
    routes: list[Route] | None = field(default_factory=list)  # None: cannot be read
    fallback: str = ""  # "" for none, UNKNOWN where it was not read
    bot: str = ""


@dataclass
class World:
    stream: Stream
    places: dict[str, Place]
    own: dict[str, list[Line]]
    at: datetime
    waiting: dict[str, int] = field(default_factory=dict)
    predicted: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)


@dataclass
class Talk:
    """A conversation between two events."""

    values: dict[str, Any] = field(default_factory=dict)  # UNKNOWN: set by something that cannot be evaluated
    all_in_doubt: bool = False
    had: set[str] = field(default_factory=set)
    bot: str = ""
    looked: bool = False


@dataclass(frozen=True)
class Told:
    """What is compared with the engine's leg; ``tags`` say what was reached on the way."""

    chosen_by: str
    rule: str = ""
    queue: str = ""
    answer: str = "nobody"
    answered_by: str = ""
    closed: bool = False
    waits: bool = False
    eligible: frozenset[str] | None = None
    bot: str = ""
    fired: bool = False
    tags: frozenset[str] = frozenset()


def every_world(play: Callable[[Ask], Any]) -> list[Any]:
    """What comes out of a play for each combination of answers to the questions it asks."""
    todo: list[dict[tuple[Any, ...], bool]] = [{}]
    found = []
    while todo:
        answers = todo.pop()

        def ask(*question: Any, answers: dict[tuple[Any, ...], bool] = answers) -> bool:
            if question not in answers:
                todo.append({**answers, question: True})
                answers[question] = False
            return answers[question]

        found.append(play(ask))
    return found


# -- conditions


def truth(condition: Any, talk: Talk, variables: Mapping[str, str] | None, loose: bool) -> bool | None:
    if condition[0] == "odd":
        return None
    if condition[0] in {"all", "any"}:
        answers = [truth(part, talk, variables, loose) for part in condition[1]]
        if condition[0] == "all":
            return False if False in answers else None if None in answers else True
        return True if True in answers else None if None in answers else False
    _, name, operator, literals = condition
    value = UNKNOWN if talk.all_in_doubt else talk.values.get(name)
    if value == UNKNOWN:
        return None
    kinds = ["number", "text"] if variables is None else [variables.get(name, "text")]
    answers = [compare(value, operator, literals, kind, loose) for kind in kinds]
    return answers[0] if len(set(answers)) == 1 else None


def compare(value: Any, operator: str, literals: list[str], kind: str, loose: bool) -> bool | None:
    missing = value is None or (loose and str(value).strip() == "")
    if operator in {"null", "begins-with"}:
        return missing if operator == "null" else None
    if missing or operator == "has a value":
        return not missing
    text = str(value)
    equals = any(equal(text, each, kind, loose) for each in literals)
    if operator in {"equals", "is one of", "!="}:
        return equals == (operator != "!=")
    if operator == "contains":
        return squashed(literals[0], loose) in squashed(text, loose)
    one, other = as_number(text, loose), as_number(literals[0], loose)
    if one is None or other is None or (kind != "number" and not loose):
        return False
    return {"more than": one > other, "at least": one >= other, "<": one < other, "<=": one <= other}[operator]


def equal(text: str, literal: str, kind: str, loose: bool) -> bool:
    one, other = as_number(text, loose), as_number(literal, loose)
    if (kind == "number" or loose) and one is not None and other is not None:
        return one == other
    return squashed(text, loose) == squashed(literal, loose)


def squashed(text: str, loose: bool) -> str:
    return text.casefold().strip() if loose else text


def as_number(text: str, loose: bool) -> Fraction | None:
    text = text.strip() if loose else text
    return Fraction(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


# -- classification


def classify(world: World, talk: Talk, loose: bool) -> set[str]:
    tags = set()
    for policy, rules in world.stream.classification:
        if policy == "unreadable":
            talk.all_in_doubt = True
            continue
        enabled = [rule for rule in rules if not rule.disabled]
        judged = [(rule, truth(rule.condition, talk, world.stream.variables, loose)) for rule in enabled]
        judged = [(rule, answer) for rule, answer in judged if answer is not False]
        if policy == "first":
            sure = [number for number, (_, answer) in enumerate(judged) if answer]
            judged = judged[: sure[0] + 1] if sure else judged
            judged = [(rule, answer if len(judged) == 1 else None) for rule, answer in judged]
        for rule, answer in judged:
            for name, value in rule.sets:
                tags.add("classified" if answer else "classification in doubt")
                talk.values[name] = value if answer and value is not None else UNKNOWN
    return tags


# -- hours


def closed(world: World, place: Place, at: datetime, ask: Ask) -> bool:
    if place.hours is None:
        return False
    if place.hours == UNKNOWN:
        return ask("closed", place.id)
    zone, spans, holidays = place.hours
    local = at.astimezone(ZoneInfo(zone))
    if local.date().isoformat() in holidays:
        return True
    minute = local.hour * 60 + local.minute
    return not any(day == local.weekday() and begin <= minute < end for day, begin, end in spans)


def opening(world: World, place: Place, ask: Ask) -> datetime:
    """When a closed queue opens, found by looking at the clock again and again."""
    never = datetime.max.replace(tzinfo=UTC)
    if place.hours == UNKNOWN:
        return world.at if ask("opens first", place.id) else never
    at = world.at
    for _ in range(16 * 24 * 2):
        at += timedelta(minutes=30)
        if not closed(world, place, at, ask):
            return at
    return never


# -- overflow before queueing


def overflow(world: World, rule: Route, place: Place, ask: Ask) -> tuple[bool, str, Line | None]:
    """Whether a queue overflows for a rule, which setting fires first, and that setting (None: unknown)."""
    shut = closed(world, place, world.at, ask)
    lines = world.own.get(rule.own) if rule.own else place.before
    if lines is None:
        if shut and not rule.own:
            return True, "unread", None
        return ask("overflows", rule.own, place.id), "unread", None
    numbered = [(str(number), line) for number, line in enumerate(lines)]
    hours = [each for each in numbered if each[1].when == "out of hours"]
    if not hours and shut and rule.own and ask("own settings count when closed", rule.own, place.id):
        hours = [("unsaid", Line("out of hours", UNKNOWN))]
    if not hours and not rule.own:
        hours = [("implied", Line("out of hours", "assign anyway"))]
    for number, line in (*hours, *(each for each in numbered if each[1].when != "out of hours")):
        fires = {"out of hours": shut}.get(line.when)
        if line.when == "work items" and line.limit is not None:
            fires = world.waiting.get(place.id, 0) >= line.limit
        if line.when == "estimated wait" and line.limit is not None:
            fires = world.predicted.get(place.id, 0) >= line.limit
        if fires is None:
            fires = ask("line", rule.own or place.id, number)
        if fires:
            return True, number, None if number == "unsaid" else line
    return False, "", None


# -- rules


@dataclass(frozen=True)
class Way:
    """A queue that was chosen, and how; ``setting`` is the overflow setting that fired."""

    how: str
    rule: str = ""
    queue: str = UNKNOWN
    setting: str = ""
    line: Any = field(default=None, compare=False)
    spilled: bool = field(default=False, compare=False)


def usable(world: World, queue: str) -> str:
    """A queue's id, or UNKNOWN where nobody can tell what happens in it."""
    place = world.places.get(queue)
    return queue if place and place.active and place.kind == world.stream.kind else UNKNOWN


def leads_to(world: World, rule: Route) -> str:
    if isinstance(rule.to, list):
        largest = max(share for _, share in rule.to)
        return usable(world, next(queue for queue, share in rule.to if share == largest))
    return UNKNOWN if rule.to == UNKNOWN else usable(world, rule.to)


def choose(world: World, talk: Talk, loose: bool, ask: Ask) -> Way:
    if world.stream.routes is None:
        return Way("unreadable")
    matched = []
    for rule in world.stream.routes:
        answer = False if rule.disabled else truth(rule.condition, talk, world.stream.variables, loose)
        if answer or (answer is None and ask("matches", rule.name)):
            matched.append(rule)
    if world.stream.policy == "first" and ask("only the first match counts"):
        matched = matched[:1]
    if not matched and world.stream.fallback == "":
        return Way("nothing", queue="")
    if not matched:
        return Way("fallback queue", queue=usable(world, world.stream.fallback))
    if talk.looked:
        return Way("rule", matched[0].name, leads_to(world, matched[0]))
    return not_overflowing(world, matched, ask)


def not_overflowing(world: World, matched: list[Route], ask: Ask) -> Way:
    spilling = []
    for number, rule in enumerate(matched):
        queue = leads_to(world, rule)
        if queue == UNKNOWN:
            spills, setting, line = ask("overflows", rule.name), "?", None
        else:
            spills, setting, line = overflow(world, rule, world.places[queue], ask)
        if not spills:
            return Way("rule", rule.name, queue, spilled=number > 0)
        spilling.append((rule, queue, setting, line))
    best = min(range(len(spilling)), key=lambda number: (urgency(world, spilling[number][1], ask), number))
    rule, queue, setting, line = spilling[best]
    return Way("overflow", rule.name, queue, setting, line)


def urgency(world: World, queue: str, ask: Ask) -> tuple[int, datetime]:
    if queue == UNKNOWN:
        unread = Place(UNKNOWN, UNKNOWN, hours=UNKNOWN)
        return (1, opening(world, unread, ask)) if closed(world, unread, world.at, ask) else (0, world.at)
    place = world.places[queue]
    if not closed(world, place, world.at, ask):
        return 0, world.at
    return 1, opening(world, place, ask)


# -- in a queue


@dataclass(frozen=True)
class End:
    path: tuple[str, ...]
    answer: str = "nobody"
    answered_by: str = ""
    bot: str = ""
    closed: bool = False
    waits: bool = False
    moved: bool = False
    eligible: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()


def able(world: World, talk: Talk, place: Place, member: Member, loose: bool, ask: Ask) -> bool:
    stream = world.stream
    lacks = not stream.unit_based and bool(set(stream.profiles or []) - set(member.profiles or []))
    unread = not stream.unit_based and (stream.profiles is None or member.profiles is None)
    never = [
        member.kind == "application",
        not member.enabled,
        member.role is False,
        member.id in talk.had,
        member.kind == "bot" and (not stream.push or place.method == "no assignment"),
        stream.unit_based and member.units < stream.units,
        member.kind == "person" and not member.hidden and member.profiles is not None and lacks,
    ]
    if any(never):
        return False
    if member.kind == "bot" and (member.role is None or unread or lacks) and not ask("able", member.id):
        return False
    if stream.closest:
        return True
    answers = [truth(rule.condition, talk, stream.variables, loose) for rule in stream.skills if not rule.disabled]
    return all(answer is False for answer in answers) or ask("skilled", place.id, member.id)


def enter(
    world: World, talk: Talk, queue: str, loose: bool, ask: Ask, *, waits_out: bool = True, been: tuple[str, ...] = ()
) -> End:
    place = world.places[queue]
    path = (queue,)
    if place.members is None:
        return End(path, "unknown")
    if not place.members and place.kind == "messaging":
        return End(path, closed=True, tags=frozenset({"closed by the system"}))
    fit = [each for each in place.members if able(world, talk, place, each, loose, ask)]
    free = [each for each in fit if each.kind == "bot" or not busy(world, each)]
    eligible = frozenset(each.id for each in free if not each.hidden)
    tags = frozenset({"same bot left out"} if any(each.id in talk.had for each in place.members) else ())
    if free:
        return given(world, place, free, End(path, eligible=eligible, tags=tags))
    stuck = End(path, waits=True, eligible=eligible, tags=tags)
    if fit:
        name = "" if len(fit) > 1 or fit[0].hidden else fit[0].name
        stuck = End(path, "person", name, eligible=eligible, tags=tags | {"waits for somebody busy"})
    return waited(world, talk, place, stuck, loose, ask, been=been) if waits_out else stuck


def waited(world: World, talk: Talk, place: Place, stuck: End, loose: bool, ask: Ask, *, been: tuple[str, ...]) -> End:
    if place.inside is None or any(line.when != "waited" for line in place.inside):
        return End(stuck.path, "unknown", eligible=stuck.eligible)
    lines = sorted(place.inside, key=lambda line: 10**9 if line.limit is None else line.limit)
    if not lines or lines[0].action == "assign anyway":
        return stuck
    return carry_out(world, talk, place.id, lines[0], loose, ask, been=(*been, place.id), eligible=stuck.eligible)


def carry_out(
    world: World,
    talk: Talk,
    queue: str,
    line: Line,
    loose: bool,
    ask: Ask,
    *,
    been: tuple[str, ...] = (),
    eligible: frozenset[str] | None = None,
) -> End:
    path = (queue,)
    if line.action == "end conversation":
        return End(path, closed=True, moved=True, eligible=eligible, tags=frozenset({"ended by overflow"}))
    if line.action == "assign anyway":
        return enter(world, talk, queue, loose, ask, been=been)
    if line.action != "transfer" or usable(world, line.to) == UNKNOWN:
        return End(path, "unknown", moved=True, eligible=eligible)
    if line.to in been:
        return End(path, waits=True, moved=True, eligible=eligible, tags=frozenset({"circle"}))
    there = enter(world, talk, line.to, loose, ask, been=been)
    tags = there.tags | {"transferred by overflow"}
    return replace(there, path=(*path, *there.path), moved=True, tags=tags)


def busy(world: World, member: Member) -> bool:
    taken = world.taken.get(member.id, 0) if world.stream.unit_based else 0
    return member.id in world.away or (taken > 0 and member.units - taken < world.stream.units)


def given(world: World, place: Place, free: list[Member], end: End) -> End:
    if place.method == "highest capacity" and world.stream.unit_based and not world.stream.closest:
        left = {each.id: each.units - (0 if each.kind == "bot" else world.taken.get(each.id, 0)) for each in free}
        free = [each for each in free if left[each.id] == max(left.values())]
    tags = end.tags | ({"tie"} if len(free) > 1 else set())
    kinds = {each.kind for each in free}
    name = free[0].name if len(free) == 1 and not free[0].hidden else ""
    bot = free[0].id if len(free) == 1 and kinds == {"bot"} else ""
    answer = "unknown" if len(kinds) > 1 else kinds.pop()
    return End(end.path, answer, name if answer != "unknown" else "", bot, eligible=end.eligible, tags=tags)


# -- all together


def routed(world: World, talk: Talk, loose: bool, tags: set[str]) -> Told:
    """One run of the rules: the only way, or that it cannot be decided."""

    def play(ask: Ask) -> tuple[Way, End | None]:
        way = choose(world, talk, loose, ask)
        if way.queue in {UNKNOWN, ""}:
            return way, None
        if way.how == "overflow":
            if way.line is None or way.line.action == UNKNOWN:
                return way, End((way.queue,), "unknown")
            return way, carry_out(world, talk, way.queue, way.line, loose, ask)
        return way, enter(world, talk, way.queue, loose, ask, waits_out=way.how != "fallback queue")

    plays = every_world(play)
    ways = {(way.how, way.rule, way.queue) for way, _ in plays}
    if any(way.spilled for way, _ in plays):
        tags = tags | {"spilled"}
    if len(ways) > 1 or plays[0][0].how == "unreadable":
        rules = {rule for _, rule, _ in ways}
        return Told("cannot decide", rules.pop() if len(rules) == 1 else "", answer="unknown", tags=frozenset(tags))
    way = plays[0][0]
    if way.how == "nothing":
        return Told("nothing", waits=True, tags=frozenset(tags))
    if way.queue == UNKNOWN:
        return Told("cannot decide", way.rule, answer="unknown", tags=frozenset(tags))
    ends = [end for _, end in plays if end is not None]
    if len({way.setting for way, _ in plays}) > 1:
        ends = [End((way.queue,), "unknown")]
    fired = way.how == "overflow"
    return summed(world, way.how, way.rule, ends, frozenset(tags), fired=fired)


def summed(world: World, how: str, rule: str, ends: list[End], tags: frozenset[str], *, fired: bool = False) -> Told:
    """What all plays have in common."""
    tags = tags.union(*(end.tags for end in ends))
    path = ends[0].path
    for end in ends:
        while end.path[: len(path)] != path:
            path = path[:-1]
    queue = world.places[path[-1]].name
    moved = len(path) > 1 or all(end.moved for end in ends)
    how = "overflow" if moved else how
    if len({(end.path, end.answer, end.closed, end.waits, end.moved) for end in ends}) > 1:
        return Told(how, rule, queue, "unknown", fired=fired, tags=tags)
    end, names, bots = ends[0], {end.answered_by for end in ends}, {end.bot for end in ends}
    if end.answer == "unknown":
        return Told(how, rule, queue, "unknown", fired=fired, tags=tags)
    eligible = end.eligible if len({each.eligible for each in ends}) == 1 else None
    return Told(
        how,
        rule,
        queue,
        end.answer,
        names.pop() if len(names) == 1 else "",
        end.closed,
        end.waits,
        eligible,
        bots.pop() if len(bots) == 1 else "",
        fired,
        tags,
    )


def converse(
    world: World, members: Mapping[str, Member], events: list[tuple[str, Any, str]], loose: bool
) -> list[Told]:
    """A conversation, until a step that leaves in doubt what the next one starts from.

    Events are (start, values, ""), (escalate, values, bot id or ""), (transfer, queue id, "") and (end, None, "").
    """
    talk, told = Talk(), list[Told]()
    for kind, given_values, bot in events:
        if told and told[-1].closed:
            told.append(Told("nothing", queue=told[-1].queue, closed=True))
            continue
        if told and in_doubt(told[-1], bot_named=kind == "escalate" and bool(bot)):
            return told
        if kind == "end":
            told.append(Told("end", queue=told[-1].queue if told else "", closed=True))
            continue
        if kind == "transfer":
            told.append(transferred(world, talk, given_values, loose, told))
        else:
            talk.values.update(given_values)
            if kind == "escalate":
                talk.had |= {bot} if bot else set()
            tags = classify(world, talk, loose) | {kind}
            if kind == "start" and world.stream.bot:
                told.append(stream_bot(world, members.get(world.stream.bot)))
            else:
                told.append(routed(world, talk, loose, tags))
                talk.looked = kind == "escalate" or told[-1].fired
        talk.bot = told[-1].bot
        talk.had |= {talk.bot} if talk.bot else set()
    return told


def in_doubt(last: Told, *, bot_named: bool) -> bool:
    """Whether it is not known who has the conversation, and the next event does not tell."""
    unsure = last.answer == "unknown" or (last.answer == "bot" and not last.bot)
    return unsure and (last.chosen_by == "cannot decide" or not bot_named)


def stream_bot(world: World, bot: Member | None) -> Told:
    if bot is None or not bot.enabled or not bot.role or not world.stream.push:
        return Told("work stream bot", answer="unknown", tags=frozenset({"work stream bot"}))
    return Told("work stream bot", "", "", "bot", bot.name, bot=bot.id, tags=frozenset({"work stream bot"}))


def transferred(world: World, talk: Talk, queue: str, loose: bool, told: list[Told]) -> Told:
    place = world.places[queue]
    if place.kind != world.stream.kind:
        before = told[-1] if told else Told("nothing")
        return Told(
            "nothing",
            "",
            before.queue,
            before.answer,
            before.answered_by,
            before.closed,
            before.waits,
            None,
            before.bot,
        )
    if not place.active:
        return Told("transfer", queue=place.name, answer="unknown")
    ends = every_world(lambda ask: enter(world, talk, queue, loose, ask))
    return summed(world, "transfer", "", ends, frozenset({"transfer"}))
