"""A playbook's tests, where commands run them: nothing is computed or loaded where there are none."""

from __future__ import annotations

from dataclasses import replace

import click

from d365setup.cli.output import Output
from d365setup.errors import TestsFailed
from d365setup.plan import Decision
from d365setup.playbook import Playbook
from d365setup.proof import SKIPPED, Proof

with_skip_tests = click.option(
    "--skip-tests",
    is_flag=True,
    help="Do not run the playbook's tests; the plan, the run and its journal say so.",
)


def proven(decision: Decision, playbook: Playbook, *, skip: bool = False) -> Decision:
    """The plan, with what the playbook's tests come to on the environment as it will be."""
    return replace(decision, plan=replace(decision.plan, proof=_proof(decision, playbook, skip=skip)))


def _proof(decision: Decision, playbook: Playbook, *, skip: bool) -> Proof:
    if not playbook.tests:
        return Proof(origin="merged")
    if skip:
        return replace(SKIPPED, origin="merged")
    from d365setup.intended import merged  # noqa: PLC0415  # the routing engine, which most starts need not load
    from d365setup.proving import prove  # noqa: PLC0415  # as above

    return prove(playbook, merged(decision))


def proven_alone(playbook: Playbook) -> Proof:
    """What the tests come to on what the playbook says, without any environment."""
    if not playbook.tests:
        return Proof()
    from d365setup.intended import of_playbook  # noqa: PLC0415  # as above
    from d365setup.proving import prove  # noqa: PLC0415  # as above

    return prove(playbook, of_playbook(playbook))


def check_tests(decision: Decision, output: Output) -> None:
    """Show the plan and raise TestsFailed where one did: no patient is sent where the playbook says nobody must be."""
    proof = decision.plan.proof
    if proof is not None and proof.failed:
        output.show(decision.plan)
        raise TestsFailed(proof)
