"""What a person chooses for a new folder. What cannot be meant is refused here, in the words of the options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from d365setup.errors import UsageError

CI = Literal["github", "azure", "none"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LONGEST = 100
_MOST_PEOPLE = 50
_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9._/-]*")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, bidi marks, surrogates, line breaks


@dataclass(frozen=True)
class Choices:
    """The defaults fit the emulator's clinic, so that a first try needs no answer."""

    bot_name: str = "Contoso Health Bot"
    queue: str = "Nurses"
    people: tuple[str, ...] = ("nurse.one@contoso.example",)
    workstream: str = "Patient chat"
    name: str = ""
    ci: CI = "github"
    source: str = ""

    @property
    def bot_queue(self) -> str:
        """The queue that holds the bot alone."""
        return f"{self.bot_name} first"

    @property
    def playbook(self) -> str:
        """The playbook's name: the one given, or made of the bot's."""
        return self.name or _slug(self.bot_name)[:60] or "health-bot"

    @property
    def bot_email(self) -> str:
        """An address for the bot's user; nothing is ever sent there."""
        return f"{_slug(self.bot_name)[:60] or 'health-bot'}@contoso.example"


def chosen(choices: Choices) -> Choices:
    """The same, tidied. Raises UsageError for what is no name, no address, or would clash."""
    found = Choices(
        bot_named("--bot-name", choices.bot_name),
        named("--queue", choices.queue),
        addresses(choices.people),
        named("--workstream", choices.workstream),
        _playbook_name(choices.name),
        choices.ci,
        choices.source,
    )
    if found.queue.casefold() == found.bot_queue.casefold():
        raise UsageError(f"--queue {found.queue!r} is what the bot's own queue is called; people need another one")
    if found.source and not _SOURCE.fullmatch(found.source):
        raise UsageError("--source takes OWNER/REPOSITORY@VERSION, for example contoso/d365setup@v0.1.0")
    return found


def named(option: str, text: str) -> str:
    """The name without blanks around it. Raises UsageError where it is none."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise UsageError(f"{option} is empty; give it a name or leave it out")
    if len(name) > _LONGEST:
        raise UsageError(f"{option} is longer than {_LONGEST} characters")
    if any(unicodedata.category(each) in _HIDDEN for each in name):
        raise UsageError(f"{option} {ascii(name)[:60]} holds a character that cannot be seen; type it again")
    return name


def bot_named(option: str, text: str) -> str:
    """A bot's name, which a playbook must tell from people. Raises UsageError where it cannot."""
    name = named(option, text)
    if "@" in name or name.casefold() in {"a person", "nobody"}:
        raise UsageError(f"{option} {name[:60]!r} would be taken for a person or nobody; a bot needs a name, without @")
    return name


def _playbook_name(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise UsageError(
            f"--name {ascii(text)[:60]} may hold lower-case letters, digits and - only: it goes into row ids"
        )
    return text


def addresses(people: Sequence[str]) -> tuple[str, ...]:
    """Addresses, each once. Raises UsageError where one is no e-mail address, or there is none."""
    parts = (part.strip() for each in people for part in each.split(","))
    found = tuple(dict.fromkeys(part.lower() for part in parts if part))
    for each in found:
        if not _ADDRESS.fullmatch(each):
            raise UsageError(f"--people {ascii(each)[:60]} is no e-mail address; write a@contoso.example,b@…")
    if not found or len(found) > _MOST_PEOPLE:
        raise UsageError(f"--people takes one to {_MOST_PEOPLE} e-mail addresses, separated by commas")
    return found


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
