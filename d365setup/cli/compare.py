"""`d365setup compare`: two environments side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from d365setup.center import ContactCenter
from d365setup.cli.environment import reached
from d365setup.cli.options import Target, ca_bundle, gathered, max_wait, taught, with_plain_output
from d365setup.cli.output import Output
from d365setup.cli.surveyed import bots_in, people_in
from d365setup.comparing import compare
from d365setup.errors import UsageError
from d365setup.survey import open_snapshot, read_center

_HELP = taught(
    "Show what two environments differ in: work streams, variables, rules, queues, members, bots, by name; ids, which "
    "differ anyway, are not compared. Each is an address, or a snapshot that `audit --save` wrote; a snapshot needs no "
    "sign-in. Two addresses are signed in to alike; where that cannot be, keep one with `audit --save` first, and "
    "compare the snapshot. Sends nothing but reads.",
    "d365setup compare https://contoso-test.crm.dynamics.com https://contoso.crm.dynamics.com",
    "d365setup compare before.json https://contoso.crm.dynamics.com",
    "d365setup compare before.json after.json --format json",
    exits="0 no difference was seen, 3 there are differences.",
)
_with_reach = gathered(
    Target,
    "target",
    ca_bundle,
    max_wait,
    click.option("--device-code", is_flag=True, help="Sign in as a person, with a code. [env: D365_DEVICE_CODE]"),
)


@click.command("compare", help=_HELP)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@_with_reach
@with_plain_output
def command(first: str, second: str, *, target: Target, output: Output) -> int:
    """Read both, compare by name."""
    given = (first, second)
    snapshots = {each: _snapshot(each) for each in given if not _is_address(each)}  # a wrong file is told first
    centers = [snapshots[each] if each in snapshots else _read(each, target, output) for each in given]
    output.know_people(
        [person for each in centers for person in people_in(each)], [bot for each in centers for bot in bots_in(each)]
    )
    return output.emit(compare(centers[0], centers[1], given))


def _is_address(text: str) -> bool:
    return "://" in text


def _snapshot(text: str) -> ContactCenter:
    path = Path(text)
    if not path.exists():
        raise UsageError(f"there is no snapshot {text!r}; an address begins with https://")
    if path.suffix in (".yaml", ".yml"):
        told = f"{text} is no snapshot (`audit --save` writes those) but looks like a playbook"
        raise UsageError(f"{told}: `d365setup plan {text}` shows what an environment lacks of it")
    return open_snapshot(path).center


def _read(address: str, target: Target, output: Output) -> ContactCenter:
    with reached(replace(target, url=address), output, read_only=True) as (client, _):
        return read_center(client)
