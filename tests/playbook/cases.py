"""Playbooks with mistakes, and the lines that tell them: `cases/*.txt`.

A case is a line `#### title`, the text, a line `====`, and the messages; a case without messages loads. After a change
that is meant, `python -m tests.playbook.cases` writes what is said now: read the difference before keeping it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from d365setup.errors import PlaybookError
from d365setup.kinds import discover, specs
from d365setup.playbook import load

FOLDER = Path(__file__).parent / "cases"
SPECS = specs(discover())


@dataclass(frozen=True)
class Case:
    title: str
    text: str
    told: str


def cases(file: Path) -> Iterator[Case]:
    for block in file.read_text(encoding="utf-8").removeprefix("#### ").split("\n#### "):
        title, _, rest = block.partition("\n")
        text, _, told = f"\n{rest}".partition("\n====")
        yield Case(title, text[1:] + "\n" if text else "", told.strip())


def all_cases() -> list[tuple[str, Case]]:
    return [(file.stem, case) for file in sorted(FOLDER.glob("*.txt")) for case in cases(file)]


def told(text: str) -> str:
    """What is said about a playbook; nothing when it loads."""
    try:
        load(text, SPECS, {})
    except PlaybookError as error:
        return str(error)
    return ""


def rewritten(file: Path) -> str:
    parts = [f"#### {case.title}\n{case.text}====\n{told(case.text)}".rstrip() + "\n" for case in cases(file)]
    return "".join(parts)


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.txt")):
        path.write_text(rewritten(path), encoding="utf-8")
