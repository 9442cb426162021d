"""Text from outside, made safe inside Markdown as GitHub and Azure DevOps render it.

Everything that would be markup is escaped. A mention, a reference to an issue and a bare address are recognised only
after escapes are gone, so those are broken up: a zero-width space (``&#8203;``) behind ``@`` and ``#``, the colon and
the dot of an address as entities.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from d365setup.report.shortened import SENTENCE, shortened

_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "@": "@&#8203;",
    "#": "\\#&#8203;",
    "|": "&#124;",  # a backslash is not enough everywhere inside a table
    "$": "&#36;",
}
_PUNCTUATION = re.compile(r"[\\`*_{}\[\]()!~]")
_ENTITY = re.compile(r"[&<>@#|$]")
_ADDRESS = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(www)(\.)")
_REFERENCE = re.compile(r"(?i)\b(gh)-(?=[0-9])")
_LINE_START = re.compile(r"^(\s|[-+=:])|^[0-9]+(?=[.])")  # some renderers strip more than blanks
_DOTS = {":": "&#58;", ".": "&#46;"}


def escaped(visible: str, most: int = SENTENCE) -> str:
    """Visible text (`visible.visible`) as Markdown that shows exactly it, on one line, shortened first."""
    text = _ENTITY.sub(lambda found: _ENTITIES[found[0]], _PUNCTUATION.sub(r"\\\g<0>", shortened(visible, most)))
    text = _ADDRESS.sub(lambda found: (found[1] or found[3]) + _DOTS[found[2] or found[4]], text)
    text = _REFERENCE.sub(r"\1&#45;", text)
    return _LINE_START.sub(_disarmed_start, text)


def _disarmed_start(found: re.Match[str]) -> str:
    """What begins a list, code, a heading's underline or a command of a pipeline, with its beginning as an entity."""
    return f"&#{ord(found[0][0])};{found[0][1:]}"


def link(shown: str, address: str) -> str:
    """A link of ours around escaped text; only to http and https, else the text alone."""
    if not re.match(r"(?i)https?://[^/\s]", address):
        return shown
    return f"[{shown}]({quote(address, safe=':/?&=%~.-_#')})"
