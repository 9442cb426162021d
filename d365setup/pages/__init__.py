"""What a code means: one page for each finding (`R12`, `C05`) and each error of the service (`0x80040220`).

A page is a Markdown file of this folder. Its first lines are `title:`, `level:` (findings only) and `source:`, then a
blank line, then sections with `##` headings. A finding's page has `What it is`, `What happens` and `Cure`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Page:
    """One page. ``sections`` are the texts by heading, each a paragraph or more, without line ends at the edges."""

    code: str
    title: str
    level: str
    source: str
    sections: Mapping[str, str]

    def section(self, heading: str) -> str:
        """The text below a heading as one line; "" where there is none."""
        return " ".join(self.sections.get(heading, "").split())


@cache
def page(code: str) -> Page:
    """The page of a code, written as it is published. Raises KeyError for one that has none."""
    if code not in codes():
        raise KeyError(code)
    head, _, body = files(__package__).joinpath(f"{code}.md").read_text(encoding="utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    return Page(code, fields["title"], fields.get("level", ""), fields.get("source", ""), _sections(body))


@cache
def codes() -> tuple[str, ...]:
    """Every code that has a page."""
    names = (each.name for each in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".md") for name in names if name.endswith(".md")))


def _sections(body: str) -> Mapping[str, str]:
    parts = ("\n" + body).split("\n## ")[1:]
    return {heading.strip(): text.strip() for heading, _, text in (part.partition("\n") for part in parts)}
