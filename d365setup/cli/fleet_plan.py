"""`d365setup fleet plan`: what would change, in each environment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from d365setup.cli.fleet_call import Wide, carried_out, order_of, prepared, with_wide
from d365setup.cli.fleet_options import check_prune, handed_on, with_require_healthbot
from d365setup.cli.options import gathered, taught, with_output
from d365setup.cli.output import Output
from d365setup.cli.removing import with_prune
from d365setup.cli.testing import with_skip_tests

_HELP = taught(
    "Show what apply would change in each environment of a fleet. Sends nothing but reads.",
    "d365setup fleet plan fleet.yaml",
    "d365setup fleet plan fleet.yaml --only group=canary --only north",
    exits="0 nothing to change, 3 changes pending somewhere, else the code that all broken environments share, or 1.",
)


@dataclass(frozen=True)
class Choices:
    """What is to be planned."""

    prune: bool = False
    skip_tests: bool = False
    require_healthbot: bool = False


_with_choices = gathered(Choices, "choices", with_prune, with_skip_tests, with_require_healthbot)


@click.command("plan", help=_HELP)
@click.argument("fleet", type=click.Path(path_type=Path))
@_with_choices
@with_wide
@with_output
def command(fleet: Path, *, choices: Choices, wide: Wide, output: Output) -> int:
    """Read and compare everywhere."""
    options = tuple(handed_on(**asdict(choices)))
    ready = prepared(fleet, wide, "plan", options)
    check_prune(ready.fleet, prune=choices.prune)
    return carried_out(ready, wide, order_of("plan", ready, wide, output, options), output)
