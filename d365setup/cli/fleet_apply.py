"""`d365setup fleet apply`: all environments, in waves that stop when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click

from d365setup.cli.fleet_call import Wide, carried_out, order_of, prepared, with_wide
from d365setup.cli.fleet_options import check_prune, handed_on, with_require_healthbot
from d365setup.cli.options import gathered, taught, with_output
from d365setup.cli.output import Output
from d365setup.cli.removing import with_prune
from d365setup.cli.testing import with_skip_tests

_HELP = taught(
    "Bring each environment of a fleet to what its playbook says, wave by wave. Each is a process of its own: one that "
    "fails, hangs, is throttled or cannot sign in delays and stops no other. A wave with too many broken ones ends the "
    "run; --resume goes on with it.",
    "d365setup fleet apply fleet.yaml --yes",
    "d365setup fleet apply fleet.yaml --only group=canary --yes",
    "d365setup fleet apply fleet.yaml --resume 20261122T101500Z-1a2b3c --yes",
    exits="0 all verified, 7 some landed and some broke, else the code that all broken environments share, or 1, "
    "3 a manual step is left, 5 frozen, a gate is shut, no yes, 130 interrupted.",
)


@dataclass(frozen=True)
class Choices:
    """How to apply."""

    yes: bool = False
    prune: bool = False
    skip_tests: bool = False
    require_healthbot: bool = False
    on_error: Literal["leave", "rollback"] = "leave"

    @property
    def options(self) -> Iterator[str]:
        """As each environment's command takes them."""
        yield "--yes"
        yield from handed_on(prune=self.prune, skip_tests=self.skip_tests, require_healthbot=self.require_healthbot)
        if self.on_error == "rollback":
            yield "--on-error=rollback"


_with_choices = gathered(
    Choices,
    "choices",
    click.option("--yes", is_flag=True, help="Do not ask; needed where no terminal is."),
    with_prune,
    with_skip_tests,
    with_require_healthbot,
    click.option(
        "--on-error",
        type=click.Choice(["leave", "rollback"]),
        default="leave",
        show_default=True,
        help="What to do where a part landed and another failed: leave what landed, or take it back at once.",
    ),
)


@click.command("apply", help=_HELP)
@click.argument("fleet", type=click.Path(path_type=Path))
@_with_choices
@with_wide
@with_output
def command(fleet: Path, *, choices: Choices, wide: Wide, output: Output) -> int:
    """Read the file, ask, apply wave by wave."""
    options = tuple(choices.options)
    ready = prepared(fleet, wide, "apply", options)
    check_prune(ready.fleet, prune=choices.prune)
    return carried_out(ready, wide, order_of("apply", ready, wide, output, options), output, yes=choices.yes)
