"""Where results go: one document to stdout (and a report file), everything else to stderr. Only here is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from d365setup import report
from d365setup.cli.failures import explained
from d365setup.errors import UsageError
from d365setup.model import Outcome, Plan
from d365setup.report.visible import visible

FORMS: dict[str, report.Form] = {".json": "json", ".txt": "text"}


@dataclass(frozen=True)
class Settings:
    """The output options of a command."""

    format: report.Form = "text"
    report: Path | None = None
    redact: bool = False
    no_color: bool = False
    verbose: bool = False


class Output:
    """The one place a command speaks through. `emit` prints its document; the rest goes to stderr."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._mask = report.Mask() if self.settings.redact else None
        self._file: Path | None = None

    def know_people(self, people: Iterable[Iterable[str]], bots: Iterable[str]) -> None:
        """From now on mask these people, where masking is asked for; the bots stay."""
        if self._mask is not None:
            self._mask = report.Mask(people, bots)

    def open(self) -> None:
        """Make sure of the report file before anything is done. Raises UsageError where it cannot be written."""
        path = self.settings.report
        if path is None:
            return
        if path.suffix not in FORMS:
            raise UsageError(f"--report {path}: the file's ending says the format, and it can be {' or '.join(FORMS)}")
        try:
            path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise UsageError(f"--report {path} cannot be written: {error.strerror}") from None
        self._file = path

    def emit(self, document: report.Document) -> int:
        """Print the document and write the report; the answer is the exit code."""
        self._save(document)
        is_failure = isinstance(document, report.ErrorReport)
        to_stderr = is_failure and self.settings.format == "text"
        try:
            click.echo(self._text(document, self.settings.format, to_stderr=to_stderr), nl=False, err=to_stderr)
        except BrokenPipeError:
            raise  # nobody reads any more: click ends the program quietly
        except OSError as error:
            click.echo(f"error: the result cannot be printed: {error.strerror}", err=True)
            _let_go(sys.stderr if to_stderr else sys.stdout)
            return document.exit_code or 1
        return document.exit_code

    def failed(self, error: BaseException) -> int:
        """Say why the command ends without a result."""
        return self.emit(explained(error))

    def show(self, plan: Plan) -> None:
        """The plan, for somebody about to be asked."""
        self.aside(plan)

    def aside(self, document: report.Document) -> None:
        """What is worth knowing beside the result, as text on stderr."""
        click.echo(self._text(document, "text", to_stderr=True), err=True)

    def confirmed(self, question: str) -> bool:
        """Ask on the terminal; only a yes is one. The end of the input is a no."""
        click.echo(f"{visible(question)} [y/N] ", nl=False, err=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def progress(self, outcome: Outcome) -> None:
        """An outcome as it comes, for somebody who watches."""
        if sys.stderr.isatty():
            click.echo(report.outcome_line(outcome, mask=self._mask, color=self._color(to_stderr=True)), err=True)

    def waiting(self, seconds: float, reason: str) -> None:
        """A wait or a repetition, with --verbose."""
        if self.settings.verbose:
            click.echo(f"waiting {seconds:.1f} s: {reason}", err=True)

    def _save(self, document: report.Document) -> None:
        if self._file is None:
            return
        try:
            text = report.render(document, FORMS[self._file.suffix], mask=self._mask)
            self._file.write_text(text, encoding="utf-8")
        except OSError as error:
            click.echo(f"the report {self._file} could not be written: {error.strerror}", err=True)

    def _text(self, document: report.Document, form: report.Form, *, to_stderr: bool) -> str:
        return report.render(document, form, mask=self._mask, color=self._color(to_stderr=to_stderr))

    def _color(self, *, to_stderr: bool) -> bool:
        stream = sys.stderr if to_stderr else sys.stdout
        return stream.isatty() and not self.settings.no_color and not os.environ.get("NO_COLOR")


def _let_go(stream: TextIO) -> None:
    """Send what is left in a broken stream nowhere: Python would fail on it once more when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
