"""What happened in a simulated conversation, in the words that text and page share. Each begins in lower case."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d365setup.report.documents import Simulated
    from d365setup.routing import Event, Leg

DEPENDS = "it depends on how texts are compared: see where the readings differ"
_CHOSEN = {
    "rule": "chosen by the rule {rule!r}",
    "fallback queue": "the fallback queue: no rule matched",
    "work stream bot": "the work stream's own bot comes first",
    "overflow": "where overflow of another queue leads",
    "transfer": "where it was transferred to",
    "end": "the conversation is over",
    "cannot decide": "it cannot be decided which",
    "nothing": "no rule matched, and there is no fallback queue",
}
_EVENTS = {"Start": "start", "Escalated": "escalate", "Transferred": "transfer", "Ended": "end"}


def named(event: Event) -> str:
    """An event's word in a playbook's steps."""
    return _EVENTS[type(event).__name__]  # routing itself is loaded by whoever has an event to show


def happened(event: Event) -> str:
    """What somebody did."""
    match named(event):
        case "start":
            return "a patient begins"
        case "escalate":
            return f"{getattr(event, 'bot', '') or 'the bot'} hands over"
        case "transfer":
            return f"a person transfers it to the queue {getattr(event, 'queue', '')}"
    return "somebody closes the conversation"


def chosen(leg: Leg) -> str:
    """What led to the queue."""
    return _CHOSEN[leg.chosen_by].format(rule=leg.rule)


def ending(leg: Leg) -> str:
    """How a step ends."""
    if leg.chosen_by == "end":
        return "closed, as asked"
    if leg.closed:
        return "closed by the system: the patient is left without an answer"
    if leg.waits:
        return "waits for ever: nobody in the queue can be given it"
    person = f"answered by a person{f' ({leg.answered_by})' if leg.answered_by else ''}"
    answers = {"bot": f"answered by the bot {leg.answered_by}", "person": person, "unknown": "cannot be decided"}
    return answers.get(leg.answer, "nobody answers")


def is_good(leg: Leg) -> bool:
    """Whether somebody answers, or nobody has to."""
    return leg.answer in ("bot", "person") or leg.chosen_by == "end"


def verdict(found: Simulated) -> str:
    """How it ends."""
    strict, loose = ending(found.simulation.strict.last), ending(found.simulation.loose.last)
    return strict if strict == loose else DEPENDS
