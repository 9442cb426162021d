"""Reading an environment as a playbook, and proving the text before anybody keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from d365setup.center import Unread
from d365setup.cli.output import Output
from d365setup.cli.surveyed import bots_in, people_in
from d365setup.dataverse.client import Client
from d365setup.errors import D365SetupError, PlaybookError, Unresolvable
from d365setup.evidence.chain import sha256
from d365setup.exporting import Export, exported, seeds
from d365setup.kinds import discover, specs
from d365setup.live import read_live
from d365setup.model import Environment, Plan
from d365setup.playbook import Playbook, load
from d365setup.report import Declared, Exported, Problem, Untouched
from d365setup.session import Session, check_expected
from d365setup.survey import Part, read_center

_SHOWN = "the export"
_NEEDED = frozenset({"queue", "msdyn_liveworkstream", "systemuser"})


class NotProved(D365SetupError):
    """What was exported would change the environment it came from, or is no playbook; ``problems`` say where."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(message)


@dataclass(frozen=True)
class Naming:
    """The playbook's name, and names that no variable of it may get."""

    name: str = ""
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """What was read, as a playbook's text, not yet proved; and of which environment, when, and of which part of it."""

    export: Export
    environment: Environment
    taken_at: str
    part: Part | None


@dataclass(frozen=True)
class Proved:
    """A text, loaded, and its plan on the environment it came from."""

    playbook: Playbook
    plan: Plan


def read_export(client: Client, part: Part | None, naming: Naming, expected: str, output: Output) -> Found:
    """The contact center, then the same things as a plan sees them. Raises NotProved where either is hidden."""
    center = read_center(client, part)
    environment = Environment(center.url, center.organization_id, center.organization)
    output.notebook.environment = environment
    check_expected(environment, expected)
    _check_read(center.unread)
    output.know_people(people_in(center), bots_in(center))
    live = read_live(client, discover(), seeds(center))
    return Found(exported(center, live, part, naming.name, naming.taken), environment, center.taken_at, part)


def _check_read(unread: Sequence[Unread]) -> None:
    for each in unread:
        if each.table in _NEEDED and not each.column:
            raise NotProved(f"this cannot be read, so nothing is exported: {each}")


def plan_of(client: Client, text: str, variables: Mapping[str, str]) -> Proved:
    """Load it as any playbook, and plan it on the environment it came from. Raises NotProved where that fails."""
    kinds = discover()
    try:
        playbook = load(text, specs(kinds), variables, name=_SHOWN)
        session = Session(client, kinds, playbook)
        return Proved(playbook, session.decide(session.look()).plan)
    except PlaybookError as error:
        mistakes = [Problem(each.message, "", each.source) for each in error.mistakes]
        raise _objected(text, mistakes, _MISTAKEN) from None
    except Unresolvable as error:
        raise _objected(text, [Problem(each.message, str(each.id), each.source) for each in error.notes]) from None


def prove(client: Client, text: str, variables: Mapping[str, str], output: Output) -> Proved:
    """The proof. Raises NotProved, after showing the plan, where it is not empty."""
    proved = plan_of(client, text, variables)
    if proved.plan.changes:
        output.show(proved.plan)
        found = [Problem(f"it would {each.action} this", str(each.id), each.source) for each in proved.plan.changes]
        raise _objected(text, found)
    return proved


def told(
    found: Found,
    proved: Proved,
    content: bytes,
    result: Literal["printed", "written", "updated", "in line already"],
    file: Path | None = None,
) -> Exported:
    """What became of it, for whoever asked; ``content`` are the playbook's bytes."""
    part, text = found.part or Part(), content.decode()
    asked = {"workstream": part.workstreams, "queue": part.queues, "bot_user": part.bots}
    remarks = [(each.about, each.state, each.text) for each in found.export.untouched]
    return Exported(
        found.environment,
        found.taken_at,
        proved.playbook.name,
        sha256(content),
        result,
        str(file) if file else "",
        {kind: names for kind, names in asked.items() if names},
        tuple(Declared(each.id, each.only_refers) for each in proved.playbook.desired.specs),
        proved.plan.unchanged,
        tuple(Untouched(about, state, text) for about, state, text in remarks if about is not None),
        found.export.unread,
        {name: value for name, value in found.export.variables.items() if f"${{{name}}}" in text},
    )


_DIFFERS = (
    "its plan on this environment is not empty. Export again; if somebody changed things meanwhile, that is enough"
)
_MISTAKEN = (
    "it would not be a playbook without mistakes. In a file to be updated, first mend what names things that are gone"
)


def _objected(text: str, problems: Sequence[Problem], why: str = _DIFFERS) -> NotProved:
    """Each objection with the line it is about, for nobody else can see that text."""
    lines = text.splitlines()
    shown = [
        replace(each, message=f"{each.message} | {lines[each.source.line - 1].strip()}") if each.source.line else each
        for each in problems
    ]
    return NotProved(f"the export is not proved, so nothing was written: {why}", shown)
