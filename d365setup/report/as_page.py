"""What codes mean, as text of at most 80 columns and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from d365setup.pages import Page
from d365setup.report.documents import Explained

WIDTH = 80


def page_lines(found: Explained, show: Callable[[Any], str], _paint: Any = None) -> Iterator[str]:
    """One page, or a line for each."""
    if found.of_all:
        for page in found.pages:
            yield from textwrap.wrap(_titled(page), WIDTH, subsequent_indent=" " * 12)
        return
    for page in found.pages:
        yield from textwrap.wrap(f"{page.code}: {page.title}", WIDTH)
        if page.level:
            yield f"level: {page.level}"
        for heading, text in page.sections.items():
            yield from ("", heading, "")
            for number, paragraph in enumerate(text.split("\n\n")):
                yield from ([""] if number else [])
                yield from _wrapped(paragraph)
        yield ""
        yield from textwrap.wrap(f"Source: {show(page.source)}", WIDTH, subsequent_indent="  ")


def page_data(found: Explained) -> dict[str, Any]:
    """The page, or the list of them."""
    if found.of_all:
        listed = [{"code": each.code, "title": each.title, "level": each.level} for each in found.pages]
        return {"schema": "d365setup/pages/1", "pages": listed, "exit_code": found.exit_code}
    (page,) = found.pages
    sections = [{"heading": heading, "text": _joined(text)} for heading, text in page.sections.items()]
    known = {"code": page.code, "title": page.title, "level": page.level, "source": page.source}
    return {"schema": "d365setup/page/1", **known, "sections": sections, "exit_code": found.exit_code}


def _joined(text: str) -> str:
    """Paragraphs, each as one line: how wide they are shown is up to who shows them."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _titled(page: Page) -> str:
    level = f" ({page.level})" if page.level else ""
    return f"{page.code:<10}  {page.title}{level}"


def _wrapped(paragraph: str) -> list[str]:
    """The paragraph within the width; a code in it is kept whole."""
    return textwrap.wrap(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
