"""What every sheet is written with: foreign text, places, problems, tests, rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from d365setup.model import Note, Source
from d365setup.proof import TestResult
from d365setup.report.comment.fitting import Section
from d365setup.report.comment.markup import escaped
from d365setup.report.documents import Document, Problem
from d365setup.report.issues import proofs
from d365setup.report.shortened import NAME, SENTENCE

Show = Callable[[Any], str]

MARKS = {"error": "❌", "warning": "⚠️", "info": "ℹ️"}
THINGS = ("Thing", "What", "Line")  # columns of a table of changes


@dataclass(frozen=True)
class Page:
    """How foreign text becomes Markdown here."""

    show: Show

    def say(self, value: Any, most: int = SENTENCE) -> str:
        """Foreign text, shown and escaped."""
        return escaped(self.show(value), most)

    def line(self, source: Source) -> str:
        """Where something stands: file and line."""
        return self.say(f"{source.file}:{source.line}", NAME) if source.line else ""


def rows(cells: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Rows of a table, of cells that are Markdown already."""
    return tuple(f"| {' | '.join(row)} |" for row in cells)


def noted(note: Note, page: Page) -> str:
    """A note of a plan, as an item of a list; an error among warnings is marked."""
    item = told(Problem(note.message, str(note.id), note.source, note.severity), page)
    return item.replace("- ", f"- {MARKS['error']} ", 1) if note.severity == "error" else item


def told(problem: Problem, page: Page) -> str:
    """A problem, as an item of a list."""
    place = f" ({page.line(problem.source)})" if problem.source.line else ""
    about = f"**{page.say(problem.id, 2 * NAME)}**: " if problem.id else ""
    return f"- {about}{page.say(problem.message)}{place}"


def tests_told(document: Document, page: Page) -> list[str]:
    """What the tests of each playbook came to, for the summary."""
    found = proofs(document)
    mark = f"{MARKS['error']} " if any(proof.failed for _, proof in found) else ""
    said = "; ".join(proof.summary if len(found) == 1 else f"{name}: {proof.summary}" for name, proof in found)
    return [f"{mark}playbook tests: {page.say(said)}"] if said else []


def tests(document: Document, page: Page) -> Iterator[Section]:
    """The tests that fail, and those that only an environment can decide."""
    results = [each for _, proof in proofs(document) for each in proof.results]
    for state, heading, noun in (
        ("failed", "Tests that fail", "failed expectations"),
        ("open", "Tests only an environment can decide", "open expectations"),
    ):
        items = tuple(item for each in results if each.state == state for item in _test(each, page))
        yield Section(heading, noun, items, folds=state != "failed")


def _test(test: TestResult, page: Page) -> Iterator[str]:
    for each in (*test.problems, *test.undecided):
        yield told(Problem(each.message, test.name, each.source), page)
