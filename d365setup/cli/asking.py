"""The question before something is written: show what would be done, and take nothing but a yes for one."""

from __future__ import annotations

import sys

from d365setup.cli.output import Output
from d365setup.errors import Refused
from d365setup.report import Document


def ask(plan: Document, question: str, output: Output, *, unasked: str, declined: str) -> None:
    """Show the plan and ask. Raises Refused when nobody can be asked (``unasked`` says what --yes does), or says no."""
    output.aside(plan)
    if not sys.stdin.isatty():
        raise Refused(f"there is no terminal to ask on, and nothing was written; add --yes to {unasked}")
    if not output.confirmed(question):
        raise Refused(declined)
