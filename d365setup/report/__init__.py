"""Plans, runs, audits and what else a command can end with, in every form. Pure: values in, text out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from d365setup.report.as_json import data
from d365setup.report.as_text import outcome_line, text
from d365setup.report.documents import (
    Checked,
    Declared,
    Document,
    ErrorReport,
    Explained,
    Exported,
    History,
    Problem,
    Recorded,
    Simulated,
    Untouched,
    Validation,
    Verification,
)
from d365setup.report.forms import ENDINGS, FORMS, MAX_CHARS, PLAIN, Form, forms
from d365setup.report.published import SCHEMAS, schema
from d365setup.report.redaction import Mask
from d365setup.report.visible import visible

__all__ = [
    "ENDINGS",
    "FORMS",
    "MAX_CHARS",
    "PLAIN",
    "SCHEMAS",
    "Checked",
    "Declared",
    "Document",
    "ErrorReport",
    "Explained",
    "Exported",
    "Form",
    "History",
    "Mask",
    "Problem",
    "Recorded",
    "Simulated",
    "Untouched",
    "Validation",
    "Verification",
    "forms",
    "outcome_line",
    "render",
    "schema",
]


def render(
    document: Document,
    form: Form = "text",
    *,
    mask: Mask | None = None,
    color: bool = False,
    max_chars: int = MAX_CHARS,
    where: Callable[[str], str] = str,
    at: datetime | None = None,
) -> str:
    """The document in full, ending in a line end. Raises ValueError for a form it does not have (`forms`).

    JSON and SARIF are plain ASCII; JSON follows the schema its ``schema`` key names. Text holds no character that could
    steer a terminal, whatever a playbook or a service put into it; ``color`` adds our own. ``mask`` takes people out.
    Markdown has at most ``max_chars`` characters and says what it left out. ``where`` turns a file into its path in the
    repository, for SARIF; ``at`` is when something was tested, for JUnit.
    """
    if form not in forms(document):
        raise ValueError(f"{type(document).__name__} has no {form}")
    match form:
        case "text":
            return text(document, mask=mask, color=color)
        case "json":
            value = data(document)
            return _json(mask.data(value) if mask else value)
        case "markdown":
            return markdown(document, max_chars, mask=mask)
        case "html":
            from d365setup.report.as_html import html  # noqa: PLC0415  # loads a template engine

            return html(document, mask=mask).rstrip() + "\n"
        case "junit":
            from d365setup.report.as_junit import junit  # noqa: PLC0415  # few want it

            return junit(document, _shown(mask), at)
        case "sarif":
            from d365setup.report.as_sarif import sarif_data  # noqa: PLC0415  # few want it

            return _json(sarif_data(document, _shown(mask), where))


def markdown(
    document: Document, limit: int = MAX_CHARS, *, mask: Mask | None = None, measure: Callable[[str], int] = len
) -> str:
    """The document as Markdown within a limit of characters, or of what ``measure`` counts."""
    from d365setup.report import as_markdown  # noqa: PLC0415  # few want it

    return as_markdown.markdown(document, _shown(mask), limit, mask=mask, measure=measure)


def _shown(mask: Mask | None) -> Callable[[Any], str]:
    """How text from outside is shown: masked, and everything visible."""
    return lambda value: visible(mask.text(str(value)) if mask else str(value))


def _json(value: Any) -> str:
    r"""JSON in ASCII. ``##`` is written ``#\u0023``: in a log of Azure Pipelines ``##vso[`` would be a command."""
    return json.dumps(value, indent=2).replace("##", "#\\u0023") + "\n"
