"""Documents as JUnit XML, as the schema of Jenkins has it (with all that the one of Windy Road, for Ant, asks for)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from d365setup import __version__
from d365setup.report.cases import Case, Suite, suites
from d365setup.report.documents import Document
from d365setup.report.shortened import NAME, SENTENCE, shortened

Show = Callable[[Any], str]

_LINES = 200  # lines of text one case may have: a check may find thousands of things


def junit(document: Document, show: Show, at: datetime | None = None) -> str:
    """The XML. ``show`` makes foreign text legal in XML 1.0; ``at`` is when it was tested."""
    root = ET.Element("testsuites")
    stamp = (at or datetime.fromtimestamp(0, UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for number, suite in enumerate(suites(document)):
        _suite(root, suite, number, stamp, show)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode").replace("##", "#&#35;")  # in a log, ##vso[ would be a command
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _suite(root: ET.Element, suite: Suite, number: int, stamp: str, show: Show) -> None:
    results = [each.result for each in suite.cases]
    counts = {name: str(results.count(name)) for name in ("failure", "error", "skipped")}
    element = ET.SubElement(
        root,
        "testsuite",
        name=shortened(show(suite.name), NAME),
        package="d365setup",
        id=str(number),
        timestamp=stamp,
        hostname="localhost",
        tests=str(len(results)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped=counts["skipped"],
        time=f"{suite.seconds:.1f}",
    )
    properties = ET.SubElement(element, "properties")
    for name, value in (("tool", f"d365setup {__version__}"), *suite.properties):
        ET.SubElement(properties, "property", name=name, value=shortened(show(value)))
    for case in suite.cases:
        _case(element, case, shortened(show(suite.name), NAME), show)
    ET.SubElement(element, "system-out").text = _text(suite.notes, show)
    ET.SubElement(element, "system-err").text = ""


def _case(parent: ET.Element, case: Case, suite: str, show: Show) -> None:
    name = shortened(show(case.name), NAME)
    element = ET.SubElement(parent, "testcase", name=name, classname=f"d365setup.{suite}", time=f"{case.seconds:.1f}")
    if case.result == "passed":
        return
    message = shortened(show(case.told[0]), SENTENCE) if case.told else case.result
    bears = {} if case.result == "skipped" else {"message": message, "type": case.result}  # Jenkins: skipped is text
    verdict = ET.SubElement(element, case.result, bears)
    verdict.text = _text(case.told, show)


def _text(lines: tuple[str, ...], show: Show) -> str:
    shown = [shortened(show(each), 4 * SENTENCE) for each in lines[:_LINES]]
    return "\n".join([*shown, *([f"… and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else [])])
