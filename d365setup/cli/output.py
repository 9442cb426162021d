"""Where results go: one document to stdout (and a report file), everything else to stderr. Only here is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

import click

from d365setup import report
from d365setup.cli.failures import explained
from d365setup.cli.notebook import Notebook, landed
from d365setup.cli.pipelines import below_root, pipeline, room, summarize
from d365setup.errors import D365SetupError, UsageError
from d365setup.model import Plan
from d365setup.outcome import Outcome
from d365setup.report import MAX_CHARS
from d365setup.report.visible import visible
from d365setup.session import Unfinished


@dataclass(frozen=True)
class Settings:
    """The output options of a command."""

    format: report.Form = "text"
    report: tuple[Path, ...] = ()
    max_chars: int = MAX_CHARS
    annotations: Literal["auto", "off"] = "off"
    redact: bool = False
    no_color: bool = False
    verbose: bool = False


class Output:
    """The one place a command speaks through. `emit` prints its document; the rest goes to stderr."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.notebook = Notebook()
        self._mask = report.Mask() if self.settings.redact else None
        self._files: list[Path] = []

    def know_people(self, people: Iterable[Iterable[str]], bots: Iterable[str]) -> None:
        """From now on mask these people, where masking is asked for; the bots stay."""
        if self._mask is not None:
            self._mask = report.Mask(people, bots)

    def open(self, forms: tuple[report.Form, ...] = report.FORMS) -> None:
        """Make sure of the report files before anything is done. Raises UsageError where one cannot be written."""
        for path in self.settings.report:
            _check_ending(path, forms)
        for path in self.settings.report:
            try:
                path.open("a", encoding="utf-8").close()
            except OSError as error:
                raise UsageError(f"--report {path} cannot be written: {error.strerror}") from None
            self._files.append(path)

    def emit(self, document: report.Document, *, beside: bool = False) -> int:
        """Print the document and write the report; the answer is the exit code.

        ``beside``: stdout has the result already, and this goes to stderr as text.
        """
        code = self._sealed(document)
        self._save(document)
        self._annotate(document)
        is_failure = isinstance(document, report.ErrorReport)
        to_stderr = beside or (is_failure and self.settings.format == "text")
        if is_failure and self.settings.format not in ("text", "json"):  # no person reads those forms on a terminal
            click.echo(self._text(document, "text", to_stderr=True), nl=False, err=True)
        try:
            click.echo(self._text(document, self.settings.format, to_stderr=to_stderr), nl=False, err=to_stderr)
        except BrokenPipeError:
            raise  # nobody reads any more: click ends the program quietly
        except OSError as error:
            click.echo(f"error: the result cannot be printed: {error.strerror}", err=True)
            _let_go(sys.stderr if to_stderr else sys.stdout)
            return code or 1
        return code

    def _sealed(self, document: report.Document) -> int:
        """Seal the evidence where it was asked for; the exit code, which is 1 where that failed."""
        try:
            self.notebook.end(document, self._mask)
        except (D365SetupError, OSError, ValueError) as error:
            click.echo(visible(f"error: {error}; {landed(document)}"), err=True)
            return 1
        return document.exit_code

    def failed(self, error: BaseException) -> int:
        """Say why the command ends without a result."""
        if isinstance(error, Unfinished):
            self.notebook.beside.append(error.run)
        return self.emit(explained(error))

    def show(self, plan: Plan) -> None:
        """The plan, for somebody about to be asked."""
        self.aside(plan)

    def aside(self, document: report.Document) -> None:
        """What is worth knowing beside the result, as text on stderr."""
        self.notebook.beside.append(document)
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
        for file in self._files:
            try:
                file.write_text(self._rendered(document, report.ENDINGS[file.suffix]), encoding="utf-8")
            except OSError as error:
                click.echo(f"the report {file} could not be written: {error.strerror}", err=True)

    def _annotate(self, document: report.Document) -> None:
        """In a pipeline: a line on stderr for each issue, and the job's summary."""
        found = pipeline()
        if found is None or self.settings.annotations == "off":
            return
        from d365setup.report.annotations import annotated, summary_file  # noqa: PLC0415  # of use in pipelines only

        for line in annotated(document, found, self._shown, below_root):
            click.echo(line, err=True)
        try:
            if limit := room(found):
                text = report.markdown(document, limit, mask=self._mask, measure=lambda said: len(said.encode()))
                for file in summarize(found, text):
                    click.echo(summary_file(str(file)), err=True)
        except OSError as error:
            click.echo(f"the job's summary could not be written: {error.strerror}", err=True)

    def _shown(self, value: object) -> str:
        return visible(self._mask.text(str(value)) if self._mask else str(value))

    def _rendered(self, document: report.Document, form: report.Form) -> str:
        return report.render(
            document,
            form,
            mask=self._mask,
            max_chars=self.settings.max_chars,
            where=below_root,
            at=datetime.now(UTC),
        )

    def _text(self, document: report.Document, form: report.Form, *, to_stderr: bool) -> str:
        if form == "text":
            text = report.render(document, form, mask=self._mask, color=self._color(to_stderr=to_stderr))
        else:
            text = self._rendered(document, form)
        return _for_the_log(text, form) if pipeline() else text

    def _color(self, *, to_stderr: bool) -> bool:
        stream = sys.stderr if to_stderr else sys.stdout
        return stream.isatty() and not self.settings.no_color and not os.environ.get("NO_COLOR")


def _for_the_log(text: str, form: report.Form) -> str:
    """What a pipeline's log may show: JSON, JUnit and SARIF hold no command as they are."""
    from d365setup.report.annotations import disarmed, disarmed_page  # noqa: PLC0415  # of use in pipelines only

    if form == "html":
        return disarmed_page(text)
    return disarmed(text) if form in ("text", "markdown") else text


def _check_ending(path: Path, forms: tuple[report.Form, ...]) -> None:
    """Raises UsageError for a file whose ending names no form, or one that this command's results do not have."""
    endings = [ending for ending, form in report.ENDINGS.items() if form in forms]
    if path.suffix not in endings:
        may = f"{', '.join(endings[:-1])} or {endings[-1]}"
        raise UsageError(f"--report {path}: the file's ending says the format, and here it can be {may}")


def _let_go(stream: TextIO) -> None:
    """Send what is left in a broken stream nowhere: Python would fail on it once more when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
