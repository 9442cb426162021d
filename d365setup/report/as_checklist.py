"""What only a person can do, as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from d365setup.healthbot.handwork import Checklist, Task

Data = dict[str, Any]
Show = Callable[[Any], str]
Paint = Callable[[str, str], str]

_BOLD = "1"
_COLUMNS = 100


def checklist_data(found: Checklist) -> Data:
    """The published shape, `d365setup/checklist/1`."""
    return {
        "schema": "d365setup/checklist/1",
        "playbook": {"name": found.playbook, "sha256": found.sha256, "file": found.file},
        "portal": found.portal,
        "url": found.url,
        "tasks": [_task(each) for each in found.tasks],
        "exit_code": found.exit_code,
    }


def checklist_lines(found: Checklist, show: Show, paint: Paint) -> Iterator[str]:
    """Lines of text, the tasks numbered."""
    yield f"What no API does for playbook {show(found.playbook)}: {len(found.tasks)} tasks for a person"
    if found.portal:
        yield f"Health Bot portal: {show(found.portal)}"
    for number, task in enumerate(found.tasks, 1):
        yield ""
        yield paint(f"{number}. {show(task.title)}", _BOLD)
        yield from _lines(task, show)
    yield ""
    yield (
        "URL above is the environment's address; with --url it stands in the commands"
        if _has_gap(found)
        else ("next: `d365setup plan` shows what is left to the tool")
    )


def _lines(task: Task, show: Show) -> Iterator[str]:
    yield from _wrapped(f"where: {show(task.where)}", "   ", "          ")
    for each in task.does:
        yield from _wrapped(f"- {show(each)}", "   ", "     ")
    for name, value in task.values:
        yield f"     {show(name)}: {show(value)}"
    if task.check:
        yield f"   check: {show(task.check)}"
    yield from _wrapped(show(task.tells), "          " if task.check else "   ", "          " if task.check else "   ")


def _has_gap(found: Checklist) -> bool:
    return any(each.check.endswith("--url URL") for each in found.tasks)


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    """The text in lines; what is to be copied stays whole."""
    return textwrap.wrap(
        text, _COLUMNS, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _task(task: Task) -> Data:
    return {
        "id": task.id,
        "title": task.title,
        "where": task.where,
        "does": list(task.does),
        "values": [{"name": name, "value": value} for name, value in task.values],
        "check": task.check,
        "tells": task.tells,
    }
