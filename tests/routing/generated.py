"""Random contact centers and conversations, each made twice: for the slow model, and as the engine's values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from d365setup.center import (
    AGENT_ROLE,
    Configuration,
    ContactCenter,
    HeldRole,
    Hours,
    Overflow,
    Queue,
    RoutingStep,
    RuleSet,
    Staff,
    User,
    Variable,
    Workstream,
)
from d365setup.conditions import All, AnyOf, Comparison, Condition, Foreign, Operator, Test
from d365setup.routing import Ended, Escalated, Event, Occupancy, Start, Transferred
from d365setup.ruleset import Rule

from .slow_model import UNKNOWN, Line, Member, Place, Route, Stream, World

TEXTS = ["Nurse", "nurse", " Nurse", "Billing", "7", "07", "", "Nurse Billing"]
NUMBERS = ["3", "7", "10", "6.5", "many"]
VARIABLES = {"Topic": "text", "Severity": "number", "Clinic": "text"}
CHANNELS = {"messaging": 192360000, "record": 192350000, "voice": 192440000}
METHODS = ["highest capacity"] * 5 + ["advanced round robin", "least active", "custom", "no assignment"]
STREAM = "Patient chat"


@dataclass(frozen=True)
class Case:
    world: World
    members: dict[str, Member]
    events: list[tuple[str, Any, str]]
    center: ContactCenter
    engine_events: list[Event]
    occupancy: Occupancy


def case(seed: int) -> Case:
    dice = Random(seed)  # noqa: S311  # the same case for the same number, nothing secret
    members = {member.id: member for member in _members(dice)}
    places = {place.id: place for place in _places(dice, list(members.values()))}
    own = {f"own{number}": _lines(dice, places) for number in range(2)}
    stream = _stream(dice, list(places), members)
    at = datetime(2026, 11, 16, tzinfo=UTC) + timedelta(minutes=dice.randrange(14 * 24 * 60))
    world = World(stream, places, own, at)
    if dice.random() < 0.4:
        world.waiting = {queue: dice.randrange(4) for queue in places}
        world.predicted = {queue: dice.choice([0, 60, 600]) for queue in places}
        world.taken = {row_id: dice.choice([0, 0, 10, 30]) for row_id in members}
        world.away = {row_id for row_id in members if dice.random() < 0.1 and members[row_id].kind == "person"}
    events = _events(dice, places, members)
    occupancy = Occupancy(world.waiting, world.predicted, world.taken, frozenset(world.away))
    return Case(world, members, events, _center(world, members), _engine_events(events, world, members), occupancy)


# -- what there is


def _members(dice: Random) -> list[Member]:
    found = []
    for number in range(dice.randint(2, 7)):
        kind = dice.choice(
            ["bot", "bot", "person", "person", "person", "application"] if number > 1 else ["bot", "person"]
        )
        member = Member(f"user{number}", f"{kind} {number}", kind, dice.choice([0, 30, 60, 60, 90]))
        member.units = dice.choice([60, 90, 1000]) if kind == "bot" and dice.random() < 0.7 else member.units
        member.enabled = dice.random() > 0.1
        member.role = dice.choices([True, False, None], [20, 2, 1])[0]
        member.profiles = dice.choices([["Chat"], [], None], [6, 1, 1])[0]
        found.append(member)
    return found


def _places(dice: Random, members: list[Member]) -> list[Place]:
    found = [Place(f"queue{number}", f"Queue {number}") for number in range(dice.randint(2, 5))]
    for place in found:
        place.kind = dice.choices(["messaging", "record", "voice"], [30, 1, 1])[0]
        place.method = dice.choice(METHODS)
        place.active = dice.random() > 0.03
        place.members = dice.sample(members, dice.choice([0, 1, 1, 2, 2, 3, len(members)]) % (len(members) + 1))
        if dice.random() < 0.1:
            place.members += [
                Member(f"{place.id}-{n}", "", "person", dice.choice([30, 60, 90]), hidden=True) for n in range(2)
            ]
        place.members = None if dice.random() < 0.03 else place.members
        place.hours = _hours(dice)
    ids = {place.id: place for place in found}
    for place in found:
        place.before = None if dice.random() < 0.03 else _lines(dice, ids)
        place.inside = None if dice.random() < 0.03 else _inside(dice, ids)
    return found


def _hours(dice: Random) -> Any:
    if dice.random() < 0.55:
        return None
    if dice.random() < 0.08:
        return UNKNOWN
    begin = dice.randrange(0, 24 * 60, 30)
    end = min(24 * 60, begin + dice.randrange(60, 12 * 60, 30))
    spans = [(day, begin, end) for day in dice.sample(range(7), dice.randint(0, 7))]
    zone = dice.choice(["UTC", "Europe/Amsterdam", "Asia/Kolkata", "America/St_Johns"])
    return zone, spans, [f"2026-11-{dice.randint(16, 30)}"] if dice.random() < 0.3 else []


def _lines(dice: Random, places: dict[str, Place]) -> list[Line]:
    whens = ["out of hours", "work items", "work items", "estimated wait", "unknown"]
    chosen = dice.choices(whens, [4, 4, 4, 2, 0.4], k=dice.choice([0, 0, 0, 1, 1, 2]))
    found = []
    for when in dict.fromkeys(chosen):
        limit = {"work items": dice.randint(1, 3), "estimated wait": 300}.get(when)
        limit = None if dice.random() < 0.03 else limit
        found.append(Line(when, _action(dice, ["assign anyway", "end conversation"]), limit, dice.choice([*places])))
    return found


def _inside(dice: Random, places: dict[str, Place]) -> list[Line]:
    found = [Line("waited", _action(dice, ["end conversation"]), 60, dice.choice([*places])) for _ in range(2)]
    found[1].limit = dice.choice([30, None])
    found[0].when = "unknown" if dice.random() < 0.03 else "waited"
    return found[: dice.choice([0, 0, 1, 1, 2])]


def _action(dice: Random, others: list[str]) -> str:
    return dice.choices(["transfer", dice.choice(others), "unknown"], [5, 5, 0.4])[0]


def _stream(dice: Random, queues: list[str], members: dict[str, Member]) -> Stream:
    found = Stream(units=dice.choice([0, 30, 30, 60]), variables=dict(VARIABLES))
    found.unit_based = dice.random() < 0.8
    found.push = dice.random() < 0.95
    found.closest = dice.random() < 0.08
    found.profiles = dice.choices([["Chat"], [], None], [4, 2, 1])[0]
    found.variables = None if dice.random() < 0.03 else found.variables
    found.policy = dice.choices(["all", "first"], [9, 1])[0]
    found.fallback = dice.choices([dice.choice(queues), "", UNKNOWN, "gone"], [30, 1, 1, 1])[0]
    found.bot = dice.choice([*members]) if dice.random() < 0.2 else ""
    if found.bot and members[found.bot].kind != "bot":
        found.bot = ""
    if dice.random() < 0.3:
        found.classification = [_classification(dice) for _ in range(dice.randint(1, 2))]
    if dice.random() < 0.08:
        found.skills = [Route("skill", _condition(dice))]
    found.routes = (
        None if dice.random() < 0.02 else [_route(dice, number, queues) for number in range(dice.randint(0, 6))]
    )
    return found


def _classification(dice: Random) -> tuple[str, list[Route]]:
    if dice.random() < 0.04:
        return "unreadable", []
    rules = [Route(f"class {number}", _condition(dice)) for number in range(dice.randint(1, 3))]
    for rule in rules:
        rule.disabled = dice.random() < 0.1
        names = dice.sample([*VARIABLES], dice.randint(0, 2))
        rule.sets = [(name, None if dice.random() < 0.05 else dice.choice(["Nurse", "7"])) for name in names]
    return dice.choices(["first", "all"], [3, 1])[0], rules


def _route(dice: Random, number: int, queues: list[str]) -> Route:
    found = Route(f"rule {number}", _condition(dice), dice.choice(queues))
    if dice.random() < 0.2:
        found.condition = ("all", [])
    if dice.random() < 0.1:
        chosen = dice.sample(queues, 2)
        found.to = list(zip(chosen, dice.choice([(80, 20), (50, 50), (0, 100)]), strict=True))
    if dice.random() < 0.03:
        found.to = dice.choice([UNKNOWN, "gone"])
    found.own = dice.choice(["own0", "own1", "unread"]) if dice.random() < 0.1 else ""
    found.disabled = dice.random() < 0.08
    return found


def _condition(dice: Random, depth: int = 0) -> Any:
    if depth < 2 and dice.random() < 0.3:
        parts = [_condition(dice, depth + 1) for _ in range(dice.randint(1, 3))]
        return dice.choice(["all", "any"]), parts
    if dice.random() < 0.03:
        return ("odd",)
    name = dice.choice([*VARIABLES, "Undeclared"])
    literals = NUMBERS if name == "Severity" else TEXTS
    operators = ["equals", "equals", "equals", "has a value", "has a value", "is one of", "more than", "at least"]
    operators += ["contains", "null", "!=", "<", "<=", "begins-with"] if dice.random() < 0.4 else []
    operator = dice.choice(operators)
    many = {"has a value": 0, "null": 0, "is one of": 2}.get(operator, 1)
    chosen = dice.choices([each for each in literals if each], k=many)
    return "test", name, operator, chosen


def _events(dice: Random, places: dict[str, Place], members: dict[str, Member]) -> list[tuple[str, Any, str]]:
    bots = [member.id for member in members.values() if member.kind == "bot"]
    found: list[tuple[str, Any, str]] = [("start", _values(dice, 0.25), "")]
    for _ in range(dice.randint(0, 4)):
        kind = dice.choices(["escalate", "transfer", "end"], [6, 2, 1])[0]
        if kind == "escalate":
            found.append((kind, _values(dice, 0.6), dice.choice(bots) if bots and dice.random() < 0.4 else ""))
        else:
            found.append((kind, dice.choice([*places]) if kind == "transfer" else None, ""))
    return found


def _values(dice: Random, chance: float) -> dict[str, Any]:
    options: dict[str, list[Any]] = {"Severity": [3, 7, 11, "7", "many", " 7"], "Undeclared": TEXTS}
    names = [name for name in (*VARIABLES, "Undeclared") if dice.random() < chance]
    return {name: dice.choice(options.get(name, TEXTS)) for name in names}


# -- the same for the engine


def _center(world: World, members: dict[str, Member]) -> ContactCenter:
    users = {row_id: _user(member) for row_id, member in members.items()}
    queues = tuple(_queue(place, users) for place in world.places.values())
    own = {row_id: tuple(map(_overflow, lines)) for row_id, lines in world.own.items()}
    bots = tuple(user for user in users.values() if user.is_bot)
    return ContactCenter((_workstream(world.stream),), queues, bots, overflows=own)


def _user(member: Member) -> User:
    roles = None if member.role is None else (HeldRole(AGENT_ROLE),) if member.role else ()
    return User(
        member.id,
        member.name,
        enabled=member.enabled,
        application_id="" if member.kind == "person" else f"application {member.id}",
        bot_id=f"bot {member.id}" if member.kind == "bot" else "",
        capacity=member.units,
        roles=roles,
        profiles=None if member.profiles is None else tuple(member.profiles),
    )


def _queue(place: Place, users: dict[str, User]) -> Queue:
    hidden = [member for member in place.members or () if member.hidden]
    kept = [member for member in place.members or () if not member.hidden]
    people = [member for member in place.members or () if member.kind == "person"]
    units = [member.units for member in people if member.enabled and member.role is not False]
    able = tuple((each, units.count(each)) for each in dict.fromkeys(units))
    return Queue(
        place.id,
        place.name,
        type=place.kind,
        assignment=place.method,
        active=place.active,
        members=None if place.members is None else tuple(users[member.id] for member in kept),
        left_out=len(hidden),
        staff=Staff(len(people), sum(member.enabled for member in people), 0, able),
        hours=_engine_hours(place.hours),
        prequeue=None if place.before is None else tuple(map(_overflow, place.before)),
        inqueue=None if place.inside is None else tuple(map(_overflow, place.inside)),
    )


def _engine_hours(hours: Any) -> Hours | None:
    if hours is None:
        return None
    if hours == UNKNOWN:
        return Hours("hours", "Odd hours", problem="its calendar is not understood")
    zone, spans, holidays = hours
    return Hours("hours", "Hours", zone, tuple(spans), tuple(holidays))


def _overflow(line: Line) -> Overflow:
    return Overflow(line.when, line.action, line.limit, line.to)  # type: ignore[arg-type]


def _workstream(stream: Stream) -> Workstream:
    steps = [
        RoutingStep(f"step {number}", "classification", number, rule_set=_rule_set(f"class {number}", policy, rules))
        for number, (policy, rules) in enumerate(stream.classification)
    ]
    if stream.skills:
        steps.append(RoutingStep("skills", "skills", 8, rule_set=_rule_set("skills", "all", stream.skills)))
    routes = RuleSet("routes", "Routes", problem="it is not XML")
    if stream.routes is not None:
        routes = _rule_set("routes", stream.policy, stream.routes)
    steps.append(RoutingStep("routes", "route to queue", 9, rule_set=routes))
    variables = None if stream.variables is None else tuple(Variable(*each) for each in stream.variables.items())
    return Workstream(
        "stream",
        STREAM,
        push=stream.push,
        unit_based=stream.unit_based,
        units=stream.units,
        closest_match=stream.closest,
        channel=CHANNELS[stream.kind],
        fallback_id="" if stream.fallback == UNKNOWN else stream.fallback,
        fallback_read=stream.fallback != UNKNOWN,
        bot_user_id=stream.bot,
        variables=variables,
        configurations=(Configuration("configuration", steps=tuple(reversed(steps))),),
        profiles=None if stream.profiles is None else tuple(stream.profiles),
    )


def _rule_set(row_id: str, policy: str, rules: list[Route]) -> RuleSet:
    if policy == "unreadable":
        return RuleSet(row_id, row_id, problem="it is not XML")
    disabled = frozenset(rule.name for rule in rules if rule.disabled)
    return RuleSet(row_id, row_id, tuple(map(_rule, rules)), policy, disabled=disabled)


def _rule(route: Route) -> Rule:
    shares = tuple((queue, str(share)) for queue, share in route.to) if isinstance(route.to, list) else ()
    queue = route.to if isinstance(route.to, str) and route.to != UNKNOWN else None
    action = "queue" if queue else "percentage split" if shares else "no queue"
    sets = tuple((f"liveworkitemcontext.{name}", value) for name, value in route.sets)
    return Rule(
        route.name, route.name, _engine_condition(route.condition), queue, action, route.own or None, shares, sets
    )


def _engine_condition(condition: Any) -> Condition:
    kind = condition[0]
    if kind in {"all", "any"}:
        parts = tuple(map(_engine_condition, condition[1]))
        return All(parts) if kind == "all" else AnyOf(parts)
    if kind == "odd":
        return Foreign("msdyn_ocliveworkitem.msdyn_channel == 1")
    _, name, operator, literals = condition
    if operator in {*Operator}:
        values = {"has a value": None, "is one of": tuple(literals)}
        return Test(name, Operator(operator), values.get(operator, literals[0] if literals else None))
    value = literals[0] if literals else None
    subject = f"liveworkitemcontext.{name}"
    return Foreign(f"{subject} {operator} {value}", Comparison(subject, operator, value, variable=name))


def _engine_events(events: list[tuple[str, Any, str]], world: World, members: dict[str, Member]) -> list[Event]:
    found: list[Event] = []
    for kind, told, bot in events:
        match kind:
            case "start":
                found.append(Start(told))
            case "escalate":
                found.append(Escalated(told, members[bot].name if bot else ""))
            case "transfer":
                found.append(Transferred(world.places[told].name))
            case _:
                found.append(Ended())
    return found
