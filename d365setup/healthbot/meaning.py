"""What two scenarios differ in, as people read it: a hand-off by what it says, not by its script. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from d365setup.healthbot.expressions import closing
from d365setup.healthbot.graph import Step, json_text
from d365setup.healthbot.scenario import StoredScenario, differences
from d365setup.healthbot.script import Literal, handoffs
from d365setup.healthbot.tokens import tokens
from d365setup.model import FieldChange

_NOTHING: tuple[Any, ...] = (None, False, "", [], {})
_SCRIPT = "/onInit"
_CALL = ["session", ".", "sendChannelData", "("]


def changed(one: StoredScenario, other: StoredScenario) -> Iterator[FieldChange]:
    """What ``other`` changes. A field it does not name, and ``one`` has empty, is what the service added by itself."""
    for each in differences(one, other):
        if each.after is None and not _is_step(each) and any(each.before is no or each.before == no for no in _NOTHING):
            continue
        yield from _told(each)


def said(stored: StoredScenario) -> Iterator[FieldChange]:
    """What a scenario that is not there yet will say and do."""
    yield FieldChange("trigger", None, stored.trigger)
    yield FieldChange("description", None, stored.description)
    for step in stored.graph.steps:
        yield from _spoken(step)


def _spoken(step: Step) -> Iterator[FieldChange]:
    for name in ("text", "onInit"):
        if isinstance(step.raw.get(name), str):
            yield from _told(FieldChange(f"steps/{step.label or step.id}/{name}", None, step.raw[name]))


def _is_step(change: FieldChange) -> bool:
    return change.field.startswith("steps/") and isinstance(change.before or change.after, Mapping)


def _told(change: FieldChange) -> Iterator[FieldChange]:
    before, after = change.before, change.after
    if change.field.endswith(_SCRIPT):
        was, now = _handed_over(before), _handed_over(after)
        if was is not None and now is not None and was != now:
            start = change.field.removesuffix(_SCRIPT)
            for name in dict.fromkeys((*was, *now)):
                if name not in was or name not in now or not _same(was[name], now[name]):
                    yield FieldChange(f"{start}/{name}", was.get(name), now.get(name))
            if all(each is None or _is_bare(each) for each in (before, after)):
                return
    yield FieldChange(change.field, _plain(before), _plain(after))


def _handed_over(script: Any) -> dict[str, Any] | None:
    """The one hand-off of a script, by what it says; nothing of no script; None where only the script can tell."""
    if script is None:
        return {}
    found = handoffs(script) if isinstance(script, str) else ()
    if len(found) != 1 or found[0].problem or not found[0].tags_is_string:
        return None
    (one,) = found
    context = {
        f"context/{name}": value.value if isinstance(value, Literal) else f"the expression {value.source}"
        for name, value in one.context
    }
    return {"type": one.type, "summary": one.summary, **context}


def _is_bare(script: str) -> bool:
    """Whether a script is nothing but that one call: what else it does is only to be seen in it."""
    found = tokens(script)
    end = closing(found, len(_CALL) - 1)
    is_call = [each.text for each in found[: len(_CALL)]] == _CALL and end is not None
    return is_call and all(each.is_mark(";") for each in found[(end or 0) + 1 :])


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _plain(value: Any) -> Any:
    return json_text(value) if isinstance(value, Mapping | list | tuple) else value
