"""Hand-offs found in the scripts of scenarios, by reading them: nothing is ever run.

A hand-off is `session.sendChannelData(text, {tags: JSON.stringify({type, context})})`, in any of the ways people write
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from d365setup.healthbot.expressions import Expression, Literal, Text, Value, listed, literal, properties
from d365setup.healthbot.tokens import NotRead, line_of

__all__ = ["Expression", "HandOff", "Literal", "handoffs"]

CALL = "sendChannelData"
MOST = 100  # calls looked at in one script
_UNKNOWN = "only running the script would tell"


@dataclass(frozen=True)
class HandOff:
    """One call. ``type`` is empty, and ``summary`` None, where it is no literal.

    ``problem`` says what could not be understood; ``tags_is_string`` is False where tags is seen to be no text.
    """

    type: str = ""
    summary: str | None = None
    context: tuple[tuple[str, Literal | Expression], ...] = ()
    tags_is_string: bool = True
    problem: str = ""
    line: int = 1


def handoffs(on_init: str) -> tuple[HandOff, ...]:
    """Each hand-off of a script, in its order; what cannot be followed has a ``problem``, and nothing is raised."""
    if CALL not in on_init:
        return ()
    text = Text(on_init)
    try:
        return tuple(_found(text))
    except NotRead as error:
        return (HandOff(problem=f"the script cannot be followed: {error}"),)


def _found(text: Text) -> Iterator[HandOff]:
    mentions = ((at, _after_mention(text, at)) for at in range(len(text.tokens)))
    for number, (at, after) in enumerate((at, after) for at, after in mentions if after is not None):
        line = line_of(text.script, text.tokens[at].start)
        if number == MOST:
            yield HandOff(problem=f"the script mentions {CALL} more than {MOST} times", line=line)
            return
        handoff = _call(text, after)
        if handoff is not None:
            yield replace(handoff, line=line)


def _after_mention(text: Text, at: int) -> int | None:
    """Where the call's bracket should stand, behind `sendChannelData` or `["sendChannelData"]`."""
    token = text.tokens[at]
    if token.kind == "template" and CALL in token.text:
        return at
    after = at + 1
    if token.kind == "string" and token.text == CALL:
        if not (at and text.tokens[at - 1].is_mark("[") and _is(text, after, "]")):
            return None
        after += 1
    elif token.kind != "name" or token.text != CALL:
        return None
    return after + 1 if _is(text, after, "?.") else after


def _is(text: Text, at: int, mark: str) -> bool:
    return at < len(text.tokens) and text.tokens[at].is_mark(mark)


def _call(text: Text, at: int) -> HandOff | None:
    """The call whose bracket opens here; None for one that carries no tags: it hands nothing over."""
    end = text.closing(at) if _is(text, at, "(") else None
    if end is None:
        return HandOff(problem=f"{CALL} is not simply called here: what it sends {_UNKNOWN}")
    given = list(listed(text.tokens[at + 1 : end]))
    if len(given) < 2:
        return None
    summary = text.read(given[0])
    said = summary.value if isinstance(summary, Literal) and isinstance(summary.value, str) else None
    found = _sent(text, text.known(given[1]))
    return None if found is None else replace(found, summary=said)


def _sent(text: Text, value: Value) -> HandOff | None:
    """What the channel data hands over."""
    parts = properties(value)
    if parts is None:
        return HandOff(problem=f"what it sends is written `{_short(text, value)}`, which {_UNKNOWN}")
    tags = next((each.value for each in parts if each.key == "tags"), None)
    told = "; ".join(each.problem for each in parts if each.problem)
    if tags is None:
        return HandOff(problem=told) if told else None
    found = _tagged(text, text.known(tags))
    return replace(found, problem="; ".join(filter(None, (found.problem, told))))


def _tagged(text: Text, tags: Value) -> HandOff:
    whole = literal(tags)
    if whole is not None:
        return _written(whole.value)
    command = _stringified(text, tags)
    if command is not None:
        return _command(text, text.known(command))
    if properties(tags) is not None:
        return replace(_command(text, tags), tags_is_string=False)
    return HandOff(problem=f"its tags are written `{_short(text, tags)}`, which {_UNKNOWN}")


def _stringified(text: Text, value: Value) -> Value | None:
    """What `JSON.stringify` is given, where nothing else happens to it."""
    is_call = [each.text for each in value[:4]] == ["JSON", ".", "stringify", "("] and value[-1].is_mark(")")
    given = list(listed(value[4:-1])) if is_call else []
    is_plain = given and all(literal(text.known(each)) for each in given[1:])
    return given[0] if is_plain else None


def _command(text: Text, value: Value) -> HandOff:
    """The object with `type` and `context`."""
    parts = properties(value)
    if parts is None:
        return HandOff(problem=f"its command is written `{_short(text, value)}`, which {_UNKNOWN}")
    problems = [each.problem for each in parts if each.problem]
    named = {each.key: each.value for each in parts}
    kind = text.read(named["type"]) if "type" in named else None
    name = kind.value if isinstance(kind, Literal) and isinstance(kind.value, str) else ""
    if not name:
        problems.append("its command has no `type`" if kind is None else f"its `type` is one that {_UNKNOWN}")
    context: tuple[tuple[str, Literal | Expression], ...] = ()
    if "context" in named:
        inner = properties(text.known(named["context"]))
        if inner is None:
            problems.append(f"its context is written `{_short(text, named['context'])}`, which {_UNKNOWN}")
        problems += [f"in its context {each.problem}" for each in inner or () if each.problem]
        context = tuple((each.key, text.read(each.value)) for each in inner or () if each.key is not None)
    return HandOff(name, None, context, problem="; ".join(dict.fromkeys(problems)))


def _written(tags: Any) -> HandOff:
    """Tags that stand in the script as one text, already serialised."""
    try:
        found = json.loads(tags) if isinstance(tags, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        return HandOff(tags_is_string=isinstance(tags, str), problem="its tags are no JSON object")
    name, context = found.get("type"), found.get("context", {})
    problems = [] if isinstance(name, str) and name else ["its command has no `type`"]
    if not isinstance(context, Mapping):
        problems.append("its context is no object of names and values")
    items = context.items() if isinstance(context, Mapping) else ()
    return HandOff(
        name if isinstance(name, str) else "",
        context=tuple((key, _value(each)) for key, each in items),
        problem="; ".join(problems),
    )


def _value(found: Any) -> Literal | Expression:
    return Expression(json.dumps(found)) if isinstance(found, list | dict) else Literal(found)


def _short(text: Text, value: Value) -> str:
    source = " ".join(text.source(value).split())
    return source if len(source) <= 60 else f"{source[:57]}…"
