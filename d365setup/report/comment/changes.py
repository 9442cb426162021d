"""Plans, runs and verifications: removals first, then updates, then the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from d365setup.model import Action, Change, Environment, FieldChange, Note, Plan
from d365setup.outcome import Outcome, Run, Status
from d365setup.report.as_audit import number
from d365setup.report.as_json import plain, warnings
from d365setup.report.comment.auditing import ready_sections
from d365setup.report.comment.fitting import Section, Sheet
from d365setup.report.comment.markup import link
from d365setup.report.comment.page import MARKS, THINGS, Page, noted, rows, tests, tests_told
from d365setup.report.documents import UNRESOLVED, Document, Verification
from d365setup.report.shortened import NAME

_FIELDS = 8  # of one change
_VALUE = 200
_NOUNS = {Action.DELETE: "removals", Action.UPDATE: "updates", Action.CREATE: "creations"}  # what weighs most first
_PLANNED = ("To remove", "To update", "To create")
_DRIFTED = ("There, and should not be", "Different", "Missing")
_DONE = ("Removed", "Updated", "Created")


def plan_sheet(plan: Plan, page: Page) -> Sheet:
    """What would change."""
    summary = [f"**{_counted(plan)}** for playbook {page.say(plan.playbook, NAME)}", *tests_told(plan, page)]
    summary += [f"{number(len(plan.warnings), 'warning')}, see below"] if plan.warnings else []
    if plan.changes:
        summary.append(f"applying it takes {number(plan.cost.requests, 'request')}")
    heading = f"Plan for {_environment(plan.environment, page)}"
    return Sheet(heading, tuple(summary), (*_changes(plan.changes, _PLANNED, page), *_rest(plan.warnings, plan, page)))


def verification_sheet(found: Verification, page: Page) -> Sheet:
    """What differs, and whether hand-offs are ready."""
    plan = found.plan
    told = f"**Drift: {_counted(plan)}**" if plan.changes else f"**In line: {number(plan.unchanged, 'thing')}**"
    told = f"**{UNRESOLVED}, see below**" if found.unresolved else told
    repair = ["`d365setup apply` would repair it"] if plan.changes else []
    heading = f"Verification of {_environment(plan.environment, page)}"
    ready = [_readiness(found)] if found.readiness else []
    summary = (f"{told}, compared with playbook {page.say(plan.playbook, NAME)}", *repair, *ready)
    return Sheet(
        heading,
        summary,
        (*_changes(plan.changes, _DRIFTED, page), *ready_sections(found, page), *_rest(plan.warnings, plan, page)),
    )


def _readiness(found: Verification) -> str:
    paths = found.readiness.paths if found.readiness else ()
    bad = sum(1 for each in paths if each.breaks)
    ready = sum(1 for each in paths if each.is_ready)
    mark = f"{MARKS['error']} " if bad else ""
    return f"{mark}hand-offs: {ready} of {len(paths)} ready, {bad} broken"


def run_sheet(run: Run, page: Page) -> Sheet:
    """What became of each change: first those that are not verified."""
    statuses = Counter(each.status for each in run.outcomes)
    told = ", ".join(f"{count} {status.value}" for status, count in statuses.items()) or "nothing to change"
    summary = [f"**{told}**, {run.plan.unchanged} unchanged, playbook {page.say(run.plan.playbook, NAME)}"]
    summary += ["stopped before the end"] if run.interrupted else []
    summary += tests_told(run, page)
    if run.id and run.landed and not run.undoes:
        summary.append(f"`d365setup rollback` {page.say(run.id, NAME)} would take it back")
    heading = f"{_did(run, page)} {_environment(run.plan.environment, page)}"
    bad = [each for each in run.outcomes if each.status is not Status.VERIFIED]
    good = [each.change for each in run.outcomes if each.status is Status.VERIFIED]
    failed = Section("Not verified", "changes that are not verified", rows(_outcomes(bad, page)), THINGS, folds=False)
    return Sheet(heading, tuple(summary), (failed, *_changes(good, _DONE, page), *_rest(warnings(run), run, page)))


def _did(run: Run, page: Page) -> str:
    if run.undoes:
        return f"Took back run {page.say(run.undoes, NAME)} on"
    return "Destroyed on" if run.command == "destroy" else "Applied to"


def _environment(environment: Environment, page: Page) -> str:
    name = page.say(environment.name or environment.organization_id or environment.url, NAME)
    then = f" as a snapshot shows it at {page.say(environment.taken_at, NAME)}" if environment.taken_at else ""
    return f"{link(name, page.show(environment.url))}{then}"


def _counted(plan: Plan) -> str:
    actions = [each.action for each in plan.changes if not each.manual]
    told = [
        f"{actions.count(Action.CREATE)} to create",
        f"{actions.count(Action.UPDATE)} to update",
        f"{actions.count(Action.DELETE)} to remove",
    ]
    by_hand = len(plan.changes) - len(actions)
    return ", ".join([*told, *([f"{by_hand} by hand"] if by_hand else []), f"{plan.unchanged} unchanged"])


def _changes(changes: Sequence[Change], headings: Sequence[str], page: Page) -> Iterator[Section]:
    """Removals, updates, and the rest."""
    for action, heading in zip(_NOUNS, headings, strict=True):
        cells = [_change(each, page) for each in changes if each.action is action]
        yield Section(heading, _NOUNS[action], rows(cells), THINGS)


def _change(change: Change, page: Page) -> tuple[str, ...]:
    told = [] if change.action is Action.DELETE else [_field(each, change.action, page) for each in change.fields]
    if len(told) > _FIELDS:
        told[_FIELDS:] = [f"… and {len(told) - _FIELDS} more fields"]
    told += [f"*because:* {page.say(change.reason)}"] if change.reason else []
    told += [f"**manual step:** {page.say(change.manual)}"] if change.manual else []
    return (page.say(change.id, 2 * NAME), "<br>".join(told), page.line(change.source))


def _field(field: FieldChange, action: Action, page: Page) -> str:
    after = _value(field.after, page)
    before = "" if action is Action.CREATE else f"{_value(field.before, page)} → "
    return f"{page.say(field.field, NAME)}: {before}{after}"


def _value(value: Any, page: Page) -> str:
    said = plain(value)
    if isinstance(said, bool):
        return "true" if said else "false"
    if said is None:
        return "(none)"
    joined = ", ".join(str(each) for each in said) if isinstance(said, list) else str(said)
    return page.say(joined, _VALUE) or '""'


def _outcomes(outcomes: Iterable[Outcome], page: Page) -> Iterator[tuple[str, ...]]:
    for each in outcomes:
        told = [each.status.value, *([page.say(each.detail)] if each.detail else [])]
        if each.failure and each.failure.hint:
            told.append(f"*next:* {page.say(each.failure.hint)}")
        yield (page.say(each.change.id, 2 * NAME), "<br>".join(told), page.line(each.change.source))


def _rest(notes: Sequence[Note], document: Document, page: Page) -> Iterator[Section]:
    items = tuple(noted(each, page) for each in notes)
    yield Section("Warnings", "warnings", items, folds=False)
    yield from tests(document, page)
