"""Reading an environment as a playbook, and proving the text before anybody keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from d365setup.center import ContactCenter
from d365setup.cli.output import Output
from d365setup.dataverse.client import Client
from d365setup.errors import D365SetupError, PlaybookError, Unresolvable
from d365setup.exporting import Export, exported, seeds
from d365setup.kinds import discover, specs
from d365setup.live import read_live
from d365setup.model import Environment, Plan, Source
from d365setup.playbook import load
from d365setup.session import Session, check_expected
from d365setup.survey import Part, read_center

_SHOWN = "the export"
_NEEDED = frozenset({"queue", "msdyn_liveworkstream", "systemuser"})


class NotProved(D365SetupError):
    """What was exported would change the environment it came from, or is no playbook; ``lines`` say where and why."""

    def __init__(self, message: str, lines: Sequence[str] = ()) -> None:
        self.lines = tuple(lines)
        super().__init__(message)


@dataclass(frozen=True)
class Naming:
    """The playbook's name, and names that no variable of it may get."""

    name: str = ""
    taken: frozenset[str] = frozenset()


def read_export(client: Client, part: Part | None, naming: Naming, expected: str) -> Export:
    """The contact center, then the same things as a plan sees them. Raises NotProved where either is hidden."""
    center = read_center(client, part)
    check_expected(Environment(center.url, center.organization_id, center.organization), expected)
    _check_read(center)
    live = read_live(client, discover(), seeds(center))
    return exported(center, live, part, naming.name, naming.taken)


def _check_read(center: ContactCenter) -> None:
    for unread in center.unread:
        if unread.table in _NEEDED and not unread.column:
            raise NotProved(f"this cannot be read, so nothing is exported: {unread}")


def plan_of(client: Client, text: str, variables: Mapping[str, str]) -> Plan:
    """Load it as any playbook, and plan it on the environment it came from. Raises NotProved where that fails."""
    kinds = discover()
    try:
        session = Session(client, kinds, load(text, specs(kinds), variables, name=_SHOWN))
        return session.decide(session.look()).plan
    except PlaybookError as error:
        told = [(each.source, each.message) for each in error.mistakes]
        raise _objected(text, told, _MISTAKEN) from None
    except Unresolvable as error:
        told = [(each.source, f"{each.id}: {each.message}") for each in error.notes]
        raise _objected(text, told) from None


def prove(client: Client, text: str, variables: Mapping[str, str], output: Output) -> None:
    """Raises NotProved, after showing the plan, where it is not empty."""
    plan = plan_of(client, text, variables)
    if plan.changes:
        output.show(plan)
        raise _objected(text, [(each.source, f"{each.action} {each.id}") for each in plan.changes])


_DIFFERS = (
    "its plan on this environment is not empty. Export again; if somebody changed things meanwhile, that is enough"
)
_MISTAKEN = (
    "it would not be a playbook without mistakes. In a file to be updated, first mend what names things that are gone"
)


def _objected(text: str, told: list[tuple[Source, str]], why: str = _DIFFERS) -> NotProved:
    """Each objection with the line it is about, for nobody else can see that text."""
    lines: list[str] = []
    for at, message in told:
        lines.append(f"  {message}")
        if at.line:
            lines.append(f"    | {text.splitlines()[at.line - 1].strip()}")
    return NotProved(f"the export is not proved, so nothing was written: {why}", lines)
