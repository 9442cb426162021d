"""Lines that a pipeline turns into annotations, and what keeps text from outside from being taken for such lines.

GitHub: https://docs.github.com/actions/reference/workflow-commands-for-github-actions; the escapes are those of its
toolkit (`@actions/core`). Azure Pipelines: https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from d365setup.report.documents import Document
from d365setup.report.issues import Issue, issues
from d365setup.report.shortened import NAME, SENTENCE, shortened

Pipeline = Literal["github", "azure"]
Show = Callable[[Any], str]

MOST = 50  # lines; GitHub shows ten errors and ten warnings of a step anyway

_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}
_COMMAND = re.compile(r"##(?=\[|vso\[)", re.IGNORECASE)
_LINE_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def annotated(document: Document, pipeline: Pipeline, show: Show, where: Callable[[str], str]) -> Iterator[str]:
    """One line for each issue nobody waived, the worst first; the last line tells of those left out."""
    found = [each for each in issues(document) if each.waived is None]
    line = _github if pipeline == "github" else _azure
    for issue in found[:MOST]:
        yield line(issue, show, where)
    if len(found) > MOST:
        yield line(Issue("more", "info", f"{len(found) - MOST} more are in the report"), show, where)


def summary_file(path: str) -> str:
    """The line that makes Azure Pipelines take a Markdown file as a summary."""
    return f"##vso[task.uploadsummary]{_azure_data(path)}"


def disarmed(text: str) -> str:
    """Text for a pipeline's log in which nothing is a command: a blank takes the mark of a command apart."""
    return _LINE_COMMAND.sub(r"\1: ", _COMMAND.sub("# #", text))


def disarmed_page(html: str) -> str:
    """The same for HTML, which shows as it would have."""
    return _LINE_COMMAND.sub(r"\1&#58;", _COMMAND.sub("#&#35;", html))


def _github(issue: Issue, show: Show, where: Callable[[str], str]) -> str:
    told = {"title": shortened(show(_title(issue)), NAME)}
    if issue.source.line:
        told = {"file": where(show(issue.source.file)), "line": str(issue.source.line), **told}
        if issue.source.column:
            told["col"] = str(issue.source.column)
    properties = ",".join(f"{name}={_github_property(value)}" for name, value in told.items())
    return f"::{_GITHUB[issue.level]} {properties}::{_github_data(_said(issue, show))}"


def _azure(issue: Issue, show: Show, where: Callable[[str], str]) -> str:
    message = f"{show(_title(issue))}: {_said(issue, show)}"
    if issue.level == "info":  # there is no third type of issue
        return disarmed(message)
    told: dict[str, str] = {"type": issue.level}
    if issue.source.line:
        told |= {"sourcepath": where(show(issue.source.file)), "linenumber": str(issue.source.line)}
        told |= {"columnnumber": str(issue.source.column)} if issue.source.column else {}
    properties = "".join(f"{name}={_azure_property(value)};" for name, value in told.items())
    return f"##vso[task.logissue {properties}]{_azure_data(message)}"


def _title(issue: Issue) -> str:
    return f"{issue.rule} {issue.title}" if issue.title and issue.rule[:1].isupper() else issue.title or issue.rule


def _said(issue: Issue, show: Show) -> str:
    about = f"{show(issue.subject)}: " if issue.subject else ""
    cure = f"; cure: {show(issue.cure)}" if issue.cure else ""
    return shortened(disarmed(f"{about}{show(issue.message)}"), SENTENCE) + shortened(disarmed(cure), SENTENCE)


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _github_property(text: str) -> str:
    return _github_data(disarmed(text)).replace(":", "%3A").replace(",", "%2C")


def _azure_data(text: str) -> str:
    """As the agent's own toolkit: a percent sign as ``%AZP25``, which the agent has decoded since 2020."""
    return disarmed(text).replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _azure_property(text: str) -> str:
    return _azure_data(text).replace("]", "%5D").replace(";", "%3B")
