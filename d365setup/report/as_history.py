"""Recorded runs, as text and JSON: the list of them, and one in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from d365setup.journal import Recording, Sent
from d365setup.model import Change
from d365setup.report.documents import History, Recorded

Show = Callable[[Any], str]
Data = dict[str, Any]


def history_lines(history: History, show: Show, _paint: Any = None) -> Iterator[str]:
    """One line for each run, the newest last, in columns."""
    if not history.runs:
        yield f"no runs are recorded in {show(history.folder)}"
    rows = [_row(each, show) for each in history.runs]
    widths = [max(len(row[place]) for row in rows) for place in range(5)] if rows else []
    for row in rows:
        yield "  ".join((*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[5])).rstrip()
    for problem in history.problems:
        yield f"cannot be read: {show(problem)}"


def _row(recorded: Recorded, show: Show) -> tuple[str, ...]:
    run = recorded.recording
    when = show(run.started[:19].replace("T", " "))
    where = show(run.environment.name or run.environment.url)
    return (show(run.run), when, show(run.command), show(run.playbook), where, show(_became(recorded)))


def _became(recorded: Recorded) -> str:
    run = recorded.recording
    told = ", ".join(f"{count} {status}" for status, count in Counter(s for s, _ in run.outcomes.values()).items())
    match recorded.state:
        case "running":
            return "under way"
        case "open":
            return f"its process died; the next {'push' if run.is_of_bot_alone else 'apply'} settles it"
        case "settled":
            return f"{told or 'nothing known'}; its process died, settled since"
    return f"{told or 'nothing done'}, exit code {run.exit_code}"


def recorded_lines(recorded: Recorded, show: Show, _paint: Any = None) -> Iterator[str]:
    """One run: what it was, each change and what became of it, the change sets."""
    run = recorded.recording
    yield f"Run {show(run.run)}: {show(run.command)} of playbook {show(run.playbook)}"
    if run.undoes:
        yield f"it took back run {show(run.undoes)}"
    yield f"on {show(run.environment.name)} ({show(run.environment.url)})"
    ended = show(run.ended) if run.ended else "nobody knows when"
    yield f"from {show(run.started)} to {ended}: {show(_became(recorded))}"
    if run.tests:
        yield f"before it: {show(run.tests)}"
    yield ""
    for change in run.changes:
        status, detail = run.outcomes.get(str(change.id), ("not known", ""))
        yield f"{show(status):<12}  {change.action.value:<6}  {show(change.id)}"
        yield from (f"    {_field(each.field, each.before, each.after, show)}" for each in change.fields)
        if detail:
            yield f"    {show(detail)}"
    yield ""
    yield _sent(run.sent)
    if run.is_cut:
        yield "its last line was cut in half, as when a process dies or a disk is full; all before it counts"
    if run.landed and not run.undoes and recorded.state != "running":
        yield f"next: `d365setup rollback {show(run.run)}` shows how to take it back, and asks"


def _field(name: str, before: Any, after: Any, show: Show) -> str:
    return f"{show(name)}: {_value(before, show)} → {_value(after, show)}"


def _value(value: Any, show: Show) -> str:
    return "(none)" if value is None else show(value)


def _sent(sent: tuple[Sent, ...]) -> str:
    counts = Counter(each.landed for each in sent)
    writes = sum(len(each.writes) for each in sent)
    parts = [f"{counts[True]} landed", f"{counts[False]} did not"]
    parts += [f"{counts[None]} without an answer"] if counts[None] else []
    return f"{len(sent)} change sets with {writes} writes: {', '.join(parts)}"


def history_data(history: History) -> Data:
    """The list as JSON-ready values."""
    return {
        "schema": "d365setup/history/1",
        "folder": history.folder,
        "runs": [_about(each) for each in history.runs],
        "problems": list(history.problems),
        "exit_code": history.exit_code,
    }


def recorded_data(recorded: Recorded) -> Data:
    """One run as JSON-ready values; people's addresses are among the keys of queue members."""
    run = recorded.recording
    return {
        "schema": "d365setup/recorded-run/1",
        **_about(recorded),
        "changes": [_change(each, run) for each in run.changes],
        "change_sets": [
            {"number": each.number, "landed": each.landed, "writes": [f"{w.method} {w.path}" for w in each.writes]}
            for each in run.sent
        ],
        "tests": run.tests,
        "is_cut": run.is_cut,
        "exit_code": recorded.exit_code,
    }


def _about(recorded: Recorded) -> Data:
    run, where = recorded.recording, recorded.recording.environment
    return {
        "run": run.run,
        "command": run.command,
        "state": recorded.state,
        "started": run.started,
        "ended": run.ended or None,
        "ended_with": run.exit_code,
        "undoes": run.undoes or None,
        "environment": {"url": where.url, "organization_id": where.organization_id, "name": where.name},
        "playbook": {"name": run.playbook, "sha256": run.sha256},
        "outcomes": dict(Counter(status for status, _ in run.outcomes.values())),
    }


def _change(change: Change, run: Recording) -> Data:
    outcomes: Mapping[str, tuple[str, str]] = run.outcomes
    status, detail = outcomes.get(str(change.id), ("not known", ""))
    return {
        "action": change.action.value,
        "kind": change.id.kind,
        "key": change.id.key,
        "fields": [{"field": e.field, "before": e.before, "after": e.after} for e in change.fields],
        "status": status,
        "detail": detail,
    }
