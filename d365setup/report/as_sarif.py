"""Documents as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format): results with the playbook's lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import PureWindowsPath
from typing import Any
from urllib.parse import quote

from d365setup import __version__
from d365setup.pages import codes, page
from d365setup.report.documents import Document, ErrorReport
from d365setup.report.issues import RULES, Issue, issues
from d365setup.report.shortened import NAME, shortened

Data = dict[str, Any]
Show = Callable[[Any], str]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_FINGERPRINT = "d365setup/v1"


def sarif_data(document: Document, show: Show, where: Callable[[str], str]) -> Data:
    """The log with its one run. ``show`` makes foreign text safe, ``where`` turns a file into one below the root."""
    found = issues(document)
    rules = tuple(dict.fromkeys(each.rule for each in found))
    driver = {
        "name": "d365setup",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(each) for each in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(document, show)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, rules.index(each.rule), show, where) for each in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(document: Document, show: Show) -> Data:
    """Whether the command came to a result; findings are a result."""
    failed = isinstance(document, ErrorReport)
    told = {"exitCode": document.exit_code, "executionSuccessful": not failed}
    if isinstance(document, ErrorReport):
        notification = {"level": "error", "message": {"text": _said(show(document.message))}}
        return {**told, "toolExecutionNotifications": [notification]}
    return told


def _rule(rule: str) -> Data:
    if rule in RULES:
        title, meaning = RULES[rule]
        return {"id": rule, "name": rule, "shortDescription": {"text": title}, "fullDescription": {"text": meaning}}
    if rule not in codes():
        return {"id": rule, "shortDescription": {"text": rule}}
    told = page(rule)
    sections = [(heading, text) for heading, text in told.sections.items() if text]
    return {
        "id": rule,
        "shortDescription": {"text": told.title},
        "fullDescription": {"text": told.section("What it is") or told.title},
        "help": {
            "text": "\n\n".join(f"{heading}: {' '.join(text.split())}" for heading, text in sections) or told.title,
            "markdown": "\n\n".join(f"**{heading}**\n\n{text}" for heading, text in sections) or told.title,
        },
        "defaultConfiguration": {"level": _LEVELS.get(told.level, "warning")},
    }


def _result(issue: Issue, index: int, show: Show, where: Callable[[str], str]) -> Data:
    parts = [show(issue.subject), show(issue.message)] if issue.subject else [show(issue.message)]
    result = {
        "ruleId": issue.rule,
        "ruleIndex": index,
        "level": _LEVELS[issue.level],
        "message": {"text": _said(": ".join(parts))},
        "locations": _locations(issue, show, where),
        "partialFingerprints": {_FINGERPRINT: _fingerprint(issue, show)},
        "properties": _properties(issue, show),
    }
    if issue.waived:
        told = f"{show(issue.waived.owner)}, until {show(issue.waived.until)}: {show(issue.waived.reason)}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": told}]
    return result


def _locations(issue: Issue, show: Show, where: Callable[[str], str]) -> list[Data]:
    location: Data = {}
    if issue.source.line:
        region = {"startLine": issue.source.line}
        if issue.source.column:
            region["startColumn"] = issue.source.column
        location["physicalLocation"] = {
            "artifactLocation": {"uri": uri(where(show(issue.source.file)))},
            "region": region,
        }
    if issue.subject:
        name = show(issue.subject)
        kind = name.partition(":")[0]
        location["logicalLocations"] = [
            {"name": shortened(name.partition(":")[2] or name, NAME), "fullyQualifiedName": name, "kind": kind}
        ]
    return [location] if location else []


def uri(file: str) -> str:
    """A file's path as a URI: relative, or with its scheme where the path is absolute."""
    path = PureWindowsPath(file)  # takes both sorts of slashes
    if path.root:
        return "file:///" + quote(path.as_posix().lstrip("/"), safe="/:")
    return quote(path.as_posix(), safe="/")


def _fingerprint(issue: Issue, show: Show) -> str:
    """What stays the same from run to run: rule and subject, and the message where nothing tells the subject."""
    told = show(issue.subject) or f"{show(issue.source.file)}|{show(issue.message)}"
    return hashlib.sha256(f"{issue.rule}|{told}".encode()).hexdigest()


def _properties(issue: Issue, show: Show) -> Data:
    told = {"whatHappens": issue.happens, "cure": issue.cure, "link": issue.link}
    return {name: show(text) for name, text in told.items() if text}


def _said(text: str) -> str:
    """A message: braces stand for placeholders unless doubled, ``](`` would make a link (sections 3.11.5, 3.11.6)."""
    said = shortened(text).replace("{", "{{").replace("}", "}}")
    if "](" in said:
        said = said.replace("[", "\\[").replace("]", "\\]")
    return said or "(nothing was said)"
