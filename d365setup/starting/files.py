"""The files of a new folder as texts: templates with what was chosen put in, each name quoted as YAML needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from d365setup import __version__
from d365setup.starting.choices import Choices

PLAYBOOK = "playbook.yaml"
IGNORED = (".env", ".d365setup/")
_PLACE = re.compile(r"@([A-Z_]+)@")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _.-]*[A-Za-z0-9]")  # what YAML reads as text, if it is none of these words:
_WORDS = {"true", "false", "yes", "no", "on", "off", "null"}


@dataclass(frozen=True)
class NewFile:
    """One file: where in the folder, its text, and for whom it is. ``is_secret``: for nobody else to read."""

    path: str
    text: str
    about: str
    is_secret: bool = False
    needs: tuple[str, ...] = ()  # lines that a file of this name must have, if there is one already


def new_files(choices: Choices) -> Iterator[NewFile]:
    """All of them, the playbook first."""
    settings = _template("env")
    yield NewFile(PLAYBOOK, _filled("playbook.yaml", _names(choices)), "the playbook: what the environment should be")
    yield NewFile(".env.example", settings, "the settings there are, for everybody; holds no value")
    yield NewFile(".env", settings, "your settings; only you may read it", is_secret=True)
    yield NewFile(".gitignore", _template("gitignore"), "keeps settings and runs out of git", needs=IGNORED)
    if choices.ci == "github":
        source = choices.source or f"contoso/d365setup@v{__version__}"
        workflow = _filled("github.yml", {"SOURCE": source})
        yield NewFile(".github/workflows/d365setup.yml", workflow, "plan on pull requests, apply on main")
    elif choices.ci == "azure":
        repository, _, version = (choices.source or f"contoso/d365setup@v{__version__}").partition("@")
        pipeline = _filled("azure-pipelines.yml", {"REPOSITORY": repository, "VERSION": version})
        yield NewFile("azure-pipelines.yml", pipeline, "plan, and apply on main behind an approval")


def _names(choices: Choices) -> dict[str, str]:
    people = "".join(f"\n        - {quoted(each)}" for each in choices.people)
    return {
        "NAME": quoted(choices.playbook),
        "BOT": quoted(choices.bot_name),
        "BOT_EMAIL": quoted(choices.bot_email),
        "BOT_QUEUE": quoted(choices.bot_queue),
        "QUEUE": quoted(choices.queue),
        "PEOPLE": people,
        "WORKSTREAM": quoted(choices.workstream),
    }


def quoted(text: str) -> str:
    """A name as a YAML text, which a playbook takes literally: in quotes unless it is plain."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text.replace("${", "$${"), ensure_ascii=False)  # ${ would begin a variable


def _filled(template: str, values: Mapping[str, str]) -> str:
    """In one go: what is put in is never looked at again."""
    return _PLACE.sub(lambda found: values[found[1]], _template(template))


def _template(name: str) -> str:
    return files("d365setup.starting").joinpath("templates", name).read_text(encoding="utf-8").replace("\r\n", "\n")
