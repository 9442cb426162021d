"""A push of scenarios to a Health Bot, as JSON-ready values and as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from d365setup.healthbot.pushing import PENDING, Push, Pushed
from d365setup.model import FieldChange
from d365setup.report.as_json import plain
from d365setup.report.shortened import shortened

Data = dict[str, Any]
_COLORS = {"to create": "32", "to overwrite": "33", "verified": "32", "unchanged": "2"}
_BAD = "31"


def push_data(push: Push) -> Data:
    """The published shape (`schemas/healthbot-push.json`)."""
    return {
        "schema": "d365setup/healthbot-push/1",
        "portal": push.portal,
        "sent": push.sent,
        "run": push.run or None,
        "scenarios": [_scenario(each) for each in push.scenarios],
        "exit_code": push.exit_code,
    }


def _scenario(each: Pushed) -> Data:
    fields = [{"field": f.field, "before": plain(f.before), "after": plain(f.after)} for f in each.fields]
    return {"name": each.name, "trigger": each.trigger, "state": each.state, "fields": fields, "detail": each.detail}


def push_lines(push: Push, show: Callable[[Any], str], paint: Callable[[str, str], str]) -> Iterator[str]:
    """A line for each scenario and for each thing that differs, then what it amounts to."""
    yield f"Scenarios of {show(push.portal)}"
    yield ""
    width = max((len(each.state) for each in push.scenarios), default=0)
    for each in push.scenarios:
        state = paint(f"{each.state:<{width}}", _COLORS.get(each.state, _BAD))
        yield f"{state}  {show(each.name)} ({show(each.trigger)})"
        if each.state != "verified":
            yield from (f"    {_field(field, show)}" for field in each.fields)
        if each.detail:
            yield f"    {show(each.detail)}"
    yield ""
    yield _counted(push)
    yield from _next(push, show)


def _field(field: FieldChange, show: Callable[[Any], str]) -> str:
    after = _value(field.after, show)
    if field.before is None:
        return f"{show(field.field)}: {after}"
    return f"{show(field.field)}: {_value(field.before, show)} → {after}"


def _value(value: Any, show: Callable[[Any], str]) -> str:
    if value is None:
        return "(none)"
    return show(shortened(str(value))) if value != "" else '""'


def _counted(push: Push) -> str:
    states = [each.state for each in push.scenarios]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no scenarios"


def _next(push: Push, show: Callable[[Any], str]) -> Iterator[str]:
    if push.run and any(each.state in ("verified", "not verified") for each in push.scenarios):
        yield f"its journal is {show(push.run)}: `d365setup rollback {show(push.run)}` takes it back"
    if not push.sent and any(each.state in PENDING for each in push.scenarios):
        yield "an import overwrites what is saved in the portal meanwhile: nobody should be editing these now"
    elif push.exit_code:
        yield f"next: {show(push.hint) or 'look at the bot in its portal, mend what is told above, and push again'}"
