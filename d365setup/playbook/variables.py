"""Variables: what a playbook leaves open, and where the values come from (`filling` puts them into its texts)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values

from d365setup.errors import PlaybookError, PlaybookMistake
from d365setup.model import Source, canonical_guid
from d365setup.playbook.mistakes import SHOWN, Mistakes, meant, shown
from d365setup.playbook.nodes import Entry, Fields, Node, Scalar

Origin = Literal["--var", "environment", ".env", "default", "example"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FORMATS = ("guid", "email", "text", "integer")
KEYS = ("env", "default", "format", "example", "description")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_SECRET = re.compile(r"secret|password|token|key", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LONGEST = 4000
_LARGEST = 1024 * 1024
_WRONG = {
    "guid": "is not a GUID (8-4-4-4-12 hexadecimal digits)",
    "email": "is not an e-mail address",
    "integer": "is not a whole number",
    "text": f"is longer than {_LONGEST} characters or holds a control character",
}


@dataclass(frozen=True)
class VariableUse:
    """A variable a playbook used: its value, where that came from, and the environment variable it may come from."""

    name: str
    value: str
    origin: Origin
    env: str = ""
    secret: bool = False  # it is named like one


class Environ(dict[str, str]):
    """Environment variables; ``from_file`` names those that only a `.env` file gave."""

    from_file: frozenset[str] = frozenset()


def environment(folder: Path) -> Environ:
    """The process's environment, and below it what a `.env` file in that folder says; nothing in it is expanded.

    Raises PlaybookError when there is a `.env` that is no text.
    """
    found = _from_file(folder / ".env")
    merged = Environ({name: value for name, value in found.items() if value is not None} | dict(os.environ))
    merged.from_file = frozenset(merged.keys() - os.environ.keys())
    return merged


def _from_file(path: Path) -> dict[str, str | None]:
    message = "the file cannot be read as UTF-8 text: save it again, or take it away"
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size <= _LARGEST:
            return dotenv_values(path, interpolate=False, encoding="utf-8-sig")
        message = "the file is larger than 1 MiB: that cannot be meant"
    except (OSError, UnicodeDecodeError):
        pass
    raise PlaybookError([PlaybookMistake(Source(str(path), 1, 1), message)])


@dataclass(frozen=True)
class Giver:
    """Who gives values by their names, as messages say it; ``{}`` is the name."""

    who: str = "--var"
    one: str = "--var {}"
    cure: str = "say --var {}=…"


COMMAND_LINE = Giver()


@dataclass(frozen=True)
class Sources:
    """Where values may come from, strongest first: given, the environment, the default, the example when wanted."""

    given: Mapping[str, str]
    environ: Mapping[str, str]
    examples: bool = False
    giver: Giver = COMMAND_LINE


@dataclass(frozen=True)
class Declared:
    """A variable as declared, with its value if there is one."""

    name: str
    source: Source
    format: str = ""
    env: str = ""
    use: VariableUse | None = None
    broken: bool = False  # its mistake was told already

    @property
    def masked(self) -> bool:
        """Whether its value stays out of messages."""
        length = len(self.use.value) if self.use else 0
        return length > SHOWN or (length > 3 and _is_secret(self.name, self.format))


def _is_secret(name: str, form: str) -> bool:
    return not form and bool(_SECRET.search(name))


def declared(section: Node | None, sources: Sources, at: Source, mistakes: Mistakes) -> dict[str, Declared]:
    """All variables of a playbook; ``at`` is where to put a complaint when there is no such section."""
    found: dict[str, Declared] = {}
    if isinstance(section, Fields):
        found = {entry.name: _Declaration(entry, sources, mistakes).read() for entry in section.entries}
    elif section is not None:
        mistakes.add(section.source, "'variables' is a map: each variable's name, then {env, default, format, …}")
    for name in sources.given:
        if name not in found:
            where = section.source if section else at
            told = f"the playbook declares no such variable{mistakes.meant(name, found)}"
            mistakes.add(where, f"{sources.giver.one.format(name)}: {told}")
    mistakes.masked |= {each.use.value: f"${{{name}}}" for name, each in found.items() if each.use and each.masked}
    return found


class _Declaration:
    """Reads one entry of ``variables``."""

    def __init__(self, entry: Entry, sources: Sources, mistakes: Mistakes) -> None:
        self._name, self._at, self._mistakes = entry.name, entry.key.source, mistakes
        self._fields = entry.value if isinstance(entry.value, Fields) else Fields((), entry.value.source)
        self._sources, self._ok = sources, True
        if not isinstance(entry.value, Fields):
            cure = "{default: some text} or {env: NAME}"
            self._wrong(entry.value.source, f"the variable {shown(self._name)} is declared with a map: {cure}")

    def read(self) -> Declared:
        """The variable; what is wrong with it goes to the mistakes."""
        self._check_names()
        form, env = self._text("format"), self._text("env")
        if form and form not in FORMATS:
            at = self._fields.by_name["format"].value.source
            hint = meant(form, FORMATS) or f"; there are {', '.join(FORMATS)}"
            self._wrong(at, f"{shown(form)} is no format{hint}")
            form = ""
        offers = {key: self._offer(key, form) for key in ("default", "example")}
        use = self._use(form, env, offers) if self._ok else None
        return Declared(self._name, self._at, form, env, use, not self._ok)

    def _wrong(self, at: Source, message: str) -> None:
        self._ok = False
        self._mistakes.add(at, message)

    def _check_names(self) -> None:
        if not NAME.fullmatch(self._name):
            self._wrong(self._at, f"{shown(self._name)} cannot name a variable: use letters, digits and _")
        for entry in self._fields.entries:
            if entry.name not in KEYS:
                hint = meant(entry.name, KEYS) or f"; it has {', '.join(KEYS)}"
                self._wrong(entry.key.source, f"a variable has no key {shown(entry.name)}{hint}")
        self._text("description")

    def _text(self, key: str) -> str:
        node = self._fields.get(key)
        if node is None:
            return ""
        text = self._fields.text(key)
        if not text:
            self._wrong(node.source, f"'{key}' of the variable {shown(self._name)} must be a text that is not empty")
        return text or ""

    def _offer(self, key: str, form: str) -> str | None:
        """The default or the example, as text in its format."""
        node = self._fields.get(key)
        if node is None:
            return None
        value = node.value if isinstance(node, Scalar) else None
        if form == "integer" and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            cure = "put it in quotes, or say `format: integer` if it is a whole number"
            self._wrong(node.source, f"the {key} of {shown(self._name)} must be text: {cure}")
            return None
        self._fits(value, form, node.source, f"the {key} of")
        return value

    def _use(self, form: str, env: str, offers: Mapping[str, str | None]) -> VariableUse | None:
        given, default, example = self._sources.given.get(self._name), offers["default"], offers["example"]
        if given is not None:
            return self._checked(given, "--var", form, env, f"the value that {self._sources.giver.who} gives")
        if env and env in self._sources.environ:
            return self._from_environment(form, env)
        if default is not None:
            return VariableUse(self._name, default, "default", env, _is_secret(self._name, form))
        if self._sources.examples and example is not None:
            return VariableUse(self._name, example, "example", env, _is_secret(self._name, form))
        return None

    def _from_environment(self, form: str, env: str) -> VariableUse | None:
        in_file = env in getattr(self._sources.environ, "from_file", ())
        origin: Origin = ".env" if in_file else "environment"
        where = f"{env} in the .env file" if in_file else f"the environment variable {env}"
        value = self._sources.environ[env]
        if not value:
            self._wrong(
                self._at, f"{where}, meant for {shown(self._name)}, is set but empty: give it a value or unset it"
            )
            return None
        return self._checked(value, origin, form, env, f"{where}, meant for")

    def _checked(self, value: str, origin: Origin, form: str, env: str, what: str) -> VariableUse | None:
        self._fits(value, form, self._at, what)
        return VariableUse(self._name, value, origin, env, _is_secret(self._name, form)) if self._ok else None

    def _fits(self, value: str, form: str, at: Source, what: str) -> None:
        if not _has_format(value, form):
            said = "" if len(value) > SHOWN or _is_secret(self._name, form) else f": {shown(value)}"
            self._wrong(at, f"{what} {shown(self._name)}{said} {_WRONG[form or 'text']}")


def _has_format(value: str, form: str) -> bool:
    if len(value) > _LONGEST or _CONTROL.search(value):
        return False
    if form == "guid":
        return _is_guid(value)
    if form == "email":
        return bool(_EMAIL.fullmatch(value))
    return form != "integer" or bool(_INTEGER.fullmatch(value))


def _is_guid(value: str) -> bool:
    try:
        canonical_guid(value)
    except ValueError:
        return False
    return True
