"""The parts no kind owns, read and checked against what the playbook declares: Health Bot, scenarios, tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from d365setup.model import Reference, Spec, join_key
from d365setup.playbook.checking import Names, place
from d365setup.playbook.document import Expect, HealthBot, PlaybookTest, Scenario, Step
from d365setup.playbook.mistakes import Mistakes, shown
from d365setup.playbook.nodes import Fields
from d365setup.playbook.nodes import Step as PathStep
from d365setup.playbook.sections import items_of
from d365setup.playbook.shapes import shape

T = TypeVar("T", Scenario, PlaybookTest)
PERSON, NOBODY = "a person", "nobody"
Path = tuple[PathStep, ...]


def health_bot(root: Fields, mistakes: Mistakes) -> HealthBot | None:
    """The Health Bot of a playbook, if it says anything about one."""
    node = root.get("health_bot")
    if isinstance(node, Fields):
        return shape(HealthBot, "health bot").read(node, mistakes, {"source": node.source})
    if node is not None:
        mistakes.add(node.source, "'health_bot' must be a map: portal: https://<host>/account/<tenant>")
    return None


def scenarios(root: Fields, names: Names, mistakes: Mistakes) -> tuple[Scenario, ...]:
    """The scenarios, each without a mistake."""
    found: list[Scenario] = []
    for node, scenario in _named(root, "scenarios", "scenario", Scenario, mistakes):
        triggers = {each.trigger: each for each in found}
        if scenario.trigger in triggers:
            told = f"the scenarios {shown(triggers[scenario.trigger].name)} and {shown(scenario.name)} share a trigger"
            mistakes.add(place(scenario.source, node, ("trigger",)), told)
        for path, message in _Scenario(scenario, names).mistakes():
            mistakes.add(place(scenario.source, node, path, str(path[-1]) if path else ""), message)
        found.append(scenario)
    return tuple(found)


def tests(root: Fields, names: Names, mistakes: Mistakes) -> tuple[PlaybookTest, ...]:
    """The tests, each with its work stream filled in."""
    found = []
    streams = [spec.name for spec in names.desired.specs if spec.kind == "workstream"]
    for node, test in _named(root, "tests", "test", PlaybookTest, mistakes):
        if test.workstream is None and len(streams) == 1:
            test = replace(test, workstream=streams[0])  # noqa: PLW2901  # the same test, completed
        for path, message in _Test(test, names).mistakes():
            mistakes.add(place(test.source, node, path), message)
        places = {path: place(test.source, node, path) for path in _parts(test)}
        found.append(replace(test, places=places))
    return tuple(found)


def _parts(test: PlaybookTest) -> Iterator[Path]:
    """Every part of a test that a failure can be about."""
    yield from (("expect", name) for name, _ in test.expect or ())
    for index, step in enumerate(test.steps or ()):
        yield ("steps", index)
        yield from (("steps", index, "expect", name) for name, _ in step.expect or ())


def _named(root: Fields, section: str, what: str, kind: type[T], mistakes: Mistakes) -> Iterator[tuple[Fields, T]]:
    seen: dict[str, T] = {}
    for node in items_of(root, section, what, mistakes):
        found = shape(kind, what).read(node, mistakes, {"source": node.source})
        if found is None:
            continue
        first = seen.setdefault(found.name, found)
        if first is not found:
            mistakes.add(
                found.source, f"the {what} {shown(found.name)} is declared twice (first on line {first.source.line})"
            )
        yield node, found


@dataclass(frozen=True)
class _Scenario:
    scenario: Scenario
    names: Names

    def mistakes(self) -> Iterator[tuple[Path, str]]:
        """What is wrong with one scenario."""
        if (self.scenario.escalate is None) == (self.scenario.end is None):
            yield (), "a scenario has either 'escalate' or 'end', and not both"
        if self.scenario.escalate is not None:
            for name, value in self.scenario.escalate.context.items():
                for message in self._handed_over(name, value):
                    yield ("escalate", "context", name), message

    def _handed_over(self, name: str, value: str | int) -> Iterator[str]:
        known = [spec for spec in self.names.desired.specs if spec.kind == "context_variable"]
        same = [spec for spec in known if spec.name == name]
        if not same and ("context_variable", name) not in self.names.broken:
            hint = (
                self.names.mistakes.meant(name, (spec.name for spec in known)) or ": add it under `context_variables`"
            )
            yield f"no work stream declares the context variable {shown(name)}{hint}"
        for spec in same:
            yield from misfits(spec, value)


def misfits(variable: Spec | None, value: str | int) -> Iterator[str]:
    """What is wrong with giving a context variable this value."""
    kind = getattr(variable, "type", None)
    if variable is None or kind is None:
        return
    if kind == "number" and isinstance(value, str):
        yield f"the context variable {variable.name} is declared as a number, and {shown(value)} is text"
    if kind == "text" and isinstance(value, int):
        yield f"the context variable {variable.name} is declared as text: put {value} in quotes ('{value}')"


@dataclass(frozen=True)
class _Test:
    test: PlaybookTest
    names: Names

    def mistakes(self) -> Iterator[tuple[Path, str]]:
        """What is wrong with one test."""
        yield from self._form()
        yield from self._workstream()
        if self.test.escalated_by is not None:
            yield from self._reference("bot_user", "bot user", self.test.escalated_by, ("escalated_by",))
        yield from self._values(self.test.given or {}, ("given",))
        yield from self._expected(self.test.expect, ("expect",))
        for index, step in enumerate(self.test.steps or ()):
            yield from self._step(step, index)

    def _form(self) -> Iterator[tuple[Path, str]]:
        short = {"given": self.test.given, "expect": self.test.expect, "escalated_by": self.test.escalated_by}
        stated = [name for name, value in short.items() if value is not None]
        if self.test.steps is None:
            if self.test.expect is None:
                yield (), "a test has 'given' and 'expect', or 'steps'"
            elif not list(self.test.expect):
                yield ("expect",), "this test expects nothing: say for example {queue: Nurses}"
        elif stated:
            yield (stated[0],), f"'{stated[0]}' belongs to the short form: a test with 'steps' says it in a step"
        elif not any(list(step.expect or ()) for step in self.test.steps):
            yield ("steps",), "this test expects nothing: give at least one step an 'expect'"

    def _workstream(self) -> Iterator[tuple[Path, str]]:
        if self.test.workstream is not None:
            yield from self._reference("workstream", "work stream", self.test.workstream, ("workstream",))
        elif not any(kind == "workstream" for kind, _ in self.names.broken):
            yield (), "say which 'workstream' the test is about: the playbook does not have exactly one"

    def _reference(self, kind: str, what: str, name: str, path: Path, within: str = "") -> Iterator[tuple[Path, str]]:
        key = join_key(within, name) if within else join_key(name)
        prefix = join_key(within) + "/" if within else ""
        problem = self.names.problem(Reference(kind, key, (), what, name, prefix))
        if problem:
            yield path, problem

    def _values(self, values: Mapping[str, str | int], path: Path) -> Iterator[tuple[Path, str]]:
        stream = self.test.workstream
        for name, value in values.items() if stream is not None else ():
            yield from self._reference("context_variable", "context variable", name, (*path, name), str(stream))
            variable = self.names.desired.find("context_variable", join_key(str(stream), name))
            for message in misfits(variable, value):
                yield (*path, name), message

    def _expected(self, expect: Expect | None, path: Path) -> Iterator[tuple[Path, str]]:
        if expect is None:
            return
        if expect.queue is not None:
            yield from self._reference("queue", "queue", expect.queue, (*path, "queue"))
        if expect.rule is not None and self.test.workstream is not None:
            where = (*path, "rule")
            yield from self._reference("routing_rule", "routing rule", expect.rule, where, self.test.workstream)
        if expect.answered_by not in (None, PERSON, NOBODY):
            for where, message in self._reference(
                "bot_user", "bot user", str(expect.answered_by), (*path, "answered_by")
            ):
                yield where, f"{message}; or write '{PERSON}' or '{NOBODY}'"

    def _step(self, step: Step, index: int) -> Iterator[tuple[Path, str]]:
        path: Path = ("steps", index)
        happens = [name for name in ("start", "escalate", "transfer", "end") if getattr(step, name) is not None]
        if len(happens) != 1:
            yield path, "a step says one thing: start, escalate, transfer or end"
            return
        for message in self._order(happens[0], index):
            yield path, message
        yield from self._values(step.values, (*path, happens[0]))
        if step.transfer is not None:
            yield from self._reference("queue", "queue", step.transfer.queue, (*path, "transfer", "queue"))
        yield from self._expected(step.expect, (*path, "expect"))

    def _order(self, happens: str, index: int) -> Iterator[str]:
        before = [step.action for step in (self.test.steps or ())[:index]]
        if (happens == "start") != (index == 0):
            yield "a conversation begins with 'start', once"
        if "end" in before:
            yield f"'{happens}' after 'end': the conversation is closed by then"
