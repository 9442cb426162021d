"""The way through a scenario that hands over: a word to the patient first, and nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

from d365setup.audit.checking import Result, finding
from d365setup.audit.findings import Unchecked
from d365setup.healthbot.checking import Seen, about_call, about_scenario, check
from d365setup.healthbot.graph import Step
from d365setup.healthbot.sending import Sent
from d365setup.healthbot.walking import called


@check("H02")
def a_word_before(seen: Seen) -> Iterator[Result]:
    """Before a conversation is handed over the patient is told so: the summary is not for them."""
    for each in _steps(seen):
        graph = each.found.scenario.graph
        if not each.is_escalation or not seen.walk.is_reached(graph, each.step):
            continue
        heard = seen.walk.hears_before(graph, each.step)
        if heard is None:
            told = f"whether the patient is told anything before {each.step_name} cannot be decided: a step before it"
            yield Unchecked("H02", f"{told} is not understood, or begins another scenario", about_call(each))
        elif not heard:
            told = f"a way leads to {each.step_name} on which the patient is told nothing"
            yield finding("H02", about_call(each), told, where=each.where)


@check("H03")
def nothing_behind(seen: Seen) -> Iterator[Result]:
    """Behind a hand-off or an end nothing follows, in the scenario or in one that began it."""
    for each in _steps(seen):
        for step in seen.walk.behind(each.found.scenario.graph, each.step):
            told = f"behind {each.step_name} follows {_named(step)}"
            yield finding("H03", about_call(each), told, where=each.where)
    for found in seen.bot.scenarios:
        graph = found.scenario.graph
        for step in graph.steps:
            trigger = called(step)
            if step.type == "beginScenario" and trigger in seen.triggers_handing_over:
                for behind in seen.walk.behind(graph, step):
                    told = f"behind {_named(step)}, which begins {trigger} and so hands over, follows {_named(behind)}"
                    yield finding("H03", about_scenario(found, found.place(step)), told, begins=trigger)


@check("H08")
def reached(seen: Seen) -> Iterator[Result]:
    """A way leads from the beginning of a scenario to each of its hand-offs."""
    for each in _steps(seen):
        if not seen.walk.is_reached(each.found.scenario.graph, each.step):
            told = f"no way leads from its beginning to {each.step_name}"
            yield finding("H08", about_call(each), told, where=each.where)


def _steps(seen: Seen) -> Iterator[Sent]:
    """The first call of each step that has one."""
    told: set[tuple[int, str]] = set()
    for each in seen.sent:
        key = (id(each.found), each.step.id)
        if key not in told:
            told.add(key)
            yield each


def _named(step: Step) -> str:
    return f"the step {step.label or step.id!r} ({step.type})"
