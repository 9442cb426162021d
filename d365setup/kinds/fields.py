"""The types a playbook's fields have: what they accept, stated once, for the loader and the JSON Schema alike.

Limits are the columns' own, from Microsoft's entity reference (`docs/dataverse.md`).
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from d365setup.model import canonical_guid

GUID_PATTERN = r"^\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?$"
EMAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_ZERO = "00000000-0000-0000-0000-000000000000"


def _plain(text: str) -> str:
    if text != text.strip():
        raise ValueError("begins or ends with white space, which nobody would see in the admin centre")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("holds a control character (a tab or a line end, for instance)")
    return text


def _guid(text: str) -> str:
    try:
        found = canonical_guid(text)
    except ValueError:
        raise ValueError("is not a GUID (8-4-4-4-12 hexadecimal digits)") from None
    if found == _ZERO:
        raise ValueError("is the all-zero GUID, which identifies nothing")
    return found


def _email(text: str) -> str:
    if not re.match(EMAIL_PATTERN, text):
        raise ValueError("is not an e-mail address")
    return text


Name100 = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_plain)]
Name200 = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_plain)]
Guid = Annotated[str, AfterValidator(_guid), Field(json_schema_extra={"pattern": GUID_PATTERN})]
Email = Annotated[
    str, StringConstraints(max_length=100), AfterValidator(_email), Field(json_schema_extra={"format": "email"})
]
Text2000 = Annotated[str, StringConstraints(max_length=2000)]
Priority = Annotated[int, Field(strict=True, ge=1, le=2147483647)]
Flag = Annotated[bool, Field(strict=True)]
Units = Annotated[int, Field(strict=True, ge=0, le=2147483647)]
