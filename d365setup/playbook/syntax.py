"""What the YAML parser complains about, in words for someone who does not know its terms."""

from __future__ import annotations

from typing import Any

from yaml import MarkedYAMLError
from yaml.reader import ReaderError

_QUOTES = "put the text in quotes"
_TOLD = (  # part of the parser's problem -> our words; the first that fits is taken
    ("character '\\t' that cannot start", "a tab cannot indent YAML: use spaces"),
    ("mapping values are not allowed", f"a `: ` that does not fit here: {_QUOTES}, or check the indentation"),
    ("could not find expected ':'", "a `: ` is missing on the line above or here, or the indentation is wrong"),
    ("end of stream", "the text ends inside quotes: close them"),
    ("found unexpected document separator", "the text in quotes is not closed before this line"),
    ("expected <block end>", "this line does not fit the lines above: check the indentation, and quotes inside text"),
    ("sequence entries are not allowed", "a list item `- ` cannot stand here: put it on a line of its own"),
    ("expected ',' or ']'", "a list in [ ] is not closed, or a comma is missing before here"),
    ("expected ',' or '}'", "a map in { } is not closed, or a comma is missing before here"),
    ("expected the node content", "a value is missing here, or a bracket above is not closed"),
    ("that cannot start any token", f"text cannot begin with this character: {_QUOTES}"),
    ("unknown escape character", "a backslash in double quotes starts an escape: use single quotes, or write \\\\"),
    ("escape sequence", "this \\x, \\u or \\U escape is not complete: use single quotes, or write \\\\"),
    ("while scanning an anchor", "& starts an anchor: " + _QUOTES),
    ("while scanning an alias", "* starts an alias: " + _QUOTES),
    ("while scanning a block scalar", "after | or > only the line's end may follow; the text starts on the next line"),
    ("expected alphabetic or numeric character", f"text cannot begin with & or *: {_QUOTES}"),
    ("tag", "tags (!name) are not allowed: leave them out, or put the text in quotes"),
    ("directive", "a line that begins with % is no part of a playbook: leave it out"),
)


def told(error: Exception, text: str, line: int) -> tuple[int, int, str]:
    """Line and column (from 1) and a message; ``line`` is where the last thing that could be read began."""
    if isinstance(error, MarkedYAMLError):
        mark: Any = error.problem_mark or error.context_mark
        return mark.line + 1, mark.column + 1, _words(error) + _bare_variable(mark, error, text)
    if isinstance(error, ReaderError):
        before = text[: error.position]
        column = len(before) - (before.rfind("\n") + 1) + 1
        return before.count("\n") + 1, column, f"YAML does not allow this character: {_character(error)!r}"
    return line, 1, "an escape in double quotes (\\u, \\U) here or below names no character"


def _words(error: MarkedYAMLError) -> str:
    problem = f"{error.problem or ''} {error.context or ''}"
    if "'\\t'" in problem and error.problem_mark is not None and error.problem_mark.column > 0:
        return "a tab cannot stand here in YAML: use spaces"
    message = next((words for part, words in _TOLD if part in problem), f"this is not valid YAML: {error.problem}")
    opened: Any = error.context_mark
    known = opened is not None and error.problem_mark is not None and opened.line != error.problem_mark.line
    return f"{message} (it began on line {opened.line + 1})" if known else message


def _bare_variable(mark: Any, error: MarkedYAMLError, text: str) -> str:
    """YAML ends a plain text at a brace inside [ ] and { }, so that ``{a: ${b}}`` is an error nobody expects."""
    line = "".join(text.splitlines()[mark.line : mark.line + 1])
    if "expected ',' or" in (error.problem or "") and "${" in line:
        return "; inside [ ] and { } a variable needs quotes: '${name}'"
    return ""


def _character(error: ReaderError) -> str:
    found = error.character
    return chr(found) if isinstance(found, int) else str(found)
