"""A scenario's graph: its steps, read without losing anything, so that what we do not know is written back as it was.

Facts: 212 public exports, all of `version` 3. `steps[0]` is where a scenario begins; a step leads on by
`designer.next`, and by `targetStepId` of its own or of its `cases`. A portal export holds the graph as a JSON text, a
backup as an object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

from d365setup.errors import D365SetupError

LARGEST = 8_000_000  # characters of one graph; the largest public export has about a million
DEEPEST = 60  # levels of nesting; public exports have nine
MOST_STEPS = 20_000
_SURROGATE = re.compile("[\ud800-\udfff]")


class ScenarioError(D365SetupError):
    """Something that should be a scenario is none; ``what`` is wrong, and ``where``."""

    exit_code = 2

    def __init__(self, what: str, where: str = "") -> None:
        self.what, self.where = what, where
        super().__init__(f"{where}: {what}" if where else what)


@dataclass(frozen=True)
class Step:
    """One step of a graph; ``raw`` is all it says."""

    raw: Mapping[str, Any] = field(hash=False)

    @property
    def id(self) -> str:
        """The name other steps lead to it by."""
        return str(self.raw["id"])

    @property
    def type(self) -> str:
        """What it does: `statement`, `action`, …, or something newer."""
        return str(self.raw["type"])

    @property
    def label(self) -> str:
        """What its author calls it, where it has a label."""
        return _text(self.raw.get("label"))

    @property
    def next(self) -> str:
        """The step that follows by default; empty where a path ends."""
        designer = self.raw.get("designer")
        return _text(designer.get("next")) if isinstance(designer, Mapping) else ""

    @property
    def targets(self) -> tuple[str, ...]:
        """Every step it can lead to, each once, the default first."""
        cases = self.raw.get("cases")
        listed = [each.get("targetStepId") for each in _listed(cases) if isinstance(each, Mapping)]
        found = (self.next, _text(self.raw.get("targetStepId")), *map(_text, listed))
        return tuple(dict.fromkeys(filter(None, found)))


@dataclass(frozen=True)
class Graph:
    """What `code` of a scenario holds; ``raw`` is all of it, in its order."""

    raw: Mapping[str, Any] = field(hash=False)

    @property
    def version(self) -> int:
        """The version of the format: 3, or 2 in the vendor's smallest example."""
        return int(self.raw["version"])

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps in their order; it begins with the first."""
        return tuple(map(Step, self.raw["steps"]))

    def step(self, name: str) -> Step | None:
        """The step of this id."""
        return next((each for each in self.steps if each.id == name), None)


def read_graph(code: str | Mapping[str, Any], where: str = "") -> Graph:
    """The graph in a JSON text or an object already parsed. Raises ScenarioError."""
    found = parsed(code, where) if isinstance(code, str) else copied(code, where)
    if not isinstance(found, dict):
        raise ScenarioError("the code is no object with `version` and `steps`", where)
    version = found.get("version")
    if isinstance(version, bool) or not isinstance(version, int):
        raise ScenarioError("the code's `version` is no whole number", where)
    mistake = _mistake(found.get("steps"))
    if mistake:
        raise ScenarioError(mistake, where)
    return Graph(found)


def write_graph(graph: Graph) -> str:
    """The graph as a JSON text, every key in its order."""
    return json_text(graph.raw)


def parsed(text: str, where: str = "", limit: int = LARGEST) -> Any:
    """The value of a JSON text from elsewhere: bounded, and strict where readers differ. Raises ScenarioError."""
    if len(text) > limit:
        raise ScenarioError(f"it has {len(text):,} characters, more than the {limit:,} that are read", where)
    try:
        found = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_json, parse_float=_finite)
        _check(found, DEEPEST)
    except RecursionError:
        raise ScenarioError("it is nested too deeply", where) from None
    except ValueError as error:
        raise ScenarioError(f"it is no JSON: {error}", where) from None
    return found


def copied(value: Any, where: str = "") -> Any:
    """A value of the caller's own of what another reader parsed. Raises ScenarioError for what JSON cannot say."""
    try:
        _check(value, DEEPEST)
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"it is no JSON: {error}", where) from None


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON as people can read it; half a character, which no file can hold, stays an escape."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, allow_nan=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _mistake(steps: Any) -> str:
    """The first thing that is wrong with the steps; empty where nothing is."""
    if not isinstance(steps, list):
        return "the code has no list of `steps`"
    if len(steps) > MOST_STEPS:
        return f"the code has {len(steps):,} steps, more than the {MOST_STEPS:,} that are read"
    for number, step in enumerate(steps, 1):
        for name in ("id", "type"):
            if not isinstance(step, Mapping) or not isinstance(step.get(name), str) or not step[name]:
                return f"step {number} of the code has no `{name}`"
    return ""


def _check(value: Any, levels: int) -> None:
    """Raises ValueError for what is nested too deeply, or has a key that is no text."""
    if levels < 0:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, Mapping) and not all(isinstance(key, str) for key in value):
        raise ValueError("a key is no text")
    for each in value.values() if isinstance(value, Mapping) else _listed(value):
        _check(each, levels - 1)


def _without_doubles(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:60]!r} comes twice in one object")
        found[key] = value
    return found


def _no_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
