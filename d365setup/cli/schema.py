"""`d365setup schema`: the published JSON Schemas."""

from __future__ import annotations

import json

import click

from d365setup import report, waivers
from d365setup.cli.options import taught
from d365setup.fleet import file as fleet
from d365setup.kinds import discover, specs
from d365setup.playbook import json_schema

_HELP = taught(
    "Print a JSON Schema (draft 2020-12): of playbooks, waivers or fleets, for an editor, or of what --format json "
    "prints.",
    "d365setup schema playbook > playbook.schema.json",
    "d365setup schema run",
)


@click.command("schema", help=_HELP)
@click.argument("name", type=click.Choice(["playbook", "waivers", "fleet", *report.SCHEMAS]))
def command(name: str) -> int:
    """Print it."""
    if name == "playbook":
        click.echo(json.dumps(json_schema(specs(discover())), indent=2))
    elif name == "waivers":
        click.echo(json.dumps(waivers.json_schema(), indent=2))
    elif name == "fleet":
        click.echo(json.dumps(fleet.json_schema(), indent=2))
    else:
        click.echo(report.schema(name), nl=False)
    return 0
