"""`d365setup explain`: what a code means, and what to do about it."""

from __future__ import annotations

import click

from d365setup.cli.options import taught, with_plain_output
from d365setup.cli.output import Output
from d365setup.errors import UsageError
from d365setup.pages import codes, nearest, page, written
from d365setup.report import Explained

_HELP = taught(
    "Say what a finding or an error of the service means and how to cure it. Without a code: list them all.",
    "d365setup explain R12",
    "d365setup explain 0x80040220",
    "d365setup explain c5 --format json",
    exits="0 here it is, 2 nobody knows this code.",
)


@click.command("explain", help=_HELP, context_settings={"ignore_unknown_options": True})
@click.argument("code", required=False)
@with_plain_output
def command(code: str | None, *, output: Output) -> int:
    """Find the page and print it."""
    if code is None:
        return output.emit(Explained(tuple(map(page, codes())), of_all=True))
    found = written(code)
    if found not in codes():
        near = nearest(code)
        meant = f"; did you mean {near}?" if near else ";"
        raise UsageError(f"no page tells of {code[:40]!r}{meant} `d365setup explain` lists every code")
    return output.emit(Explained((page(found),)))
