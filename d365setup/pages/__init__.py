"""What a code means: one page for each finding (`R12`, `C05`) and each error of the service (`0x80040220`).

A page is a Markdown file of this folder. Its first lines are `title:`, `level:` (findings only) and `source:`, then a
blank line, then sections with `##` headings. A finding's page has `What it is`, `What happens` and `Cure`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import takewhile

NEAR = 0.5  # how much of two codes must agree for one to be a guess at the other


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
    """Every code that has a page: findings about routing, compliance and the Health Bot, then errors of the service."""
    names = (each.name for each in files(__package__).iterdir())
    found = (name.removesuffix(".md") for name in names if name.endswith(".md"))
    return tuple(sorted(found, key=lambda code: ("RCH0".find(code[0]), code)))


def written(text: str) -> str:
    """A code as it is published, however somebody writes it: `c5`, `R012`, `0X80040220`, `-2147220960`."""
    code = text.strip()
    finding = re.fullmatch(r"([A-Za-z])0*([0-9]{1,3})", code, re.ASCII)
    if finding:
        return f"{finding[1].upper()}{int(finding[2]):02d}"
    if re.fullmatch(r"-[0-9]{1,10}", code, re.ASCII):  # some tools show the service's codes as signed numbers
        return f"0x{int(code) % 2**32:08x}"
    return code.lower()


def nearest(text: str) -> str:
    """The code that was perhaps meant, the first of those equally near; "" where none is."""
    found = difflib.SequenceMatcher(b=written(text)[:40])
    near = {}
    for code in codes():
        found.set_seq1(code)
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(code, written(text), strict=False))
        near[code] = (found.ratio(), len(list(alike)))
    best = max(near, key=lambda code: near[code])
    return best if near[best][0] > NEAR else ""


def _sections(body: str) -> Mapping[str, str]:
    parts = ("\n" + body).split("\n## ")[1:]
    return {heading.strip(): text.strip() for heading, _, text in (part.partition("\n") for part in parts)}
