"""Markdown that fits a limit: what matters least is left out first, and what was left out is told.

A sheet is a summary and sections in order of weight; a section is rows that stand for themselves. Rows are cut from
the end of the last section first, so whatever is left is whole: no open fence, no open `<details>`, no half a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Measure = Callable[[str], int]

FOLDED_FROM = 20  # rows from which a section is folded away


@dataclass(frozen=True)
class Section:
    """Rows below a title. ``noun`` says in the plural what a row is: ``removals``.

    ``columns`` make a table of it, ``fence`` preformatted text; else rows are items of a list.
    """

    title: str
    noun: str
    rows: tuple[str, ...]
    columns: tuple[str, ...] = ()
    fence: str = ""
    folds: bool = True

    def text(self, count: int) -> str:
        """The section with its first rows."""
        if not count:
            return ""
        body = "\n".join((*self._before, *self.rows[:count], *self._behind))
        heading = f"{self.title} ({len(self.rows)})"
        if self.folds and len(self.rows) >= FOLDED_FROM:
            return f"\n<details><summary>{heading}</summary>\n\n{body}\n\n</details>\n"
        return f"\n### {heading}\n\n{body}\n"

    @property
    def _before(self) -> tuple[str, ...]:
        if self.columns:
            return (f"| {' | '.join(self.columns)} |", f"|{' --- |' * len(self.columns)}")
        return (f"{self.fence}text",) if self.fence else ()

    @property
    def _behind(self) -> tuple[str, ...]:
        return (self.fence,) if self.fence else ()


@dataclass(frozen=True)
class Sheet:
    """A document in Markdown: a heading, lines of summary, sections with what matters most first."""

    heading: str
    summary: tuple[str, ...]
    sections: tuple[Section, ...] = ()


def preformatted(title: str, noun: str, lines: Sequence[str]) -> Section:
    """Lines as they are, in a fence longer than any row of backticks in them."""
    longest = max((_graves(each) for each in lines), default=0)
    return Section(title, noun, tuple(lines), fence="`" * max(3, longest + 1))


def _graves(line: str) -> int:
    run = longest = 0
    for each in line:
        run = run + 1 if each == "`" else 0
        longest = max(longest, run)
    return longest


def fitted(sheet: Sheet, limit: int, measure: Measure = len) -> str:
    """The sheet in at most ``limit`` (characters, or what ``measure`` counts). Rows may not be empty."""
    counts = [len(each.rows) for each in sheet.sections]
    whole = _assembled(sheet, counts, "")
    if measure(whole) <= limit:
        return whole
    head = _head(sheet)
    room = limit - measure(head) - measure(_note(sheet, [0] * len(counts), limit))
    if room < 0:
        return _summary_only(sheet, limit, measure)
    kept = _kept(sheet.sections, room, measure)
    return _assembled(sheet, kept, _note(sheet, kept, limit))


def _kept(sections: Sequence[Section], room: int, measure: Measure) -> list[int]:
    """How many rows of each section there is room for, filling one after the other."""
    kept = [0] * len(sections)
    for place, section in enumerate(sections):
        kept[place] = _rows_within(section, room, measure)
        room -= measure(section.text(kept[place]))
        if kept[place] < len(section.rows):
            break
    return kept


def _rows_within(section: Section, room: int, measure: Measure) -> int:
    if not section.rows:
        return 0
    used = measure(section.text(1)) - measure(section.rows[0])
    count = 0
    for row in section.rows:
        used += measure(row) + (1 if count else 0)  # and a line end
        if used > room:
            break
        count += 1
    return count


def _head(sheet: Sheet) -> str:
    return "\n".join((f"## {sheet.heading}", "", *(f"{each}  " for each in sheet.summary))).rstrip() + "\n"


def _assembled(sheet: Sheet, counts: Sequence[int], note: str) -> str:
    return _head(sheet) + "".join(s.text(count) for s, count in zip(sheet.sections, counts, strict=True)) + note


def _note(sheet: Sheet, kept: Sequence[int], limit: int) -> str:
    """What was left out, of what and how many."""
    cut = [
        f"{len(section.rows) - count} of {len(section.rows)} {section.noun}"
        for section, count in zip(sheet.sections, kept, strict=True)
        if count < len(section.rows)
    ]
    return f"\n**Cut to fit the limit of {limit:,}. Left out: {', '.join(cut)}.**\n" if cut else ""


def _summary_only(sheet: Sheet, limit: int, measure: Measure) -> str:
    """As many whole lines of the head as fit, and that the rest was cut: the last resort."""
    total = sum(len(each.rows) for each in sheet.sections)
    left_out = f": {total} rows are left out" if total else ""
    for note in (f"\n**Cut to fit the limit of {limit:,}{left_out}.**\n", "(cut)\n", ""):
        lines = [f"## {sheet.heading}\n", *(f"\n{each}\n" for each in sheet.summary)]
        room = limit - measure(note)
        while lines and measure("".join(lines)) > room:
            lines.pop()
        if room >= 0:
            return "".join(lines) + note
    return ""
