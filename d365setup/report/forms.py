"""The forms a document can take, and which document has which."""

from __future__ import annotations

from typing import Literal

from d365setup.report.documents import Document

Form = Literal["text", "json", "markdown", "html", "junit", "sarif"]
FORMS: tuple[Form, ...] = ("text", "json", "markdown", "html", "junit", "sarif")
PLAIN: tuple[Form, ...] = ("text", "json", "markdown", "html")  # of what has no verdicts on things
ENDINGS: dict[str, Form] = {
    ".txt": "text",
    ".json": "json",
    ".md": "markdown",
    ".html": "html",
    ".xml": "junit",
    ".sarif": "sarif",
}
MAX_CHARS = 65_536  # what GitHub takes for a comment, counted in characters

_JUDGES = {"Plan", "Run", "Verification", "Validation", "Simulated", "Audit", "ErrorReport", "FleetRun"}  # classes


def forms(document: Document) -> tuple[Form, ...]:
    """The forms this document has."""
    return FORMS if type(document).__name__ in _JUDGES else PLAIN
