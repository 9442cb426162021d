"""`d365setup validate`: playbooks without an environment, and their tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from d365setup.cli.environment import Surroundings, loaded
from d365setup.cli.options import Given, taught, with_output, with_variables
from d365setup.cli.output import Output
from d365setup.cli.testing import proven_alone
from d365setup.errors import PlaybookError
from d365setup.report import Checked, Problem, Validation

_HELP = taught(
    "Check playbooks and run their tests: no network, no credentials, every mistake of every file in one run.",
    "d365setup validate playbooks/health-bot.yaml --examples",
    "d365setup validate playbooks/*.yaml --format json",
    "d365setup validate contoso.yaml --var bot_application_id=5f2c3a1e-7d0b-4e55-8f3a-0a9d1c2b3e4f",
    exits="0 all are valid and their tests pass, 2 at least one mistake, 4 a test failed.",
)


@click.command("validate", help=_HELP)
@click.argument("playbooks", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PLAYBOOK...")
@click.option("--examples", is_flag=True, help="A variable without a value takes its example, as with --emulator.")
@with_variables
@with_output
def command(playbooks: tuple[Path, ...], *, examples: bool, given: Given, output: Output) -> int:
    """Load each of them, run its tests, and tell what it holds or what is wrong."""
    around = Surroundings.here()
    found: list[Checked] = []
    problems: list[Problem] = []
    for path in dict.fromkeys(playbooks):
        try:
            playbook = loaded(path, given, around, examples=examples)
        except PlaybookError as error:
            problems += [Problem(each.message, "", each.source) for each in error.mistakes]
        else:
            counts = Counter(spec.kind for spec in playbook.desired.specs)
            found.append(Checked(str(path), playbook.name, counts, proven_alone(playbook)))
    return output.emit(Validation(tuple(found), tuple(problems)))
