"""`d365setup plan`: what would change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from d365setup.cli.beside import Beside, with_beside
from d365setup.cli.deciding import decided, with_open_runs
from d365setup.cli.environment import opened
from d365setup.cli.options import Given, Target, gathered, taught, with_output, with_target, with_variables
from d365setup.cli.output import Output
from d365setup.cli.removing import wanting_consent, with_prune
from d365setup.cli.saving import save
from d365setup.cli.sealing import with_evidence
from d365setup.cli.testing import proven, with_skip_tests
from d365setup.cli.waiving import expired, loaded_waivers, with_waivers
from d365setup.session import Decides

_HELP = taught(
    "Show what apply would change, why, and which line asks for it. Sends nothing but reads.",
    "d365setup plan playbooks/health-bot.yaml --emulator",
    "d365setup plan contoso.yaml --url https://contoso.crm.dynamics.com --expect-organization 'Contoso Health'",
    "d365setup plan contoso.yaml --out plan.json && d365setup apply plan.json",
    "d365setup plan contoso.yaml --prune --url https://contoso.crm.dynamics.com",
    "d365setup plan contoso.yaml --format json --report plan.txt --redact",
    "d365setup plan contoso.yaml --against contoso.json",
    exits="0 nothing to change, 3 changes pending (a failed test is shown, and apply would refuse), 4 nothing to "
    "change and a test of the playbook failed, 1 the environment cannot resolve something.",
)


@dataclass(frozen=True)
class Asked:
    """What is to be planned, and kept of it."""

    out: Path | None = None
    prune: bool = False
    skip_tests: bool = False
    answered: Path | None = None
    against: Path | None = None


_with_asked = gathered(
    Asked,
    "asked",
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        metavar="PLAN.json",
        help="Save the plan, for `apply PLAN.json` to carry out.",
    ),
    click.option(
        "--against",
        type=click.Path(path_type=Path),
        metavar="SNAPSHOT.json",
        help="Look at what `audit --save` kept in place of the environment; no network, no credentials.",
    ),
    with_prune,
    with_skip_tests,
    with_waivers,
)


@click.command("plan", help=_HELP)
@click.argument("playbook", type=click.Path(path_type=Path))
@_with_asked
@with_variables
@with_target
@with_beside
@with_output
@with_evidence
def command(playbook: Path, *, asked: Asked, given: Given, target: Target, beside: Beside, output: Output) -> int:
    """Read, compare, test, show, save. A plan shows no findings: of waivers it tells which have expired."""
    waivers = loaded_waivers(asked.answered, output)
    with _session(playbook, asked, given, target, beside, output) as session:
        found = decided(session.pruning() if asked.prune else session, target, output)
        decision = proven(found, session.playbook, skip=asked.skip_tests)
        if asked.out is not None:
            save(asked.out, decision, session.playbook, prune=asked.prune, skip_tests=asked.skip_tests)
        plan = with_open_runs(decision, session).plan
        notes = (*plan.warnings, *wanting_consent(decision), *expired(waivers))
        return output.emit(replace(plan, warnings=notes))


@contextmanager
def _session(
    playbook: Path, asked: Asked, given: Given, target: Target, beside: Beside, output: Output
) -> Iterator[Decides]:
    """On the environment, or on what a snapshot kept of one."""
    if asked.against is None:
        with opened(playbook, given, target, output, read_only=True, beside=beside) as session:
            yield session
        return
    from d365setup.cli.against import check_apart, planning  # noqa: PLC0415  # seldom wanted, and every start would load it

    check_apart(asked.out, target, beside)
    yield planning(asked.against, playbook, given, target, output)
