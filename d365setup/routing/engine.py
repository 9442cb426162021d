"""Where a conversation goes, event by event (routing facts, section 5). Pure: reads no clock, draws no lots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from d365setup.center import ContactCenter, Queue, User
from d365setup.routing.assigning import Past
from d365setup.routing.classifying import classify
from d365setup.routing.deciding import NO_DOUBT, Answer
from d365setup.routing.journey import Ended, Escalated, Event, Journey, Leg, Reading, Simulation, Start, Value
from d365setup.routing.matching import target
from d365setup.routing.occupancy import IDLE, Occupancy
from d365setup.routing.sending import Sent, send, taken_by_stream_bot
from d365setup.routing.setting import Known, Setting
from d365setup.routing.settling import Settled, Settler
from d365setup.routing.wording import assumptions, differences


class NotThere(LookupError):
    """A name that a contact center does not know; the message says which ones it does."""


class UnknownWorkstream(NotThere):
    """No work stream of that name."""


class UnknownBot(NotThere):
    """No bot of that name."""


class UnknownQueue(NotThere):
    """No queue of that name."""


def simulate(
    center: ContactCenter,
    workstream: str,
    events: Sequence[Event],
    at: datetime,
    *,
    occupancy: Occupancy = IDLE,
) -> Simulation:
    """Follow one conversation through a work stream, under both readings.

    ``at`` needs a time zone; nothing lasts any time, except that a queue's longest wait passes where nobody takes the
    conversation. Raises UnknownWorkstream, UnknownBot or UnknownQueue, and ValueError without events or time zone.
    """
    if not events or at.tzinfo is None:
        raise ValueError("a simulation needs at least one event, and a time with its zone")
    stream = center.workstream(workstream)
    if stream is None:
        raise UnknownWorkstream(_unknown("work stream", workstream, [each.name for each in center.workstreams]))
    journeys = (Journey(reading, _legs(Setting(center, stream, at, occupancy, reading), events)) for reading in Reading)
    strict, loose = journeys
    told = tuple(differences(strict, loose))
    return Simulation(workstream, at, strict, loose, assumptions(center, occupancy), told)


@dataclass(frozen=True)
class _State:
    """A conversation between two events.

    ``looked``: overflow before queueing was looked at for the last time. ``unsure``: who has it could not be told.
    """

    known: Known = field(default_factory=lambda: Known({}, NO_DOUBT))
    past: Past = field(default_factory=Past)
    looked: Answer = False
    unsure: bool = False
    bot_id: str = ""
    last: Leg | None = None


def _legs(setting: Setting, events: Sequence[Event]) -> tuple[Leg, ...]:
    state, legs = _State(), []
    for event in events:
        state = _after(setting, state, event)
        assert state.last is not None  # noqa: S101  # every event leaves a leg
        legs.append(state.last)
    return tuple(legs)


def _after(setting: Setting, state: _State, event: Event) -> _State:
    if isinstance(event, Start):
        return _started(setting, event)
    if state.last is not None and state.last.closed:
        return _unmoved(state, event, closed=True, note="The conversation is over; nothing more happens to it.")
    if isinstance(event, Ended):
        ended = Leg(event, state.known.context, chosen_by="end", closed=True)
        last = state.last
        return replace(state, last=replace(ended, queue=last.queue, queue_id=last.queue_id) if last else ended)
    if isinstance(event, Escalated):
        return _escalated(setting, state, event)
    return _transferred(setting, state, event.queue, event)


def _started(setting: Setting, event: Start) -> _State:
    classified = classify(setting, Known(dict(event.context), NO_DOUBT))
    state = _State(classified.known)
    if setting.stream.bot_user_id:
        return _left(state, event, taken_by_stream_bot(setting), classified.notes)
    sent = send(setting, Past(), classified.known, due=True)
    return _left(replace(state, looked=sent.fired), event, sent, classified.notes)


def _escalated(setting: Setting, state: _State, event: Escalated) -> _State:
    bot = _bot(setting.center, event.bot)
    notes = _handing_over(state, bot)
    bots = state.past.bots | ({bot.row_id} if bot else set())
    past = Past(bots, state.past.doubt or (state.unsure and bot is None))
    classified = classify(setting, _merged(state.known, event.context))
    due = None if state.looked is None else not state.looked
    sent = send(setting, past, classified.known, due=due)
    begun = replace(state, known=classified.known, past=past, looked=True)
    return _left(begun, event, sent, (*notes, *classified.notes))


def _transferred(setting: Setting, state: _State, name: str, event: Event) -> _State:
    queue = setting.center.queue_named(name)
    if queue is None:
        raise UnknownQueue(_unknown("queue", name, [each.name for each in setting.center.queues]))
    wrong = setting.wrong_type(queue)
    if wrong:
        return _unmoved(state, event, closed=False, note=f"It cannot be transferred: {wrong}.")
    notes = () if state.unsure or not state.bot_id else ("Only a person transfers, and a bot has the conversation.",)
    past = replace(state.past, doubt=state.past.doubt or state.unsure)
    settled = _entered(setting, queue, past, state.known)
    sent = Sent("overflow" if settled.moved else "transfer", settled)
    return _left(replace(state, past=past), event, sent, notes)


def _entered(setting: Setting, queue: Queue, past: Past, known: Known) -> Settled:
    place = target(setting, queue.row_id)
    if place.queue is None:
        return Settled(queue, "unknown", notes=(f"What happens there cannot be told: {place.why}.",))
    return Settler(setting, past, known).settle(queue)


def _left(state: _State, event: Event, sent: Sent, notes: Sequence[str]) -> _State:
    """The state once a conversation was sent somewhere, and the leg that tells of it."""
    settled = sent.settled
    leg = Leg(
        event,
        state.known.context,
        rules=sent.rules,
        chosen_by=sent.chosen_by,
        rule=sent.rule,
        queue=settled.queue.name if settled.queue else "",
        queue_id=settled.queue.row_id if settled.queue else "",
        candidates=settled.candidates,
        answer=settled.answer,
        answered_by=settled.answered_by,
        closed=settled.closed,
        waits=settled.waits,
        notes=(*notes, *sent.notes, *settled.notes),
    )
    unsure = settled.answer == "unknown" or (settled.answer == "bot" and not settled.bot_id)
    bots = state.past.bots | ({settled.bot_id} if settled.bot_id else set())
    return replace(state, past=replace(state.past, bots=bots), unsure=unsure, bot_id=settled.bot_id, last=leg)


def _unmoved(state: _State, event: Event, *, closed: bool, note: str) -> _State:
    """Nothing happens: whoever had the conversation still has it."""
    before = state.last or Leg(event)
    context = state.known.context
    leg = replace(before, event=event, context=context, rules=(), candidates=(), chosen_by="nothing", rule="")
    return replace(state, last=replace(leg, closed=closed, notes=(note,)))


def _merged(known: Known, context: Mapping[str, Value]) -> Known:
    names = known.doubt.names - set(context)
    return Known({**known.context, **context}, replace(known.doubt, names=names))


def _handing_over(state: _State, bot: User | None) -> tuple[str, ...]:
    """What is odd about a hand-over."""
    if state.last is None or state.unsure:
        return ()
    if bot is None:
        return () if state.bot_id else ("No bot has the conversation; it goes on as if one had handed it over.",)
    if bot.row_id == state.bot_id:
        return ()
    holder = state.last.answered_by or ("a person" if state.last.answer == "person" else "nobody")
    return (f"{bot.name} is said to escalate, but the conversation is with {holder}.",)


def _bot(center: ContactCenter, name: str) -> User | None:
    if not name:
        return None
    bots = center.bots
    found = next((each for each in bots if each.name == name), None)
    if found is None:
        raise UnknownBot(_unknown("bot", name, [each.name for each in bots]))
    return found


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    shown = ", ".join(sorted(set(known))[:10])
    more = " and others" if len(set(known)) > 10 else ""
    return f"no {kind} is called {name!r}; there is {shown}{more}" if known else f"there is no {kind}, so not {name!r}"
