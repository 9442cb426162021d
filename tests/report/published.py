"""Holding documents against the schemas the package publishes."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from d365setup.report import schema


def check(document: Any) -> None:
    """Fail when the document does not follow the schema it names."""
    name, version = document["schema"].removeprefix("d365setup/").split("/")
    assert version == "1"
    Draft202012Validator(json.loads(schema(name))).validate(document)
