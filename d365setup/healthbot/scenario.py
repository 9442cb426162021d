"""A scenario as the Health Bot keeps it: its envelope, the graph inside, and what two of them differ in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from d365setup.healthbot.graph import Graph, ScenarioError, Step, copied, read_graph, write_graph
from d365setup.model import FieldChange

_DRAWING = ("xLocation", "yLocation")  # where the designer draws a box; nobody who chats sees it
# What every export says of the whole graph. The vendor's smallest import leaves them out.
_LEFT_OUT: Mapping[str, Any] = {"interrupting": False, "breaking": False, "returningMessage": ""}


@dataclass(frozen=True)
class StoredScenario:
    """One scenario. ``trigger`` starts it; ``raw`` is all that was read, the author's name included."""

    name: str
    trigger: str
    description: str
    graph: Graph
    active: bool | None = None
    id: str = ""
    updated: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False, repr=False)


def read_scenario(value: Any, where: str = "") -> StoredScenario:
    """The scenario of an export or a backup. Raises ScenarioError, saying ``where`` it was found."""
    if not isinstance(value, Mapping):
        raise ScenarioError("it is no scenario: it is no JSON object", where)
    name, trigger = (_needed(value, key, where) for key in ("name", "scenario_trigger"))
    where = f"{where}: scenario {name!r}" if where else f"scenario {name!r}"
    code = value.get("code")
    if not isinstance(code, str | Mapping):
        raise ScenarioError("it has no `code`", where)
    described, id_, updated = (_optional(value, key, where) for key in ("description", "id", "updated"))
    active = value.get("active")
    raw = copied({key: each for key, each in value.items() if key != "code"}, where)
    graph = read_graph(code, where)
    return StoredScenario(
        name, trigger, described, graph, active if isinstance(active, bool) else None, id_, updated, raw
    )


def import_body(scenario: StoredScenario) -> dict[str, Any]:
    """What an import takes: the four fields the vendor shows, the graph as a JSON text."""
    return {
        "name": scenario.name,
        "scenario_trigger": scenario.trigger,
        "description": scenario.description,
        "code": write_graph(scenario.graph),
    }


def same(one: StoredScenario, other: StoredScenario) -> bool:
    """Whether they say and do the same."""
    return not differences(one, other)


def differences(one: StoredScenario, other: StoredScenario) -> tuple[FieldChange, ...]:
    """What ``other`` has changed, by meaning: keys in another order, drawing, and who saved it when are no difference.

    A field of a step is called `steps/<label or id>/<field>`; a step that is there only once is one change.
    """
    heads = ("name", "trigger", "description")
    found = [FieldChange(name, getattr(one, name), getattr(other, name)) for name in heads]
    found += _between("", _head(one.graph), _head(other.graph))
    found += _steps(one.graph, other.graph)
    return tuple(each for each in found if not _alike(each.before, each.after))


def _head(graph: Graph) -> dict[str, Any]:
    """What a graph says beside its steps, and where it begins."""
    said = {**_LEFT_OUT, **{key: each for key, each in graph.raw.items() if key != "steps"}}
    return {**said, "begins with": graph.steps[0].id if graph.steps else None}


def _steps(one: Graph, other: Graph) -> Iterator[FieldChange]:
    """Paired by id, for their order says nothing; steps that share an id are paired in turn."""
    before, after = _by_id(one), _by_id(other)
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key), after.get(key)
        name = f"steps/{_shown_name(now or was)}"
        if was is None or now is None:
            yield FieldChange(name, dict(was.raw) if was else None, dict(now.raw) if now else None)
        else:
            yield from _between(f"{name}/", _said(was), _said(now))


def _by_id(graph: Graph) -> dict[tuple[str, int], Step]:
    seen: dict[str, int] = {}
    found = {}
    for step in graph.steps:
        seen[step.id] = seen.get(step.id, 0) + 1
        found[step.id, seen[step.id]] = step
    return found


def _said(step: Step) -> dict[str, Any]:
    """The fields of a step, the designer's among them, without its drawing."""
    designer = step.raw.get("designer")
    own = {key: each for key, each in step.raw.items() if key != "designer"}
    if not isinstance(designer, Mapping):
        return own if designer is None else {**own, "designer": designer}
    return own | {f"designer.{key}": each for key, each in designer.items() if key not in _DRAWING}


def _shown_name(step: Step | None) -> str:
    return (step.label or step.id) if step else ""


def _between(prefix: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[FieldChange]:
    for key in dict.fromkeys((*one, *other)):
        if key not in one or key not in other or not _alike(one[key], other[key]):
            yield FieldChange(f"{prefix}{key}", one.get(key), other.get(key))


def _alike(one: Any, other: Any) -> bool:
    """JSON's sense of equal: 1 is 1.0, and neither is true."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _needed(value: Mapping[str, Any], key: str, where: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not found.strip():
        raise ScenarioError(f"it is no scenario: it has no `{key}`", where)
    return found


def _optional(value: Mapping[str, Any], key: str, where: str) -> str:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise ScenarioError(f"its `{key}` is no text", where)
    return found or ""
