"""Plans, runs and what else a command can end with, as text or JSON. Pure: values in, text out."""

from __future__ import annotations

import json
from typing import Literal

from d365setup.report.as_json import data
from d365setup.report.as_text import outcome_line, text
from d365setup.report.documents import (
    Checked,
    Document,
    ErrorReport,
    History,
    Problem,
    Recorded,
    Validation,
    Verification,
)
from d365setup.report.published import SCHEMAS, schema
from d365setup.report.redaction import Mask

__all__ = [
    "SCHEMAS",
    "Checked",
    "Document",
    "ErrorReport",
    "Form",
    "History",
    "Mask",
    "Problem",
    "Recorded",
    "Validation",
    "Verification",
    "outcome_line",
    "render",
    "schema",
]

Form = Literal["text", "json"]


def render(document: Document, form: Form = "text", *, mask: Mask | None = None, color: bool = False) -> str:
    """The document in full, ending in a line end.

    JSON is plain ASCII and follows the schema its ``schema`` key names. Text holds no character that could steer a
    terminal, whatever a playbook or a service put into it; ``color`` adds our own. ``mask`` takes people out.
    """
    if form == "text":
        return text(document, mask=mask, color=color)
    value = data(document)
    return json.dumps(mask.data(value) if mask else value, indent=2) + "\n"
