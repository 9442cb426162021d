"""What was assumed, what the two readings differ in, and how an outcome is told: sentences for people."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.center import ContactCenter
from d365setup.routing.choosing import Choice
from d365setup.routing.journey import Ended, Escalated, Event, Journey, Leg, Start
from d365setup.routing.occupancy import IDLE, Occupancy
from d365setup.routing.settling import Settled

_TEXTS = (
    "No page says how texts are compared: read strictly, exactly and upper and lower case count; read loosely,"
    " neither case nor blanks around a text do."
)
_NUMBERS = (
    "Numbers compare as numbers where both sides are some and, read strictly, the variable is declared as Number."
)
_MISSING = (
    "A variable without a value fails every comparison but the test for no value; an empty text is a value only when"
    " read strictly."
)
_PEOPLE = "People are signed in with a presence the work stream allows, and accept what they are offered."
_OVERFLOW = (
    "Overflow before queueing is looked at when rules first send a conversation to a queue, and once more after a bot"
    " first escalates it; not after a transfer, nor once its action was carried out."
)
_SHARES = "Of a percentage split the largest share is followed; the notes say where the others go."
_SETTLED = "Everything is as the service will see it; it may take up to 15 minutes until it sees a change."
_IDLE = "Nobody is waiting in any queue, and everybody is free."
_LOADED = "Queues are as full and people as busy as was told; whoever is not named is free."
_ROLES = "People whose roles were not read hold the agent role."


def assumptions(center: ContactCenter, occupancy: Occupancy) -> tuple[str, ...]:
    """What a simulation takes for granted."""
    load = _IDLE if occupancy == IDLE else _LOADED
    found = [_TEXTS, _NUMBERS, _MISSING, _PEOPLE, load, _OVERFLOW, _SHARES, _SETTLED]
    members = (user for queue in center.queues for user in queue.members or ())
    if any(user.roles is None and not user.is_bot for user in members):
        found.append(_ROLES)
    return tuple(found)


def differences(strict: Journey, loose: Journey) -> Iterator[str]:
    """One sentence for each step that ends differently under the two readings."""
    for number, (one, other) in enumerate(zip(strict.legs, loose.legs, strict=True), start=1):
        if _end(one) != _end(other):
            told = f"Step {number}, {event_told(one.event)}: read strictly, {outcome(one)}; loosely, {outcome(other)}."
            yield told + _rules_told(one, other)


def _rules_told(one: Leg, other: Leg) -> str:
    """Which rules the readings disagree on; none where only one of them still asks the rules."""
    names = [a.name for a, b in zip(one.rules, other.rules, strict=False) if a.result != b.result]
    return f" They differ on rule {', '.join(names)}." if names else ""


def event_told(event: Event) -> str:
    """An event in a few words."""
    match event:
        case Start():
            return "the conversation begins"
        case Escalated(bot=bot):
            return f"{bot or 'the bot'} escalates"
        case Ended():
            return "the conversation is ended"
    return f"a person transfers it to {event.queue}"


def outcome(leg: Leg) -> str:
    """How a step ends, as half a sentence."""
    match leg.chosen_by:
        case "rule":
            way = f"rule {leg.rule} sends it to {leg.queue}"
        case "overflow":
            way = f"overflow takes it to {leg.queue}" + (f" (rule {leg.rule})" if leg.rule else "")
        case "fallback queue":
            way = f"it goes to the fallback queue {leg.queue}"
        case "cannot decide":
            return "where it goes cannot be decided"
        case "transfer":
            way = f"it is transferred to {leg.queue}"
        case "work stream bot":
            way = "the work stream's bot takes it"
        case _:
            way = "no queue is chosen"
    return f"{way}: {ending(leg)}"


def ending(found: Leg | Settled) -> str:
    """Who answers, or that nobody does."""
    if found.closed:
        return "the conversation is closed"
    if found.waits:
        return "it waits for ever"
    names = {"bot": "a bot", "person": "a person", "nobody": "nobody"}
    if found.answer == "unknown":
        return "who answers cannot be told"
    return f"{found.answered_by or names[found.answer]} answers"


def alternative(choice: Choice, settled: Settled) -> str:
    """One of several ways a conversation may go."""
    place = settled.queue.name if settled.queue else choice.target.name
    if choice.target.queue is None and choice.how != "nothing":
        source = f"Rule {choice.name}" if choice.name else "Without a match, the fallback queue"
        return f"{source} may decide it, and then where it goes is not known: {choice.target.why}."
    match choice.how:
        case "rule":
            way = f"Rule {choice.name} may send it to {place}"
        case "overflow":
            way = f"Rule {choice.name} matches and {choice.why}: overflow may take it to {place}"
        case "fallback queue":
            way = f"Perhaps no rule matches: then the fallback queue {place} takes it"
        case _:
            return "Perhaps no rule matches, and the work stream has no fallback queue."
    return f"{way}: {ending(settled)}."


def _end(leg: Leg) -> tuple[object, ...]:
    return leg.chosen_by, leg.rule, leg.queue_id, leg.answer, leg.answered_by, leg.closed, leg.waits
