"""Options of the fleet's commands that each environment's command takes as well, and how they are handed on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from d365setup.cli.output import Output
from d365setup.cli.waiving import loaded_waivers
from d365setup.errors import Refused
from d365setup.fleet.entries import Fleet

with_require_healthbot = click.option(
    "--require-healthbot",
    is_flag=True,
    help="Fail an environment, before anything is sent to it, where the playbook's Health Bot has to be left out "
    "because its secret is not known.",
)


def handed_on(*, prune: bool = False, skip_tests: bool = False, require_healthbot: bool = False) -> Iterator[str]:
    """The flags that were given."""
    given = {"--prune": prune, "--skip-tests": skip_tests, "--require-healthbot": require_healthbot}
    return (name for name, is_given in given.items() if is_given)


def waiving(path: Path | None, output: Output) -> tuple[str, ...]:
    """The file of waivers, read once here: what is wrong with it is told before anything is sent."""
    return () if loaded_waivers(path, output) is None else (f"--waivers={path}",)


def check_prune(fleet: Fleet, *, prune: bool) -> None:
    """Raises Refused where the fleet file forbids it."""
    if prune and not fleet.limits.prune:
        raise Refused("the fleet file says `prune: false`: nothing is pruned in this fleet; leave --prune out")
