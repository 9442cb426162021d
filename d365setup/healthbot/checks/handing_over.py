"""What scenarios hand over: whether a work stream knows the name, the value fits, and a rule waits for it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from d365setup.audit.checking import Result, finding
from d365setup.audit.checks.handed_over import concerned
from d365setup.audit.destinations import live_rules
from d365setup.audit.findings import Unchecked
from d365setup.audit.payload import payload_mistakes
from d365setup.center import Variable, Workstream
from d365setup.conditions import describe
from d365setup.healthbot.checking import Seen, about_call, check, unreadable
from d365setup.healthbot.sending import ESCALATE, Sent
from d365setup.kinds.context_variable import is_reserved
from d365setup.model import fold
from d365setup.routing import Reading
from d365setup.routing.deciding import Doubt, decide

_LOST = (
    "Omnichannel sets a variable that no rule looks at, and says nothing. The patient goes on as if the bot had handed "
    "over without a word: to whatever catches everything else, often back to the bot's own queue."
)
_SAME_NAME = (
    "Use one name on both sides, letter by letter: the key in the scenario's script, and the name under "
    "`context_variables` with the rules that ask for it. `d365setup healthbot generate` writes the script with the "
    "playbook's names."
)
_NEVER = "What is handed over does not become a value of that variable, so that no rule about it matches."
_SAME_TYPE = (
    "In the scenario's script write a number without quotes and a text in quotes, or declare the variable with the "
    "type that was meant (`context_variables`, `type:`). A variable's type cannot be changed later: add another one."
)


@check("R05")
def known_names(seen: Seen) -> Iterator[Result]:
    """Every name that a scenario hands over is one of a work stream's variables, letter by letter."""
    yield from unreadable("R05", seen)
    known = {each.name: (each, stream) for stream in reversed(seen.streams) for each in stream.variables or ()}
    for each in _escalations(seen):
        for name in dict.fromkeys(key for key, _ in each.call.context):
            if name not in known and not is_reserved(name):
                yield _unknown(each, name, known, seen)


def _unknown(each: Sent, name: str, known: Mapping[str, tuple[Variable, Workstream]], seen: Seen) -> Result:
    near = _nearest(name, known)
    if not near:
        told = f"it hands over {name!r}, and no work stream of the playbook declares such a variable"
        stream = seen.streams[0] if seen.streams else None
        place = stream.source if stream else about_call(each).source
    else:
        variable, stream = known[near]
        place = variable.source if variable.source.line else stream.source
        is_twin = fold(near) == fold(name)
        why = "case, blanks and Unicode forms count" if is_twin else "did you mean that one?"
        told = f"it hands over {name!r}, and {stream.name} calls the variable {near!r}: {why}"
    return finding(
        "R05",
        about_call(each, place),
        told,
        consequence=_LOST,
        cure=_SAME_NAME,
        handed_over=name,
        declared=", ".join(sorted(known)) or "none",
        where=each.where,
        playbook=place,
    )


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    folds = {fold(each): each for each in known}
    close = difflib.get_close_matches(fold(name), folds, n=1)
    return folds[close[0]] if close else ""


@check("R06")
def fitting_values(seen: Seen) -> Iterator[Result]:
    """What is handed over is of the variable's type: a number for a number, a text for a text."""
    yield from unreadable("R06", seen)
    for each in _escalations(seen):
        for name in each.computed:
            if any(stream.variable(name) for stream in seen.streams):
                told = f"cannot decide: {each.step_name} computes {name}, and only running it tells what it is"
                yield Unchecked("R06", told, about_call(each))
        for name, value in each.known.items():
            for stream in seen.streams:
                variable = stream.variable(name)
                told = _misfit(variable, value) if variable else ""
                if variable and told:
                    yield _unfit(each, variable, told, value)


def _misfit(variable: Variable, value: str | int) -> str:
    if variable.type == "number" and isinstance(value, str):
        return f"it hands over {variable.name} as the text {_short(value)}, and the variable is a number"
    if variable.type == "text" and isinstance(value, int):
        return f"it hands over {variable.name} as the number {value}, and the variable is a text"
    return ""


def _unfit(each: Sent, variable: Variable, told: str, value: str | int) -> Result:
    place = variable.source
    return finding(
        "R06",
        about_call(each, place),
        told,
        consequence=_NEVER,
        cure=_SAME_TYPE,
        variable=variable.name,
        type=variable.type,
        value=json.dumps(value),
        where=each.where,
        playbook=place,
    )


@check("R24")
def values_have_rules(seen: Seen) -> Iterator[Result]:
    """What is handed over is something that a rule asks for, in each work stream that knows one of the names."""
    yield from unreadable("R24", seen)
    for each in _escalations(seen):
        for stream in seen.streams:
            names = frozenset(key for key, _ in each.call.context if stream.variable(key))
            parts = (concerned(rule.condition, names) for rule in live_rules(stream))
            asked = [part for part in parts if part is not None]
            context = {key: value for key, value in each.known.items() if key in names}
            doubt = Doubt(names - frozenset(context))
            answers = [decide(part, context, stream.variables or (), Reading.STRICT, doubt) for part in asked]
            if not names or True in answers or not list(live_rules(stream)):
                continue
            if None in answers:
                told = f"whether a rule of {stream.name} catches what {each.step_name} hands over cannot be decided"
                yield Unchecked("R24", told, about_call(each))
                continue
            handed = ", ".join(f"{name}={value}" for name, value in context.items())
            told = f"it hands over {handed}, and no rule of {stream.name} asks for that"
            rules = "; ".join(map(describe, asked[:5])) or "none of these variables"
            source = stream.source
            subject = about_call(each, source)
            yield finding("R24", subject, told, rules_ask_for=rules, where=each.where, playbook=source)


@check("R29")
def readable_messages(seen: Seen) -> Iterator[Result]:
    """Each message that hands over or ends is one that Omnichannel reads."""
    yield from unreadable("R29", seen)
    for each in seen.sent:
        for told in (*_mistakes(each), *_taken_names(each)):
            yield finding("R29", about_call(each), told, where=each.where)


def _mistakes(each: Sent) -> Iterator[str]:
    """Those of the message, as far as it is known: what is computed is taken for a short text."""
    call = each.call
    if not call.type:
        if not call.tags_is_string:
            yield "its tags are no text: they must be a JSON text (JSON.stringify), or nothing is handed over"
        return
    context: dict[str, Any] = {key: getattr(value, "value", "…") for key, value in call.context}
    command = {"type": call.type, "context": context}
    tags = json.dumps(command, ensure_ascii=False) if call.tags_is_string else command
    yield from payload_mistakes({"type": "message", "text": call.summary or "", "channelData": {"tags": tags}})


def _taken_names(each: Sent) -> Iterator[str]:
    for name, _ in each.call.context:
        if is_reserved(name) and each.call.type == ESCALATE:
            yield f"{name!r} is a name the platform keeps for itself: what is handed over under it is lost or replaced"


def _escalations(seen: Seen) -> Iterator[Sent]:
    return (each for each in seen.sent if each.is_escalation)


def _short(value: str) -> str:
    return repr(value) if len(value) <= 60 else f"{value[:60]!r}…"
