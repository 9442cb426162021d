"""The playbooks of a fleet: what each environment's declares, and every mistake in them with whose it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.options import Given
from d365setup.errors import FleetError, PlaybookError, PlaybookMistake
from d365setup.fleet.entries import Environment
from d365setup.fleet.secrecy import is_secret
from d365setup.playbook import Giver, Playbook

_SHOWN = 6  # environments named beside a mistake
_FLEET_FILE = Giver(
    "the fleet file", "{} under `variables` of the fleet file", "say it under `variables` of the fleet file"
)


@dataclass(frozen=True)
class Declared:
    """By environment: the things its playbook declares, and a digest of what is to be done there.

    For a cluster: the texts of each playbook, and by environment the variables that were set here and are no secret.
    """

    things: dict[str, tuple[str, ...]]
    told: dict[str, str]
    texts: dict[str, tuple[tuple[str, str], ...]]
    variables: dict[str, dict[str, str]]


def playbooks(environments: Sequence[Environment], orders: Sequence[str]) -> Declared:
    """Load all of them. Raises FleetError with every mistake, before anything is sent.

    Environments with the same playbook and variables share one loading.
    """
    around = Surroundings.here()
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[Environment]] = {}
    for each in environments:
        key = (each.playbook or "", tuple(sorted(each.variables.items())))
        groups.setdefault(key, []).append(each)
    found = Declared({}, {}, {}, {})
    wrong: dict[PlaybookMistake, list[str]] = {}
    for (file, variables), members in groups.items():
        given = Given(tuple(f"{name}={value}" for name, value in variables))
        try:
            playbook = loaded(Path(file), given, around, examples=False, giver=_FLEET_FILE)
        except PlaybookError as error:
            for mistake in error.mistakes:
                wrong.setdefault(mistake, []).extend(each.name for each in members)
            continue
        found.texts[file] = playbook.texts
        things, known = tuple(str(spec.id) for spec in playbook.desired.specs), _set_here(playbook)
        values = [[each.name, each.value] for each in playbook.variables]
        for each in members:
            found.things[each.name], found.variables[each.name] = things, known
            found.told[each.name] = _digest([each.url, each.organization, playbook.sha256, values, list(orders)])
    if wrong:
        raise FleetError(list(_mistakes(wrong, len(environments))))
    return found


def _set_here(playbook: Playbook) -> dict[str, str]:
    """Variables that have their value from around this command; a worker may have none, or another one."""
    uses = (each for each in playbook.variables if each.origin in ("environment", ".env"))
    return {each.name: each.value for each in uses if not (each.secret or is_secret(each.value))}


def _mistakes(wrong: dict[PlaybookMistake, list[str]], count: int) -> Iterator[PlaybookMistake]:
    for mistake, names in wrong.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        whose = "" if len(names) == count else f"for {', '.join(names[:_SHOWN])}{more}: "
        yield PlaybookMistake(mistake.source, whose + mistake.message)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
