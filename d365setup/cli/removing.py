"""What the commands that take things away have in common: the options, and the limit on how much goes at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from d365setup.cli.output import Output
from d365setup.errors import Refused
from d365setup.kinds import discover
from d365setup.model import Note, ResourceId
from d365setup.plan import Decision, check_limits, excess

with_prune = click.option(
    "--prune", is_flag=True, help="Also take away what this playbook made and no longer declares."
)
with_allow_delete = click.option(
    "--allow-delete",
    multiple=True,
    metavar="KIND:N",
    help="Allow that many removals of a kind, where more than 10, or 30 % of it, would go. Repeats.",
)


def allowed(given: tuple[str, ...]) -> dict[str, int]:
    """Removals allowed, by kind, from KIND:N. Raises click.UsageError for what is none."""
    found: dict[str, int] = {}
    for each in given:
        kind, _, count = each.partition(":")
        if kind not in discover() or not (count.isascii() and count.isdigit() and len(count) < 10):
            kinds = ", ".join(discover())
            raise click.UsageError(f"--allow-delete {each}: it takes KIND:N, where KIND is one of {kinds}")
        found[kind] = int(count)
    return found


def check_removals(decision: Decision, removals: Mapping[str, int], output: Output) -> None:
    """Refuse a plan that takes away too much, and show what that is. Raises Refused."""
    try:
        check_limits(decision.plan, removals, decision.scope.live)
    except Refused:
        output.show(decision.plan)
        raise


def wanting_consent(decision: Decision) -> Iterator[Note]:
    """That an apply of this plan must be told `--allow-delete`, for somebody who only looks."""
    for kind, count, told in excess(decision.plan, decision.scope.live):
        message = f"apply refuses to take away {told}, unless it is told --allow-delete {kind}:{count}"
        yield Note("warning", ResourceId(kind, f"{count} removals"), message)
