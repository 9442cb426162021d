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


# Control characters, halves of characters, separators of lines; and what XML cannot hold (XML 1.0, section 2.2).
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _plain(text: str) -> str:
    if text != text.strip():
        raise ValueError("begins or ends with white space, which nobody would see in the admin centre")
    if _UNSEEN.search(text):
        raise ValueError("holds a control character (a tab or a line end, for instance)")
    return text


def _writable(text: str) -> str:
    if _UNWRITABLE.search(text):
        raise ValueError("holds a control character, which a rule set cannot hold")
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
    if not re.fullmatch(EMAIL_PATTERN, text):
        raise ValueError("is not an e-mail address")
    return text


Name100 = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_plain)]
Name200 = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_plain)]
Guid = Annotated[str, AfterValidator(_guid), Field(json_schema_extra={"pattern": GUID_PATTERN})]
Email = Annotated[
    str, StringConstraints(max_length=100), AfterValidator(_email), Field(json_schema_extra={"format": "email"})
]
# What a variable is compared with; a bot can hand over no longer value (routing facts, section 4.3).
Value4000 = Annotated[str, Field(strict=True, min_length=1, max_length=4000), AfterValidator(_writable)]
Text2000 = Annotated[str, StringConstraints(max_length=2000)]
Priority = Annotated[int, Field(strict=True, ge=1, le=2147483647)]
Flag = Annotated[bool, Field(strict=True)]
Units = Annotated[int, Field(strict=True, ge=0, le=2147483647)]
